"""One prediction of the microgrid: nodes that forecast the same come to agree on it.

Each node keeps a common view as log probabilities. After each minute it moves its view by as much as its own
prediction has changed since the minute before, and tells it to its neighbours. As soon as theirs have come it
moves towards them, and tells it again, in so many rounds:

    each minute: view += own now - own before
    each round:  view += sum over neighbours of weight * (their view - view)

So the views of all nodes, however many hops apart, stay near the mean of all own predictions (dynamic average
consensus), with one message a round to direct neighbours. A round for which a view is missing waits, at most
until the next minute, and then goes without it. Nodes see the same microgrid, so their predictions
change alike, and the views stay together while they follow. The mean is weighted by the square root of how
many days a node knows (compare `sampling_nb`, thesis 6.1.1): weights are those of Metropolis, less towards a
neighbour that knows less in the same ratio. Both nodes use the rounded views that were told, so what one
gains the other gives. A small leak towards the own prediction forgets what lost messages have left behind.

A neighbour takes part once it is known that its view is not much worse than the own one. What is served is a
pool of the view and persistence, with weights learnt alike on all nodes; where the view alone or the own
prediction did much better over about a day, it is served instead. Less evidence is no reason to disagree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..choice import Choice
from ..pool import Pool
from ..probabilities import softmax
from ..terms import Array, States
from .ensemble import Pooled, valid
from .forecast import rounded
from .operators import metropolis

_LEAK = 0.003  # a minute, towards the own prediction
_GAP_MIN = 3  # after a longer one a view starts from the own prediction
_MOST_WORSE = 0.3  # nats: the view of a neighbour that is worse by more is left out
_CLEARLY = 0.3  # nats, over about a day: less is no reason to disagree
_PROVED_MIN = 65  # minutes until a neighbour takes part
_LEAST_SAMPLES, _MOST_SAMPLES = 60.0, 30.0 * DAY_MIN  # what a node knows counts as no less and no more
_OWN = 0
ROUNDS = 2  # in which views are exchanged after each minute


@dataclass(frozen=True, slots=True)
class View:
    """What a neighbour has told: its view (6, 4, 7) after a minute and so many rounds, how many neighbours it
    hears, and how many minutes of measurements it knows."""

    minute: int
    round: int
    probabilities: Array
    neighbours: int
    samples: float

    @property
    def at(self) -> tuple[int, int]:
        """Its minute and round."""
        return self.minute, self.round


Heard: TypeAlias = Mapping[str, Sequence[View]]  # the last views of each neighbour, the newest at the end


class Consensus:
    """The view of one node, with up to `most` neighbours."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[str, int] = {}
        self._since: dict[str, int] = {}  # of each neighbour: its first minute
        self._minute = -1
        self.round = 0  # of that minute, so many are over
        self._own: Array = np.zeros(0, np.float32)  # the own prediction of that minute
        self._states: States = np.zeros(0, np.int8)  # and its states
        self._view: Array | None = None  # logs
        self._judged = Choice(1 + most)
        self._served, self._choice = (
            Pooled(1),
            Choice(3, _CLEARLY, DAY_MIN),
        )  # the pool, the view, the own one
        self.weights: dict[str, NDArray[np.float64]] = {}  # (6,) by source, as last used

    @property
    def told(self) -> Array | None:
        """The view to tell, as probabilities (6, 4, 7)."""
        return None if self._view is None else softmax(self._view.copy())

    @property
    def settled(self) -> bool:
        """Whether the rounds of the minute are over."""
        return self.round == ROUNDS

    def predict(self, minute: int, own: Array, states: States, heard: Heard, samples: float) -> Array:
        """The prediction (6, 4, 7) that is served after a minute with these states (6,), by a node that knows
        so many minutes."""
        logs = Pool.logs(own)
        for source in heard:
            self._seat(source, minute)
        view = self._view
        if view is None or not 0 < minute - self._minute <= _GAP_MIN:
            view = logs
        else:
            if not self.settled:
                view = self._mixed(view, heard, samples)
            view = view + (logs - Pool.logs(self._own))
            view = Pool.logs(softmax(view + _LEAK * (logs - view)))
        self._minute, self.round, self._own, self._states = minute, 0, own, states
        return self._serve(view, heard)

    def settle(self, minute: int, heard: Heard, samples: float) -> Array | None:
        """The prediction that is served after the same minute and another round; None if the rounds are over,
        or the view of a neighbour that takes part is missing."""
        now = minute, self.round
        awaited = [told for source, told in heard.items() if self._admitted(source).any()]
        if self._view is None or minute != self._minute or self.settled or not heard:
            return None
        if any(max(each.at for each in told) < now for told in awaited):
            return None
        view = self._mixed(self._view, heard, samples)
        self.round += 1
        return self._serve(view, heard)

    def _mixed(self, view: Array, heard: Heard, samples: float) -> Array:
        """The view moved towards those of neighbours in the same round. Both sides compare rounded views, so
        what one gains the other gives."""
        now = self._minute, self.round
        used = {
            source: each
            for source, told in heard.items()
            for each in told
            if each.at == now and source in self._places and valid(each.probabilities)
        }
        own = Pool.logs(rounded(softmax(view.copy())))
        weights = metropolis([len(heard), *(each.neighbours for each in used.values())])[1:]
        self.weights = {"": np.ones(len(VARIABLES))}
        for (source, each), weight in zip(used.items(), weights, strict=True):
            known = min(1.0, math.sqrt(_limited(each.samples) / _limited(samples)))
            share = weight * known * self._admitted(source)
            self.weights[source] = share
            self.weights[""] = self.weights[""] - share
            apart = Pool.logs(each.probabilities) - own
            view = view + share[:, None, None].astype(np.float32) * apart
        return Pool.logs(softmax(view))

    def _serve(self, view: Array, heard: Heard) -> Array:
        self._view, bare = view, np.exp(view)
        candidates = np.repeat(bare[None], 1 + self._most, axis=0)
        for source, told in heard.items():
            if source in self._places and valid(told[-1].probabilities):
                candidates[self._places[source]] = told[-1].probabilities
        self._judged.predicted(self._minute, candidates)
        pooled = self._served.predict(self._minute, view[None], self._states)
        each_way = np.stack([pooled, bare, self._own])
        chosen = self._choice.predicted(self._minute, each_way)
        found: Array = each_way[chosen, *np.indices(bare.shape[:2])]
        return found

    def _admitted(self, source: str) -> NDArray[np.bool_]:
        """The variables (6,) for which the view of a neighbour is not much worse than the own one."""
        if self._minute - self._since.get(source, self._minute) < _PROVED_MIN:
            return np.zeros(len(VARIABLES), bool)
        means = self._judged.means.mean(-1)
        found: NDArray[np.bool_] = means[self._places[source]] - means[_OWN] <= _MOST_WORSE
        return found

    @property
    def helps(self) -> NDArray[np.bool_]:
        """Where the common view is served: (6, 4)."""
        found: NDArray[np.bool_] = self._choice.now < 2
        return found

    def learn(self, minute: int, actual: States) -> None:
        """Learn from the states (6,) of a minute, -1 where unknown."""
        for each in (self._judged, self._served, self._choice):
            each.learn(minute, actual)

    def forget(self, source: str) -> None:
        """A neighbour has left."""
        for kept in (self._places, self._since):
            kept.pop(source, None)

    def _seat(self, source: str, minute: int) -> None:
        free = set(range(1, 1 + self._most)) - set(self._places.values())
        if source not in self._places and free:
            self._places[source], self._since[source] = min(free), minute


def _limited(samples: float) -> float:
    return min(max(samples, _LEAST_SAMPLES), _MOST_SAMPLES)
