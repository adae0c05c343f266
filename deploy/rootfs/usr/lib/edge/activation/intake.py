"""Receives a release or a configuration: beside the one in use, and verified before it can be used.

A release is announced by its signed manifest. The node copies the files that another release already has with
the same content, and answers with the missing ones, which are then sent as a tar archive. Every release has
bytes of its own, so one bad block of the card damages one release. An interrupted copy is resumed by the next
attempt; after a full disk it is removed.
"""

import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .manifest import SIGNATURE, Manifest, Refused, checked_id, here, manifest_of, parsed, sha256
from .places import BASE, FACTORY, FOLDERS, RELEASES, is_sound, releases, verify
from .switch import make_room, swap, sync
from .trust import check

_MOST_MANIFEST_BYTES = 8 << 20
_MOST_FOLDER_BYTES, _MOST_FOLDER_FILES = 1 << 20, 64
_SIGNATURE = b"-----BEGIN SSH SIGNATURE-----"
_BLOCK, _HEADER_BYTES, _END_BYTES = 4096, 1024, 64 << 10  # of a file system; of a tar archive
_FILE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,80}")


def wants(announced: IO[bytes], dry: bool = False) -> list[str]:
    """Prepare a release, unless `dry`; returns the files that must be sent. Raises Refused, OSError.

    `announced`: the manifest and its signature. A dry run needs no signature.
    """
    data, signature = _read(announced)
    manifest = parsed(data, "release.json")
    if (manifest.get("arch"), manifest.get("python")) != here():
        raise Refused(f"release {manifest['id']} is not for {' '.join(here())}")
    _sizes(manifest)
    known = _known_files()
    if dry:
        return [path for path, digest in manifest["files"].items() if digest not in known]
    check(data, signature, manifest)
    if is_sound(RELEASES / manifest["id"]):
        return []
    partial = RELEASES / f".{manifest['id']}.partial"
    with _removed_if_full(partial):
        lacking = [path for path, digest in manifest["files"].items() if not _has(partial / path, digest)]
        make_room(_space(manifest, lacking), partial.name)
        partial.mkdir(parents=True, exist_ok=True)
        (partial / "release.json").write_bytes(data)
        (partial / SIGNATURE).write_bytes(signature)
        return [path for path in lacking if not _copied(partial / path, manifest["files"][path], known)]


def _read(announced: IO[bytes]) -> tuple[bytes, bytes]:
    """The manifest and its signature."""
    whole = announced.read(_MOST_MANIFEST_BYTES + 1)
    if len(whole) > _MOST_MANIFEST_BYTES:
        raise Refused("release.json: too large")
    data, marker, signature = whole.partition(_SIGNATURE)
    return data, marker + signature


def _sizes(manifest: Manifest) -> dict[str, int]:
    sizes: dict[str, int] = manifest.get("sizes", {})
    if sizes.keys() != manifest["files"].keys():
        raise Refused(f"release {manifest['id']} does not state the size of each file")
    return sizes


def _space(manifest: Manifest, paths: list[str]) -> int:
    return sum(manifest["sizes"][path] + _BLOCK for path in paths)


@contextmanager
def _removed_if_full(partial: Path) -> Iterator[None]:
    """Remove an incomplete release that the disk had no room for."""
    try:
        yield
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _has(place: Path, digest: str) -> bool:
    """Whether an earlier attempt brought this file."""
    with suppress(OSError):
        own = place.is_file() and not place.is_symlink() and place.stat().st_nlink == 1
        return own and sha256(place) == digest
    return False


def _copied(place: Path, digest: str, known: dict[str, Path]) -> bool:
    """Copy a file from another release, if one has it; what was written is what counts."""
    place.unlink(missing_ok=True)
    source = known.get(digest)
    if source is None:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        content = source.read_bytes()
    except OSError:  # a bad block of the card
        return False
    place.write_bytes(content)
    if sha256(place) == digest:
        return True
    place.unlink()
    return False


def _known_files() -> dict[str, Path]:
    known: dict[str, Path] = {}
    for folder in (FACTORY, *releases()):
        with suppress(Refused):
            for path, digest in manifest_of(folder)["files"].items():
                if (folder / path).is_file():
                    known[digest] = folder / path
    return known


def receive(name: str, archive: IO[bytes]) -> None:
    """Receive the missing files, which completes the release. Raises Refused, OSError.

    No more is read or written than the manifest states.
    """
    partial = RELEASES / f".{checked_id(name)}.partial"
    if not partial.is_dir() and is_sound(RELEASES / name):
        return
    manifest = manifest_of(partial)
    sizes = _sizes(manifest)
    missing = {path for path in manifest["files"] if not (partial / path).is_file()}

    def take(member: tarfile.TarInfo, data: IO[bytes]) -> None:
        path = member.name
        if path not in missing:
            raise Refused(f"{path} is not part of release {name}, or was not requested")
        if member.size != sizes[path]:
            raise Refused(f"{path} has {member.size} bytes, {sizes[path]} in the manifest")
        missing.remove(path)
        place = partial / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            shutil.copyfileobj(data, file)

    with _removed_if_full(partial):
        make_room(_space(manifest, list(missing)), partial.name)
        most = sum(sizes[path] for path in missing) + _HEADER_BYTES * len(missing) * 2
        _unpack(archive, most, take)
        verify(partial)
        os.sync()
        _complete(partial, RELEASES / name)


def _complete(partial: Path, place: Path) -> None:
    """Give a release its name; a damaged one of the same name is replaced in one step."""
    if place.exists():
        swap(partial, place)
        shutil.rmtree(partial, ignore_errors=True)
    else:
        partial.rename(place)
    sync(RELEASES)


class _Bounded:
    """Reads no more than a number of bytes. `read` raises Refused."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source, self._left = source, most + _END_BYTES

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise Refused("more was sent than was announced")
        return data


def _unpack(archive: IO[bytes], most: int, take: Callable[[tarfile.TarInfo, IO[bytes]], None]) -> None:
    """Give every file of a tar archive of at most this size to `take`."""
    try:
        with tarfile.open(fileobj=_Bounded(archive, most), mode="r|") as tar:  # type: ignore[call-overload]  # only read() is used
            for member in tar:
                data = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                if data is None:
                    raise Refused(f"{member.name!r}: only regular files are accepted")
                take(member, data)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Refused(f"the copy was interrupted: {error}") from None


def stage(name: str, archive: IO[bytes]) -> None:
    """Receive a new `config` or `keys` folder for the next trial. Raises Refused."""
    folder, room = BASE / f"{name}.new", _MOST_FOLDER_BYTES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)

    def take(member: tarfile.TarInfo, data: IO[bytes]) -> None:
        nonlocal room
        path = member.name
        content = data.read(room + 1)
        room -= len(content)
        place = folder / path
        if not _FILE.fullmatch(path) or room < 0 or place.exists():
            raise Refused(f"{name}/{path!r}: invalid file name, or too much data")
        place.touch(mode=0o600)
        place.write_bytes(content)
        place.chmod(0o600 if path.endswith(".key") else 0o644)

    with _removed_if_full(folder):
        _unpack(archive, _MOST_FOLDER_BYTES + _HEADER_BYTES * _MOST_FOLDER_FILES, take)
    folder.chmod(FOLDERS[name])
    if name == "keys":
        with suppress(LookupError, PermissionError):  # tests have no such user
            shutil.chown(folder, group="edge")
            for place in folder.iterdir():
                shutil.chown(place, "edge", "edge")
    os.sync()
