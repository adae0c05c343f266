"""The sdist, and the wheel built from it, so that whoever has only the sdist gets the same wheel."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..setup.debs import REPOSITORY, one_at_a_time

DIST = REPOSITORY / "build" / "dist"
_TIMEOUT_S = 600


class PackageError(Exception):
    """The package cannot be built, or does not work. The message says which step failed and why."""


@one_at_a_time()
def build(folder: Path = DIST) -> tuple[Path, Path]:
    """Wheel and sdist of this repository, in `folder`. Older ones there are removed. Raises PackageError."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]:
        old.unlink()
    with step("build sdist and wheel"):
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
        output(command, folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    for made in (wheel, sdist):
        say(f"{made.name}: {made.stat().st_size / 1000:.0f} kB")
    return wheel, sdist


def output(command: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    """Standard output of a command that runs in `folder`. Raises PackageError with its last messages."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageError(str(error)) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-5:]
        shown = " ".join(Path(word).name if word.startswith("/") else word for word in command)
        raise PackageError("\n".join([f"{shown}: exit code {done.returncode}", *lines]))
    return done.stdout


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print the seconds that a step took."""
    began_s = time.monotonic()
    try:
        yield
    except PackageError as error:
        raise PackageError(f"{name}: {error}") from error
    say(f"{name}: {time.monotonic() - began_s:.1f} s")


def say(text: str) -> None:
    """One line of progress."""
    print(f"package: {text}", flush=True)
