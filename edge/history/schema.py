"""The tables of the history, and how the file is opened.

Write-ahead log with `synchronous = FULL`: a transaction is one append to one file and one sync. So neither a
kill nor a power cut loses what was committed, and a card wears less than with a rollback journal, which
writes every page twice and syncs three times. Rows are ordered by time, so new ones go to the end of each
table: one page or two a minute.
"""

import errno
import sqlite3
from pathlib import Path

from ..clock import Zone
from ..files import NotAFile, check_regular
from ..terms import VARIABLES
from .community_tables import TABLES as COMMUNITY_TABLES
from .migration import mark, migrate, schema_of, widen

VERSION = 1  # what a release must know to use the file; more tables and columns do not change it
SCHEMA = 5  # with those of this release
_CACHE_KB = 256  # SQLite would take up to 2 MB
PAGE_BYTES = 512  # a minute changes two or three pages; with 4 kB pages twice as much is written to the card
_LOG_PAGES = 2048  # 1 MB, after which the log is checkpointed
_FRAME_BYTES = 24  # header of a page in the log
BUSY_S = 2.0  # for the thread that writes
READ_BUSY_S = 0.05  # the main thread reads, too; it does not wait for another process
STEP_COLUMNS = [f"{each}_{what}" for each in VARIABLES for what in ("w", "least_w", "most_w")]
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
# Tables of later releases. They do not change the version: a release to which a node is rolled back ignores
# them, and goes on with the history instead of beginning another one.
_LATER_TABLES = f"""
CREATE TABLE IF NOT EXISTS events (
    at_ms INTEGER, twin TEXT, number INTEGER, kind TEXT, role TEXT, power_w REAL, cause TEXT,
    begins_ms INTEGER, ends_ms INTEGER, partner TEXT, partners INTEGER, complementary INTEGER, origin INTEGER,
    contract INTEGER, revision INTEGER,
    PRIMARY KEY (at_ms, twin, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forecasts (
    minute INTEGER, scope TEXT, powers BLOB, PRIMARY KEY (minute, scope)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
INSERT OR IGNORE INTO names (id, name) VALUES (0, '');
CREATE TABLE IF NOT EXISTS occurrences (
    id INTEGER PRIMARY KEY, twin INTEGER, number INTEGER, kind INTEGER, role INTEGER, power_mw INTEGER,
    cause TEXT, began_before_ms INTEGER, ends_after_ms INTEGER, partner INTEGER, partners INTEGER,
    complementary INTEGER, origin INTEGER, contract INTEGER, revision INTEGER
);
CREATE TABLE IF NOT EXISTS deals (
    id INTEGER PRIMARY KEY, twin INTEGER, contract INTEGER, role INTEGER, revision INTEGER, partners INTEGER,
    powers BLOB, later BLOB
);
CREATE TABLE IF NOT EXISTS sheets (id INTEGER PRIMARY KEY, lasts_ms INTEGER, data BLOB);
CREATE TABLE IF NOT EXISTS predicted (id INTEGER PRIMARY KEY, forecaster INTEGER, probabilities BLOB);
CREATE TABLE IF NOT EXISTS past_offers (
    id INTEGER PRIMARY KEY, twin INTEGER, partner INTEGER, request INTEGER, role INTEGER, max_mw INTEGER,
    price REAL, fate INTEGER, lasted_ms INTEGER
);
CREATE TABLE IF NOT EXISTS meter_records (id INTEGER PRIMARY KEY, layout INTEGER, data BLOB);
CREATE TABLE IF NOT EXISTS keyframes (at_ms INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS contexts (id INTEGER PRIMARY KEY, data TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS sessions (
    began_ms INTEGER PRIMARY KEY, seen_ms INTEGER, ended INTEGER, release TEXT, context INTEGER
);
CREATE TABLE IF NOT EXISTS offers (
    at_ms INTEGER, twin INTEGER, partner INTEGER, request INTEGER, role INTEGER, max_mw INTEGER, price REAL,
    fate TEXT, ended_ms INTEGER,
    PRIMARY KEY (at_ms, twin, partner, request, role)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
    at_ms INTEGER, twin INTEGER, power_mw INTEGER, ended_ms INTEGER, PRIMARY KEY (at_ms, twin)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waits (minute INTEGER PRIMARY KEY, twin INTEGER, wait_s INTEGER);
CREATE TABLE IF NOT EXISTS energies (
    step INTEGER, minute INTEGER, twin INTEGER, partner INTEGER, drawn_mwh INTEGER, given_mwh INTEGER,
    known_s INTEGER,
    PRIMARY KEY (step, minute, twin, partner)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS layouts (id INTEGER PRIMARY KEY, names TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS records (
    minute INTEGER, meter INTEGER, layout INTEGER, data BLOB, PRIMARY KEY (minute, meter)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS agents (
    name INTEGER, at_ms INTEGER, data TEXT, PRIMARY KEY (name, at_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS steps (
    step INTEGER, minute INTEGER, scope TEXT, minutes INTEGER,
    {", ".join(f"{each} REAL" for each in STEP_COLUMNS)},
    PRIMARY KEY (step, minute, scope)
) WITHOUT ROWID;
{COMMUNITY_TABLES}"""
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REPAIRS = {sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class WrongTables(sqlite3.DatabaseError):
    """A file with other tables than its version has, or with those of a version that is not known."""


class LaterVersion(sqlite3.DatabaseError):
    """A file that a later release has written."""


def open_to_write(path: Path, zone: Zone, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Open the file, or make it; for one thread at a time. One of an earlier release, whose minutes were
    civil, is converted by the zone. `busy_s`: how long to wait for another process meanwhile. Raises
    sqlite3.Error, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_files(path)
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        check_version(connection)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
        connection.execute("PRAGMA journal_mode = WAL")
        _fill_log(path.with_name(f"{path.name}-wal"))
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if not found:
            if _columns(connection):
                raise WrongTables("it has tables, but no version")
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION};")
            mark(connection)
            connection.execute("COMMIT")
        elif found != VERSION:
            raise WrongTables(f"version {found}, not {VERSION}")
        _check_tables(connection, _TABLES)
        if migrate(connection, zone):  # which took a long log
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            _fill_log(path.with_name(f"{path.name}-wal"))
        if not is_current(connection):
            widen(connection, _LATER_TABLES, SCHEMA)
        _check_tables(connection, _LATER_TABLES)
        connection.execute(f"PRAGMA busy_timeout = {round(1000 * BUSY_S)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _fill_log(log: Path) -> None:
    """Give the log its final length: each time a file grows, the file system has to write too.

    SQLite reads the zeros as a transaction that was not finished. Raises OSError.
    """
    with log.open("ab") as file:
        file.write(bytes(max(0, _LOG_PAGES * (PAGE_BYTES + _FRAME_BYTES) - file.tell())))


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the file while it is being written, from any thread. Raises sqlite3.Error, OSError."""
    path.stat()  # FileNotFoundError, in place of SQLite's words
    _check_files(path)
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=READ_BUSY_S)
    connection.text_factory = _text
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        check_version(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _text(data: bytes) -> str:
    """SQLite does not check that a text is one."""
    return data.decode(errors="replace")


def check_version(connection: sqlite3.Connection) -> int:
    """The version of the file, 0 if it has no tables yet. Raises LaterVersion, sqlite3.Error."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise LaterVersion(f"it was written by a later release: version {found}, this one knows {VERSION}")
    return found


def parts_of(path: Path) -> list[Path]:
    """The database, and the files that SQLite puts beside it."""
    return [path, *(path.with_name(f"{path.name}-{each}") for each in ("wal", "shm", "journal"))]


def _check_files(path: Path) -> None:
    """SQLite, and the filling of the log, would wait for the other end of a FIFO. Raises NotAFile."""
    for part in parts_of(path):
        try:
            check_regular(part, part.stat())
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise NotAFile(0, "is a link to itself", str(part)) from None


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """The names of all tables, and of their columns."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        table: {row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')} for (table,) in tables
    }


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the file has all tables of this release. Raises sqlite3.Error."""
    return schema_of(connection) >= SCHEMA and not _missing(connection, _LATER_TABLES)


def _check_tables(connection: sqlite3.Connection, tables: str) -> None:
    """Raises WrongTables if one of these tables, or a column of it, is missing."""
    for missing in _missing(connection, tables):
        raise WrongTables(missing)


def _missing(connection: sqlite3.Connection, tables: str) -> list[str]:
    """What a file lacks of these tables."""
    like = sqlite3.connect(":memory:")
    try:
        like.executescript(tables)
        expected = _columns(like)
    finally:
        like.close()
    found = _columns(connection)
    return [
        f"table {table} has no column {', '.join(sorted(missing))}"
        for table, columns in expected.items()
        if (missing := columns - found.get(table, set()))
    ]


def unreadable(error: Exception) -> bool:
    """Whether the file itself is at fault, not the disk or the moment."""
    if isinstance(error, WrongTables | NotAFile):
        return True
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def needs_repair(error: Exception) -> bool:
    """Whether the file must be opened to write first: a process that was killed has left a transaction."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) in _REPAIRS


def locked(error: Exception) -> bool:
    """Whether another process holds the file."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED
