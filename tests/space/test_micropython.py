"""The tests of this folder also pass under MicroPython."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from host_tools.setup.micropython import micropython_command

MAIN = Path(__file__).with_name("micropython_main.py")
WITHOUT = "TEST_WITHOUT_MICROPYTHON"


def run(script: Path) -> subprocess.CompletedProcess[str]:
    command = micropython_command()
    assert command, f"MicroPython is not available (see above); set {WITHOUT}=1 to skip this test"
    return subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(os.environ.get(WITHOUT) == "1", reason=f"{WITHOUT} is set")
def test_the_kernel_runs_under_micropython() -> None:
    done = run(MAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", done.stdout).groups())
    functions = sum(
        len(re.findall(r"^def test_", path.read_text(), re.MULTILINE))
        for path in MAIN.parent.glob("test_*.py")
        if path.name not in ("test_model.py", "test_micropython.py", "test_gossip_schedules.py")
    )
    assert (passed, failed) == (functions, 0)


@pytest.mark.skipif(os.environ.get(WITHOUT) == "1", reason=f"{WITHOUT} is set")
def test_a_failure_under_micropython_is_noticed(tmp_path: Path) -> None:
    (tmp_path / MAIN.name).write_text(MAIN.read_text())
    (tmp_path / "test_one.py").write_text(
        "def test_good():\n    pass\n\n\ndef test_bad():\n    assert 1 == 2\n"
    )
    done = run(tmp_path / MAIN.name)
    assert done.returncode == 1
    assert "1 passed, 1 failed" in done.stdout
    assert "test_one.py test_bad" in done.stdout
