"""One prediction of the microgrid: nodes that forecast the same come to agree on it.

Each node keeps a common view as log probabilities and tells it to its neighbours each minute. It moves its
view towards theirs, and by as much as its own prediction has changed since the minute before:

    view += sum over neighbours of weight * (their view - view)  +  (own now - own before)

So the views of all nodes, however many hops apart, stay near the mean of all own predictions (dynamic average
consensus), with one message a minute to direct neighbours. Nodes see the same microgrid, so their predictions
change alike, and the views stay together while they follow. The mean is weighted by the square root of how
many days a node knows (compare `sampling_nb`, thesis 6.1.1): weights are those of Metropolis, less towards a
neighbour that knows less in the same ratio. Both nodes use the rounded views that were told, so what one
gains the other gives. A small leak towards the own prediction forgets what lost messages have left behind.

A neighbour takes part once it is known that its view is not much worse than the own one. What is served is a
pool of the view and persistence, with weights learnt alike on all nodes; where the view alone or the own
prediction did much better over about a day, it is served instead. Less evidence is no reason to disagree.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class View:
    """What a neighbour has told: its view (6, 4, 7) after a minute, how many neighbours it hears, and how
    many minutes of measurements it knows."""

    minute: int
    probabilities: Array
    neighbours: int
    samples: float


class Consensus:
    """The view of one node, with up to `most` neighbours."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[str, int] = {}
        self._since: dict[str, int] = {}  # of each neighbour: its first minute
        self._used: dict[str, int] = {}  # and the minute of its view that was used last
        self._minute = -1
        self._own: Array | None = None  # the logs of the own prediction of that minute
        self._view: Array | None = None  # logs
        self._told: dict[int, Array] = {}  # by minute: the logs of the view as neighbours read it
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

    def predict(
        self, minute: int, own: Array, states: States, foreign: Mapping[str, View], samples: float
    ) -> Array:
        """The prediction (6, 4, 7) that is served after a minute with these states, by a node that knows so
        many minutes."""
        logs = Pool.logs(own)
        view, own_before = self._view, self._own
        if view is None or own_before is None or not 0 < minute - self._minute <= _GAP_MIN:
            view, own_before = logs, logs
            self._told.clear()
        for source in foreign:
            self._seat(source, minute)
        view = view + self._pull(minute, foreign, samples) + (logs - own_before) + _LEAK * (logs - view)
        view = Pool.logs(softmax(view))
        self._minute, self._own, self._view = minute, logs, view
        self._told = {at: each for at, each in self._told.items() if at >= minute - _GAP_MIN}
        self._told[minute] = Pool.logs(rounded(softmax(view.copy())))
        candidates = np.repeat(np.exp(view)[None], 1 + self._most, axis=0)
        for source, place in self._places.items():
            if source in foreign and valid(foreign[source].probabilities):
                candidates[place] = foreign[source].probabilities
        self._judged.predicted(minute, candidates)
        each = np.stack([self._served.predict(minute, view[None], states), np.exp(view), own])
        found: Array = each[self._choice.predicted(minute, each), *np.indices(own.shape[:2])]
        return found

    def _pull(self, minute: int, foreign: Mapping[str, View], samples: float) -> Array | np.float32:
        """What neighbours add to the view."""
        used = {
            source: each
            for source, each in foreign.items()
            if source in self._places
            and each.minute in self._told
            and self._used.get(source) != each.minute
            and valid(each.probabilities)
        }
        self._used |= {source: each.minute for source, each in used.items()}
        weights = metropolis([len(foreign), *(each.neighbours for each in used.values())])[1:]
        total: Array | np.float32 = np.float32(0.0)
        self.weights = {"": np.ones(len(VARIABLES))}
        for (source, each), weight in zip(used.items(), weights, strict=True):
            known = min(1.0, math.sqrt(_limited(each.samples) / _limited(samples)))
            share = weight * known * self._admitted(source, minute)
            self.weights[source] = share
            self.weights[""] = self.weights[""] - share
            apart = Pool.logs(each.probabilities) - self._told[each.minute]
            total = total + share[:, None, None].astype(np.float32) * apart
        return total

    def _admitted(self, source: str, minute: int) -> NDArray[np.bool_]:
        """The variables (6,) for which the view of a neighbour is not much worse than the own one."""
        if minute - self._since[source] < _PROVED_MIN:
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
        for kept in (self._places, self._since, self._used):
            kept.pop(source, None)

    def _seat(self, source: str, minute: int) -> None:
        free = set(range(1, 1 + self._most)) - set(self._places.values())
        if source not in self._places and free:
            self._places[source], self._since[source] = min(free), minute


def _limited(samples: float) -> float:
    return min(max(samples, _LEAST_SAMPLES), _MOST_SAMPLES)
