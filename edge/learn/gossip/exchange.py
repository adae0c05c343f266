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
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...terms import DAY_MIN, VARIABLES
from ..learner import Learner
from ..terms import Array
from .asking import Asking
from .incoming import Incoming
from .merging import Merger
from .operators import Contribution
from .packet import Refused
from .predictions import Predictions, samples_of
from .profile import Profile
from .sending import Sender
from .settings import ExchangeSettings

_SILENT_MIN = 180  # a neighbour that was silent for longer makes room for another one
_MODEL, _PREDICTION = "model", "prediction"


class Exchange:
    """See the module."""

    def __init__(self, node: str, learner: Learner, settings: ExchangeSettings, rng: random.Random) -> None:
        self.settings, self.learner = settings, learner
        model = learner.model
        first = {variable: model.parts(variable) for variable in range(len(VARIABLES))}
        self._incoming = Incoming(settings.most_neighbours, private=not settings.private)
        self._asking = Asking(settings.model_every_min)
        self._start = self._incoming.common_start(first.__getitem__) if settings.models else {}
        self.merger = Merger(learner, settings, self._start)
        self.sender = Sender(node, learner, settings, self.merger.weighing.limits, rng)
        if settings.models:
            self.sender.parts.common_start(first.__getitem__)
        self.predictions = Predictions(learner, settings)
        self._heard: dict[str, int] = {}  # of each neighbour: when its last message came
        self._gone: set[str] = set()  # neighbours that have left
        self._received: dict[str, bytes] = {}  # the checksum of each one's last model message
        self._counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()  # by reason
        self._troubles: dict[tuple[str, str], Refused] = {}  # by neighbour and kind: of its last message
        self._minute = 0
        self._merged_min: int | None = None
        self._fresh = False  # a share has come since the last merge
        self._neighbours = 0
        self._start_until: int | None = None  # the common start is kept for a day: it takes memory

    def restored(self) -> None:
        """The learner has loaded what it had learnt: neighbours do not hold these weights."""
        self.sender.parts.restart()

    # ---- sending --------------------------------------------------------------------------------

    def outgoing(self, minute: int, neighbours: int) -> bytes | None:
        """The model message that is due, for so many neighbours; None if there is none, or no budget."""
        self._neighbours, self._minute = neighbours, minute
        if not self.settings.models or not neighbours:
            return None
        return self.sender.due(minute, neighbours, self._facts)

    def _facts(self) -> dict[str, Any]:
        """What a model message says besides pieces."""
        learner, level = self.learner, self.settings.level
        return {
            "age_min": learner.age_min,
            "neighbours": self._neighbours,
            "samples": samples_of(learner),
            "losses": self.predictions.gain.own_loss,
            "max_power_w": learner.settings.scale.max_power_w,
            "level": level,
            "profile": Profile.of(learner.series, level),
            "wants": self._incoming.wants(self._asking.chosen(self._incoming.shares, self._minute)),
        }

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
            self._refuse(source, _MODEL, error)
            return
        self.sender.parts.wanted(share.message.wants)
        self._received[source] = data[4:8]
        self._counts["models_received"] += 1
        self._counts["model_bytes_received"] += len(data)
        self._troubles.pop((source, _MODEL), None)
        self._fresh = True

    def receive_prediction(self, source: str, data: bytes, minute: int) -> None:
        """Take a prediction. One that is not used is counted."""
        if not self.settings.predictions:
            return
        try:
            self._admit(source, minute)
            self.predictions.receive(source, data, minute)
        except Refused as error:
            self._refuse(source, _PREDICTION, error)
            return
        self._troubles.pop((source, _PREDICTION), None)
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

    def _refuse(self, source: str, kind: str, error: Refused) -> None:
        self.refused[error.reason] += 1
        if source in self._heard:
            self._troubles[source, kind] = error.with_traceback(None)

    def _forget(self, source: str) -> None:
        """Free the place of a neighbour. What was merged of its model stays."""
        self._heard.pop(source, None)
        self._received.pop(source, None)
        self._gone.discard(source)
        self._calm(source)
        for room in (self._incoming, self.predictions, self.merger):
            room.forget(source)

    def left(self, source: str) -> None:
        """A neighbour has left. What it sent stays, until another one needs its place."""
        if source in self._heard:
            self._gone.add(source)
        self._calm(source)

    def _calm(self, source: str) -> None:
        for kind in (_MODEL, _PREDICTION):
            self._troubles.pop((source, kind), None)

    # ---- using ----------------------------------------------------------------------------------

    def predict(self, minute: int, own: Array) -> Array:
        """The combined prediction (6, 4, 7) after a minute."""
        self._minute = minute
        return self.predictions.combine(minute, own) if self.settings.predictions else own

    def settle(self, minute: int) -> Array | None:
        """The combined prediction of the same minute after neighbours have told theirs; None if it has not
        changed. It is to be told again unless `settled`."""
        found = self.predictions.settle(minute) if self.settings.predictions else None
        self._counts["settled"] += found is not None and self.settled
        return found

    @property
    def settled(self) -> bool:
        """Whether the prediction of the minute will not change any more."""
        return self.predictions.settled

    def observe(self, minute: int, powers_w: Array) -> None:
        """Learn the weights of experts from the powers (6,) in W of a minute."""
        self._minute = minute
        if self._start_until is None:
            self._start_until = minute + DAY_MIN
        elif minute > self._start_until:  # who begins later is asked for whole weights
            self._start.clear()
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

    @property
    def merges(self) -> int:
        """How often models of neighbours were merged."""
        return self._counts["merged"]

    # ---- showing --------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """In JSON types."""
        counts = self._counts
        return {
            "sent": {"models": self.sender.counts["sent"], "predictions": counts["predictions_sent"]},
            "received": {"models": counts["models_received"], "predictions": counts["predictions_received"]},
            "settled": counts["settled"],
            "merged": counts["merged"],
            "adopted": counts["adopted"],
            "refused": dict(self.refused),
            "refused_why": {source: str(why) for source, why in self.troubles()},
            "waited_for_budget": self.sender.counts["waited"],
            "bytes": {
                "per_hour": self.settings.bytes_per_hour,
                "last_hour": self.sender.account.used(self._minute),
                "sent": self.sender.account.total,
                "received": counts["model_bytes_received"],
                "by_hour": self.sender.account.by_hour,
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

    def troubles(self) -> Iterator[tuple[str, Refused]]:
        """The neighbours whose last message was refused, and why."""
        return ((source, why) for (source, _), why in self._troubles.items())

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
        return start + self._incoming.nbytes + self.sender.parts.nbytes + self.merger.nbytes


def _by_variable(values: Any) -> dict[str, float | None] | None:
    if values is None:
        return None
    return {
        variable: round(float(each), 4) if np.isfinite(each) else None
        for variable, each in zip(VARIABLES, values, strict=True)
    }
