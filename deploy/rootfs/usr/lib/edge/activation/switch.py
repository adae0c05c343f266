"""The steps of a switch: each is one rename, which is on disk before the next step."""

import ctypes
import os
import shutil
from pathlib import Path

from .places import BASE, RELEASES, STARTS, release_at, releases, target

KEPT = 3
_EXCHANGE, _AT_FDCWD = 2, -100  # renameat2(2)


def point(link: str, name: str | None) -> None:
    """Let `current` or `previous` point to a release, or to none."""
    if name is None:
        (BASE / link).unlink(missing_ok=True)
    else:
        fresh = BASE / f".{link}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(f"releases/{name}")
        fresh.rename(BASE / link)
    sync(BASE)


def switch(name: str | None) -> None:
    """Make a release current and the current one previous. None: remove both, so the factory release runs."""
    current = target("current")
    if current != name:
        point("previous", current if name else None)
        point("current", name)
    STARTS.unlink(missing_ok=True)  # a new trial begins with no failed starts


def exchange(name: str) -> None:
    """Exchange `config` or `keys` with the new folder; if only one of them exists, it is renamed."""
    used, fresh = BASE / name, BASE / f"{name}.new"
    if not used.exists():
        fresh.rename(used)
    elif not fresh.exists():
        used.rename(fresh)
    else:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(_AT_FDCWD, bytes(used), _AT_FDCWD, bytes(fresh), _EXCHANGE):
            raise OSError(ctypes.get_errno(), f"{used} and {fresh} cannot be exchanged")
    sync(BASE)


def confirm(name: str) -> None:
    """Confirm that a release works, so that the launcher keeps it. Raises Refused."""
    folder = release_at(name)
    (folder / "confirmed").touch()
    sync(folder)


def prune() -> list[str]:
    """Remove old releases and incomplete ones; returns the ids of the old releases."""
    keep = {target("current"), target("previous")} - {None}
    others = [path.name for path in releases() if path.name not in keep]
    doomed = others[max(0, KEPT - len(keep)) :]
    for name in doomed:
        (RELEASES / name).rename(
            RELEASES / f".{name}.gone"
        )  # so that it is never mistaken for a complete release
    for path in RELEASES.glob(".*"):
        shutil.rmtree(path, ignore_errors=True)
    return doomed


def sync(folder: Path) -> None:
    """Sync a folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
