"""When a model message is due, how long it may be, and what goes into it."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..learner import Learner
from ..parts import WEIGHTS, Part
from .account import ByteAccount
from .clipping import NormLimits
from .message import PIECE_HEAD_BYTES, Message
from .outgoing import Outgoing, Parts
from .settings import ExchangeSettings

_LEAST_BYTES = 1_000  # of a message: with less left, it waits for the next minutes
_SOON_MIN = 6  # at most, from a start to the first message

Facts = Callable[[], dict[str, Any]]  # what a message says besides pieces


class Sender:
    """The sending side of an exchange."""

    def __init__(
        self, node: str, learner: Learner, settings: ExchangeSettings, limits: NormLimits, rng: random.Random
    ) -> None:
        self._learner, self._settings, self._limits, self._rng = learner, settings, limits, rng
        self.parts = Outgoing(node, private=not settings.private)
        self.account = ByteAccount(settings.bytes_per_hour)
        self.counts: Counter[str] = Counter()
        self._next_min: int | None = None
        self._with_counts = False

    def due(self, minute: int, neighbours: int, facts: Facts) -> bytes | None:
        """The message that is due, for so many neighbours; None if there is none, or no budget."""
        settings, every = self._settings, self._settings.model_every_min
        if self._next_min is None or self._next_min - minute > every:  # the date was set back
            self._next_min = minute + self._rng.randrange(min(_SOON_MIN, every))
        if minute < self._next_min:
            return None
        budget = min(settings.message_bytes, self.account.left(minute) // neighbours)
        if budget < min(_LEAST_BYTES, settings.bytes_per_hour // neighbours // 4):
            self.counts["waited"] += 1
            return None
        data = self.message(budget, facts())
        if data is None:
            self.counts["waited"] += budget < settings.message_bytes
            return None
        self._next_min = minute + every
        self.account.spend(minute, len(data) * neighbours)
        self.counts["sent"] += 1
        return data

    def message(self, budget: int, facts: dict[str, Any]) -> bytes | None:
        """A message of at most so many bytes; None if there is nothing to say."""
        budget -= len(Message(**facts).packed())
        parts = _remembered(self._noisy() if self._settings.noise else self._learner.model.parts)
        self._with_counts = not self._with_counts or not self.parts.whole_due(parts)
        alone = self._settings.noise or not self._with_counts  # whole weights and counts take turns
        counts = () if alone else self.parts.counts(parts)
        size = sum(len(piece.data) + PIECE_HEAD_BYTES for piece in counts)
        if size > budget:
            counts, size = (), 0
        pieces = counts + self.parts.weights(parts, budget - size)
        return Message(**facts, pieces=pieces).packed() if pieces or facts["wants"] else None

    def _noisy(self) -> Parts:
        """The own weights with noise. Each message has new noise."""
        numbers = np.random.default_rng(self._rng.getrandbits(64))

        def noisy(variable: int) -> Mapping[str, Part]:
            found = {}
            for name, part in self._learner.model.parts(variable).items():
                if part.rule == WEIGHTS:
                    limit = self._limits.limit((variable, name))
                    sigma = np.float32(self._settings.noise * (limit if np.isfinite(limit) else 1.0))
                    values = part.values + sigma * numbers.standard_normal(part.values.shape, np.float32)
                    found[name] = Part(part.rule, part.key, values, part.private, part.ready)
            return found

        return noisy


def _remembered(parts: Parts) -> Parts:
    """The same parts, computed once for each variable."""
    known: dict[int, Mapping[str, Part]] = {}

    def found(variable: int) -> Mapping[str, Part]:
        if variable not in known:
            known[variable] = parts(variable)
        return known[variable]

    return found
