"""Builds a release: the service and its dependencies in one folder, with a manifest.

Its id consists of the version and a hash of the content, so the same sources give the same id. Compiled files
are not part of the hash, because compiling is not reproducible byte for byte. Its number is the time at which
it was built, in seconds since 1970: a node refuses a number lower than the one it has confirmed.
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

from ..page.pack import pack
from ..setup.debs import REPOSITORY
from .wheels import project, wheelhouse

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
        """The version and the hash."""
        return str(self.manifest["id"])

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 by path."""
        return dict(self.manifest["files"])

    def size_bytes(self, paths: list[str]) -> int:
        """The total size of some of its files."""
        return sum(self.manifest["sizes"][path] for path in paths)


def build_release(arch: str, python: str, source: Path = SOURCE, releases: Path = RELEASES) -> Release:
    """The release of a source tree for a machine, built now or found in `releases`.

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
        pack(folder / "lib" / "edge" / "api" / "static")
        (folder / "lib" / "edge" / "models").mkdir()  # as in the wheel
        for model in (*MODELS.glob("*.tflite"), *MODELS.glob("*.md")):  # with the checksums on the cards
            shutil.copy(model, folder / "lib" / "edge" / "models")
        sources = _hashes(folder)
        made = out / f"{version}-{_content_hash(arch, python, sources)}"
        if not _is_whole(made):
            shutil.rmtree(made, ignore_errors=True)
            _compile(folder / "lib", python)
            files, now = _hashes(folder), datetime.now(UTC)
            manifest = {
                "id": made.name,
                "number": int(now.timestamp()),
                "version": version,
                "made": now.isoformat(timespec="seconds"),
                "arch": arch,
                "python": python,
                "sizes": {path: (folder / path).stat().st_size for path in files},
                "files": files,
            }
            (folder / "release.json").write_text(json.dumps(manifest, indent=1) + "\n")
            folder.rename(made)
    return Release(made, json.loads((made / "release.json").read_text()))


def _is_whole(made: Path) -> bool:
    """Whether a release was built before, and by this version of the tool."""
    try:
        return "sizes" in json.loads((made / "release.json").read_text())
    except (OSError, ValueError):
        return False


def _unpack(wheel: Path, lib: Path) -> None:
    """Unpack a wheel, which is a zip archive of a library folder."""
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
    """Compile for the Python version of the node, which cannot write compiled files itself.

    The files are unchecked, so that Python does not read the sources. They are the same for all
    architectures.
    """
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = sys.executable if python == own else shutil.which(f"python{python}")
    if interpreter is None:
        raise ReleaseError(
            f"the node has Python {python}: python{python} is needed on this machine to compile for it"
        )
    command = [interpreter, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(lib), "-p", "lib", str(lib)]
    done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"compilation failed: {done.stdout.strip()}")
