"""How much each share counts, and what comes of it: operators, what did not pass, limits of differences."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..gossip_names import AUTO
from ..learner import Learner
from ..parts import Part, Values, merged
from ..terms import Array
from .auto import AutoOperator
from .clipping import NormLimits
from .gate import harmless
from .incoming import Share
from .operators import Contribution, Weights, weights
from .settings import ExchangeSettings
from .slices import Place, joined

AUTO_OPERATORS = ("skill", "sampling_nb", "min_loss", "dist_power_hist")

Losses: TypeAlias = NDArray[np.float64]  # (hours, 6)
Own: TypeAlias = Mapping[int, Mapping[str, Part]]
Shares: TypeAlias = Mapping[str, Share]
Passed: TypeAlias = Mapping[str, NDArray[np.bool_]]  # by source: the variables (6,) that are not worse


class Weighing:
    """Remembers usual norms, and which operator did best of late."""

    def __init__(self, learner: Learner, settings: ExchangeSettings, start: Mapping[Place, Array]) -> None:
        self._learner, self._settings, self._start = learner, settings, start
        self.defended = settings.gate != "none"
        self.limits = NormLimits(settings.most_neighbours)
        self.auto = AutoOperator(AUTO_OPERATORS)

    def operators(self) -> list[str]:
        """The operator of each variable."""
        asked = [self._settings.operator_of(each) for each in VARIABLES]
        return [self.auto.choice[v] if each == AUTO else each for v, each in enumerate(asked)]

    @property
    def tries(self) -> bool:
        """Whether several operators are tried."""
        return AUTO in {self._settings.operator_of(each) for each in VARIABLES}

    def contributions(
        self, shares: Shares, losses: Mapping[str, Losses], present: Losses, own: Contribution, minute: int
    ) -> tuple[list[Contribution], Passed]:
        """What operators may know, the own one first, and which variables of each share passed."""
        unknown = np.full(len(VARIABLES), np.nan)
        told = [
            Contribution(
                source="",
                samples=own.samples,
                claimed_loss=own.claimed_loss,
                local_loss=mean(present),
                age_min=own.age_min,
                neighbours=own.neighbours,
                profile=own.profile,
            )
        ]
        passed = {}
        for source, share in shares.items():
            each = losses.get(source)
            told.append(share.contribution(source, minute, unknown if each is None else mean(each)))
            passed[source] = np.ones(len(VARIABLES), bool)
            if self.defended and each is not None and each.shape == present.shape and len(present):
                passed[source] = harmless(each, present)
        return told, passed

    def see_norms(self, own: Own, shares: Shares, passed: Passed) -> None:
        """Learn how long differences usually are."""
        for variable, parts in own.items():
            given = {source: share.values(variable, parts) for source, share in shares.items()}
            for name, part in parts.items():
                begun = joined(variable, part, self._start.get)
                moved = 0.0 if begun is None else float(np.linalg.norm(part.values - begun))
                if moved > 0.0:
                    self.limits.start((variable, name), moved)
                for source, values in given.items():
                    if name in values and passed[source][variable]:
                        norm = float(np.linalg.norm(values[name] - part.values))
                        self.limits.seen((variable, name), source, norm)

    def weights_of(self, operators: Sequence[str], told: Sequence[Contribution], passed: Passed) -> Weights:
        """The weights (1 + shares, 6) with an operator for each variable; of those that passed."""
        unit_w = self._learner.settings.scale.max_power_w
        found = np.zeros((len(told), len(VARIABLES)))
        for operator in set(operators):
            which = np.array([each == operator for each in operators])
            found[:, which] = weights(operator, told, unit_w)[:, which]
        for row, each in enumerate(told[1:], 1):
            found[row] *= passed[each.source]
        total = found.sum(0)
        found[0, total <= 0] = 1.0
        result: Weights = found / found.sum(0)
        return result

    def merged(self, own: Own, shares: Shares, row: Weights) -> dict[int, Values]:
        """The merged parts by variable; only those to which a share contributes."""
        found: dict[int, Values] = {}
        for variable, parts in own.items():
            limits = {name: self.limits.limit((variable, name)) for name in parts} if self.defended else None
            given = [share.values(variable, parts) for share in shares.values()]
            values = merged(parts, given, row[:, variable], limits)
            if values:
                found[variable] = values
        return found


def mean(losses: Losses) -> NDArray[np.float64]:
    """The means (6,) of losses (hours, 6); NaN where unknown."""
    known = np.isfinite(losses)
    counts = known.sum(0)
    sums = np.where(known, losses, 0.0).sum(0)
    found: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return found
