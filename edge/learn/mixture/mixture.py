"""The model `mixture`: LSTM networks, Markov chains, counts, linear regressions and persistence, pooled.

Networks know the course of an hour and of a day but change slowly; chains and counts are simple and follow a
new week at once; regressions see how far a power is from a limit; persistence is what a node knows without
any data. The predictions of these experts are pooled with weights that are learnt every minute, separately
for each variable and horizon (`pool`). At first half of all weight is that of persistence. Networks begin
with a share that grows with the days that they could learn from: after one day they know little, and are sure
of it. While they are untrained, only the others count. Where persistence was right more often of late, the
present state is served as the likeliest one (`caution`).
"""

import random
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..calendar import UTC, Calendar
from ..caution import Caution
from ..checkpoint import checked, pack, unpack
from ..choice import WORTHS
from ..contents import Contents
from ..lstm import Lstm
from ..markov import Markov
from ..model import Training
from ..parts import COUNTS, Adoption, Losses, Part, Values, checked_parts, key_of
from ..pool import Pool, staying
from ..series import Series
from ..states import StateScale
from ..terms import HORIZONS_MIN, STATES, Array
from ..weather import Weather
from .contexts import CONTEXTS, Contexts
from .counts import Counts
from .regressions import Regressions

_KEPT_MIN = 64  # minutes whose predictions wait for the actual states
_AGES_MIN = np.array(HORIZONS_MIN)
_CHAINS = len(CONTEXTS)  # places among the experts: the counts are first
_REGRESSIONS, _NETWORKS, _STAY, _EXPERTS = _CHAINS + 1, _CHAINS + 2, _CHAINS + 3, _CHAINS + 4
_FIRST_STAY = 0.5  # weight of persistence before anything is learnt
_SHARE_A_DAY = 0.1  # of networks when they join the pool
_WINDOW_DAYS = 60  # of the chains


