"""The store: notes entries in memory, writes them in one transaction, reads them back.

The main thread notes entries, which costs nothing; `write` is called by another thread, since a card can take
seconds. Entries that cannot be written stay in memory, up to a limit, and are written later. A damaged file
is set aside in place of an earlier one, and a new file is started. A file that a later release has written,
found after a roll-back, is kept as it is; this release writes a file of its own beside it.

The date of a node may be wrong by years. So a minute that is there is never overwritten, and old ones are
deleted only when the date has held for hours, and no more than a day of them an hour.
"""

import contextlib
import json
import logging
import math
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..clock import Clock, Date, Zone
from ..files import NotAFile, set_aside
from ..terms import DAY_MIN, VARIABLES
from .migration import GOOD_MINUTE, is_marked
from .schema import (
    BUSY_S,
    READ_BUSY_S,
    VERSION,
    LaterVersion,
    check_version,
    locked,
    needs_repair,
    open_to_read,
    open_to_write,
    parts_of,
    unreadable,
)

log = logging.getLogger("edge.history")

COMPLAIN_EVERY_S = 3600.0
_WAITING = 800  # notes: a node with both scopes fills that in a little over two hours
_WAITING_EVENTS = 1000
_PRUNE_EVERY_MIN = 60
_ROWS = 256  # read at a time
# Columns are named, since a later release may have added some
_POWERS = ", ".join(f"{each}_w" for each in VARIABLES)
_MINUTE = (
    f"INSERT OR IGNORE INTO minutes (minute, scope, {_POWERS}) "
    f"VALUES ({', '.join('?' * (2 + len(VARIABLES)))})"
)
_MINUTES = (
    f"SELECT minute, {_POWERS} FROM minutes "
    f"WHERE minute >= ? AND minute <= ? AND scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT ?"
)
_FIRST = f"SELECT minute FROM minutes WHERE scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT 1"
_LAST = (
    f"SELECT minute FROM minutes WHERE scope = ? AND minute < ? AND {GOOD_MINUTE} "
    "ORDER BY minute DESC LIMIT 1"
)
_KEEP = "INSERT OR REPLACE INTO kept (name, data) VALUES (?, ?)"
_FORECASTER = "INSERT OR IGNORE INTO forecasters (scope, model, limits_w) VALUES (?, ?, ?)"
_PREDICTION = (
    "INSERT OR IGNORE INTO predictions (minute, scope, forecaster, probabilities) "
    "SELECT ?, scope, id, ? FROM forecasters WHERE scope = ? AND model = ? AND limits_w = ?"
)
_PREDICTIONS = (
    "SELECT minute, model, limits_w, probabilities FROM predictions "
    "JOIN forecasters ON forecasters.id = predictions.forecaster "
    f"WHERE minute >= ? AND minute <= ? AND predictions.scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT ?"
)
_MOST_W = 1e12  # no power of a house or of a town


class HistoryLocked(BlockingIOError):
    """Another process holds the file; what it has can be read later."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One prediction as it was made: by which model, with which limits of states (W), its probabilities."""

    minute: int
    model: str
    limits_w: tuple[tuple[float, ...], ...]
    probabilities: bytes


class Event(NamedTuple):
    """What happened to a twin: `number` counts its events since it started, times are Unix time.

    `begins_ms` and `ends_ms` are the dates of the request, production or contract, None if not known or not
    planned. `partner` is the supplier of a contract, of `partners` the largest; `origin` the number of the
    event that started what this one is about.
    """

    at_ms: int
    twin: str
    number: int
    kind: str
    role: str
    power_w: float
    cause: str = ""
    begins_ms: int | None = None
    ends_ms: int | None = None
    partner: str = ""
    partners: int = 0
    complementary: int = 0
    origin: int | None = None


_FIELDS = ", ".join(Event._fields)
_EVENT = f"INSERT OR REPLACE INTO events ({_FIELDS}) VALUES ({', '.join('?' * len(Event._fields))})"
_EVENTS = (
    f"SELECT {_FIELDS} FROM events WHERE at_ms >= ? AND at_ms <= ? "
    "ORDER BY at_ms, twin, number LIMIT ? OFFSET ?"
)
_NEWEST_EVENTS = (
    f"SELECT {_FIELDS} FROM events WHERE at_ms >= ? AND (at_ms, twin, number) < (?, ?, ?) "
    "AND (? = '' OR twin = ?) AND (? = '' OR kind = ?) ORDER BY at_ms DESC, twin DESC, number DESC LIMIT ?"
)
_LATEST = 64  # events that are kept at hand


