"""Names of twins, meters and neighbours, each written once: rows that come by the thousand hold a number.

The numbers are found by SQLite itself. Nothing remembers them, since the file may be replaced at any time.
"""

import sqlite3
from collections.abc import Iterable

from .queue import Note

OF_NAME = "(SELECT id FROM names WHERE name = ?)"
_ADD = "INSERT OR IGNORE INTO names (name) VALUES (?)"


def id_of(number: int) -> str:
    """`OF_NAME` for the value of that number in a statement with numbered ones."""
    return f"(SELECT id FROM names WHERE name = ?{number})"


class Name(str):
    """A value of an entry that must be among the names before the entry is written."""

    __slots__ = ()


def add_names(connection: sqlite3.Connection, notes: Iterable[Note]) -> None:
    """Write those names of entries that are new."""
    found = {value for _, values in notes for value in values if type(value) is Name}
    connection.executemany(_ADD, [(str(each),) for each in sorted(found)])
