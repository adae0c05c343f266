"""The file of the history in use: transactions, reads, and what is done when it is damaged or locked.

A damaged file is set aside in place of an earlier one, and a new file is started. A file that a later release
has written, found after a roll-back, is kept as it is; this release writes a file of its own beside it.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..clock import Clock, Zone
from ..files import NotAFile, set_aside
from .migration import is_marked
from .schema import (
    BUSY_S,
    READ_BUSY_S,
    VERSION,
    LaterVersion,
    check_version,
    is_current,
    locked,
    needs_repair,
    open_to_read,
    open_to_write,
    parts_of,
    unreadable,
)

log = logging.getLogger("edge.history")

COMPLAIN_EVERY_S = 3600.0
Row = tuple[Any, ...]
Values = Row | Mapping[str, Any]  # of a statement, by place or by name


class HistoryLocked(BlockingIOError):
    """Another process holds the file; what it has can be read later."""


class HistoryFile:
    """One thread writes it; any thread reads it."""

    def __init__(self, path: Path, clock: Clock, zone: Zone) -> None:
        """`zone`: of the civil minutes in a file of an earlier release."""
        self.path = path
        self.failures = self.set_aside = 0
        self.locked = False  # by another process, when it was last read
        self.later = ""  # why a file of a later release is not used
        self.wrong_rows = 0  # that were skipped
        self.lock = threading.RLock()  # of the connection
        self._connection: sqlite3.Connection | None = None
        self._clock, self._zone = clock, zone
        self._converted = False  # the file is known to have minutes of UTC, and all tables
        self._complained_s = float("-inf")

    # ---- writing ------------------------------------------------------------------------------

    def write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do it in one transaction. Raises sqlite3.Error, OSError, and nothing has changed then."""
        if self._connection is None:
            self._connection = self._open(BUSY_S)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def disconnect(self) -> None:
        """Let the file go."""
        with self.lock:
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def failed(self, what: str, error: Exception) -> bool:
        """Count and tell; True when a new file takes the place of a damaged one."""
        self.failures += 1
        damaged = unreadable(error)
        now_s = self._clock.now_s()
        if damaged or now_s - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = now_s
            at = error.filename if isinstance(error, NotAFile) else self.path
            reason = error.strerror if isinstance(error, OSError) else error
            log.error("%s %s: %s", at, "is damaged and set aside" if damaged else what, reason)
        self.disconnect()
        return damaged and self._set_aside(error)

    def _set_aside(self, error: Exception) -> bool:
        """The database with all that belongs to it, or only what stands in place of a file beside it."""
        parts = parts_of(self.path)
        if isinstance(error, NotAFile) and error.filename != str(self.path):
            parts = [Path(error.filename)]
        try:
            for part in parts:
                ending = part.name.removeprefix(self.path.name)
                with contextlib.suppress(FileNotFoundError):
                    set_aside(part, self.path.with_name(f"{self.path.stem}.unreadable{ending}"))
        except OSError as error:
            log.error("%s cannot be set aside: %s", self.path, error)
            return False
        self.set_aside += 1
        return True

    # ---- reading ------------------------------------------------------------------------------

    def read(self, statement: str, values: Values) -> list[Row]:
        """Nothing where there is no file yet, or none that can be read. Raises HistoryLocked."""
        for _ in range(2):  # what is in the way is set aside first
            try:
                rows = self._read_once(statement, values)
            except FileNotFoundError:
                return []
            except (sqlite3.Error, OSError, ValueError) as error:
                if locked(error):
                    self.locked = True
                    raise HistoryLocked(f"{self.path} is locked by another process") from None
                with self.lock:
                    if not self.failed("cannot be read", error):
                        return []
            else:
                self.locked = False
                return rows
        return []

    def good(self, rows: list[Row], is_good: Callable[[Row], bool]) -> list[Row]:
        """Without the rows that nobody here has written."""
        good = [row for row in rows if is_good(row)]
        if len(good) < len(rows):
            if not self.wrong_rows:
                log.error("%s has rows with wrong values; they are skipped", self.path)
            self.wrong_rows += len(rows) - len(good)
        return good

    @property
    def bytes(self) -> int:
        """The size of the file and its log."""
        parts = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def _read_once(self, statement: str, values: Values) -> list[Row]:
        """Raises sqlite3.Error, OSError, ValueError."""
        if not self.path.stat().st_size:
            return []
        try:
            if not self._converted:
                self._convert()
            return self._rows(statement, values)
        except sqlite3.OperationalError as error:
            if not needs_repair(error):
                raise
            self._connect()
            return self._rows(statement, values)

    def _rows(self, statement: str, values: Values) -> list[Row]:
        with contextlib.closing(self._opened(open_to_read)) as connection:
            return connection.execute(statement, values).fetchall() if check_version(connection) else []

    # ---- opening ------------------------------------------------------------------------------

    def _opened(self, how: Callable[[Path], sqlite3.Connection]) -> sqlite3.Connection:
        """Raises sqlite3.Error, OSError."""
        try:
            return how(self.path)
        except LaterVersion as error:
            if self.later:
                raise
            kept, self.path = self.path, self.path.with_name(f"{self.path.stem}-{VERSION}.sqlite")
            self.later = f"{kept.name} is kept and not used: {error}; {self.path.name} is used instead"
            log.warning("%s", self.later)
            return how(self.path)

    def _open(self, busy_s: float) -> sqlite3.Connection:
        connection = self._opened(lambda path: open_to_write(path, self._zone, busy_s))
        self._converted = True
        return connection

    def _convert(self) -> None:
        """Called before reading: minutes of an earlier release are civil, and it had fewer tables.

        Raises sqlite3.Error, OSError.
        """
        with contextlib.closing(self._opened(open_to_read)) as connection:
            if not check_version(connection):
                return
            self._converted = is_marked(connection) and is_current(connection)
        if not self._converted:
            self._connect()

    def _connect(self) -> None:
        """Open the file to write now, which converts and repairs it."""
        with self.lock:
            self._connection = self._connection or self._open(READ_BUSY_S)
