"""The form of the code: small functions, small files, imports at the top, and nothing left for later."""

import ast

from tests.shape.source import PRODUCT, ROOT, functions, spoken, trees

LONGEST_FUNCTION = 40
LONGEST_FILE = 300

# These lists may only shrink: whoever shortens one takes it off, and the test says so.
LONG_FUNCTIONS: frozenset[str] = frozenset()
LONG_FILES = frozenset({"sos/actions/steps.py", "sos/actions/store.py"})
IMPORTS_IN_FUNCTIONS: frozenset[str] = frozenset()

NAMELESS = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_a_function_holds_one_idea() -> None:
    long = {name for name, function in functions(*PRODUCT) if lines_of(function) > LONGEST_FUNCTION}

    assert long == LONG_FUNCTIONS


def test_a_file_can_be_read_at_one_sitting() -> None:
    long = {path for path in trees(*PRODUCT) if len((ROOT / path).read_text("utf-8").splitlines()) > LONGEST_FILE}

    assert long == LONG_FILES


def test_imports_stand_at_the_top() -> None:
    inside = {
        name
        for name, function in functions(*PRODUCT)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }

    assert inside == IMPORTS_IN_FUNCTIONS


def test_every_module_says_what_it_is_for_in_one_line() -> None:
    silent = [path for path, tree in trees(*PRODUCT, "tests").items() if not ast.get_docstring(tree)]

    assert not silent


def test_nothing_is_called_by_a_name_that_names_nothing() -> None:
    nameless = [path for path in trees(*PRODUCT, "tests") if NAMELESS & set(path.removesuffix(".py").split("/"))]

    assert not nameless


def test_nothing_is_left_for_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "X" * 3)
    left = [
        path for path in trees(*PRODUCT, "tests") if any(mark in (ROOT / path).read_text("utf-8") for mark in marks)
    ]

    assert not left


def test_nothing_happens_on_import() -> None:
    """A module makes names, and at most completes a private one of its own; it opens and registers nothing."""
    acting = [
        f"{path}:{node.lineno}"
        for path, tree in trees(*PRODUCT).items()
        for node in tree.body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and spoken(node.value)[0][:1] != "_"
    ]

    assert not acting
