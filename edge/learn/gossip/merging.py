"""Merging the models of neighbours into the own one, in pieces of a few milliseconds.

    judge      each share on local data: what is clearly worse than the own model is left out
    weigh      by the operator of each variable; with `auto` several operators are tried
    shorten    differences that are longer than usual (`clipping`)
    gate       merged weights, and those that served before the last merge, against the own ones; before the
               first training there are none, and a few hours cannot tell what weights of others are worth
    adopt      what won; counts of neighbours stand apart from the own ones and are judged minute by minute

Shares that came are kept: the next merge uses them again, until they are too old.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..learner import Learner
from ..parts import COUNTS, WEIGHTS, Part, Values, merged
from ..series import Series, Until
from ..terms import Array
from .gate import Gate, harmless
from .incoming import Share
from .operators import Contribution, Weights
from .settings import ExchangeSettings
from .slices import Place
from .weighing import AUTO_OPERATORS, Losses, Own, Passed, Shares, Weighing, mean

_STALE_MIN = 2 * DAY_MIN  # the age of a model that is not merged any more
_STALE_PERIODS = 6  # and of a message
_EQUAL = "equal"
_OWN, _MERGED, _PREVIOUS = "own", "merged", "previous"


@dataclass(slots=True)
class Outcome:
    """The result of a merge, for people."""

    minute: int
    shares: int
    adopted: list[str]  # variables whose weights were replaced
    returned: list[str]  # variables whose previous weights serve again
    left_out: dict[str, int]  # of a source: variables that were clearly worse


class Merger:
    """Merges, and remembers what it needs for that: usual norms, operators, previous weights."""

    def __init__(self, learner: Learner, settings: ExchangeSettings, start: Mapping[Place, Array]) -> None:
        self._learner, self._settings = learner, settings
        self.weighing = Weighing(learner, settings, start)
        self.weights: dict[str, NDArray[np.float64]] = {}  # (6,) by source, as last used
        self.ages_min: dict[str, float] = {}
        self.distances: dict[str, NDArray[np.float64]] = {}  # (6,) in W
        self.outcome: Outcome | None = None
        self._previous: dict[int, dict[str, NDArray[np.float16]]] = {}

    def forget(self, source: str) -> None:
        """A neighbour makes room for another one."""
        self.weighing.limits.forget(source)
        for kept in (self.weights, self.ages_min, self.distances):
            kept.pop(source, None)

    def usable(self, shares: Mapping[str, Share], minute: int) -> dict[str, Share]:
        """The shares that are not too old."""
        oldest = minute - _STALE_PERIODS * self._settings.model_every_min
        return {
            source: each
            for source, each in shares.items()
            if each.minute >= oldest and each.age_min(minute) <= _STALE_MIN
        }

    def work(
        self, shares: Shares, own_contribution: Contribution, minute: int
    ) -> Generator[None, None, Outcome]:
        """Merge."""
        history = Until(self._learner.series)
        outcome = self.outcome = Outcome(minute, len(shares), [], [], {})
        self.ages_min = {source: share.age_min(minute) for source, share in shares.items()}
        judged = WEIGHTS if self._own(WEIGHTS) else COUNTS
        own = self._own(judged)
        if judged == WEIGHTS and self.weighing.defended and not _ready(own):
            own = {}
        yield
        present, losses = yield from self._judge(own, shares, judged, history)
        told, passed = self.weighing.contributions(shares, losses, present, own_contribution, minute)
        outcome.left_out = {
            source: int((~good).sum())
            for source, good in passed.items()
            if source in losses and not good.all()
        }
        self.distances = {
            each.source: own_contribution.profile.distances(each.profile)[0] for each in told[1:]
        }
        yield
        self.weighing.see_norms(own, shares, passed)
        yield
        chosen = yield from self._choose(
            own, shares, told, passed, len(present) > 0 and judged == WEIGHTS, history
        )
        if judged == WEIGHTS:
            yield from self._gate(own, chosen, present, history, outcome)
        by_source = self.weighing.weights_of(self.weighing.operators(), told, passed)
        self.weights = {each.source: row for each, row in zip(told, by_source, strict=True)}
        yield from self._merge_counts(shares, by_source if judged == COUNTS else self._equal(told))
        return outcome

    # ---- steps ----------------------------------------------------------------------------------

    def _own(self, rule: str) -> dict[int, dict[str, Part]]:
        """The own parts of a rule that are shared, by variable."""
        found = {}
        for variable in range(len(VARIABLES)):
            parts = {
                name: part
                for name, part in self._learner.model.parts(variable).items()
                if part.rule == rule and not (part.private and self._settings.private)
            }
            if parts:
                found[variable] = parts
        return found

    def _judge(
        self, own: Own, shares: Shares, judged: str, history: Series
    ) -> Generator[None, None, tuple[Losses, dict[str, Losses]]]:
        """The losses (hours, 6) of the own parts, and of each share in their place. A share that cannot be
        put in their place has none: without a gate, an untrained network needs all parts."""
        alone: Mapping[int, Values] = {}
        if judged == COUNTS:  # own counts without those of neighbours
            alone = {
                v: {name: np.zeros_like(part.values) for name, part in each.items()}
                for v, each in own.items()
            }
        model, losses = self._learner.model, {}
        present = yield from model.losses_with(alone, history)
        for source, share in shares.items():
            values = _given(share, own)
            if values:
                try:
                    losses[source] = yield from model.losses_with(values, history)
                except ValueError:
                    continue
        return present, losses

    def _choose(
        self,
        own: Own,
        shares: Shares,
        told: Sequence[Contribution],
        passed: Passed,
        comparable: bool,
        history: Series,
    ) -> Generator[None, None, dict[int, Values]]:
        """The merged parts; where `auto` is asked for, after a trial of its operators. Not for counts, which
        differ too little between operators."""
        weighing = self.weighing
        if weighing.tries and comparable:
            trials = []
            for operator in AUTO_OPERATORS:
                row = weighing.weights_of([operator] * len(VARIABLES), told, passed)
                trials.append((yield from self._loss_of(weighing.merged(own, shares, row), history)))
                yield
            weighing.auto.learn(np.array(trials))
        return weighing.merged(own, shares, weighing.weights_of(weighing.operators(), told, passed))

    def _loss_of(
        self, parts: Mapping[int, Values], history: Series
    ) -> Generator[None, None, NDArray[np.float64]]:
        if not parts:
            return np.full(len(VARIABLES), np.nan)
        try:
            found = mean((yield from self._learner.model.losses_with(parts, history)))
        except ValueError:
            return np.full(len(VARIABLES), np.nan)
        found[[v for v in range(len(VARIABLES)) if v not in parts]] = np.nan
        return found

    def _gate(
        self,
        own: Own,
        chosen: Mapping[int, Values],
        present: Losses,
        history: Series,
        outcome: Outcome,
    ) -> Generator[None, None, None]:
        """Put the merged weights, or the previous ones, in place where they are better."""
        model, candidates = self._learner.model, {_MERGED: chosen, _PREVIOUS: self._restored(own)}
        if not chosen and not candidates[_PREVIOUS]:
            return
        losses = {_OWN: present}
        try:
            for name, parts in candidates.items():
                if parts and self.weighing.defended:
                    losses[name] = yield from model.losses_with(parts, history)
        except ValueError:
            return  # untrained networks, and not all parts are here
        winners = self._winners(own, chosen, losses)
        adopted: dict[int, Values] = {}
        for variable, name in enumerate(winners):
            values = candidates.get(name, {}).get(variable)
            if values is not None:
                adopted[variable] = values
                (outcome.adopted if name == _MERGED else outcome.returned).append(VARIABLES[variable])
        if not adopted:
            return
        kept = {
            variable: {name: part.values.astype(np.float16) for name, part in own[variable].items()}
            for variable in adopted
        }
        try:
            yield from model.adopt(adopted)
        except ValueError:
            outcome.adopted, outcome.returned = [], []
            return
        self._previous |= kept
        self._learner.train_soon()

    def _winners(self, own: Own, chosen: Mapping[int, Values], losses: Mapping[str, Losses]) -> list[str]:
        if not self.weighing.defended:
            return [_MERGED if v in chosen else _OWN for v in range(len(VARIABLES))]
        candidates = {name: each for name, each in losses.items() if each.shape == losses[_OWN].shape}
        winners = Gate((_OWN, _MERGED, _PREVIOUS)).judge(candidates)
        if self._settings.gate == "harmless" and _MERGED in candidates:
            good = harmless(candidates[_MERGED], losses[_OWN])
            winners = [
                _MERGED if name == _OWN and good[v] and v in chosen else name
                for v, name in enumerate(winners)
            ]
        return winners

    def _restored(self, own: Own) -> dict[int, Values]:
        return {
            variable: {name: values.astype(np.float32) for name, values in kept.items()}
            for variable, kept in self._previous.items()
            if variable in own
        }

    def _equal(self, told: Sequence[Contribution]) -> Weights:
        """Of counts beside networks: the networks of another building may fail here, and its counts may help.
        What these are worth is chosen minute by minute."""
        everybody = {each.source: np.ones(len(VARIABLES), bool) for each in told[1:]}
        return self.weighing.weights_of([_EQUAL] * len(VARIABLES), told, everybody)

    def _merge_counts(self, shares: Shares, row: Weights) -> Generator[None, None, None]:
        """The counts of neighbours that passed take the place of the foreign ones, one variable at a time."""
        for variable in range(len(VARIABLES)):
            parts = self._learner.model.parts(variable)
            counted = {name: part for name, part in parts.items() if part.rule == COUNTS}
            given = [share.values(variable, counted) for share in shares.values()]
            values = merged(counted, given, row[:, variable])
            yield
            if values:
                yield from self._learner.model.adopt({variable: values})

    def stats(self) -> dict[str, Any]:
        """In JSON types."""
        found: dict[str, Any] = {"operators": dict(zip(VARIABLES, self.weighing.operators(), strict=True))}
        if self.outcome is not None:
            found |= {
                "minute": self.outcome.minute,
                "adopted": self.outcome.adopted,
                "returned": self.outcome.returned,
                "left_out": self.outcome.left_out,
            }
        return found

    @property
    def nbytes(self) -> int:
        """The memory of previous weights."""
        return sum(each.nbytes for kept in self._previous.values() for each in kept.values())


def _ready(own: Own) -> bool:
    return all(part.ready for parts in own.values() for part in parts.values())


def _given(share: Share, own: Own) -> dict[int, Values]:
    """The values of a share that belong to the own parts, by variable."""
    found: dict[int, Values] = {}
    for variable, parts in own.items():
        values = share.values(variable, parts)
        if values:
            found[variable] = values
    return found
