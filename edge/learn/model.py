"""The protocol of a model. A new model is one file with such a class, and one line in `registry`.

A model is created with the scale of states, a random generator, a source of weather or None, the calendar of
its node, and its options by name.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from .series import Series
from .terms import Array


class DamagedFile(ValueError):
    """The file that a model should start from is not the one that was written."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The result of a training. Losses are means over minutes held back for validation, NaN without any."""

    steps: int
    accepted: bool
    loss_before: float
    loss_after: float


Training: TypeAlias = Generator[None, None, TrainingReport]
_T = TypeVar("_T")


class Model(Protocol):
    """Learns from minutes and predicts states."""

    name: str

    def observe(self, minute: int, powers_w: Array) -> None:
        """Learn a minute. Minutes are given in order; some may be missing. What was learnt before a `save` is
        not learnt again when its minutes are given once more."""

    def predict(self) -> Array | None:
        """Probabilities (6, 4, 7) of the states at the horizons after the last minute; None while the model
        knows too little."""

    def train(self, history: Series) -> Training:
        """Train on the history, in pieces: each step of the generator takes a few milliseconds. If the
        generator is closed before its end, nothing has changed."""

    def save(self) -> bytes:
        """What was learnt, as a checkpoint."""

    def load(self, data: bytes, now: int | None = None) -> None:
        """Restore what was learnt. Raises ValueError for invalid data, and changes nothing then. `now`: a
        later minute was learnt under a wrong date, and does not keep the model from learning from now on."""


def no_training() -> Training:
    """The training of a model that learns while it observes."""
    return TrainingReport(0, True, float("nan"), float("nan"))
    yield


def finish(pieces: Generator[None, None, _T]) -> _T:
    """Run work in pieces to its end at once; its result."""
    while True:
        try:
            next(pieces)
        except StopIteration as done:
            result: _T = done.value
            return result
