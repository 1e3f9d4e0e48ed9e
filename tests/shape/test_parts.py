"""The lists that hold the parts together: migrations, jobs, renderers, import contracts, and the tree in README.md."""

import ast
import re
from configparser import ConfigParser

import pytest

from sos.database import MIGRATIONS, connect, migrate, migrations, schema_version
from sos.ledger.delivery import Purpose
from tests.shape.source import ROOT, calls, spoken, trees
from workers.jobs import JOBS
from workers.renderers import RENDERERS

README = ROOT / "README.md"


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    numbers = [number for number, _ in migrations()]

    assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", path.name) for path in MIGRATIONS.iterdir() if path.is_file())


async def test_an_empty_database_is_upgraded_step_by_step(empty_database: str) -> None:
    async with connect(empty_database) as conn:
        assert await schema_version(conn) == 0
        for number, path in migrations():
            assert await migrate(empty_database, up_to=number) == [path.name]
            assert await schema_version(conn) == number

    assert await migrate(empty_database) == []


def test_whatever_is_asked_for_later_has_a_job() -> None:
    asked = {name for _, name in _asked()}

    assert asked
    assert asked == set(JOBS)


def _asked() -> list[tuple[str, str]]:
    """Every `step.ask(NAME, …)`, with the value that NAME has where it is made."""
    constants = {
        target.id: node.value.value
        for tree in trees("sos").values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = [(place, call.args[0]) for place, call in calls("sos", "workers") if spoken(call) == ("step", "ask")]
    return [(place, str(constants[name.id])) for place, name in found if isinstance(name, ast.Name)]


def test_every_purpose_of_a_delivery_has_its_renderer() -> None:
    assert set(RENDERERS) == set(Purpose)


def test_every_part_has_its_place_among_those_who_may_import_whom() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    placed = set(re.findall(r"sos\.(\w+)", contracts["importlinter:contract:journey"]["layers"]))
    parts = {path.stem for path in (ROOT / "sos").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}

    assert placed == parts - {"__init__", "__pycache__"}


def test_each_stage_that_has_a_noun_keeps_it_without_input_and_output() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    nouns = contracts["importlinter:contract:nouns"]["source_modules"].split()

    assert all((ROOT / f"{noun.replace('.', '/')}.py").is_file() for noun in nouns)


def test_the_tree_in_the_readme_is_the_tree_on_disk() -> None:
    """Each line of its fenced block begins with a path; a folder that is named with its files names them all."""
    if not README.exists():
        pytest.skip("README.md is not written yet")
    block = re.search(r"^```\w*\n(sos/.*?)^```", README.read_text("utf-8"), re.M | re.S)
    assert block, "README.md holds no fenced block that begins with sos/"

    named = [path for path in _paths(block[1]) if not (ROOT / path).exists()]
    missing = [folder for folder in _folders_of_the_product() if folder not in set(_paths(block[1]))]

    assert not named, f"README.md names what is not there: {named}"
    assert not missing, f"README.md does not name {missing}"


def _paths(block: str) -> list[str]:
    """The paths of a tree: two spaces for each level, names divided by one space, remarks set off by two or more."""
    above: list[str] = []
    found: list[str] = []
    for line in filter(str.strip, block.splitlines()):
        level = (len(line) - len(line.lstrip())) // 2
        for name in re.split(r" {2,}", line.strip())[0].split():
            above[level:] = [name]
            found.append("".join(above).rstrip("/"))
    return found


def _folders_of_the_product() -> list[str]:
    tops = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    stages = [f"sos/{path.name}" for path in (ROOT / "sos").iterdir() if (path / "__init__.py").exists()]
    return sorted([*tops, *stages])
