"""Exchanges without any defence, to compare with: the mean of weights as it is in textbooks.

`Mean` sends all weights, or trunks only, as float32 or through the codec of the nodes, and takes the plain
mean of its own and all that came. On a full graph, without the codec and with all layers, it is federated
averaging without a server: the oracle.
"""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge.learn.gossip import Incoming, Message, Outgoing
from edge.learn.learner import Learner
from edge.learn.model import finish
from edge.learn.parts import WEIGHTS, merged
from edge.learn.terms import Array
from edge.terms import VARIABLES

_BUDGET = 14_000  # bytes of weights in a message
_ALL = range(len(VARIABLES))


class Mean:
    """The plain mean of weights, every so many minutes. It has the methods of `Exchange` that a microgrid
    needs."""

    def __init__(
        self, node: str, learner: Learner, every_min: int, *, private: bool = False, codec: bool = False
    ) -> None:
        self._node, self._learner, self._every, self._private = node, learner, every_min, private
        self._out = Outgoing(node, private) if codec else None
        self._in = Incoming(64, private)
        self._start: Any = {}
        if self._out:
            self._out.common_start(self._parts)
            self._start = self._in.common_start(self._parts)
        self._came: dict[str, dict[int, dict[str, Array]]] = {}
        self.merges, self.refused = 0, 0
        self.paired = Paired(node, learner) if codec else None

    def _parts(self, variable: int) -> Any:
        return self._learner.model.parts(variable)

    def _shared(self, variable: int) -> dict[str, Any]:
        return {
            name: part
            for name, part in self._parts(variable).items()
            if part.rule == WEIGHTS and part.ready and (self._private or not part.private)
        }

    def _values(self, variable: int) -> dict[str, Array]:
        return {name: part.values for name, part in self._shared(variable).items()}

    def outgoing(self, minute: int, neighbours: int) -> bytes | None:
        """The weights, when they are due."""
        if minute % self._every:
            return None
        if self._out is None:
            return b"".join(
                part.values.tobytes() for variable in _ALL for part in self._shared(variable).values()
            )
        if self.paired:
            self.paired.meant[self._node] = {v: self._values(v) for v in _ALL}
        ones = np.ones(len(VARIABLES))
        pieces = self._out.weights(self._parts, _BUDGET)
        if not pieces:
            return None
        return Message(
            age_min=0,
            neighbours=neighbours,
            samples=ones,
            losses=ones,
            max_power_w=1.0,
            wants=self._in.wants(),
            pieces=pieces,
        ).packed()

    def told(self, minute: int, prediction: Array) -> bytes | None:
        """No predictions."""
        return None

    def receive_model(self, source: str, data: bytes, minute: int) -> None:
        """Take the message without judging it."""
        if self._out is not None:
            try:
                share = self._in.receive(source, data, self._parts, minute, self._start)
            except ValueError:
                self.refused += 1
                return
            self._out.wanted(share.message.wants)
            self._came[source] = {v: share.values(v, self._shared(v)) for v in _ALL}
            return
        found: dict[int, dict[str, Array]] = {}
        at = 0
        for variable in _ALL:
            found[variable] = {}
            for name, part in self._shared(variable).items():
                size = part.values.nbytes
                found[variable][name] = np.frombuffer(data[at : at + size], np.float32)
                at += size
        if at == len(data) and all(
            values.shape == self._parts(v)[name].values.shape
            for v in found
            for name, values in found[v].items()
        ):
            self._came[source] = found
        else:
            self.refused += 1

    def receive_prediction(self, source: str, data: bytes, minute: int) -> None:
        """No predictions."""

    def predict(self, minute: int, own: Array) -> Array:
        """The own prediction."""
        return own

    def settle(self, minute: int) -> None:
        """It changes no prediction."""

    def observe(self, minute: int, powers_w: Array) -> None:
        """Nothing to learn."""

    @property
    def due(self) -> bool:
        """Whether something came."""
        return bool(self._came) and self._learner.model.parts(0) != {}

    def merging(self) -> Iterator[None]:
        """The mean takes the place of the own weights."""
        weights = np.full(1 + len(self._came), 1.0 / (1 + len(self._came)))
        found = {}
        for variable in _ALL:
            shares = [each.get(variable, {}) for each in self._came.values()]
            found[variable] = merged(self._shared(variable), shares, weights)
        if self.paired:
            self.paired.judge({v: self._shared(v) for v in _ALL}, self._came)
        self._came = {}
        self.merges += 1
        try:
            finish(self._learner.model.adopt(found))
        except ValueError:  # not finite
            self.refused += 1
        return iter(())

    def left(self, source: str) -> None:
        """A neighbour has left."""
        self._came.pop(source, None)

    def stats(self) -> dict[str, Any]:
        """How often it merged."""
        return {"merged": self.merges, "refused": self.refused}


