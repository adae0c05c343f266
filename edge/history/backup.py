"""Copies of the history: made and put back while the node runs.

A copy is made by SQLite itself, in pieces, from one snapshot: what the node writes meanwhile is not in it,
and the node never waits. What is put back replaces the whole history in one transaction. Before that the
present one is copied, too.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..clock import Zone
from ..files import NotAFile, check_regular, set_aside, sync_folder
from .schema import PAGE_BYTES, VERSION, LaterVersion, check_version, open_to_read, open_to_write, parts_of

_PAGES = 4096  # copied at a time
_PAUSE_S = 0.005
_BUSY_S = 30.0  # another process writes, and does so for less than a second
_MAGIC = b"SQLite format 3\0"  # a database begins with it
BEFORE = "history.before-restore.sqlite"  # the copy that `restore` makes first


class BackupError(Exception):
    """Why a copy cannot be made or put back."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy has: its size, and its minutes of the node with the first and the last (UTC since 1970)."""

    path: Path
    bytes: int
    minutes: int
    first: int | None
    last: int | None


def backup(history: Path, target: Path) -> Copied:
    """Copy the history of a node, which may run. An earlier copy of that name is replaced in the end.

    Raises BackupError.
    """
    source = _in_use(history)
    if target.exists() and target.samefile(source):
        raise BackupError(f"{target}: is the history itself")
    with _errors(target):
        _check_target(target)
    part = target.with_name(f"{target.name}.part")
    with _errors(source), contextlib.closing(open_to_read(source)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {round(1000 * _BUSY_S)}")
        connection.execute("BEGIN")
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise BackupError(f"{source}: is empty")
        with _errors(target):
            try:
                _copy(connection, part)
                copied = _checked(part)
                part.replace(target)
                sync_folder(target.parent)
            except BaseException:
                _remove(part)
                raise
    return Copied(target, copied.bytes, copied.minutes, copied.first, copied.last)


def restore(source: Path, history: Path, zone: Zone) -> tuple[Copied, Path | None]:
    """Put a copy in place of the history of a node, which may run. Raises BackupError; then nothing changed.

    `zone`: of the civil minutes in a copy of an earlier release. Also returns where the present history was
    copied to, None if there was none.
    """
    with _errors(source):
        check_regular(source, source.stat())
        if history.exists() and source.samefile(history):
            raise BackupError(f"{source}: is the history itself")
    history.parent.mkdir(parents=True, exist_ok=True)
    new = history.with_name(f"{history.stem}.restoring.sqlite")
    _remove(new)
    try:
        with _errors(source), contextlib.closing(open_to_read(source)) as connection:
            if not check_version(connection):
                raise BackupError(f"{source}: is not a history: it has no tables of one")
            _copy(connection, new)
            copied = _checked(new)
        with _errors(source):
            open_to_write(new, zone).close()  # of an earlier release: it is migrated
        before = _keep_present(history)
        target = history if before is None else _in_use(history)
        with _errors(target):
            _set_page_size(new, _page_size(target) if before else PAGE_BYTES)
        with _errors(target), contextlib.closing(open_to_read(new)) as connection:
            _replace(connection, target)
        return copied, before
    finally:
        _remove(new)


def _check_target(target: Path) -> None:
    """Nothing but an earlier copy is replaced. Raises BackupError, OSError."""
    if not target.parent.is_dir():
        raise BackupError(f"{target}: the folder {target.parent} does not exist")
    if not target.exists():
        return
    check_regular(target, target.stat())
    with target.open("rb") as file:
        if file.read(len(_MAGIC)) not in (b"", _MAGIC):
            raise BackupError(f"{target}: exists and is no copy of a history, so it is not replaced")


def _keep_present(history: Path) -> Path | None:
    """Copy it, or set it aside when it is damaged; None if there is none."""
    before = history.with_name(BEFORE)
    try:
        found = _in_use(history)
        return backup(found, before).path if found.stat().st_size else None
    except BackupError:
        if not history.exists():
            return None
        for part in parts_of(history):
            ending = part.name.removeprefix(history.name)
            with contextlib.suppress(FileNotFoundError):
                set_aside(part, history.with_name(f"{history.stem}.unreadable{ending}"))
        return None


def _in_use(history: Path) -> Path:
    """A file of a later release is not used; see `HistoryFile`. Raises BackupError."""
    try:
        with _errors(history):
            open_to_read(history).close()
    except BackupError as error:
        other = history.with_name(f"{history.stem}-{VERSION}.sqlite")
        if isinstance(error.__cause__, LaterVersion) and other.exists():
            return other
        raise
    return history


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """Raises sqlite3.Error, OSError."""
    _remove(path)
    with contextlib.closing(sqlite3.connect(path)) as target:
        source.backup(target, pages=_PAGES, sleep=_PAUSE_S)
        target.execute("PRAGMA journal_mode = DELETE")  # so that it is one file
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _page_size(path: Path) -> int:
    with contextlib.closing(open_to_read(path)) as connection:
        return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _set_page_size(path: Path, size: int) -> None:
    """SQLite copies only between files of the same page size. Raises sqlite3.Error."""
    if _page_size(path) != size:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute(f"PRAGMA page_size = {size}")
            connection.execute("VACUUM")


def _replace(source: sqlite3.Connection, path: Path) -> None:
    """Raises sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as target:
        target.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        source.backup(target)


def _checked(path: Path) -> Copied:
    """Raises BackupError, sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        said = connection.execute("PRAGMA integrity_check(3)").fetchall()
        if said != [("ok",)]:
            raise BackupError(f"{path}: is damaged: {said[0][0]}")
        query = "SELECT count(*), min(minute), max(minute) FROM minutes WHERE scope = 'node'"
        return Copied(path, path.stat().st_size, *connection.execute(query).fetchone())


def _remove(path: Path) -> None:
    for part in parts_of(path):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Errors name the file and the reason, in plain words."""
    try:
        yield
    except NotAFile as error:
        raise BackupError(f"{error.filename}: {error.strerror}") from error
    except OSError as error:
        raise BackupError(f"{error.filename or path}: {error.strerror}") from error
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        )
        raise BackupError(f"{path}: {'is damaged, or no history: ' if damaged else ''}{error}") from error
