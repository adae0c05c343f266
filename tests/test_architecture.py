"""The rooms of the house: who may import whom (docs/architecture.md), and what a node never pays for."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest
from repository import REPOSITORY

# Every room and every module beside them, from the bottom to the top: no arrow runs upwards.
MAY_IMPORT = {
    "terms": set(),
    "clock": set(),
    "files": set(),
    "csv_file": {"files"},
    "option": {"terms"},
    "state": {"clock", "files"},
    "recent": set(),
    "space": set(),
    "energy": {"terms"},
    "learn": {"files", "terms"},
    "meter": {"clock", "files", "option"},
    "history": {"clock", "files", "terms"},
    "trust": {"clock", "files", "terms"},
    "net": {"clock", "files", "option", "space", "terms", "trust"},
    "twins": {"clock", "csv_file", "energy", "files", "learn", "option", "space", "terms", "trust"},
    "config": {"clock", "files", "meter", "net", "option", "space", "terms", "trust", "twins"},
    "journal": {"clock", "energy", "history", "meter", "twins"},
    "incarnation": {"space"},
    "watch": {"net", "recent", "twins"},
    "counters": {"clock", "energy", "history", "journal", "twins"},
    "node": {
        "clock",
        "config",
        "counters",
        "energy",
        "history",
        "incarnation",
        "journal",
        "meter",
        "net",
        "recent",
        "space",
        "state",
        "trust",
        "twins",
        "watch",
    },
    "api": {
        "config",
        "counters",
        "files",
        "history",
        "learn",
        "meter",
        "node",
        "option",
        "recent",
        "space",
        "terms",
        "twins",
    },
    "homeassistant": {
        "api",
        "clock",
        "config",
        "counters",
        "energy",
        "files",
        "journal",
        "net",
        "node",
        "option",
        "twins",
    },
    "push": {"clock", "config", "files", "history", "node", "terms"},
    "service": {
        "space",
        "homeassistant",
        "push",
        "api",
        "clock",
        "config",
        "files",
        "history",
        "meter",
        "net",
        "node",
        "recent",
        "trust",
        "twins",
    },
    "probe": {"clock", "meter", "option"},
    "__main__": {"api", "clock", "config", "history", "probe", "service", "trust"},
}
TYPING_ONLY = {
    "api": {"counters", "meter", "node", "recent", "space", "twins"},
    "journal": {"meter", "twins"},
    "watch": {"net", "twins"},
    "counters": {"twins"},
}
MICROPYTHON_HAS = {"array", "struct", "json", "sys", "gc", "time", "micropython", "hashlib", "math"}


def modules():
    return sorted((REPOSITORY / "edge").rglob("*.py")) + sorted((REPOSITORY / "host_tools").rglob("*.py"))


def imports(path):
    """(module, at run time) of every import; relative ones are made absolute."""
    package = path.relative_to(REPOSITORY).with_suffix("").parts
    tree = ast.parse(path.read_text())
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        and "TYPE_CHECKING" in ast.dump(block.test)
        and isinstance(block.test, ast.Name)
        for part in block.body
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in typing_only
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level]) if node.level else []
            if path.name == "__init__.py" and node.level:
                base = list(package[: len(package) - node.level])
            module = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            yield module, node not in typing_only


def room_of(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "edge" else ""


def arrows():
    """(file, its room, the room it imports, at run time) for every arrow between rooms of edge."""
    for path in modules():
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if parts[0] == "edge" and len(parts) > 1 and parts[1] != "__init__":
            for module, at_run_time in imports(path):
                room = room_of(module)
                if room and room != parts[1]:
                    yield "/".join(parts), parts[1], room, at_run_time


def test_every_room_and_every_module_beside_them_has_rules():
    beside = {path.stem for path in (REPOSITORY / "edge").glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in (REPOSITORY / "edge").glob("*/*.py")}
    assert beside | rooms == MAY_IMPORT.keys()


def test_rooms_import_only_whom_they_may():
    wrong = [
        f"{file} imports {room}"
        for file, own, room, at_run_time in arrows()
        if room not in MAY_IMPORT[own] or (at_run_time and room in TYPING_ONLY.get(own, set()))
    ]
    assert wrong == []


def test_every_rule_is_used():
    used = {(own, room) for _, own, room, _ in arrows()}
    assert [
        (own, room) for own, rooms in MAY_IMPORT.items() for room in rooms if (own, room) not in used
    ] == []


def test_no_rule_allows_an_arrow_upwards():
    order = list(MAY_IMPORT)
    upwards = [
        (own, room)
        for own, rooms in MAY_IMPORT.items()
        for room in rooms
        if order.index(room) > order.index(own)
    ]
    assert upwards == []


def test_no_circle_ties_two_modules():
    """At run time; what is imported for typing alone ties nothing."""
    files = {".".join(path.relative_to(REPOSITORY).with_suffix("").parts): path for path in modules()}
    graph = {
        name.removesuffix(".__init__"): {
            module for module, at_run_time in imports(path) if at_run_time and module in files
        }
        for name, path in files.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_the_node_never_imports_host_tools_or_tests():
    wrong = [
        f"{path.relative_to(REPOSITORY)} imports {module}"
        for path in modules()
        if path.is_relative_to(REPOSITORY / "edge")
        for module, _ in imports(path)
        if module.split(".")[0] in ("host_tools", "tests")
    ]
    assert wrong == []


def test_the_kernel_uses_only_what_micropython_has():
    wrong = []
    for path in sorted((REPOSITORY / "edge" / "space").rglob("*.py")):
        name = str(path.relative_to(REPOSITORY))
        for module, at_run_time in imports(path):
            root = module.split(".")[0]
            if at_run_time and root not in MICROPYTHON_HAS | {"edge"}:
                wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_only_the_learning_twin_brings_numpy_into_a_node():
    """All others may know the words and the names of models, which cost nothing."""
    cheap = {"edge.learn.terms", "edge.learn.registry", "edge.learn.gossip_names"}
    learned = {
        "scope.py",
        "day_forecast.py",
        "learning.py",
        "past.py",
        "source.py",
        "gossip.py",
        "reconcile.py",
        "reconcile_watts.py",
        "models.py",
        "replay.py",
        "statistics.py",
    }
    wrong = [
        f"{path.relative_to(REPOSITORY)} imports {module}"
        for path in modules()
        if path.is_relative_to(REPOSITORY / "edge") and "learn" not in path.parts and path.name not in learned
        for module, at_run_time in imports(path)
        if at_run_time and module.startswith(("edge.learn.", "numpy")) and module not in cheap
    ]
    assert wrong == []


@pytest.mark.parametrize("module", ["numpy", "tflite_runtime", "asyncio", "rich", "yaml"])
def test_a_node_without_learning_does_not_pay_for(module):
    code = (
        "import sys, edge.__main__, edge.node, edge.service.runtime, edge.api.routes, edge.net.mqtt, "
        f"edge.api.server, edge.meter.bus, edge.config.check; sys.exit({module!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=REPOSITORY).returncode == 0