class Mixture:
    """See the module. The options are the greatest first `share` of the trained networks, and those of
    `Lstm`."""

    name = "mixture"

    def __init__(
        self,
        scale: StateScale,
        rng: random.Random,
        weather: Weather | None = None,
        calendar: Calendar = UTC,
        *,
        share: float = 0.5,
        **options: Any,
    ) -> None:
        if not 0.0 <= share < 1.0:
            raise ValueError(f"mixture: share {share} is not between 0 and 1")
        self._scale, self._share, self._calendar = scale, share, calendar
        self._networks = Lstm(scale, rng, weather, calendar, **options)
        self._chains = Markov(scale, rng, weather, calendar, window_days=_WINDOW_DAYS)
        self._contexts, self._counts, self._pool = Contexts(scale, calendar), Counts(), Pool(_EXPERTS)
        self._pool.set_weights({_STAY: _FIRST_STAY})
        self._caution = Caution()
        self._regressions = Regressions(calendar)
        self._networks_joined = False  # whether the networks have a weight in the pool
        self._minute = self._learnt_minute = -1
        self._known = np.zeros(len(VARIABLES), bool)  # whether any state is known so far
        self._states = np.zeros(len(VARIABLES), np.intp)  # the last known ones
        self._rows = np.full((_KEPT_MIN, len(CONTEXTS), len(VARIABLES)), -1, np.int32)
        shape = (_KEPT_MIN, _EXPERTS, len(VARIABLES), len(HORIZONS_MIN), STATES)
        self._logs = np.full(shape, np.nan, np.float16)
        self._minutes = np.full(_KEPT_MIN, -1, np.int64)  # of the rows and logs

    @property
    def file(self) -> bytes:
        """The networks as a .tflite file."""
        return self._networks.file

    @property
    def looks_back_min(self) -> int:
        """How far its inputs look back; those of the regressions a little more than a day."""
        return max(self._networks.looks_back_min, DAY_MIN + _KEPT_MIN)

    @property
    def trained(self) -> bool:
        """Whether the networks are trained."""
        return self._networks.trained

    def observe(self, minute: int, powers_w: Array) -> None:
        """See `Model`."""
        self._networks.observe(minute, powers_w)
        self._chains.observe(minute, powers_w)
        self._regressions.observe(minute, self._scale.position(powers_w))
        states = self._scale.of(powers_w)
        if minute > self._learnt_minute:
            origins = (minute - _AGES_MIN) % _KEPT_MIN
            there = self._minutes[origins] == minute - _AGES_MIN
            rows = np.where(there[:, None, None], self._rows[origins], -1)
            if self._counts.worth is not None:
                self._counts.worth.learn(minute, states)
            self._counts.learn(rows, states)
            self._regressions.learn(minute, (states >= 0)[:, None] & (rows[:, 0] >= 0).T)
            logs = self._logs[origins, :, :, np.arange(len(origins))].transpose(1, 2, 0, 3).astype(np.float32)
            self._pool.learn(np.where(there[:, None], logs, np.nan), states)
            self._caution.learn(minute, states)
            self._learnt_minute = minute
        known = states >= 0
        self._known |= known
        self._states[known] = states[known]
        self._contexts.observe(minute, powers_w, states)
        at = minute % _KEPT_MIN
        rows = self._contexts.rows()
        self._rows[at], self._minutes[at], self._minute = np.where(known, rows, -1), minute, minute
        if minute + HORIZONS_MIN[-1] > self._learnt_minute:
            self._predict_others(minute, rows)
            pooled = self._pool.predict(self._logs[at].astype(np.float32))
            self._caution.predicted(minute, pooled, states)  # also for minutes of the past
            self._logs[at, :, ~known] = np.nan  # nothing is learnt from unknown states

    def _predict_others(self, minute: int, rows: NDArray[np.int32]) -> None:
        """Predictions of all experts but the networks, which count as the mean of the others for now."""
        at = minute % _KEPT_MIN
        logs = self._logs[at, :_NETWORKS]
        counted = self._counts.predict(rows, self._states, minute)
        logs[:_CHAINS] = Pool.logs(counted)
        logs[_REGRESSIONS] = Pool.logs(self._regressions.predict(minute, counted[0, :, :, 0]))
        chains = self._chains.predict()
        logs[_CHAINS] = logs[:_CHAINS].mean(0) if chains is None else Pool.logs(chains)
        self._logs[at, _NETWORKS] = logs.mean(0)
        self._logs[at, _STAY] = Pool.logs(staying(self._states))

    def predict(self) -> Array | None:
        """See `Model`."""
        if not self._known.all():
            return None
        at = self._minute % _KEPT_MIN
        unknown = np.isnan(self._logs[at, 0, :, 0, 0])
        networks = self._networks.predict()
        logs = self._logs[at].astype(np.float32)
        if unknown.any():
            self._predict_others(self._minute, self._contexts.rows())
            logs = self._logs[at].astype(np.float32)
            self._logs[at, :, unknown] = np.nan
        if networks is not None:
            if not self._networks_joined:
                self._networks_joined = True
                self._pool.add_expert(_NETWORKS, min(self._share, _SHARE_A_DAY * self._pool.days))
            logs[_NETWORKS] = Pool.logs(networks)
            self._logs[at, _NETWORKS, ~unknown] = logs[_NETWORKS, ~unknown]
        states = np.where(unknown, -1, self._states).astype(np.int8)
        return self._caution.predicted(self._minute, self._pool.predict(logs), states)

    def quantiles_w(self) -> Array | None:
        """See `KnowsPowers`: those of the regressions."""
        at = self._minute % _KEPT_MIN
        logs = self._logs[at, 0, :, :, 0]
        if not self._known.all() or np.isnan(logs).any():
            return None
        return self._scale.power_w(self._regressions.quantiles(self._minute, np.exp(logs.astype(np.float32))))

    def train(self, history: Series) -> Training:
        """See `Model`. Only the networks are trained; the others learn while they observe."""
        return self._networks.train(history)

    def contents(self, variable: int, slot: int | None = None) -> Contents:
        """See `ShowsContents`: those of the chains and of the networks, and the weights of all experts."""
        names = [*CONTEXTS, "chains", "regressions", "networks", "persistence"]
        weights = self._pool.weights[variable].T.copy()
        return Contents(
            chains=self._chains.contents(variable, slot).chains,
            networks=self._networks.contents(variable).networks,
            experts=dict(zip(names, weights, strict=True)),
        )

    def parts(self, variable: int) -> dict[str, Part]:
        """See `Model`: those of the networks and of the chains, and `counts`. The pool is personal, and so
        are the regressions, which adapt within days."""
        counts = {"counts": self._counts_of(variable)}
        return {**self._networks.parts(variable), **self._chains.parts(variable), **counts}

    def _counts_of(self, variable: int) -> Part:
        counts = self._counts.of_variable(variable)
        key = key_of("counts", variable, (CONTEXTS, counts.shape), self._scale)
        return Part(COUNTS, key, counts, ready=self._learnt_minute >= 0)

    def adopt(self, parts: Mapping[int, Values]) -> Adoption:
        """See `Model`."""
        by_expert = _by_expert(parts)
        for variable, given in by_expert["counts"].items():
            checked_parts({"counts": self._counts_of(variable)}, given)
        self._chains.check_parts(by_expert["chains"])
        if by_expert["networks"]:
            yield from self._networks.adopt(by_expert["networks"])
        if by_expert["chains"]:
            yield from self._chains.adopt(by_expert["chains"])
        for variable, given in by_expert["counts"].items():
            self._counts.adopt(variable, given["counts"])
            yield

    def losses_with(self, parts: Mapping[int, Values], history: Series) -> Losses:
        """See `Model`: those of the networks. Foreign counts are judged minute by minute (`worth`)."""
        return (yield from self._networks.losses_with(_by_expert(parts)["networks"], history))

    @property
    def worth(self) -> dict[str, NDArray[np.float64]]:
        """The worths (6, 4) of foreign counts and chains in observations, once there are any."""
        each = {"counts": self._counts.worth, "chains": self._chains.worth}
        return {name: np.array(WORTHS)[choice.now] for name, choice in each.items() if choice is not None}

    def _fixed(self) -> dict[str, NDArray[Any]]:
        learnt = {**self._pool.arrays(), **self._regressions.arrays()}
        return {**learnt, "limits": self._scale.limits_w}

    def save(self) -> bytes:
        """See `Model`."""
        parts = {
            "networks": self._networks.save(),
            "chains": zlib.compress(self._chains.save(), 1),  # nearly all of it is 0
        }
        packed = {name: np.frombuffer(part, np.int8) for name, part in parts.items()}
        facts = {
            "learnt_minute": self._learnt_minute,
            "welcome": self._networks_joined,
            "contexts": list(CONTEXTS),
            "lead": self._caution.told(),
        }
        arrays = {**self._fixed(), **self._counts.arrays(), **packed}
        return pack(self.name, facts, arrays, level=1, strategy=zlib.Z_RLE)

    def load(self, data: bytes, now: int | None = None) -> None:
        """See `Model`."""
        facts, arrays = unpack(self.name, data, self._calendar, now)
        loose = {name: arrays.pop(name, np.zeros(0)) for name in ("places", "weights", "networks", "chains")}
        arrays |= Pool.widened(arrays, _EXPERTS)  # earlier releases had no persistence among the experts
        checked(self.name, arrays, self._fixed())
        self._scale.check(arrays["limits"])
        if facts.get("contexts") != list(CONTEXTS):
            raise ValueError("mixture: it was saved with other contexts")
        learnt_minute = facts.get("learnt_minute")
        if not isinstance(learnt_minute, int):
            raise ValueError(f"mixture: {learnt_minute!r} is not a minute")
        counts, caution = Counts.of(loose), Caution.of(facts.get("lead"))
        try:
            chains = zlib.decompress(loose["chains"].tobytes())
        except zlib.error as error:
            raise ValueError("mixture: the chains are damaged") from error
        Markov(self._scale, random.Random(0), window_days=_WINDOW_DAYS).load(
            chains
        )  # fails before anything is changed
        self._networks.load(loose["networks"].tobytes())
        self._chains.load(chains, now)
        self._pool.restore(arrays)
        self._regressions.restore(arrays)
        self._counts, self._caution, self._learnt_minute = counts, caution, learnt_minute
        self._networks_joined = facts.get("welcome") is True
        self._minutes[:] = -1


_EXPERT_OF = {"trunk": "networks", "head": "networks", "chains": "chains", "counts": "counts"}


def _by_expert(parts: Mapping[int, Values]) -> dict[str, dict[int, dict[str, Array]]]:
    """The parts by the expert that they belong to. Raises ValueError for an unknown name."""
    found: dict[str, dict[int, dict[str, Array]]] = {expert: {} for expert in _EXPERT_OF.values()}
    for variable, given in parts.items():
        for name, values in given.items():
            if name not in _EXPERT_OF:
                raise ValueError(f"{name!r} is not a part of this model")
            found[_EXPERT_OF[name]].setdefault(variable, {})[name] = values
    return found