class Store:
    """The history of one node. `scope` is "node" or "cluster"; minutes of UTC, powers in W."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        minutes_days: int = 100,
        predictions_days: int = 30,
        zone: Zone | None = None,
        date: Date | None = None,
    ) -> None:
        """`zone`: of the civil minutes in a file of an earlier release. Without a `date` to ask, minutes that
        are noted are believed."""
        self.path = path
        self._zone, self._date = zone or Zone(), date
        self._converted = False  # the file is known to have minutes of UTC
        self.news = threading.Event()  # there is something to write
        self.written = self.lost = self.failures = self.set_aside = 0
        self.failing = False  # since the last write
        self.locked = False  # by another process, when it was last read
        self.later = ""  # why a file of a later release is not used
        self.wrong_rows = 0  # that were skipped
        self._clock = clock
        self._keep_min = {"minutes": minutes_days * DAY_MIN, "predictions": predictions_days * DAY_MIN}
        self._notes: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._events: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._latest: deque[Event] = deque(maxlen=_LATEST)
        self._noted = 0  # events in all
        self._kept: dict[str, bytes] = {}
        self._lock = threading.Lock()  # of the notes
        self._file = threading.RLock()  # of the connection
        self._connection: sqlite3.Connection | None = None
        self._complained_s = float("-inf")
        self._pruned_minute = -_PRUNE_EVERY_MIN

    # ---- what is noted ------------------------------------------------------------------------

    def note_minute(self, scope: str, minute: int, powers_w: Sequence[float | None]) -> None:
        """Six mean powers of a minute; None or NaN where unknown."""
        self._note(_MINUTE, (minute, scope, *powers_w))

    def note_event(
        self,
        at_s: float,
        twin: str,
        number: int,
        kind: str,
        role: str,
        power_w: float,
        cause: str = "",
        begins_s: float | None = None,
        ends_s: float | None = None,
        partner: str = "",
        partners: int = 0,
        complementary: int = 0,
        origin: int | None = None,
    ) -> None:
        """Something happened to a twin; times are Unix time. It is written with the next minute."""
        at_ms, begins_ms, ends_ms = (
            None if each is None else round(1000 * each) for each in (at_s, begins_s, ends_s)
        )
        assert at_ms is not None
        values = (at_ms, twin, number, kind, role, power_w, cause, begins_ms, ends_ms)
        event = Event(*values, partner, partners, complementary, origin)
        with self._lock:
            self._events.append((_EVENT, tuple(event)))
            self._latest.append(event)
            self._noted += 1
            self._bound()

    def note_prediction(
        self, scope: str, minute: int, model: str, limits_w: Sequence[Sequence[float]], probabilities: bytes
    ) -> None:
        """What a model predicted after a minute."""
        limits = _limits_text(limits_w)
        self._note(_FORECASTER, (scope, model, limits))
        self._note(_PREDICTION, (minute, probabilities, scope, model, limits))

    def keep(self, name: str, data: bytes) -> None:
        """Something that is replaced as a whole."""
        with self._lock:
            self._kept[name] = data
        self.news.set()

    def _note(self, statement: str, values: tuple[Any, ...]) -> None:
        with self._lock:
            self._notes.append((statement, values))
            self._bound()
        self.news.set()

    def _bound(self) -> None:
        for notes, most in ((self._notes, _WAITING), (self._events, _WAITING_EVENTS)):
            while len(notes) > most:
                notes.popleft()
                self.lost += 1

    # ---- the file -----------------------------------------------------------------------------

    def write(self) -> bool:
        """Put what was noted into the file, in one transaction. False when it has to wait."""
        with self._file:
            self.news.clear()
            with self._lock:
                notes, self._notes = self._notes, deque()
                events, self._events = self._events, deque()
                kept, self._kept = self._kept, {}
            for _ in range(2):  # a damaged file is set aside, and the notes go into a new one
                try:
                    self._write((*notes, *events), kept)
                except (sqlite3.Error, OSError) as error:
                    if not self._failed("cannot be written; new entries are kept in memory", error):
                        break
                else:
                    self.failing = self.locked = False
                    self.written += len(notes) + len(events) + len(kept)
                    return True
            self.failing = True
            with self._lock:
                self._notes.extendleft(reversed(notes))
                self._events.extendleft(reversed(events))
                self._kept = kept | self._kept
                self._bound()
            return False

    def close(self) -> None:
        """Write what waits, and let the file go."""
        self.write()
        self.disconnect()

    def disconnect(self) -> None:
        """Let the file go; what waits stays in memory."""
        with self._file:
            self._let_go()

    def _write(self, notes: Collection[tuple[str, tuple[Any, ...]]], kept: dict[str, bytes]) -> None:
        if not notes and not kept:
            return
        if self._connection is None:
            self._connection = self._open(BUSY_S)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in notes:
                connection.execute(statement, values)
            connection.executemany(_KEEP, kept.items())
            self._prune(connection, max((v[0] for s, v in notes if s is _MINUTE), default=0))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

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

    def _prune(self, connection: sqlite3.Connection, minute: int) -> None:
        """Delete what is too old, but at most its oldest day at once. `minute`: the newest noted."""
        if minute and self._date is not None:
            minute = int(self._clock.wall_s() // 60)
        if abs(minute - self._pruned_minute) < _PRUNE_EVERY_MIN or not minute:
            return
        self._pruned_minute = minute
        if self._date is not None and not self._date.held:
            return
        for table, column, unit, keep_min in (
            ("minutes", "minute", 1, self._keep_min["minutes"]),
            ("predictions", "minute", 1, self._keep_min["predictions"]),
            ("events", "at_ms", 60_000, self._keep_min["minutes"]),
        ):
            connection.execute(
                f"DELETE FROM {table} WHERE {column} < "
                f"(SELECT min(? * ?, min({column}) + ? * ?) FROM {table})",
                (unit, minute - keep_min, unit, DAY_MIN),
            )

    def _open(self, busy_s: float) -> sqlite3.Connection:
        connection = self._opened(lambda path: open_to_write(path, self._zone, busy_s))
        self._converted = True
        return connection

    def _convert(self) -> None:
        """Called before reading: minutes of an earlier release are civil. Raises sqlite3.Error, OSError."""
        with contextlib.closing(self._opened(open_to_read)) as connection:
            if not check_version(connection):
                return
            self._converted = is_marked(connection)
        if not self._converted:
            self._connect()

    def _failed(self, what: str, error: Exception) -> bool:
        """Count and tell; True when a new file takes the place of a damaged one."""
        self.failures += 1
        damaged = unreadable(error)
        now_s = self._clock.now_s()
        if damaged or now_s - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = now_s
            at = error.filename if isinstance(error, NotAFile) else self.path
            reason = error.strerror if isinstance(error, OSError) else error
            log.error("%s %s: %s", at, "is damaged and set aside" if damaged else what, reason)
        self._let_go()
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

    def _let_go(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    # ---- what is read back, by any thread; each raises HistoryLocked -----------------------------

    def minutes(self, scope: str, first: int, last: int) -> Iterator[list[tuple[Any, ...]]]:
        """Rows (minute, six powers in W or None) from `first` to `last`, oldest first, some at a time."""
        while rows := self._read(_MINUTES, (first, last, scope, _ROWS)):
            if good := self._good(rows, lambda row: all(map(_is_power, row[1:]))):
                yield good
            first = rows[-1][0] + 1

    def predictions(self, scope: str, first: int, last: int) -> Iterator[list[Forecast]]:
        """What was predicted after the minutes `first` to `last`, oldest first, some at a time."""
        limits: dict[str, tuple[tuple[float, ...], ...]] = {}
        while rows := self._read(_PREDICTIONS, (first, last, scope, _ROWS)):
            for text in {row[2] for row in rows} - limits.keys():
                limits[text] = _limits_of(text)
            good = self._good(rows, lambda row: bool(limits[row[2]]) and isinstance(row[3], bytes))
            if good:
                yield [Forecast(minute, model, limits[text], data) for minute, model, text, data in good]
            first = rows[-1][0] + 1

    def events(self, first_s: float, last_s: float) -> Iterator[Event]:
        """What happened from `first_s` to `last_s` (Unix time), oldest first."""
        span_ms, found = (round(1000 * first_s), round(1000 * last_s)), 0
        while rows := self._read(_EVENTS, (*span_ms, _ROWS, found)):
            yield from (Event(*row) for row in self._good(rows, _is_event))
            found += len(rows)

    def newest_events(
        self, first_s: float, before: tuple[int, str, int], twin: str, kind: str, limit: int
    ) -> list[Event]:
        """What happened from `first_s` (Unix time) and before an event (`at_ms`, twin, number), newest first.

        `twin` and `kind` may be empty: all. Those that are not written yet are there, too.
        """
        first_ms = round(1000 * first_s)
        rows = self._read(_NEWEST_EVENTS, (first_ms, *before, twin, twin, kind, kind, limit))
        found = {row[:3]: Event(*row) for row in self._good(rows, _is_event)}
        with self._lock:
            waiting = [Event(*values) for _, values in self._events]
        for event in waiting:
            matches = twin in ("", event.twin) and kind in ("", event.kind)
            if matches and event.at_ms >= first_ms and event[:3] < before:
                found[event[:3]] = event
        return sorted(found.values(), key=lambda event: event[:3], reverse=True)[:limit]

    def latest(self, seen: int) -> tuple[int, list[Event]]:
        """How many events were noted in all, and the last few of those after the first `seen`."""
        with self._lock:
            new = min(max(0, self._noted - seen), len(self._latest))
            return self._noted, list(self._latest)[len(self._latest) - new :]

    def first_minute(self, scope: str) -> int | None:
        """The oldest minute of a scope."""
        rows = self._read(_FIRST, (scope,))
        return rows[0][0] if rows else None

    def last_minute(self, scope: str, before: int) -> int | None:
        """The newest minute of a scope before another one."""
        rows = self._read(_LAST, (scope, before))
        return rows[0][0] if rows else None

    def kept(self, name: str) -> bytes | None:
        """What was kept under a name."""
        with self._lock:
            waiting = self._kept.get(name)
        if waiting is not None:
            return waiting
        rows = self._read("SELECT data FROM kept WHERE name = ?", (name,))
        good = self._good(rows, lambda row: isinstance(row[0], bytes))
        return good[0][0] if good else None

    def _good(
        self, rows: list[tuple[Any, ...]], is_good: Callable[[tuple[Any, ...]], bool]
    ) -> list[tuple[Any, ...]]:
        """Without the rows that nobody here has written."""
        good = [row for row in rows if is_good(row)]
        if len(good) < len(rows):
            if not self.wrong_rows:
                log.error("%s has rows with wrong values; they are skipped", self.path)
            self.wrong_rows += len(rows) - len(good)
        return good

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
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
                with self._file:
                    if not self._failed("cannot be read", error):
                        return []
            else:
                self.locked = False
                return rows
        return []

    def _read_once(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
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

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with contextlib.closing(self._opened(open_to_read)) as connection:
            return connection.execute(statement, values).fetchall() if check_version(connection) else []

    def _connect(self) -> None:
        """Open the file to write now, which converts and repairs it."""
        with self._file:
            self._connection = self._connection or self._open(READ_BUSY_S)

    def stats(self) -> dict[str, Any]:
        """Counters and sizes."""
        size_bytes = sum(
            part.stat().st_size
            for part in (self.path, self.path.with_name(self.path.name + "-wal"))
            if part.exists()
        )
        return {
            "file": str(self.path),
            "bytes": size_bytes,
            "written": self.written,
            "waiting": len(self._notes),
            "lost": self.lost,
            "failures": self.failures,
            "set_aside": self.set_aside,
            "wrong_rows": self.wrong_rows,
        }


def _is_power(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and -_MOST_W < value < _MOST_W)


def _is_event(row: tuple[Any, ...]) -> bool:
    at_ms, twin, number, kind, role, power_w, cause, begins_ms, ends_ms, partner, *numbers = row
    return (
        isinstance(at_ms, int)
        and isinstance(number, int)
        and all(isinstance(each, str) for each in (twin, kind, role, cause, partner))
        and all(isinstance(each, int | None) for each in (begins_ms, ends_ms, *numbers))
        and isinstance(power_w, int | float)
        and math.isfinite(power_w)
    )


def _limits_of(text: Any) -> tuple[tuple[float, ...], ...]:
    """The limits that `_limits_text` wrote; empty for anything else."""
    try:
        found = tuple(tuple(float(each) for each in row) for row in json.loads(text))
    except (TypeError, ValueError, RecursionError):
        return ()
    return found if len(found) == len(VARIABLES) else ()


def _limits_text(limits_w: Sequence[Sequence[float]]) -> str:
    return json.dumps([[round(each, 3) for each in row] for row in limits_w], separators=(",", ":"))
