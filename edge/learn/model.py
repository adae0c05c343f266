"""The protocol of a model. A new model is one file with such a class, and one line in `registry`.

A model is created with the scale of states, a random generator, a source of weather or None, the calendar of
its node, and its options by name.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from .parts import Adoption, Losses, Part, Values
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

    def parts(self, variable: int) -> dict[str, Part]:
        """The parts of a variable by name, as copies; the values of counts are what this node has observed
        itself."""

    def adopt(self, parts: Mapping[int, Values]) -> Adoption:
        """Put parts in place, by variable and name, in pieces: weights replace the own ones, counts replace
        the foreign ones. Raises ValueError for parts that do not fit, and changes nothing then. Not while a
        training goes on, which would replace them at its end."""

    def losses_with(self, parts: Mapping[int, Values], history: Series) -> Losses:
        """The losses (hours, 6) of this model with these parts in the place of its own, over hours of the
        history that its own parts have not learnt, oldest first; in pieces. The hours are the same for all
        parts. NaN where unknown, no hours while there is nothing to compare."""


@runtime_checkable
class KnowsPowers(Protocol):
    """A model that predicts powers, too, not only states."""

    def quantiles_w(self) -> Array | None:
        """Quantiles (6, 4, levels) in W of the powers at the horizons after the last minute; None while it
        knows too little."""


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
