"""Listens to what every operator of predictions would have said, so that one run judges all of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.gossip import PREDICTION_OPERATORS
from edge.learn.terms import Array, States


class Spy:
    """Stands before the choice of `auto`, which is given the predictions of all operators."""

    names = ("own", "experts", *PREDICTION_OPERATORS)

    def __init__(self, choice: Any) -> None:
        self._choice = choice
        self._lines: dict[int, NDArray[np.float16]] = {}  # by minute

    @classmethod
    def on(cls, exchange: Any) -> "Spy":
        """A spy in an exchange; it hears nothing without `auto`."""
        spy = cls(exchange.predictions.choice)
        if spy._choice is not None:
            exchange.predictions.choice = spy
        return spy

    def predicted(self, minute: int, candidates: Array) -> NDArray[np.intp]:
        """See `Choice.predicted`."""
        self._lines[minute] = candidates.astype(np.float16)
        found: NDArray[np.intp] = self._choice.predicted(minute, candidates)
        return found

    def learn(self, minute: int, actual: States) -> None:
        """See `Choice`."""
        self._choice.learn(minute, actual)

    @property
    def now(self) -> NDArray[np.intp]:
        """See `Choice`."""
        found: NDArray[np.intp] = self._choice.now
        return found

    def heard(self, first_minute: int, own: NDArray[np.float16]) -> dict[str, NDArray[np.float16]]:
        """The predictions (n, 6, 4, 7) by operator from a minute on; the own ones where none came.
        Operators of models have the same names, so these end in `_predictions`."""
        if not self._lines:
            return {}
        found = {f"{name}_predictions": own.copy() for name in self.names[1:]}
        for minute, lines in self._lines.items():
            for each, line in zip(found.values(), lines[1:], strict=True):
                each[minute - first_minute] = line
        return found
