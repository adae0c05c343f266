"""The thread that sends the history to a database: stored first, forwarded when it can be, in order.

A cursor says up to where rows were acknowledged; it is kept in the history itself. It moves only when the
server has acknowledged a request, and past nothing that may still be written. So no row is left out, however
long the server or the node is away, as long as the history keeps it. A row is sent again only if its
acknowledgement was lost, and then it is the same point. A server that refuses rows stops everything: nothing
is skipped, and /health says why.
"""

import json
import logging
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..clock import Clock, Date
from ..config.settings import PushSettings
from ..files import read_text
from ..history.energies import QUARTER_MIN
from ..history.file import HistoryLocked
from ..history.store import Store
from ..terms import DAY_MIN, SCOPES
from .lines import energy_line, minute_line
from .post import Answer, post, trusting

if TYPE_CHECKING:
    import ssl

    from ..node import Node

log = logging.getLogger("edge.push")

KEPT = "push"
_ENERGY = "energy"  # the place of energies stands beside those of the scopes of minutes
_TIMEOUT_S = 15.0
_FIRST_WAIT_S = 2.0
_AHEAD_MIN = 30  # a place so far in the future was reached while the date was wrong
_BACK_MIN = DAY_MIN
_WINDOW_MIN = 4 * 60  # of quarter-hours that are read at a time
_PAUSE_S = 0.2  # between two batches of a backlog, so that the node has time for the rest
_TOO_LARGE = 413
_TOKEN_BYTES = 4096
_FAILING = 3  # failures in a row that are a trouble


@dataclass(slots=True)
class _Batch:
    """Lines, and the places that are reached when they are acknowledged."""

    lines: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)


