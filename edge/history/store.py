"""The store: the history of one node. It notes entries in memory, writes them in one transaction, reads them.

The main thread notes entries, which costs nothing; `write` is called by another thread, since a card can take
seconds. Entries that cannot be written stay in memory, up to a limit, and are written later.

The date of a node may be wrong by years, so a minute that is there is never overwritten.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..clock import Clock, Date, Zone
from . import (
    community,
    deals,
    energies,
    events,
    forecasts,
    market,
    minutes,
    offers,
    predictions,
    records,
    steps,
)
from .deals import Deal, Parts, Session
from .energies import HOUR_MIN, QUARTER_MIN, Energy
from .events import Before, Event
from .file import HistoryFile, Row
from .names import add_names
from .offers import Alert, PastOffer
from .orders import OrderFile
from .predictions import Forecast
from .queue import Batch, Note, Queue
from .records import Agent, Record
from .retention import Keep, Retention

_KEEP = "INSERT OR REPLACE INTO kept (name, data) VALUES (?, ?)"
_LATEST = 64  # events that are kept at hand
_UPDATES_A_MIN = 1.0  # of contracts and productions that follow a device; more wear out a card
_UPDATES_AT_ONCE = 300.0


class Store:
    """The history of one node. `scope` is "node" or "cluster"; minutes of UTC, powers in W."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        keep: Keep | None = None,
        zone: Zone | None = None,
        date: Date | None = None,
        write_min: int = 1,
    ) -> None:
        """`zone`: of the civil minutes in a file of an earlier release. Without a `date` to ask, minutes that
        are noted are believed. `write_min`: so many minutes are written at once."""
        self.file = HistoryFile(path, clock, zone or Zone())
        self.orders = OrderFile(path.with_name("orders.csv"))
        self.written = 0
        self.failing = False  # since the last write
        self._queue = Queue()
        self._write_min = write_min
        self._retention = Retention(keep or Keep(), clock, date)
        self._latest: deque[Event] = deque(maxlen=_LATEST)
        self._noted = 0  # events in all
        self._clock = clock
        self._updates_left, self._updates_s = _UPDATES_AT_ONCE, clock.now_s()
        self.thinned = 0  # events that were not written, since there were too many
        self._lock = threading.Lock()  # of the latest events
        self._quarter = 0  # of the newest minute written
        self._deal = (0, 0)  # time in ms of the last deal noted, and its number

    def adjust(self, keep: Keep) -> None:
        """Keep entries for another time from now on."""
        self._retention.keep = keep

    # ---- what is noted ------------------------------------------------------------------------

    def note_minute(self, scope: str, minute: int, powers_w: Sequence[float | None]) -> None:
        """Six mean powers of a minute; None or NaN where unknown."""
        self._queue.note(minutes.minute_note(scope, minute, powers_w), wake=self._ends_batch(minute))

    def _ends_batch(self, minute: int) -> bool:
        """Whether it is time to write. A quarter-hour that is over is always written: its energies are
        noted with its last minute."""
        return (minute + 1) % self._write_min == 0 or (minute + 1) % QUARTER_MIN == 0

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
        contract: int | None = None,
        revision: int | None = None,
    ) -> None:
        """Something happened to a twin; times are Unix time. It is written with the next minutes.

        Of contracts and productions that only follow the power of a device, no more are written than a card
        bears. Deals tell the contracts exactly, and the minutes and energies what was produced.
        """
        begins_ms, ends_ms = (None if each is None else round(1000 * each) for each in (begins_s, ends_s))
        what = (twin, number, kind, role, power_w, cause, begins_ms, ends_ms)
        event = Event(round(1000 * at_s), *what, partner, partners, complementary, origin, contract, revision)
        with self._lock:
            self._latest.append(event)
            self._noted += 1
        follows = (kind, cause) == ("update", "device") and role in ("contract", "production")
        if follows and not self._may_write_update():
            self.thinned += 1
        else:
            self._queue.add_event(events.event_note(event))

    def _may_write_update(self) -> bool:
        now_s = self._clock.now_s()
        more = (now_s - self._updates_s) / 60 * _UPDATES_A_MIN
        self._updates_left, self._updates_s = min(_UPDATES_AT_ONCE, self._updates_left + more), now_s
        if self._updates_left < 1:
            return False
        self._updates_left -= 1
        return True

    def note_prediction(
        self, scope: str, minute: int, model: str, limits_w: Sequence[Sequence[float]], probabilities: bytes
    ) -> None:
        """What a model predicted after a minute."""
        notes = predictions.prediction_notes(scope, minute, model, limits_w, probabilities)
        self._queue.note(*notes, wake=self._ends_batch(minute))

    def note_forecast(self, scope: str, minute: int, powers: bytes) -> None:
        """A forecast in watts that was made after a minute, packed."""
        self._queue.note(forecasts.forecast_note(scope, minute, powers), wake=self._ends_batch(minute))

    def note_deal(self, at_s: float, parts: Parts, ended: bool = False) -> None:
        """The shares of a contract are in force with other values, or are over. Written with the next
        minutes, like all that follows."""
        self._queue.add(self._deal_note(round(1000 * at_s), parts, ended))

    def note_keyframe(self, at_s: float, in_force: Iterable[Parts]) -> None:
        """All deals that are in force now, contract by contract."""
        at_ms = round(1000 * at_s)
        notes = [self._deal_note(at_ms, parts) for parts in in_force]
        self._queue.add(deals.keyframe_note(at_ms), *notes)  # in one: they are worth nothing apart

    def _deal_note(self, at_ms: int, parts: Parts, ended: bool = False) -> Note:
        before_ms, number = self._deal
        self._deal = at_ms, (number + 1) % events.NUMBERS if at_ms == before_ms else 0
        return deals.deal_note(*self._deal, parts, ended)

    def note_session(self, began_s: float, seen_s: float, ended: bool, release: str, context: str) -> None:
        """This run of the node, its release and configuration; with the same begin it is noted again."""
        times_ms = round(1000 * began_s), round(1000 * seen_s)
        self._queue.add(*deals.session_notes(*times_ms, ended, release, context))

    def note_offer(self, offer: PastOffer) -> None:
        """An offer is over."""
        self._queue.add(offers.offer_note(offer))

    def note_alert(self, alert: Alert) -> None:
        """A request is in alert, or no longer."""
        self._queue.add(offers.alert_note(alert))

    def note_wait(self, minute: int, twin: str, wait_s: float) -> None:
        """The request that has waited longest."""
        self._queue.add(offers.wait_note(minute, twin, wait_s))

    def note_energy(
        self, minute: int, twin: str, partner: str, drawn_wh: float, given_wh: float, known_s: float
    ) -> None:
        """Energy of a quarter-hour that begins with that minute; see `Energy`. Parts of it add up."""
        self._queue.add(energies.energy_note(minute, twin, partner, drawn_wh, given_wh, known_s))

    def note_record(self, minute: int, meter: str, record: Mapping[str, float]) -> None:
        """All that a meter shows."""
        self._queue.add(*records.record_notes(minute, meter, record))

    def note_agent(self, at_s: float, name: str, data: str) -> None:
        """The master data of a twin, as JSON, from now on."""
        self._queue.add(records.agent_note(round(1000 * at_s), name, data))

    def note_account(self, minute: int, twin: str, credit_wh: float, paid: float, earned: float) -> None:
        """What a twin paid and earned in the quarter-hour that begins then, and its credit at the end."""
        self._queue.add(community.account_note(minute, twin, credit_wh, paid, earned))

    def note_price(self, minute: int, supplier: str, rate: float) -> None:
        """A supplier has another price from that minute on."""
        self._queue.add(community.price_note(minute, supplier, rate))

    def note_level(self, minute: int, twin: str, level_wh: float) -> None:
        """What a battery holds at that minute."""
        self._queue.add(community.level_note(minute, twin, level_wh))

    def note_market_day(
        self, minute: int, member: str, bought_wh: int, sold_wh: int, more_wh: int, less_wh: int, *rest: Any
    ) -> None:
        """A member's bill for the day that begins with a minute; see `PastMarketDay`. A later one replaces
        it."""
        self._queue.add(market.day_note(minute, member, bought_wh, sold_wh, more_wh, less_wh, *rest))

    def note_order(self, order: Sequence[Any]) -> None:
        """An order of the regulator begins or is over; see `PastOrder`. It is written at once."""
        self.orders.note(order)

    def keep(self, name: str, data: bytes, wake: bool = True) -> None:
        """Something that is replaced as a whole; without `wake` it is written with the next minutes."""
        self._queue.keep(name, data, wake)

    # ---- the file -----------------------------------------------------------------------------

    @property
    def news(self) -> threading.Event:
        """Set when there is something to write."""
        return self._queue.news

    def catch_up(self) -> None:
        """Write all whole minutes for somebody who reads. Not for the thread of the node: a card can take
        seconds."""
        if self._queue.behind and not self.failing:
            self.write()

    def write(self) -> bool:
        """Put what was noted into the file, in one transaction. False when it has to wait."""
        with self.file.lock:
            batch = self._queue.take()
            for _ in range(2):  # a damaged file is set aside, and the notes go into a new one
                try:
                    if len(batch):
                        self.file.write(lambda connection: self._write(connection, batch))
                except (sqlite3.Error, OSError) as error:
                    if not self.file.failed("cannot be written; new entries are kept in memory", error):
                        break
                else:
                    self._queue.done()
                    self.failing = self.file.locked = False
                    self.written += len(batch)
                    return True
            self.failing = True
            self._queue.put_back(batch)
            return False

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> None:
        add_names(connection, (*batch.events, *batch.journal))
        for notes in (batch.notes, batch.events, deals.gathered(batch.journal)):
            for statement, values in notes:
                connection.execute(statement, values)
        connection.executemany(_KEEP, batch.kept.items())
        if noted := minutes.noted_minutes(batch.notes):
            self._make_quarters(connection, noted)
            self._retention.prune(connection, max(noted))

    def _make_quarters(self, connection: sqlite3.Connection, noted: set[int]) -> None:
        """Of those that are over, since a later minute was noted."""
        found = {minute - minute % QUARTER_MIN for minute in noted}
        current = max(found)
        for quarter in (found | {self._quarter}) - {current, 0}:
            steps.make_quarters(connection, quarter, quarter + QUARTER_MIN)
            hour = quarter - quarter % HOUR_MIN
            if current >= hour + HOUR_MIN:
                steps.make_whole_hours(connection, hour, hour + HOUR_MIN)
        self._quarter = current

    def close(self) -> None:
        """Write what waits, and let the file go."""
        self.write()
        self.disconnect()

    def disconnect(self) -> None:
        """Let the file go; what waits stays in memory."""
        self.file.disconnect()

    # ---- what is read back, by any thread; each raises HistoryLocked -----------------------------

    def minutes(self, scope: str, first: int, last: int) -> Iterator[list[Row]]:
        """Rows (minute, six powers in W or None) from `first` to `last`, oldest first, some at a time."""
        return minutes.minutes(self.file, scope, first, last)

    def first_minute(self, scope: str) -> int | None:
        """The oldest minute of a scope."""
        return minutes.first_minute(self.file, scope)

    def last_minute(self, scope: str, before: int) -> int | None:
        """The newest minute of a scope before another one."""
        return minutes.last_minute(self.file, scope, before)

    def predictions(self, scope: str, first: int, last: int) -> Iterator[list[Forecast]]:
        """What was predicted after the minutes `first` to `last`, oldest first, some at a time."""
        return predictions.predictions(self.file, scope, first, last)

    def forecasts(self, scope: str, first: int, last: int) -> Iterator[list[tuple[int, bytes]]]:
        """Forecasts in watts that were made after the minutes `first` to `last`, packed, oldest first."""
        return forecasts.forecasts(self.file, scope, first, last)

    def events(self, first_s: float, last_s: float) -> Iterator[Event]:
        """What happened from `first_s` to `last_s` (Unix time), oldest first."""
        return events.events(self.file, first_s, last_s)

    def newest_events(self, first_s: float, before: Before, twin: str, kind: str, limit: int) -> list[Event]:
        """What happened from `first_s` (Unix time) and before an event (`at_ms`, twin, number), newest first.

        `twin` and `kind` may be empty: all. Those that are not written yet are there, too.
        """
        waiting = self._queue.waiting(events.EVENT)
        return events.newest_events(self.file, waiting, first_s, before, twin, kind, limit)

    def latest(self, seen: int) -> tuple[int, list[Event]]:
        """How many events were noted in all, and the last few of those after the first `seen`."""
        with self._lock:
            new = min(max(0, self._noted - seen), len(self._latest))
            return self._noted, list(self._latest)[len(self._latest) - new :]

    def series(self, scope: str, first: int, count: int, step: int) -> steps.Series:
        """The six variables in `count` steps of 1, 15 or 60 minutes from `first`, a multiple of the step."""
        return steps.series(self.file, scope, first, count, step)

    def energies(
        self, first: int, last: int, step: int = QUARTER_MIN, twin: str = "", partner: str | None = None
    ) -> Iterator[Energy]:
        """Energy by twin and partner in quarter-hours or hours (`step` 15 or 60), oldest first.

        Those that begin from the minute `first` to before `last`, both multiples of the step. Without `twin`
        all twins; `partner` "" is the device alone, None the device and all partners.
        """
        return energies.energies(self.file, first, last, step, twin, partner)

    def deals_at(self, at_s: float) -> list[Deal] | None:
        """What flowed under contracts at a moment (Unix time); None if the node did not run, or it is not
        known."""
        began_ms = [row[0] for row in self._queue.waiting(deals.SESSION)]
        return deals.deals_at(self.file, at_s, self._queue.waiting(deals.DEAL), began_ms)

    def deals(self, first_s: float, last_s: float, contract: int = 0) -> Iterator[tuple[Deal, bool]]:
        """What started, changed or ended (True) in that time, oldest first; of one contract, or of all (0).

        Each hour all that is in force comes again.
        """
        return deals.deals(self.file, first_s, last_s, contract)

    def sessions(self, before_s: float, limit: int) -> list[Session]:
        """The runs of the node that began before, newest first."""
        return deals.sessions(self.file, before_s, limit)

    def offers(
        self,
        first_s: float,
        last_s: float,
        twin: str = "",
        limit: int = 1000,
        before: offers.Place | None = None,
    ) -> list[PastOffer]:
        """The offers that were made in that time, and before another one, and are over, newest first."""
        return offers.offers(self.file, first_s, last_s, twin, limit, before)

    def accounts(self, first: int, last: int) -> list[community.PastAccount]:
        """What twins paid and earned in the quarter-hours from the minute `first` to before `last`."""
        return community.accounts(self.file, first, last)

    def prices(self, first: int, last: int) -> list[community.PastPrice]:
        """The prices that suppliers asked in these minutes, each when it changed."""
        return community.prices(self.file, first, last)

    def levels(self, first: int, last: int) -> list[community.PastLevel]:
        """What batteries held."""
        return community.levels(self.file, first, last)

    def money(self, first: int, last: int) -> dict[str, tuple[float, float]]:
        """What each twin paid and earned in these minutes."""
        return community.money(self.file, first, last)

    def market_days(self, first: int, last: int) -> list[market.PastMarketDay]:
        """The bills of days of a market that begin in these minutes."""
        return market.days(self.file, first, last)

    def alerts(self, first_s: float, last_s: float, limit: int = 1000) -> list[Alert]:
        """The requests that were in alert, newest first."""
        return offers.alerts(self.file, first_s, last_s, limit)

    def waits(self, first: int, last: int, limit: int = 1500) -> list[tuple[int, str, int]]:
        """Minute, twin and seconds of the longest wait, in the minutes at whose end somebody waited."""
        return offers.waits(self.file, first, last, limit)

    def records(self, meter: str, first: int, last: int, limit: int = 10_080) -> list[Record]:
        """What a meter showed in the minutes `first` to before `last`, oldest first."""
        return records.records(self.file, meter, first, last, limit)

    def agents(self, at_s: float) -> list[Agent]:
        """The twins that were known at a moment, with their master data then."""
        return records.agents(self.file, at_s)

    def kept(self, name: str) -> bytes | None:
        """What was kept under a name."""
        waiting = self._queue.kept(name)
        if waiting is not None:
            return waiting
        rows = self.file.read("SELECT data FROM kept WHERE name = ?", (name,))
        good = self.file.good(rows, lambda row: isinstance(row[0], bytes))
        return good[0][0] if good else None

    def is_written(self, name: str) -> bool:
        """Whether what was kept last under a name is in the file."""
        return self._queue.kept(name) is None

    # ---- how it is ----------------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The file in use."""
        return self.file.path

    @property
    def lost(self) -> int:
        """Entries for which there was no room in memory."""
        return self._queue.lost

    @property
    def failures(self) -> int:
        """How often the file could not be read or written."""
        return self.file.failures

    @property
    def set_aside(self) -> int:
        """Damaged files that were set aside."""
        return self.file.set_aside

    @property
    def wrong_rows(self) -> int:
        """Rows that were skipped, since nobody here has written them."""
        return self.file.wrong_rows

    @property
    def locked(self) -> bool:
        """Whether another process held the file when it was last read."""
        return self.file.locked

    @property
    def later(self) -> str:
        """Why a file of a later release is not used; empty if there is none."""
        return self.file.later

    def stats(self) -> dict[str, Any]:
        """Counters and sizes."""
        return {
            "file": str(self.path),
            "bytes": self.file.bytes,
            "written": self.written,
            "waiting": len(self._queue),
            "lost": self.lost,
            "thinned": self.thinned,
            "failures": self.failures,
            "set_aside": self.set_aside,
            "wrong_rows": self.wrong_rows,
        }
