"""The exchange of one scope with the neighbours: what is sent, what is received, and what it is used for.

It has no clock and no links. Its caller gives it minutes and messages, sends what it returns, and decides
when a merge goes on: never while a training does. The learning twin and the evaluation both drive it.

Weights are exchanged as differences from a common start. So the learners of all nodes begin with the same
shipped networks, or with a random generator of the same seed. An exchange is created before its learner has
learnt anything; `restored` is called if the learner then loads what it had learnt. After that neighbours get
whole weights once more, one variable after the other: what they hold is not kept across a restart.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...terms import VARIABLES
from ..learner import Learner
from ..parts import WEIGHTS, Part
from ..terms import Array
from .account import ByteAccount
from .incoming import Incoming
from .merging import Merger
from .message import Message, Refused
from .operators import Contribution
from .outgoing import Outgoing, Parts
from .predictions import Predictions, samples_of
from .profile import Profile
from .settings import ExchangeSettings

_PIECES_BYTES = 13 * 24  # of the heads of all pieces of a message
_LEAST_BYTES = 2_000  # of a message: with less left, it waits for the next minutes
_SILENT_MIN = 180  # a neighbour that was silent for longer makes room for another one
_SOON_MIN = 6  # at most, from a start to the first message


class Exchange:
    """See the module."""

    def __init__(self, node: str, learner: Learner, settings: ExchangeSettings, rng: random.Random) -> None:
        self.settings, self.learner = settings, learner
        self._rng = rng
        model = learner.model
        first = {variable: model.parts(variable) for variable in range(len(VARIABLES))}
        self._outgoing = Outgoing(node, private=not settings.private)
        self._incoming = Incoming(settings.most_neighbours, private=not settings.private)
        self._start = self._incoming.common_start(first.__getitem__) if settings.models else {}
        if settings.models and not settings.noise:
            self._outgoing.common_start(first.__getitem__)
        self.merger = Merger(learner, settings, self._start)
        self.predictions = Predictions(learner, settings)
        self.account = ByteAccount(settings.bytes_per_hour)
        self._heard: dict[str, int] = {}  # of each neighbour: when its last message came
        self._gone: set[str] = set()  # neighbours that have left
        self._received: dict[str, bytes] = {}  # the checksum of each one's last model message
        self._counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # by reason
        self.troubles: dict[str, str] = {}  # by neighbour: why its last message was refused
        self._minute = 0
        self._next_model_min: int | None = None
        self._merged_min: int | None = None
        self._fresh = False  # a share has come since the last merge
        self._neighbours = 0

    def restored(self) -> None:
        """The learner has loaded what it had learnt: neighbours do not hold these weights."""
        self._outgoing.restart()

    # ---- sending --------------------------------------------------------------------------------

    def outgoing(self, minute: int, neighbours: int) -> bytes | None:
        """The model message that is due, for so many neighbours; None if there is none, or no budget."""
        self._neighbours = neighbours
        if not self.settings.models or not neighbours:
            return None
        if self._next_model_min is None:
            self._next_model_min = minute + self._rng.randrange(_SOON_MIN)
        if minute < self._next_model_min:
            return None
        budget = min(self.settings.message_bytes, self.account.left(minute) // neighbours)
        if budget < min(_LEAST_BYTES, self.settings.bytes_per_hour // neighbours):
            self._counts["waited"] += 1
            return None
        data = self._message(minute, budget)
        if data is not None:
            self._next_model_min = minute + self.settings.model_every_min
            self.account.spend(minute, len(data) * neighbours)
            self._counts["models_sent"] += 1
        return data

    def _message(self, minute: int, budget: int) -> bytes | None:
        learner, level = self.learner, self.settings.level
        facts: dict[str, Any] = {
            "age_min": learner.age_min,
            "neighbours": self._neighbours,
            "samples": samples_of(learner),
            "losses": self.predictions.gain.own_loss,
            "max_power_w": learner.settings.scale.max_power_w,
            "level": level,
            "profile": Profile.of(learner.series, level),
            "wants": self._incoming.wants(),
        }
        budget -= len(Message(**facts).packed()) + _PIECES_BYTES
        parts = _remembered(self._shared_parts())
        counts = () if self.settings.noise else self._outgoing.counts(parts)
        size = sum(len(piece.data) for piece in counts)
        if size > budget:
            self._counts["counts_left_out"] += 1
            counts, size = (), 0
        pieces = counts + self._outgoing.weights(parts, budget - size)
        return Message(**facts, pieces=pieces).packed() if pieces or facts["wants"] else None

    def _shared_parts(self) -> Parts:
        """The own parts; with noise on the weights if that is asked for."""
        parts, noise = self.learner.model.parts, self.settings.noise
        if not noise:
            return parts
        random_numbers = np.random.default_rng(self._rng.getrandbits(64))

        def noisy(variable: int) -> Mapping[str, Part]:
            found = {}
            for name, part in parts(variable).items():
                if part.rule == WEIGHTS:
                    limit = self.merger.limits.limit((variable, name))
                    sigma = noise * (limit if np.isfinite(limit) else 1.0)
                    values = part.values + np.float32(sigma) * random_numbers.standard_normal(
                        part.values.shape, np.float32
                    )
                    found[name] = Part(part.rule, part.key, values, part.private, part.ready)
            return found

        return noisy

    def told(self, minute: int, prediction: Array) -> bytes | None:
        """The message with the own prediction (6, 4, 7) of a minute."""
        if not self.settings.predictions:
            return None
        self._counts["predictions_sent"] += 1
        return self.predictions.told(minute, prediction)

    # ---- receiving ------------------------------------------------------------------------------

    def receive_model(self, source: str, data: bytes, minute: int) -> None:
        """Take a model message. One that is not used is counted."""
        if not self.settings.models or self._received.get(source) == data[4:8]:
            return  # the same once more
        try:
            self._admit(source, minute)
            share = self._incoming.receive(source, data, self.learner.model.parts, minute, self._start)
        except Refused as error:
            self._refuse(source, error)
            return
        self._outgoing.wanted(share.message.wants)
        self._received[source] = data[4:8]
        self._counts["models_received"] += 1
        self._counts["model_bytes_received"] += len(data)
        self.troubles.pop(source, None)
        self._fresh = True

    def receive_prediction(self, source: str, data: bytes, minute: int) -> None:
        """Take a prediction. One that is not used is counted."""
        if not self.settings.predictions:
            return
        try:
            self._admit(source, minute)
            self.predictions.receive(source, data, minute)
        except Refused as error:
            self._refuse(source, error)
            return
        self._counts["predictions_received"] += 1

    def _admit(self, source: str, minute: int) -> None:
        """Give a neighbour a place. Raises Refused if all are taken."""
        if source not in self._heard and len(self._heard) >= self.settings.most_neighbours:
            silent = [
                name for name, at in self._heard.items() if name in self._gone or minute - at > _SILENT_MIN
            ]
            if not silent:
                raise Refused("there are more neighbours than places", "too_many_neighbours")
            self._forget(min(silent, key=self._heard.__getitem__))
        self._heard[source] = minute
        self._gone.discard(source)

    def _refuse(self, source: str, error: Refused) -> None:
        self.refused[error.reason] += 1
        if source in self._heard or len(self.troubles) < self.settings.most_neighbours:
            self.troubles[source] = str(error)

    def _forget(self, source: str) -> None:
        """Free the place of a neighbour. What was merged of its model stays."""
        for kept in (self._heard, self._received, self.troubles):
            kept.pop(source, None)
        self._gone.discard(source)
        for room in (self._incoming, self.predictions, self.merger):
            room.forget(source)

    def left(self, source: str) -> None:
        """A neighbour has left. What it sent stays, until another one needs its place."""
        if source in self._heard:
            self._gone.add(source)
        self.troubles.pop(source, None)

    # ---- using ----------------------------------------------------------------------------------

    def predict(self, minute: int, own: Array) -> Array:
        """The combined prediction (6, 4, 7) after a minute."""
        self._minute = minute
        return self.predictions.combine(minute, own) if self.settings.predictions else own

    def observe(self, minute: int, powers_w: Array) -> None:
        """Learn the weights of experts from the powers (6,) in W of a minute."""
        self._minute = minute
        self.predictions.learn(minute, self.learner.settings.scale.of(np.asarray(powers_w, np.float32)))

    @property
    def due(self) -> bool:
        """Whether a merge is due: something new has come, and the period is over."""
        if not self._fresh or not self.settings.models:
            return False
        since = self._merged_min
        return since is None or abs(self._minute - since) >= self.settings.model_every_min

    def merging(self) -> Iterator[None]:
        """Merge, in pieces. A merge that is not finished has changed nothing but what it says it has."""
        self._fresh, self._merged_min = False, self._minute
        shares = self.merger.usable(self._incoming.shares, self._minute)
        if not shares:
            return
        learner = self.learner
        level = "coarse" if self.settings.level == "none" else self.settings.level
        own = Contribution(
            source="",
            samples=samples_of(learner),
            claimed_loss=self.predictions.gain.own_loss,
            age_min=learner.age_min,
            neighbours=self._neighbours,
            profile=Profile.of(learner.series, level),
        )
        yield from self.merger.work(shares, own, self._minute)
        self._counts["merged"] += 1
        if self.merger.outcome is not None:
            self._counts["adopted"] += bool(self.merger.outcome.adopted)

    # ---- showing --------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """In JSON types."""
        counts = self._counts
        return {
            "sent": {"models": counts["models_sent"], "predictions": counts["predictions_sent"]},
            "received": {"models": counts["models_received"], "predictions": counts["predictions_received"]},
            "merged": counts["merged"],
            "adopted": counts["adopted"],
            "refused": dict(self.refused),
            "refused_why": dict(self.troubles),
            "waited_for_budget": counts["waited"],
            "bytes": {
                "per_hour": self.settings.bytes_per_hour,
                "last_hour": self.account.used(self._minute),
                "sent": self.account.total,
                "received": counts["model_bytes_received"],
                "by_hour": self.account.by_hour,
            },
            "contributors": {source: self._contributor(source) for source in self._heard},
            "own_weight": {
                "models": _by_variable(self.merger.weights.get("")),
                "predictions": _by_variable(self.predictions.weights.get("")),
            },
            "last_merge": self.merger.stats(),
            "prediction_operators": self.predictions.chosen,
            "gain": self.predictions.gain.report(),
            "memory_bytes": self.nbytes,
        }

    def _contributor(self, source: str) -> dict[str, Any]:
        share = self._incoming.shares.get(source)
        foreign = self.predictions.foreign.get(source)
        return {
            "here": source not in self._gone,
            "heard_min_ago": max(0, self._minute - self._heard[source]),
            "model_age_min": None if share is None else share.age_min(self._minute),
            "model": None if foreign is None else foreign.message.model,
            "missing": []
            if share is None
            else [each for v, each in enumerate(VARIABLES) if share.missing >> v & 1],
            "distance_w": _by_variable(self.merger.distances.get(source)),
            "model_weight": _by_variable(self.merger.weights.get(source)),
            "prediction_weight": _by_variable(self.predictions.weights.get(source)),
        }

    @property
    def nbytes(self) -> int:
        """The memory of what is held of neighbours, and for them."""
        start = sum(each.nbytes for each in self._start.values())
        return start + self._incoming.nbytes + self._outgoing.nbytes + self.merger.nbytes


def _remembered(parts: Parts) -> Parts:
    """The same parts, computed once for each variable."""
    known: dict[int, Mapping[str, Part]] = {}

    def found(variable: int) -> Mapping[str, Part]:
        if variable not in known:
            known[variable] = parts(variable)
        return known[variable]

    return found


def _by_variable(values: Any) -> dict[str, float | None] | None:
    if values is None:
        return None
    return {
        variable: round(float(each), 4) if np.isfinite(each) else None
        for variable, each in zip(VARIABLES, values, strict=True)
    }
