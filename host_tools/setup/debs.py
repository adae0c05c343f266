"""Debian packages: installed with root, or downloaded by apt and unpacked into our own directory.

Without root, apt gets its own state and cache. It uses the archives that this machine already uses, on
request with another suite. So no system file is changed and no archive is named here.
"""

import fcntl
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / "build" / "tools"

_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d"))
_TIMEOUT_S = 900
_LOCK_TIMEOUT_S = 600  # another apt may be running, such as the automatic upgrades
_LOCK_RETRY_S = 3.0


class SetupError(RuntimeError):
    """Something could not be installed. The message says what to do."""


def run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Standard output of a command. Raises SetupError with the last lines of its output if it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"{command[0]}: {error}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise SetupError(f"{' '.join(command[:3])} ...: {' / '.join(words) or done.returncode}")
    return done.stdout


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process downloads or builds here; also a decorator. It does not nest."""
    folder = REPOSITORY / "build"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def apt_install(*packages: str) -> None:
    """Install Debian packages on the system, after waiting for another apt to finish.

    Raises SetupError without root or without apt, and if the installation fails.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(f"needs root on Debian or Ubuntu: apt-get install {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt_get = ["apt-get", "-o", f"DPkg::Lock::Timeout={_LOCK_TIMEOUT_S}"]
    _update(apt_get, env)
    run([*apt_get, "install", "-y", "--no-install-recommends", *packages], env=env)


def _update(apt_get: list[str], env: dict[str, str]) -> None:
    """`apt-get update`, which does not wait for the lock of the package lists by itself."""
    deadline_s, told = time.monotonic() + _LOCK_TIMEOUT_S, False
    while True:
        try:
            run([*apt_get, "update"], env=env)
            return
        except SetupError as problem:
            if "lock" not in str(problem) or time.monotonic() > deadline_s:
                raise
            if not told:
                print("another apt is running: waiting for it to finish", flush=True)
            told = True
            time.sleep(_LOCK_RETRY_S)


def unpack(package: str, root: Path, suite: str | None = None) -> None:
    """Unpack a package under `root`, with those of its libraries that this machine does not have.

    With `suite` (a Debian code name) all of them come from that suite, including the C library.
    Raises SetupError if this is not Debian or Ubuntu, or if the archive cannot be reached.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise SetupError("not a Debian or Ubuntu machine")
    root.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root.parent) as directory:
        scratch = Path(directory)
        apt = _private_apt(scratch, suite)
        run(["apt-get", *apt, "update"])
        wanted = [package, *(name for name in _libraries(package, apt) if suite or not _installed(name))]
        run(["apt-get", *apt, "download", *wanted], cwd=scratch)
        unpacked = scratch / "root"
        unpacked.mkdir()
        for deb in sorted(scratch.glob("*.deb")):
            run(["dpkg", "-x", str(deb), str(unpacked)])
        unpacked.rename(root)  # complete or not at all


def _private_apt(directory: Path, suite: str | None) -> list[str]:
    for folder in ("lists/partial", "archives/partial"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::lists": directory / "lists",
        "Dir::Cache": directory,
        "Dir::Cache::archives": directory / "archives",
        "APT::Sandbox::User": "root",  # otherwise apt downloads as its own user
    }
    if suite:
        sources = directory / "sources.list"
        sources.write_text(f"deb [signed-by={keyring()}] {debian_archive()} {suite} main\n")
        options |= {"Dir::Etc::sourcelist": sources, "Dir::Etc::sourceparts": directory / "none"}
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def debian_archive() -> str:
    """The address of Debian's main archive that this machine uses."""
    files = [path for place in _SOURCES for path in ([place] if place.is_file() else sorted(place.glob("*")))]
    for path in files:
        text = path.read_text(errors="replace")
        for uri in re.findall(r"^(?:URIs:\s*|deb\s+(?:\[[^]]*\]\s*)?)(\S+/debian/?)\s*", text, re.MULTILINE):
            return str(uri)
    raise SetupError("no Debian archive among apt's sources")


def keyring() -> Path:
    """The keys that sign Debian's archive. Raises SetupError if they are not installed."""
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists():
        raise SetupError(f"{keyring} is missing: apt-get install debian-archive-keyring")
    return keyring


def _libraries(package: str, apt: list[str]) -> list[str]:
    no = [
        f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    ]
    lines = run(["apt-cache", *apt, "depends", "--recurse", *no, package]).splitlines()
    return sorted({line for line in lines if line.startswith("lib") and ":" not in line})


def _installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${Status}", package]
    return "ok installed" in subprocess.run(query, capture_output=True, text=True, check=False).stdout
