"""What every model can do. A new one is one file with such a class, and a line in `registry`.

It is made with the scale of states, a random generator, its options by name and, where there is one, a
source of weather.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from .series import Series
from .terms import Array


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a training did. Losses are mean log losses in nats over what was held back, NaN without any."""

    steps: int
    accepted: bool
    loss_before: float
    loss_after: float


Training: TypeAlias = Generator[None, None, TrainingReport]


class Model(Protocol):
    """Learns from minutes, foretells states."""

    name: str

    def observe(self, minute: int, powers_w: Array) -> None:
        """Take in a minute. They come in order, some may be left out. What was learnt before a `save` is not
        learnt again when its minutes come once more."""

    def predict(self) -> Array | None:
        """Probabilities (6, 4, 7) of the states at the horizons after the last minute; None while it knows
        too little."""

    def train(self, history: Series) -> Training:
        """Learn from the past, in pieces: each step of the generator takes a few milliseconds. It may be left
        at any yield; then nothing has changed."""

    def save(self) -> bytes:
        """What was learnt."""

    def load(self, data: bytes) -> None:
        """Take up what was learnt. Raises ValueError and stays as it was."""


def no_training() -> Training:
    """Of a model that learns while it observes."""
    return TrainingReport(0, True, float("nan"), float("nan"))
    yield
