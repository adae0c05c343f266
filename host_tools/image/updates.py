"""Updates of a booted image over `make deploy`: a good version is taken, a broken one is not."""

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
    """The service runs what was deployed."""
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
    """A version that cannot start is undone by the node itself."""
    before = _running(trial, machine)
    began_s = time.monotonic()
    code, said = _deploy(trial, _version(trial, "broken", "api/health.py", "\nraise RuntimeError\n"))
    seconds = time.monotonic() - began_s
    after = _running(trial, machine)
    if code != _WENT_BACK or after != before:
        raise GuestError(f"make deploy: exit code {code}, {after} runs: {said[-600:]}")
    trial.report["roll_back_s"] = round(seconds, 1)
    return f"tried, went back to {after} by itself, {seconds:.0f} s in all"


def _running(trial: Trial, machine: Emulator) -> str:
    """The release in service; one that was just restarted takes a while to answer."""
    health = trial.guest.wait_for(
        "health", _HEALTHY_S, lambda: trial.guest.ask("/health"), lambda: machine.running
    )
    return str(health["release"])


def _version(trial: Trial, name: str, file: str, text: str) -> Path:
    """The package of this tree with something added to one file."""
    folder = trial.folder / "versions" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(REPOSITORY / "edge", folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / file).open("a") as opened:
        opened.write(text)
    return folder


def _deploy(trial: Trial, source: Path) -> tuple[int, str]:
    """Exit code of `make deploy` and what it said; make itself would hide the code of what it calls."""
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
