"""Files of earlier releases had civil minutes as keys; here they become minutes of UTC, once.

Everything happens in one transaction: after a kill the file is as it was, and the next start migrates it.
Tables and columns are added, also once and in one transaction; the number of the schema says which.
The other tables stay as they were, and so does the version of the file, so that an earlier release to which
a node is rolled back still reads and writes it. It takes the minutes for civil ones: the past looks shifted
to it by the offset of the zone, but none is lost, since a minute that is there is never written over.
"""

import logging
import sqlite3
from collections.abc import Iterator
from itertools import pairwise

from ..clock import Zone

log = logging.getLogger("edge.history")

_DAY_MIN = 1440
_STEP_MIN = 30  # offsets from UTC change on the hour or half-hour
_MARK = "keys", b"utc"
_TABLES = ("minutes", "predictions")
GOOD_MINUTE = "typeof(minute) = 'integer' AND minute BETWEEN 0 AND 120000000"  # until 2198
_EVENT_COLUMNS = {  # that events did not have at first
    "cause": "TEXT DEFAULT ''",
    "begins_ms": "INTEGER",
    "ends_ms": "INTEGER",
    "partner": "TEXT DEFAULT ''",
    "partners": "INTEGER DEFAULT 0",
    "complementary": "INTEGER DEFAULT 0",
    "origin": "INTEGER",
    "contract": "INTEGER",
    "revision": "INTEGER",
}
_DEAL_COLUMNS = {"later": "BLOB"}
_SCHEMA = "schema"  # name of its number among what is kept
_GUARD = """
CREATE TRIGGER IF NOT EXISTS {0}_stay BEFORE INSERT ON {0}
WHEN EXISTS (SELECT 1 FROM {0} WHERE minute = NEW.minute AND scope = NEW.scope)
BEGIN SELECT RAISE(IGNORE); END;
"""


def mark(connection: sqlite3.Connection) -> None:
    """Note that the file has minutes of UTC, which nothing overwrites."""
    connection.execute("INSERT OR REPLACE INTO kept (name, data) VALUES (?, ?)", _MARK)
    for table in _TABLES:
        connection.execute(_GUARD.format(table))


def is_marked(connection: sqlite3.Connection) -> bool:
    """Whether the file has minutes of UTC. Raises sqlite3.Error."""
    return connection.execute("SELECT 1 FROM kept WHERE name = ? AND data = ?", _MARK).fetchone() is not None


def migrate(connection: sqlite3.Connection, zone: Zone) -> bool:
    """Convert a file that has not been converted yet; whether it was so. Raises sqlite3.Error, and changes
    nothing then."""
    if is_marked(connection):
        return False
    connection.execute("PRAGMA legacy_alter_table = ON")  # a broken view would forbid to rename
    connection.execute("BEGIN IMMEDIATE")
    try:
        if is_marked(connection):  # by another process meanwhile
            connection.execute("ROLLBACK")
            return False
        moved = {table: _move(connection, table, zone) for table in _TABLES}
        mark(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    rows, doubled = moved["minutes"]
    if rows:
        log.warning(
            "the %d minutes of the history are now those of UTC; of the hours that were twice in autumn "
            "nights %d minutes had been lost before",
            rows,
            doubled,
        )
    return True


def _move(connection: sqlite3.Connection, table: str, zone: Zone) -> tuple[int, int]:
    """How many rows there are, and how many of them stand for two minutes, of which one was overwritten."""
    span = f"SELECT min(minute), max(minute) FROM {table} WHERE {GOOD_MINUTE}"
    first, last = connection.execute(span).fetchone()
    if first is None:
        return 0, 0
    spans = list(_spans(zone, first, last))
    doubled = sum(
        connection.execute(
            f"SELECT count(*) FROM {table} WHERE {GOOD_MINUTE} AND minute >= ? AND minute < ?",
            (begin + offset, until),
        ).fetchone()[0]
        for (_, _, until), (begin, offset, _) in pairwise(spans)
    )
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    rest = ", ".join(columns[1:])
    if any(offset for _, offset, _ in spans):
        (definition,) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
        ).fetchone()
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_civil")
        connection.execute(definition)
        after = first
        for _, offset, until in spans:
            connection.execute(
                f"INSERT OR IGNORE INTO {table} SELECT minute - ?, {rest} FROM {table}_civil "
                f"WHERE {GOOD_MINUTE} AND minute >= ? AND minute < ? ORDER BY minute, scope",
                (offset, after, until),
            )
            after = max(after, until)
        wrong = f"SELECT * FROM {table}_civil WHERE NOT ({GOOD_MINUTE})"  # rows that nobody here has written
        connection.execute(f"INSERT OR IGNORE INTO {table} {wrong}")
        connection.execute(f"DROP TABLE {table}_civil")
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0], doubled


def schema_of(connection: sqlite3.Connection) -> int:
    """The number of the schema: 1 for a file of a release that did not number it. Raises sqlite3.Error."""
    row = connection.execute("SELECT data FROM kept WHERE name = ?", (_SCHEMA,)).fetchone()
    return int(row[0]) if row and isinstance(row[0], bytes) and row[0].isdigit() else 1


def widen(connection: sqlite3.Connection, tables: str, schema: int) -> None:
    """Add the tables and columns of a schema; after a kill the file is as it was. Raises sqlite3.Error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in tables.split(";"):
            connection.execute(statement)
        _widen(connection, "events", _EVENT_COLUMNS)
        _widen(connection, "deals", _DEAL_COLUMNS)
        connection.execute(
            "INSERT OR REPLACE INTO kept (name, data) VALUES (?, ?)", (_SCHEMA, b"%d" % schema)
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _widen(connection: sqlite3.Connection, table: str, columns: dict[str, str]) -> None:
    found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    for name, kind in columns.items():
        if found and name not in found:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def _spans(zone: Zone, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The spans of one offset that hold the civil minutes `first` to `last`, oldest first.

    Of each: its first minute of UTC, its offset, and the civil minute at which it ends. Of the minutes that
    two spans share, the first has them.
    """
    begin, end = first - 2 * _DAY_MIN, last + 2 * _DAY_MIN
    offset, since = zone.offset_min(begin), begin
    for day in range(begin, end, _DAY_MIN):
        if zone.offset_min(day + _DAY_MIN) == offset:
            continue
        for minute in range(day - day % _STEP_MIN, day + _DAY_MIN + _STEP_MIN, _STEP_MIN):
            found = zone.offset_min(minute)
            if minute > since and found != offset:
                yield since, offset, minute + offset
                offset, since = found, minute
    yield since, offset, end + offset
