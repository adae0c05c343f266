"""The steps of a switch: each is one rename, which is on disk before the next step."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

from .manifest import manifest_of
from .places import BASE, RELEASES, STARTS, release_at, releases, running_id, target
from .trust import remember

KEPT = 3
RESERVE_BYTES = 8 << 20  # links, records, state and history can still be written
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
        swap(used, fresh)
    sync(BASE)


def swap(one: Path, other: Path) -> None:
    """Exchange two folders in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), f"{one} and {other} cannot be exchanged")


def confirm(name: str) -> None:
    """Confirm that a release works, so that the launcher keeps it. Raises Refused."""
    folder = release_at(name)
    remember(manifest_of(folder))
    (folder / "confirmed").touch()
    sync(folder)


def prune() -> list[str]:
    """Remove old releases and incomplete ones; returns the ids of the old releases."""
    keep = {target("current"), target("previous")} - {None}
    others = [path.name for path in releases() if path.name not in keep]
    doomed = others[max(0, KEPT - len(keep)) :]
    for path in [*RELEASES.glob(".*"), *(RELEASES / name for name in doomed)]:
        remove(path)
    return doomed


def make_room(size_bytes: int, keep: str = "") -> None:
    """Free this space and RESERVE_BYTES: incomplete copies are removed first, then the oldest releases.

    Those in use and the folder `keep` stay. Raises OSError if that is not enough.
    """
    used = {target("current"), target("previous"), running_id()}
    spare = [path for path in releases() if path.name not in used | {keep}]
    spare += [path for path in RELEASES.glob(".*") if path.name != keep]
    while (free := shutil.disk_usage(BASE).free) < size_bytes + RESERVE_BYTES:
        if not spare:
            needed_mb, reserve_mb = size_bytes / 1e6, RESERVE_BYTES / 1e6
            raise OSError(
                errno.ENOSPC,
                f"{needed_mb:.1f} MB are needed beside the reserve of {reserve_mb:.0f} MB for a roll-back, "
                f"{free / 1e6:.1f} MB are free",
                str(BASE),
            )
        remove(spare.pop())


def remove(folder: Path) -> None:
    """Remove a release; it is renamed first, so that a part of it is never taken for a complete one."""
    gone = folder
    if not folder.name.startswith("."):
        gone = folder.with_name(f".{folder.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def sync(folder: Path) -> None:
    """Sync a folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
