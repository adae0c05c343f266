"""The predictions of neighbours, and how they are combined with the own one.

The operator `experts` learns weights minute by minute (`Ensemble`), `consensus` makes all nodes agree
(`Consensus`), the others weigh by what neighbours tell of themselves. `auto` serves, for each variable and
horizon, what did best of late: the own prediction alone, or the result of one of the operators but
`consensus`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..choice import Choice
from ..gossip_names import AUTO, CONSENSUS, EXPERTS, PREDICTION_OPERATORS
from ..learner import Learner
from ..terms import HORIZONS_MIN, Array, States
from .consensus import ROUNDS, Consensus, Heard, View
from .ensemble import Ensemble, combined
from .forecast import ForecastMessage
from .gain import Gain
from .operators import Contribution, weights
from .packet import Refused
from .profile import NO_PROFILE, Profile
from .settings import ExchangeSettings

FRESH_MIN = 3  # a prediction that was made longer ago is not used
_NONE: Array = np.zeros(0, np.float32)
_LAST = "dist_power_last"
_AUTO = ("own", EXPERTS, *PREDICTION_OPERATORS)  # in order of trust


@dataclass(slots=True)
class Foreign:
    """The newest prediction of a neighbour."""

    message: ForecastMessage
    minute: int  # when it came
    views: tuple[View, ...]  # what it told in the last rounds, the newest at the end


class Predictions:
    """See the module."""

    def __init__(self, learner: Learner, settings: ExchangeSettings) -> None:
        self._learner, self._settings = learner, settings
        self.foreign: dict[str, Foreign] = {}
        self.gain = Gain()
        self.weights: dict[str, NDArray[np.float64]] = {}  # (6,) by source, as last used
        asked = {settings.prediction_operator_of(each) for each in VARIABLES}
        learns = bool(asked & {EXPERTS, AUTO})
        self.ensemble = Ensemble(settings.most_neighbours) if learns else None
        self.choice = Choice(len(_AUTO)) if AUTO in asked else None
        self.consensus = Consensus(settings.most_neighbours) if CONSENSUS in asked else None
        self._own = self._found = _NONE  # the own prediction of the minute, and the combined one

    def told(self, minute: int, prediction: Array) -> bytes:
        """The message with the own prediction, or with the common view where nodes agree on one."""
        if self.consensus is not None and self.consensus.told is not None:
            prediction = np.where(self._asked(CONSENSUS), self.consensus.told, prediction)
        series, level = self._learner.series, self._settings.level
        scale = self._learner.settings.scale
        message = ForecastMessage(
            minute=minute,
            samples=int(samples_of(self._learner).max()),
            model=self._learner.model.name,
            max_power_w=scale.max_power_w,
            states=scale.of(series.last(1)[0]),
            losses=self.gain.own_loss,
            probabilities=prediction,
            profile=NO_PROFILE if level == "none" else Profile.of(series, "coarse"),
            newest=Profile.newest(series) if level == "minutes" else NO_PROFILE,
            neighbours=len(self._fresh(minute)),
            round=0 if self.consensus is None else self.consensus.round,
        )
        return message.packed()

    def receive(self, source: str, data: bytes, minute: int) -> None:
        """Take a prediction. Raises Refused."""
        message = ForecastMessage.unpacked(data)
        if abs(message.minute - minute) > FRESH_MIN:
            raise Refused(f"it was made {minute - message.minute} minutes ago", "stale")
        if message.round > ROUNDS:
            raise Refused(f"there is no round {message.round}")
        view = View(
            message.minute,
            message.round,
            message.probabilities,
            message.neighbours,
            message.samples,
        )
        before = self.foreign[source].views if source in self.foreign else ()
        self.foreign[source] = Foreign(message, minute, (*before[-ROUNDS:], view))

    def forget(self, source: str) -> None:
        """A neighbour makes room for another one."""
        self.foreign.pop(source, None)
        for each in (self.ensemble, self.consensus):
            if each is not None:
                each.forget(source)

    def combine(self, minute: int, own: Array) -> Array:
        """The combined prediction (6, 4, 7) after a minute."""
        fresh = self._fresh(minute)
        found = self._combined(minute, own, fresh) if fresh else own
        self._own, self._found = own, found
        self.gain.predicted(minute, own, found)
        return found

    def settle(self, minute: int) -> Array | None:
        """The combined prediction of the same minute after another round of `consensus`, if it is due."""
        if self.settled:
            return None
        assert self.consensus is not None
        settled = self.consensus.settle(minute, self._heard(minute), self._samples)
        if settled is None:
            return None
        self._found = np.where(self._asked(CONSENSUS), settled, self._found)
        self.weights = dict(self.consensus.weights)
        self.gain.predicted(minute, self._own, self._found)
        return self._found

    @property
    def settled(self) -> bool:
        """Whether the prediction of the minute will not change any more."""
        return self.consensus is None or self.consensus.settled

    def _heard(self, minute: int) -> Heard:
        """The views of neighbours that are not too old."""
        return {source: self.foreign[source].views for source in self._fresh(minute)}

    @property
    def _samples(self) -> float:
        return float(samples_of(self._learner).max())

    def _fresh(self, minute: int) -> dict[str, ForecastMessage]:
        """The messages of neighbours that are not too old."""
        return {
            source: each.message
            for source, each in self.foreign.items()
            if abs(minute - each.message.minute) <= FRESH_MIN
        }

    def _asked(self, operator: str) -> NDArray[np.bool_]:
        """Where this operator is asked for: (6, 1, 1)."""
        asked = [self._settings.prediction_operator_of(each) == operator for each in VARIABLES]
        return np.array(asked)[:, None, None]

    def _combined(self, minute: int, own: Array, fresh: dict[str, ForecastMessage]) -> Array:
        results = {"own": own}
        states = self._learner.settings.scale.of(self._learner.series.last(1)[0])
        if self.consensus is not None:
            results[CONSENSUS] = self.consensus.predict(
                minute, own, states, self._heard(minute), self._samples
            )
            self.weights = dict(self.consensus.weights)
        if self.ensemble is not None:
            foreign = {source: each.probabilities for source, each in fresh.items()}
            results[EXPERTS] = self.ensemble.predict(minute, own, foreign, states)
            self.weights = {
                source: each.mean(-1).astype(float) for source, each in self.ensemble.weights.items()
            }
        asked = [self._settings.prediction_operator_of(each) for each in VARIABLES]
        wanted = PREDICTION_OPERATORS if AUTO in asked else set(asked) - {EXPERTS, CONSENSUS}
        for operator in wanted:
            results[operator] = self._weighed(operator, minute, own, fresh)
        found: Array = np.stack([results.get(each, own)[v] for v, each in enumerate(asked)])
        if self.choice is not None:
            candidates = np.stack([results[each] for each in _AUTO])
            chosen = candidates[self.choice.predicted(minute, candidates), *np.indices(own.shape[:2])]
            automatic = np.array([each == AUTO for each in asked])
            found[automatic] = chosen[automatic]
        return found

    def _weighed(self, operator: str, minute: int, own: Array, fresh: dict[str, ForecastMessage]) -> Array:
        """The weighted mean of an operator."""
        series, learner = self._learner.series, self._learner
        last = operator == _LAST and any(len(each.newest.minutes) for each in fresh.values())
        told = [
            Contribution(
                "",
                samples=samples_of(learner),
                claimed_loss=self.gain.own_loss,
                profile=Profile.of(series, "minutes") if last else Profile.of(series, "coarse"),
            )
        ]
        for source, each in fresh.items():
            profile = each.newest if last and len(each.newest.minutes) else each.profile
            told.append(
                Contribution(
                    source,
                    samples=np.full(len(VARIABLES), float(each.samples)),
                    claimed_loss=each.losses,
                    age_min=max(0, minute - each.minute),
                    profile=profile,
                )
            )
        given = weights(operator, told, learner.settings.scale.max_power_w)
        if self.ensemble is None and self.consensus is None:
            self.weights = {each.source: row for each, row in zip(told, given, strict=True)}
        return combined(np.stack([own, *(each.probabilities for each in fresh.values())]), given)

    def learn(self, minute: int, actual: States) -> None:
        """Learn from the states (6,) of a minute, -1 where unknown."""
        self.gain.learn(minute, actual)
        for each in (self.ensemble, self.consensus):
            if each is not None:
                each.learn(minute, actual)
        if self.choice is not None:
            self.choice.learn(minute, actual)

    @property
    def chosen(self) -> dict[str, list[str]]:
        """With `auto`: the operator by variable, for each horizon."""
        if self.choice is None:
            return {}
        return {
            variable: [_AUTO[self.choice.now[v, h]] for h in range(len(HORIZONS_MIN))]
            for v, variable in enumerate(VARIABLES)
            if self._settings.prediction_operator_of(variable) == AUTO
        }


def samples_of(learner: Learner) -> NDArray[np.float64]:
    """How many minutes of each variable (6,) are known."""
    return learner.series.known.astype(np.float64)