class Pusher:
    """An `Outlet`."""

    def __init__(
        self,
        node: str,
        settings: PushSettings,
        history: Store,
        clock: Clock,
        date: Date,
        rng: random.Random,
    ) -> None:
        self._node, self._settings = node, settings
        self._history, self._clock, self._date, self._rng = history, clock, date, rng
        self._places: dict[str, int] | None = None  # the first minute that was not acknowledged, by table
        self._lines_max = settings.batch
        self._context: ssl.SSLContext | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._trouble = ""
        self.sent = self.requests = 0  # lines, requests that were acknowledged
        self.failures = 0  # in a row

    def start(self) -> None:
        self._thread.start()

    def second_passed(self, node: "Node") -> None:
        """It follows the history by itself."""

    def stop(self) -> None:
        """Before the history is closed, so that it still keeps the cursor."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(1.0)  # a request that takes longer is sent again after the restart

    def troubles(self) -> Iterable[tuple[str, str, str]]:
        if self.failures >= _FAILING:
            yield "push_failing", "push", f"the history cannot be sent: {self._trouble}; it waits and is kept"

    # ---- in its thread --------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(self.step()):
            pass

    def step(self) -> float:
        """Send at most one batch; returns how long to wait before the next."""
        try:
            if not self._date.is_set or not self._date.settled:
                return self._settings.every_s  # rows may have wrong dates, and none is deleted meanwhile
            batch = self._next_batch()
            if batch is None:
                return self._settings.every_s
            if batch.lines:
                answer = self._post(batch.lines)
                if not 200 <= answer.status < 300:
                    return self._refused(answer, len(batch.lines))
                self.requests += 1
                self.sent += len(batch.lines)
        except HistoryLocked:
            return self._settings.every_s
        except Exception as error:  # the network and its name servers fail in many ways
            return self._failed(str(error) or type(error).__name__, 0)
        self._succeeded(batch.places)
        return _PAUSE_S

    def _post(self, lines: list[str]) -> Answer:
        settings, token = self._settings, ""
        if settings.token_file:
            token = read_text(Path(settings.token_file), _TOKEN_BYTES).strip()
            token = token if " " in token else f"Token {token}"
            if not (token.isascii() and token.isprintable()):
                raise ValueError("the token is not printable ASCII")
        self._context = self._context or trusting(settings.url, settings.ca)
        return post(settings.url, "\n".join([*lines, ""]).encode(), token, self._context, _TIMEOUT_S)

    def _refused(self, answer: Answer, lines: int) -> float:
        if answer.status == _TOO_LARGE and self._lines_max > 1:
            self._lines_max = max(1, min(lines, self._lines_max) // 2)
            return 0.0
        why = f"the server answers {answer.status}{': ' if answer.text else ''}{answer.text}"
        return self._failed(why, answer.retry_s)

    def _failed(self, why: str, retry_s: int) -> float:
        self.failures += 1
        self._context = None  # the file of the authority may be another one by now
        if why != self._trouble:
            log.warning("the history cannot be sent, will retry: %s", why)
        self._trouble = why
        most_s = float(self._settings.longest_wait_s)
        wait_s = min(most_s, _FIRST_WAIT_S * 2.0 ** min(self.failures, 16))
        return max(wait_s * self._rng.uniform(0.5, 1.0), min(most_s, float(retry_s)))

    def _succeeded(self, places: dict[str, int]) -> None:
        if self.failures:
            log.info("the history is sent again, after %d failures", self.failures)
        self.failures, self._trouble = 0, ""
        self._lines_max = min(self._settings.batch, 2 * self._lines_max)
        self._places = {**(self._places or {}), **places}
        self._history.keep(KEPT, json.dumps(self._places).encode(), wake=False)

    # ---- what is next ---------------------------------------------------------------------------

    def _next_batch(self) -> _Batch | None:
        """None if there is nothing. Raises HistoryLocked, ValueError."""
        places = self._places if self._places is not None else self._read_places()
        self._places = places
        self._history.catch_up()
        now = int(self._clock.wall_s() // 60)
        newest = self._history.last_minute("node", now)
        if newest is None:
            return None
        batch = _Batch()
        for scope in SCOPES:
            self._add_minutes(batch, scope, self._place(places, scope, now), newest)
        self._add_energies(batch, self._place(places, _ENERGY, now), newest)
        return batch if batch.places else None

    def _place(self, places: dict[str, int], name: str, now: int) -> int:
        """A place that was reached while the date was wrong is set back; a day is sent again."""
        place = places.get(name, 0)
        return now - _BACK_MIN if place > now + _AHEAD_MIN else place

    def _read_places(self) -> dict[str, int]:
        """Raises HistoryLocked, and ValueError if they cannot be read now."""
        failures = self._history.failures
        data = self._history.kept(KEPT)
        if data is None and self._history.failures != failures:
            raise ValueError("the history cannot be read")
        try:
            found = json.loads(data or b"{}")
            return {name: found[name] for name in (*SCOPES, _ENERGY) if type(found.get(name)) is int}
        except (ValueError, AttributeError):
            log.error("the cursor in the history is damaged, so all is sent again")
            return {}

    def _add_minutes(self, batch: _Batch, scope: str, first: int, newest: int) -> None:
        """Of a scope; the newest minute only when another one has followed, as both scopes are there then."""
        for rows in self._history.minutes(scope, first, newest - 1):
            for minute, *powers_w in rows:
                if len(batch.lines) >= self._lines_max:
                    return
                if line := minute_line(self._node, scope, minute, powers_w):
                    batch.lines.append(line)
                batch.places[scope] = minute + 1

    def _add_energies(self, batch: _Batch, first: int, newest: int) -> None:
        """Of whole quarter-hours that are over, and were written: a later minute is there."""
        first = first or self._history.first_minute("node") or 0
        first -= first % QUARTER_MIN
        last = min(newest - newest % QUARTER_MIN, first + DAY_MIN)
        for begin in range(first, last, _WINDOW_MIN):
            end = min(begin + _WINDOW_MIN, last)
            for minute, group in groupby(self._history.energies(begin, end), key=lambda each: each.minute):
                if len(batch.lines) >= self._lines_max:
                    return
                batch.lines.extend(energy_line(self._node, each) for each in group)
                batch.places[_ENERGY] = minute + QUARTER_MIN
            batch.places[_ENERGY] = end
