"""The wheelhouse: the wheels that a node needs, for its architecture, cached in build/wheels.

The versions are those of constraints.txt, and the SHA-256 of each wheel is in deploy/wheels.sha256: a wheel
that differs is refused. They are downloaded once for a list of requirements, so the same sources give the
same release. `make constraints` writes both files.
"""

import hashlib
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from edge import __version__

from ..setup.debs import REPOSITORY, one_at_a_time

CONSTRAINTS = REPOSITORY / "constraints.txt"
PINNED = REPOSITORY / "deploy" / "wheels.sha256"  # as by sha256sum
PYTHON = "3.11"  # of the nodes, for which wheels are pinned
WHEELS = REPOSITORY / "build" / "wheels"
ARCHITECTURES = ("aarch64", "x86_64")
_PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")  # Debian 12 has 2.36


class WheelError(Exception):
    """There are no wheels for this machine, or they cannot be downloaded."""


def project() -> tuple[str, list[str]]:
    """The version and requirements of the service, including those of learning."""
    table = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = table.get("optional-dependencies", {})
    return __version__, [*table["dependencies"], *extras.get("learn", [])]


@one_at_a_time()
def wheelhouse(arch: str, python: str) -> list[Path]:
    """The wheels of all requirements; `arch` as in `uname -m`, `python` as in "3.11". Raises WheelError."""
    wheels = _downloaded(arch, python)
    if python == PYTHON:  # another one is only found on a PC
        pinned = _pinned()
        for wheel in wheels:
            _check(wheel, pinned)
    return wheels


def _downloaded(arch: str, python: str) -> list[Path]:
    if arch not in ARCHITECTURES:
        raise WheelError(
            f"no wheels for {arch}: the node must be {' or '.join(ARCHITECTURES)} (a 64-bit system)"
        )
    _, requirements = project()
    key = hashlib.sha256("\n".join([*requirements, CONSTRAINTS.read_text()]).encode()).hexdigest()[:8]
    folder = WHEELS / f"{arch}-{python}-{key}"
    if not folder.is_dir():
        _fetch(requirements, arch, python, folder)
    return sorted(folder.glob("*.whl"))


def _pinned() -> dict[str, str]:
    """The SHA-256 of each wheel by its file name."""
    lines = [line.split() for line in PINNED.read_text().splitlines()]
    return {name: digest for digest, name in lines}


def _check(wheel: Path, pinned: dict[str, str]) -> None:
    if wheel.name not in pinned:
        raise WheelError(f"{wheel.name} is not in {PINNED.name}: `make constraints` writes it")
    if _sha256(wheel) != pinned[wheel.name]:
        raise WheelError(f"{wheel}: its SHA-256 is not that of {PINNED.name}: remove it and try again")


def _sha256(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def pin() -> int:
    """Write the SHA-256 of the wheels for all architectures; returns how many. Raises WheelError."""
    digests = {wheel.name: _sha256(wheel) for arch in ARCHITECTURES for wheel in _downloaded(arch, PYTHON)}
    PINNED.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())))
    return len(digests)


def _fetch(requirements: list[str], arch: str, python: str, folder: Path) -> None:
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    target = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    target += [word for platform in _PLATFORMS for word in ("--platform", f"{platform}_{arch}")]
    command = [*pip, "--dest", str(partial), *target, "--constraint", str(CONSTRAINTS), *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = " / ".join(done.stderr.strip().splitlines()[-2:])
        raise WheelError(f"wheels for {arch}, Python {python}: {words}")
    partial.rename(folder)  # complete or not at all