class Paired:
    """Judges the codec: at each merge, the mean of what was received beside the mean of what was meant, on
    the same own weights and the same hours. So no chance of later trainings comes between."""

    meant: dict[str, dict[int, dict[str, Array]]] = {}  # of all nodes; they are in one process

    def __init__(self, node: str, learner: Learner) -> None:
        self._node, self._learner = node, learner
        self.apart: list[float] = []  # distance of received and meant, in shares of that of meant and own
        self.losses: list[tuple[float, float]] = []  # of the mean of what was meant, and of what was received

    def judge(self, own: dict[int, Any], came: dict[str, dict[int, dict[str, Array]]]) -> None:
        """Compare before a merge."""
        equal = np.full(1 + len(came), 1.0 / (1 + len(came)))
        meant = {source: self.meant[source] for source in came}
        means = []
        for given in (meant, came):
            found = {v: merged(own[v], [each.get(v, {}) for each in given.values()], equal) for v in _ALL}
            losses = finish(self._learner.model.losses_with(found, self._learner.series))
            means.append(float(np.nanmean(losses)) if np.isfinite(losses).any() else float("nan"))
        self.losses.append((means[0], means[1]))
        off = far = 0.0
        for source, parts in came.items():
            for v, values in parts.items():
                for name, received in values.items():
                    off += float(np.square(received - meant[source][v][name]).sum())
                    far += float(np.square(own[v][name].values - meant[source][v][name]).sum())
        self.apart.append(float(np.sqrt(off / max(far, 1e-12))))

    @property
    def told(self) -> dict[str, list[float]]:
        """For the result of a job."""
        exact, received = zip(*self.losses, strict=True) if self.losses else ((), ())
        return {"apart": self.apart, "exact": list(exact), "received": list(received)}


ATTACKS = ("garbage", "times_100", "sign_flipped", "random", "other_scale")


class Hostile:
    """A neighbour that sends what does harm: wraps a real exchange, whose model is distorted before each
    message. With `other_scale` it sends what it has learnt, for a scale that is ten times too large."""

    def __init__(self, attack: str, exchange: Any, learner: Learner, rng: random.Random) -> None:
        if attack not in ATTACKS:
            raise ValueError(f"attack {attack!r} is not one of {', '.join(ATTACKS)}")
        self._attack, self._exchange, self._learner = attack, exchange, learner
        self._rng = np.random.default_rng(rng.randrange(2**32))
        learner.model = _Distorted(learner.model, self._distort)

    def _distort(self, values: Array) -> Array:
        if self._attack == "times_100":
            found = 100.0 * values
        elif self._attack == "sign_flipped":
            found = -values
        elif self._attack == "random":
            found = self._rng.standard_normal(values.shape) * values.std()
        elif self._attack == "garbage":
            found = self._rng.uniform(-50.0, 50.0, values.shape)
        else:
            return values
        return np.asarray(found, np.float32)

    def told(self, minute: int, prediction: Array) -> bytes | None:
        """A prediction that is wrong and sure of itself."""
        wrong = np.full_like(prediction, 1e-3)
        at = self._rng.integers(0, prediction.shape[-1], prediction.shape[:-1])
        np.put_along_axis(wrong, at[..., None], 1.0, -1)
        told: bytes | None = self._exchange.told(minute, wrong / wrong.sum(-1, keepdims=True))
        return told

    @property
    def due(self) -> bool:
        """It merges nothing."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)


class _Distorted:
    """A model whose parts are not what it uses itself."""

    def __init__(self, model: Any, distort: Any) -> None:
        self._model, self._distort = model, distort

    def parts(self, variable: int) -> dict[str, Any]:
        """Distorted weights; counts as they are, times what the attack makes of ones."""
        from dataclasses import replace

        return {
            name: replace(part, values=np.abs(self._distort(part.values)))
            if part.rule != WEIGHTS
            else replace(part, values=self._distort(part.values))
            for name, part in self._model.parts(variable).items()
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
