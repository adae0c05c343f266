"""A virtual environment with the newest Home Assistant that a Python of this machine installs.

Home Assistant pins what it needs, in a file within its wheel; without that file pip tries old versions for
hours. Only what the tried integrations need is installed besides.
"""

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

_INTEGRATIONS = ("mqtt", "recorder", "energy", "history", "http", "websocket_api", "sensor", "switch")
_READY = ".ready"
_LEAST = (2024, 12)  # the first with one message for a device, tried
_TIMEOUT_S = 1800.0


class NotInstalled(Exception):
    """Home Assistant cannot be had here; the message says why."""


def newest_python() -> Path:
    """The newest interpreter of this machine, 3.11 or later. Raises NotInstalled."""
    found: dict[tuple[int, int], Path] = {}
    places = [Path(each) for each in os.get_exec_path()]
    places += sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin"), reverse=True)
    for place in places:
        for program in place.glob("python3.[0-9]*"):
            name = re.fullmatch(r"python3\.(\d+)", program.name)
            if name and int(name[1]) >= 11 and (3, int(name[1])) not in found and _runs(program):
                found[3, int(name[1])] = program
    if not found:
        raise NotInstalled("there is no Python 3.11 or later")
    return found[max(found)]


def _runs(program: Path) -> bool:
    """A shim may stand for an interpreter that is not chosen."""
    return (
        subprocess.run([program, "-c", "import venv, ssl"], capture_output=True, check=False).returncode == 0
    )


def install(folder: Path, python: Path) -> tuple[Path, str]:
    """The interpreter of the environment, and the version. Raises NotInstalled."""
    place = folder / python.name
    program, ready = place / "venv/bin/python", place / _READY
    if not ready.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        _run([python, "-m", "venv", place / "venv"], "the environment cannot be made")
        pip = [program, "-m", "pip"]
        _run([*pip, "download", "-q", "--no-deps", "-d", place, "homeassistant"], "it cannot be downloaded")
        (wheel,) = place.glob("homeassistant-*.whl")
        version = wheel.name.split("-")[1]
        if tuple(map(int, version.split(".")[:2])) < _LEAST:
            raise NotInstalled(
                f"{python.name} installs {version}, which does not know devices in one message; "
                "Python 3.13 or later is needed"
            )
        pins, needs = _needs(wheel, place)
        _run([*pip, "install", "-q", "-c", pins, wheel, *needs], "it cannot be installed")
        wheel.unlink()
        ready.write_text(version)
    return program, ready.read_text()


def _needs(wheel: Path, place: Path) -> tuple[Path, list[str]]:
    """The file of pins, and what the integrations need."""
    needs: set[str] = set()
    waiting, seen = list(_INTEGRATIONS), set[str]()
    with zipfile.ZipFile(wheel) as content:
        pins = place / "constraints.txt"
        pins.write_bytes(content.read("homeassistant/package_constraints.txt"))
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            manifest = json.loads(content.read(f"homeassistant/components/{name}/manifest.json"))
            needs.update(manifest.get("requirements", ()))
            waiting += manifest.get("dependencies", ())
    return pins, sorted(needs)


def _run(command: list[object], why: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
    try:
        done = subprocess.run(
            [str(each) for each in command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{why}: it takes more than {_TIMEOUT_S / 60:g} min") from None
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-3:]
        raise NotInstalled(f"{why}: {' / '.join(last)}")
