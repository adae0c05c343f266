"""The rooms of learning: the mixture may use the LSTM room through its door; nothing else goes inwards."""

import ast

import pytest
from repository import REPOSITORY

ROOM = REPOSITORY / "edge" / "learn"
INNER = {"gossip", "lstm", "mixture"}
MAY_USE = {
    "gossip": set(),
    "lstm": set(),
    "mixture": {"lstm"},
}  # only their doors: the package, not its modules


def inner_imports(path):
    """(room, whether through its door) of each import of an inner room by a module of learning."""
    package = path.relative_to(ROOM).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not 0 < node.level <= len(package) + 1:
            continue
        base = package[: len(package) + 1 - node.level]
        parts = [*base, *(node.module or "").split(".")] if node.module else list(base)
        parts = parts or [alias.name for alias in node.names]
        if parts[0] in INNER:
            yield parts[0], len(parts) == 1


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_the_top_level_imports_no_inner_room(path):
    assert list(inner_imports(path)) == []


@pytest.mark.parametrize("room", sorted(INNER))
def test_an_inner_room_uses_others_through_their_doors(room):
    others = {each for path in (ROOM / room).glob("*.py") for each in inner_imports(path) if each[0] != room}
    assert others == {(other, True) for other in MAY_USE[room]}


def test_every_inner_room_has_rules():
    assert {path.parent.name for path in ROOM.glob("*/__init__.py")} == INNER
