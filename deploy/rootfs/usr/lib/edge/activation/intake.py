"""Receives a release or a configuration: beside the one in use, and verified before it can be used.

A release is announced by its manifest. The node links the files that another release already has with the
same content, and answers with the missing ones, which are then sent as a tar archive. An interrupted copy is
resumed by the next attempt.
"""

import os
import re
import shutil
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from .places import (
    BASE,
    FACTORY,
    FOLDERS,
    RELEASES,
    Refused,
    checked_id,
    here,
    manifest_of,
    parsed,
    releases,
    sha256,
)
from .switch import sync

_MOST_MANIFEST_BYTES = 8 << 20
_MOST_FOLDER_BYTES = 1 << 20
_FILE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,80}")


def wants(manifest_file: IO[bytes], dry: bool = False) -> list[str]:
    """Prepare a release, unless `dry`; returns the files that must be sent. Raises Refused."""
    data = manifest_file.read(_MOST_MANIFEST_BYTES)
    manifest = parsed(data, "release.json")
    if (manifest.get("arch"), manifest.get("python")) != here():
        raise Refused(f"release {manifest['id']} is not for {' '.join(here())}")
    known = _known_files()
    if dry:
        return [path for path, digest in manifest["files"].items() if digest not in known]
    partial = RELEASES / f".{manifest['id']}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    (partial / "release.json").write_bytes(data)
    return [path for path, digest in manifest["files"].items() if not _found(partial / path, digest, known)]


def _found(place: Path, digest: str, known: dict[str, Path]) -> bool:
    """Whether a file is in place, from an earlier attempt or linked now."""
    if place.is_file() and sha256(place) == digest:
        return True
    place.unlink(missing_ok=True)
    source = known.get(digest)
    if source is None or sha256(source) != digest:  # the card may have lost data
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, place)
    except OSError:  # the factory release is on another file system
        shutil.copyfile(source, place)
    return True


def _known_files() -> dict[str, Path]:
    known: dict[str, Path] = {}
    for folder in (FACTORY, *releases()):
        with suppress(Refused):
            for path, digest in manifest_of(folder)["files"].items():
                if (folder / path).is_file():
                    known[digest] = folder / path
    return known


def receive(name: str, archive: IO[bytes]) -> None:
    """Receive the missing files, which completes the release. Raises Refused."""
    partial = RELEASES / f".{checked_id(name)}.partial"
    files = manifest_of(partial)["files"]

    def take(path: str, data: IO[bytes]) -> None:
        if path not in files:
            raise Refused(f"{path} is not part of release {name}")
        place = partial / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # it may be a link into another release
        with place.open("wb") as file:
            shutil.copyfileobj(data, file)

    _unpack(archive, take)
    verify(partial)
    os.sync()
    partial.rename(RELEASES / name)
    sync(RELEASES)


def _unpack(archive: IO[bytes], take: Callable[[str, IO[bytes]], None]) -> None:
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for member in tar:
                data = tar.extractfile(member) if member.isreg() else None
                if data is None:
                    raise Refused(f"{member.name}: only regular files are accepted")
                take(member.name, data)
    except (tarfile.TarError, EOFError) as error:
        raise Refused(f"the copy was interrupted: {error}") from None


def verify(folder: Path) -> None:
    """Check that a release has exactly the files of its manifest, with the right content. Raises Refused."""
    files = manifest_of(folder)["files"]
    present = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    found = {str(path.relative_to(folder)) for path in present} - {"release.json", "confirmed"}
    wrong = files.keys() ^ found
    for path in files.keys() & found:
        if (folder / path).is_symlink() or sha256(folder / path) != files[path]:
            wrong.add(path)
    if wrong:
        named = ", ".join(sorted(wrong)[:3]) + (" and more" if len(wrong) > 3 else "")
        raise Refused(f"release {folder.name}: {len(wrong)} files missing, corrupt or unexpected: {named}")


def stage(name: str, archive: IO[bytes]) -> None:
    """Receive a new `config` or `keys` folder for the next trial. Raises Refused."""
    folder, room = BASE / f"{name}.new", _MOST_FOLDER_BYTES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)

    def take(path: str, data: IO[bytes]) -> None:
        nonlocal room
        content = data.read(room + 1)
        room -= len(content)
        if not _FILE.fullmatch(path) or room < 0:
            raise Refused(f"{name}/{path}: invalid file name, or too much data")
        place = folder / path
        place.touch(mode=0o600)
        place.write_bytes(content)
        place.chmod(0o600 if path.endswith(".key") else 0o644)

    _unpack(archive, take)
    folder.chmod(FOLDERS[name])
    if name == "keys":
        with suppress(LookupError, PermissionError):  # tests have no such user
            shutil.chown(folder, group="edge")
            for place in folder.iterdir():
                shutil.chown(place, "edge", "edge")
    os.sync()
