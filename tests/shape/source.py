"""Our own source as syntax trees, for the tests of its shape."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("sos", "channels", "workers")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees(*folders: str) -> dict[str, ast.Module]:
    """Each module below these folders, by its path in the tree."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in paths}


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the place where it stands."""
    for path, tree in trees(*folders).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield f"{path}:{node.lineno}", node


def functions(*folders: str) -> Iterator[tuple[str, Function]]:
    """Every function, as `path:name`."""
    for path, tree in trees(*folders).items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path}:{node.name}", node


def spoken(call: ast.Call) -> tuple[str, str]:
    """What is called as `owner.name(…)`, or empty where it is not written so."""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        return call.func.value.id, call.func.attr
    return "", ""
