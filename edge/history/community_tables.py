"""The tables of the community: accounts and prices by quarter-hour, levels of batteries.

They are added to a file that lacks them, in one transaction; nothing else of the file changes.
"""

import sqlite3

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    minute INTEGER, twin INTEGER, credit_mwh INTEGER, paid_micro INTEGER, earned_micro INTEGER,
    PRIMARY KEY (minute, twin)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prices (
    minute INTEGER, supplier INTEGER, rate_micro INTEGER, PRIMARY KEY (minute, supplier)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS levels (
    minute INTEGER, twin INTEGER, level_mwh INTEGER, PRIMARY KEY (minute, twin)
) WITHOUT ROWID;
"""
NAMES = ("accounts", "prices", "levels")


def has_tables(connection: sqlite3.Connection) -> bool:
    """Whether none is missing. Raises sqlite3.Error."""
    found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {row[0] for row in found}.issuperset(NAMES)


def add_tables(connection: sqlite3.Connection) -> None:
    """Add those that are missing. Raises sqlite3.Error, and changes nothing then."""
    if has_tables(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
