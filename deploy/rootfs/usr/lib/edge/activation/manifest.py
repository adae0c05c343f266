"""The manifest of a release, release.json: its id, its number, and size and SHA-256 of every file.

Whoever runs or receives a release compares it with its manifest. Standard library only, and quick to import:
the launcher uses it at every start.
"""

import hashlib
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

SIGNATURE = "release.json.sig"
_BESIDE = {"release.json", SIGNATURE, "confirmed"}  # files of a release that are not in its manifest
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,80}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SIGNER = re.compile(r"[a-z0-9@.-]{4,40} [A-Za-z0-9+/]{16,2000}={0,3}")  # a public ssh key
_MOST_FILES, _MOST_BYTES, _MOST_PATH, _MOST_SIGNERS = 20_000, 256 << 20, 200, 16

Manifest = dict[str, Any]


class Refused(Exception):
    """The input is invalid; nothing has been changed."""


def here() -> tuple[str, str]:
    """Architecture and Python version of this machine, as in a manifest."""
    return platform.machine(), f"{sys.version_info.major}.{sys.version_info.minor}"


def manifest_of(folder: Path) -> Manifest:
    """The manifest of a release (release.json). Raises Refused."""
    file = folder / "release.json"
    try:
        if not file.is_file():  # reading a pipe would never end
            raise Refused(f"{file}: not a file")
        data = file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    return parsed(data, str(file))


def parsed(data: bytes, source: str) -> Manifest:
    """Parse a manifest and check that no path leaves the release. Raises Refused.

    Sizes, number and signers are missing in releases that were built before 0.3.0.
    """
    try:
        manifest = json.loads(data)
        checked_id(manifest["id"])
        files, sizes = manifest["files"], manifest.get("sizes", {})
        right = (
            len(files) <= _MOST_FILES
            and all(_inside(path) and _DIGEST.fullmatch(digest) for path, digest in files.items())
            and not any(parent in files for path in files for parent in _parents(path))
            and sizes.keys() <= files.keys()
            and all(type(size) is int and size >= 0 for size in sizes.values())
            and sum(sizes.values()) <= _MOST_BYTES
            and type(manifest.get("number", 0)) is int
            and len(manifest.get("signers", ())) <= _MOST_SIGNERS
            and all(_SIGNER.fullmatch(key) for key in manifest.get("signers", ()))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        right = False
    if not right:
        raise Refused(f"{source}: not a valid manifest of a release")
    return dict(manifest)


def checked_id(name: str) -> str:
    """The id itself, if it is valid. Raises Refused."""
    if not _ID.fullmatch(name):
        raise Refused(f"{name!r} is not a valid release id")
    return name


def _inside(path: str) -> bool:
    """Whether a path is one of a file below `lib`, in its only spelling."""
    first, *parts = path.split("/")
    plain = path.isprintable() and len(path.encode()) <= _MOST_PATH
    return plain and first == "lib" and bool(parts) and not {"", ".", ".."} & set(parts)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(folder: Path, manifest: Manifest) -> list[str]:
    """The paths that are missing, corrupt or unexpected, compared with the manifest; sizes come first."""
    files, sizes = manifest["files"], manifest.get("sizes", {})
    found = _found(folder)
    wrong = set(files.keys() ^ found)
    inside = files.keys() & found
    wrong |= {path for path in inside if not _sized(folder / path, sizes.get(path))}
    if not wrong:  # hashing all files takes seconds on a node
        wrong = {path for path in inside if not _same(folder / path, files[path])}
    return sorted(wrong)


def _found(folder: Path) -> set[str]:
    """The relative paths of all files and links."""
    found = set()
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        found |= {os.path.relpath(os.path.join(place, name), folder) for name in [*names, *links]}
    return found - _BESIDE


def _sized(path: Path, size: int | None) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return size is None or path.stat().st_size == size


def _same(path: Path, digest: str) -> bool:
    try:
        return sha256(path) == digest
    except OSError:  # a bad block of the card
        return False
