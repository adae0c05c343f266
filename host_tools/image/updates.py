"""Updates of a booted image by `make deploy`: a good version is installed, a broken one is rolled back."""

import shutil
import subprocess
import time
from pathlib import Path

from ..setup.debs import REPOSITORY
from .emulate import Emulator
from .guest import GuestError
from .trial import Trial

_HEALTHY_S = 240  # an emulated Pi takes twenty times as long to start Python as a real one
_MOST_S = 900.0
_WENT_BACK = 1


def takes_a_new_version(trial: Trial, machine: Emulator) -> str:
    """Check that the service runs a deployed version."""
    before = _running(trial, machine)
    began_s = time.monotonic()
    code, said = _deploy(trial, _version(trial, "new", "__init__.py", "# another version\n"))
    seconds = time.monotonic() - began_s
    after = _running(trial, machine)
    if code or after == before:
        raise GuestError(f"make deploy: exit code {code}, {after} runs: {said[-600:]}")
    trial.report["deploy_s"] = round(seconds, 1)
    return f"{before} -> {after} in {seconds:.0f} s"


def refuses_a_broken_version(trial: Trial, machine: Emulator) -> str:
    """Check that the node itself rolls back a version that cannot start."""
    before = _running(trial, machine)
    began_s = time.monotonic()
    code, said = _deploy(trial, _version(trial, "broken", "node.py", "\nraise RuntimeError\n"))
    seconds = time.monotonic() - began_s
    after = _running(trial, machine)
    if code != _WENT_BACK or after != before:
        raise GuestError(f"make deploy: exit code {code}, {after} runs: {said[-600:]}")
    trial.report["roll_back_s"] = round(seconds, 1)
    return f"rolled back to {after} by the node, {seconds:.0f} s in total"


def _running(trial: Trial, machine: Emulator) -> str:
    """The release that is running; waits until the service answers."""
    health = trial.guest.wait_for(
        "health", _HEALTHY_S, lambda: trial.guest.ask("/health"), lambda: machine.running
    )
    return str(health["release"])


def _version(trial: Trial, name: str, file: str, text: str) -> Path:
    """A copy of the package `edge` with text added to one file."""
    folder = trial.folder / "versions" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(REPOSITORY / "edge", folder, ignore=shutil.ignore_patterns("__pycache__"))
    changed = folder / file
    changed.write_text(changed.read_text() + text)
    return folder


def _deploy(trial: Trial, source: Path) -> tuple[int, str]:
    """Run `make deploy`; returns the exit code of the tool (make hides it) and the output."""
    folder = trial.folder
    arguments = {
        "source": source,
        "fleet": folder / "deploy",
        "made": folder / "fleet",
        "out": folder / "releases",
        "known-hosts": folder / "known_hosts_deploy",
        "wait": _HEALTHY_S,
    }
    words = " ".join(f"--{name} {value}" for name, value in arguments.items())
    done = subprocess.run(
        [
            "make",
            "--silent",
            "deploy",
            f"NODE={trial.name}",
            "HOST=127.0.0.1",
            f"PORT={trial.guest.port}",
            f"IDENTITY={trial.guest.key}",
            f"ARGS={words}",
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=_MOST_S,
        check=False,
    )
    said = done.stdout + done.stderr
    (folder / "deploy.log").write_text(said)
    code = done.returncode
    if code:  # make: *** [Makefile:70: deploy] Error 1
        code = int(said.rpartition("Error ")[2].split()[0]) if "Error " in said else code
    return code, said
