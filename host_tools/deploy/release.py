"""Builds a release: the service and the packages it needs in one folder, with a manifest.

Its id is the version and a hash of the content, so the same tree gives the same id. The hash excludes
compiled files, as compiling them again does not give the same bytes.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .wheels import REPOSITORY, project, wheelhouse

SOURCE = REPOSITORY / "edge"
MODELS = REPOSITORY / "models"
RELEASES = REPOSITORY / "build" / "releases"
_HASH_DIGITS = 10
_NOT_INSTALLED = re.compile(r"[^/]+\.data/")  # scripts and headers of a wheel


class ReleaseError(Exception):
    """The release cannot be built."""


@dataclass(frozen=True)
class Release:
    """A folder with `lib/` and `release.json`."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def id(self) -> str:
        """Version and hash."""
        return str(self.manifest["id"])

    @property
    def files(self) -> dict[str, str]:
        """sha256 by path."""
        return dict(self.manifest["files"])

    def size_bytes(self, paths: list[str]) -> int:
        """The total size of some of its files."""
        return sum((self.folder / path).stat().st_size for path in paths)


def build_release(arch: str, python: str, source: Path = SOURCE, releases: Path = RELEASES) -> Release:
    """The release of a source tree for a machine, built now unless `releases` already has it.

    Raises WheelError, ReleaseError.
    """
    wheels = wheelhouse(arch, python)
    version, _ = project()
    out = releases / arch
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".") as scratch:
        folder = Path(scratch) / "release"
        for wheel in wheels:
            _unpack(wheel, folder / "lib")
        shutil.copytree(source, folder / "lib" / "edge", ignore=shutil.ignore_patterns("__pycache__", ".*"))
        (folder / "lib" / "edge" / "models").mkdir()  # as in the wheel
        for model in MODELS.glob("*.tflite"):
            shutil.copy(model, folder / "lib" / "edge" / "models")
        sources = _hashes(folder)
        made = out / f"{version}-{_content_hash(arch, python, sources)}"
        if not made.is_dir():
            _compile(folder / "lib", python)
            manifest = {
                "id": made.name,
                "version": version,
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "arch": arch,
                "python": python,
                "files": _hashes(folder),
            }
            (folder / "release.json").write_text(json.dumps(manifest, indent=1) + "\n")
            folder.rename(made)
    return Release(made, json.loads((made / "release.json").read_text()))


def _unpack(wheel: Path, lib: Path) -> None:
    """Unpack a wheel, which is a zip file of a library folder, into `lib`."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(lib, [name for name in archive.namelist() if not _NOT_INSTALLED.match(name)])
    except (OSError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{wheel}: {error}") from None


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _content_hash(arch: str, python: str, files: dict[str, str]) -> str:
    lines = [f"{arch} {python}", *(f"{path} {digest}" for path, digest in sorted(files.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_DIGITS]


def _compile(lib: Path, python: str) -> None:
    """Compile for the version of Python on the node, which cannot write compiled files itself.

    Unchecked: the node does not compare them with the sources. They are the same on every architecture.
    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if python == own else shutil.which(f"python{python}")
    if interpreter is None:
        raise ReleaseError(
            f"the node has Python {python}: install python{python} on this machine, too, to compile for it"
        )
    command = [
        interpreter,
        "-m",
        "compileall",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(lib),
        "-p",
        "lib",
        str(lib),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"does not compile: {done.stdout.strip()}")
