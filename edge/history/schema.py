"""The tables of the history, and how the file is opened.

Write-ahead log with `synchronous = FULL`: a transaction is one append to one file and one sync, so that
neither a kill nor a power cut loses what was committed, and a card is worn less than by a rollback journal,
which writes every page twice and syncs three times. Rows are ordered by minute, so what is new goes to the
end of each table: one page or two a minute.
"""

import sqlite3
from pathlib import Path

from ..terms import VARIABLES

VERSION = 1
_CACHE_KB = 256  # SQLite takes up to 2 MB otherwise
_PAGE_BYTES = 512  # a minute changes two or three pages: of 4 kB each, a card would be written twice as much
_LOG_PAGES = 2048  # after which the log is carried over: 1 MB
_FRAME_BYTES = 24  # what a page in the log has before it
_BUSY_S = 2.0
_TABLES = f"""
CREATE TABLE minutes (
    minute INTEGER, scope TEXT, {", ".join(f"{each}_w REAL" for each in VARIABLES)},
    PRIMARY KEY (minute, scope)
) WITHOUT ROWID;
CREATE TABLE forecasters (
    id INTEGER PRIMARY KEY, scope TEXT, model TEXT, limits_w TEXT, UNIQUE (scope, model, limits_w)
);
CREATE TABLE predictions (
    minute INTEGER, scope TEXT, forecaster INTEGER, probabilities BLOB,
    PRIMARY KEY (minute, scope)
) WITHOUT ROWID;
CREATE TABLE kept (name TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID;
"""
# Tables that came later. They do not change the version: a release that does not know them leaves them alone.
_LATER_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    at_ms INTEGER, twin TEXT, number INTEGER, kind TEXT, role TEXT, power_w REAL,
    PRIMARY KEY (at_ms, twin, number)
) WITHOUT ROWID;
"""
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class WrongVersion(sqlite3.DatabaseError):
    """A file of another time: its tables are not these."""


def open_to_write(path: Path) -> sqlite3.Connection:
    """The file, made if there is none; for one thread at a time. Raises sqlite3.Error, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file
        connection.execute("PRAGMA journal_mode = WAL")
        _fill_log(path.with_name(f"{path.name}-wal"))
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if not found:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif found != VERSION:
            raise WrongVersion(f"version {found}, not {VERSION}")
        connection.executescript(_LATER_TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def _fill_log(log: Path) -> None:
    """Make the log as long as it becomes: one that grows costs a write of the file system's own each time.

    SQLite takes zeros at its end for a transaction that was never finished. Raises OSError.
    """
    with log.open("ab") as file:
        file.write(bytes(max(0, _LOG_PAGES * (_PAGE_BYTES + _FRAME_BYTES) - file.tell())))


def open_to_read(path: Path) -> sqlite3.Connection:
    """Beside the writer, from any thread. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    return connection


def unreadable(error: Exception) -> bool:
    """Whether the file itself is at fault, not the disk or the moment."""
    if isinstance(error, WrongVersion):
        return True
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT
