"""A microgrid of learners over measured minutes: all nodes go through each minute, one after the other.

A node observes a minute, merges or trains if that is due, predicts, and tells its neighbours. They hear of
models one minute later, and of predictions at once; where nodes agree on one, they do so in the same minute.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.learner import Learner
from edge.learn.model import finish
from edge.learn.terms import HORIZONS_MIN, STATES, Array
from edge.terms import VARIABLES

from .buildings import Building
from .links import MODEL, PREDICTION, Links
from .recording import Recording

_LEFT_AFTER_MIN = 120  # an absent node counts as gone


@dataclass
class Member:
    """A node: its building, learner, and exchange or None. `shift` minutes put its clock on that of the
    microgrid; in the minutes `absent` it measures and learns, but hears and says nothing. Merges begin only
    at multiples of `merge_every_min`: they take longer than all other minutes together."""

    of: Building
    learner: Learner
    exchange: Any = None
    shift: int = 0
    absent: range = range(0)
    judged: bool = True
    merge_every_min: int = 1
    recording: Recording | None = None
    own: NDArray[np.float16] = field(default_factory=lambda: np.zeros(0, np.float16))
    combined: NDArray[np.float16] = field(default_factory=lambda: np.zeros(0, np.float16))
    trainings: int = 0

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.of.name

    def begin(self, minutes: int) -> None:
        """Make room for the predictions of so many minutes."""
        shape = minutes, len(VARIABLES), len(HORIZONS_MIN), STATES
        self.own, self.combined = np.zeros(shape, np.float16), np.zeros(shape, np.float16)

    def step(self, minute: int, at: int) -> Array | None:
        """Observe, merge or train, predict; the own prediction."""
        local = minute + self.shift
        line = local - self.of.record.first_minute
        powers_w = self.of.record.powers_w[line]
        self.learner.observe(local, powers_w)
        if self.exchange is not None:
            self.exchange.observe(local, powers_w)
            if minute % self.merge_every_min == 0 and self.exchange.due:
                for _ in self.exchange.merging():
                    pass
        if self.learner.training_due:
            finish(self.learner.training())
            self.trainings += 1
            if self.recording is not None:
                self.recording.snapshot(local, self.learner.model)
        own = self.learner.predict()
        told = np.full(self.own.shape[1:], 1.0 / STATES, np.float32) if own is None else own
        self.own[at] = told
        self.combined[at] = (
            told if self.exchange is None or own is None else self.exchange.predict(local, own)
        )
        return own


def run(
    members: list[Member],
    links: Links,
    start: int,
    end: int,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Drive all members from minute `start` to `end`, by the clock of the microgrid."""
    for member in members:
        member.begin(end - start)
    for minute in range(start, end):
        present = [minute not in member.absent for member in members]
        for source, target, data in links.arrived(MODEL):
            if present[target]:
                member = members[target]
                member.exchange.receive_model(members[source].name, data, minute + member.shift)
        for number, member in enumerate(members):
            own = member.step(minute, minute - start)
            if member.exchange is None or not present[number]:
                continue
            local = minute + member.shift
            model = member.exchange.outgoing(local, len(links.neighbours[number]))
            told = None if own is None else member.exchange.told(local, own)
            for kind, message in ((MODEL, model), (PREDICTION, told)):
                if message is not None:
                    links.send(number, kind, message, minute)
        living = {number: each for number, each in enumerate(members) if each.exchange and present[number]}
        while _settle(living, members, links, minute, minute - start):
            pass
        for number, member in enumerate(members):
            if minute - member.absent.start == _LEFT_AFTER_MIN and minute in member.absent:
                for other in links.neighbours[number]:
                    members[other].exchange.left(member.name)
        if minute % 60 == 0:
            progress(minute - start)


def _settle(
    living: Mapping[int, Member], members: list[Member], links: Links, minute: int, at: int
) -> list[int]:
    """What was told of this minute arrives, and nodes that agree on a prediction go through a round. Those
    that have told another one."""
    for source, target, data in links.arrived(PREDICTION):
        if target in living:
            member = living[target]
            member.exchange.receive_prediction(members[source].name, data, minute + member.shift)
    again = []
    for number, member in living.items():
        found = member.exchange.settle(minute + member.shift)
        if found is None:
            continue
        member.combined[at] = found
        if not member.exchange.settled:
            again.append(number)
            told = member.exchange.told(minute + member.shift, member.own[at].astype(np.float32))
            links.send(number, PREDICTION, told, minute)
    return again
