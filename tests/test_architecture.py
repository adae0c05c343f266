"""The rooms of the house: who may import whom (DESIGN 2), and what a node never pays for."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
EVERYWHERE = {"clock", "option", "terms"}  # modules of edge that every room may use
MAY_IMPORT = {
    "space": set(),
    "energy": set(),
    "learn": set(),
    "net": {"space"},  # the gateway joins a space and its links
    "meter": set(),
    "history": set(),
    "twins": {"space", "energy", "learn"},  # of them only the learning twin learns, see below
    "api": {"history", "learn", "node", "twins"},
    "config": {"energy", "learn", "meter", "net", "space", "twins"},
    "service": {"api", "history", "meter", "net", "node", "config", "twins"},
}
MICROPYTHON_HAS = {"array", "struct", "json", "sys", "gc", "time", "micropython", "binascii", "math"}
CPYTHON_ONLY = {"edge/space/shim.py": {"time", "zlib"}}


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


def test_rooms_import_only_whom_they_may():
    wrong = []
    for path in modules():
        parts = path.relative_to(REPOSITORY).parts
        if parts[0] != "edge" or len(parts) < 3:
            continue  # the composition root and its helpers know every room
        own = parts[1]
        for module, _ in imports(path):
            room = room_of(module)
            if room and room not in EVERYWHERE | MAY_IMPORT[own] | {own}:
                wrong.append(f"{'/'.join(parts)} imports {module}")
    assert wrong == []


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
        allowed = MICROPYTHON_HAS | CPYTHON_ONLY.get(name, set())
        for module, at_run_time in imports(path):
            root = module.split(".")[0]
            if at_run_time and root not in allowed | {"edge"}:
                wrong.append(f"{name} imports {module}")
    assert wrong == []


def test_every_room_has_rules():
    rooms = {
        path.name for path in (REPOSITORY / "edge").iterdir() if path.is_dir() and any(path.glob("*.py"))
    }
    assert rooms <= MAY_IMPORT.keys()


def test_only_the_learning_twin_brings_numpy_into_a_node():
    """All others may know the words and the names of models, which cost nothing."""
    cheap = {"edge.learn.terms", "edge.learn.registry"}
    learned = {"scope.py", "learning.py", "past.py", "reconcile.py"}
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
