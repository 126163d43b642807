"""The house stays as it was drawn: imports point one way, rooms do not know their neighbours."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import aggregator

PACKAGE = Path(aggregator.__file__).parent

# Which rooms each room may import; itself, `models`, `errors` and the package's own name go without saying.
MAY_IMPORT = {
    "models": set(),
    "errors": set(),
    "config": set(),
    "ingest": {"config"},
    "normalize": {"config"},
    "images": {"config"},
    "filters": {"config"},
    "store": {"config"},
    "publish": {"config"},
    "push": {"config"},
    "pipeline": {"config", "ingest", "normalize", "images", "filters", "store", "publish", "push"},
    "schedule": {"config", "pipeline", "store"},
    "serve": {"config", "pipeline", "store"},
    "cli": {"config", "pipeline", "store", "schedule", "serve"},
    "__main__": {"cli"},
    "__init__": set(),
}
EVERYBODY = {"models", "errors"}


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(file: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names = [node.module or ""]
            if node.module == "aggregator":
                names = [f"aggregator.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("aggregator.")}
    return rooms - {"__version__"}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_one_way(file):
    room = room_of(file)
    assert imported_rooms(file) - EVERYBODY - {room} <= MAY_IMPORT[room]


def test_every_room_is_known():
    assert {room_of(file) for file in MODULES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert file.read_text(encoding="utf-8").count("\n") <= 400
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "migrations" not in file.parts:
            assert (node.end_lineno or 0) - node.lineno <= 60, node.name


def test_modules_hold_no_state():
    """Constants have upper-case names (or a leading underscore before one); nothing in a module is rebound."""
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Global), f"{file}: global"


def test_no_possessive_quantifier_stands_around_a_group():
    """CPython before 3.11.5 matches them wrongly (gh-106052), and Debian 12 has 3.11.2."""

    def around_a_group(parsed: Any) -> bool:
        for operator, argument in parsed:
            name = str(operator)
            simple = {"IN", "LITERAL", "NOT_LITERAL", "ANY"}
            if name == "POSSESSIVE_REPEAT" and (len(argument[2]) > 1 or str(argument[2][0][0]) not in simple):
                return True
            inner = argument if isinstance(argument, tuple | list) else [argument]
            if any(isinstance(part, type(parsed)) and around_a_group(part) for part in inner):
                return True
        return False

    assert around_a_group(parser.parse("(?:(?!x).)*+y"))
    assert around_a_group(parser.parse("a(?:b(a|bc)*+)?"))
    assert not around_a_group(parser.parse("a[bc]*+d"))
    for file in MODULES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and "*+" in node.value.replace("()*+", "")
            ):
                with suppress(re.error):
                    assert not around_a_group(parser.parse(node.value)), f"{file}:{node.lineno}"
