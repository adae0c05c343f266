"""The recorder twin: it writes the life of its node into the history, with and without learning.

It follows the events of the local prosumers (thesis 4.3) and keeps them, and it averages the six variables
of the node over each minute. When a minute is over, all twins of the node are told its means.
"""

import random

import orjson

from ..clock import CLOCK_SET_S
from ..energy.rules import EVENT
from ..space.agent import Bond
from .twin import Home, Twin

LOOK_EVERY_S = 5.0  # for changes that no event announces
_BACK_MIN = 5  # if the clock is set back by less, the current minute goes on


class RecorderTwin(Twin):
    """One on every node."""

    kind = "recorder"
    wants = (EVENT,)

    def __init__(self, settings: None, home: Home, rng: random.Random) -> None:
        super().__init__("recorder", home)
        self.minute: int | None = None  # the current one
        self.events = self.events_missed = 0
        self._next_number: dict[str, int] = {}  # of the events of each local twin

    def bonded(self, bond: Bond) -> None:
        if bond.withdrawn or bond.origin != self.home.node:  # nobody else writes into its history
            return
        dated = self._minute_now() is not None
        at_s, twin = self._clock.wall_s(), bond.name
        for number, kind, role, power_w, cause, begins_s, ends_s, *rest in orjson.loads(bond.value()):
            due = self._next_number.get(twin, 0)
            if number >= due:
                self.events += 1
                self.events_missed += number - due
                self._next_number[twin] = number + 1
                if dated:
                    dates_s = (None if each is None else at_s + each for each in (begins_s, ends_s))
                    self.home.history.note_event(
                        at_s, twin, number, kind, role, power_w, cause, *dates_s, *rest
                    )

    def forget(self, twin: str) -> None:
        """A twin of that name begins to count its events from 0."""
        self._next_number.pop(twin, None)

    def act(self) -> None:
        """After events."""
        self._look()

    def second_passed(self) -> None:
        """It publishes nothing, so the tick serves it as well as a reaction of its own would."""
        late = self._clock.now_s() >= self.home.looked_s + LOOK_EVERY_S
        if late or self._minute_now() != self.minute:
            self._look()

    def _look(self) -> None:
        self._pass_minute()
        self.home.look()

    def _minute_now(self) -> int | None:
        wall_s = self._clock.wall_s()
        return int(wall_s // 60) if wall_s >= CLOCK_SET_S else None

    def _pass_minute(self) -> None:
        minute, before = self._minute_now(), self.minute
        if minute is None or minute == before or (before is not None and 0 < before - minute < _BACK_MIN):
            return
        self.minute = minute
        powers_w = self.home.running.close(self._clock.now_s())
        ended = before if before == minute - 1 else None  # else the clock was set
        if ended is None:
            powers_w = None
        elif powers_w is not None:
            self.home.history.note_minute("node", ended, powers_w)
        self.home.tell_minute(minute, ended, powers_w)
