"""The least that must be missing when everything is known beforehand: a linear programme (scipy, HiGHS).

For each minute: what the common battery and the own battery of one building take in and give, and what is
missing. The common battery takes any free power and serves all; the own battery takes the surplus of its
building and serves its need. Both begin empty.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.energy.battery import BatteryLimits

Column = npt.NDArray[np.float64]
_STEP_H = 1 / 60
_TIE = 1e-6  # among equals, the one that moves least energy


@dataclass(frozen=True)
class Site:
    """Load minus production of each minute in W; `own_w`: of the building with a battery of its own."""

    others_w: Column
    own_w: Column
    grid_w: float
    common: BatteryLimits | None
    own: BatteryLimits | None

    @property
    def lacks_w(self) -> Column:
        """What nobody could supply without batteries."""
        return np.maximum(0.0, self.others_w + self.own_w - self.grid_w)


def least_missing_wh(site: Site) -> float:
    """The missing energy with perfect foresight. Raises RuntimeError if there is no solution."""
    from scipy.optimize import linprog  # 60 MB, only for this
    from scipy.sparse import diags, hstack, identity, vstack

    count = len(site.others_w)
    one, before = identity(count), diags([np.ones(count - 1)], [-1], shape=(count, count))
    surplus_w, need_w = np.maximum(0.0, -site.own_w), np.maximum(0.0, site.own_w)
    common, own = (each or BatteryLimits(capacity_wh=1e-9) for each in (site.common, site.own))
    nothing = 0 * one
    # of the common battery what goes in, out and its level; the same of the own one; missing
    balance = hstack([one, -one, nothing, one, -one, nothing, -one])
    levels = [[-limits.efficiency * _STEP_H * one, _STEP_H * one, one - before] for limits in (common, own)]
    rows = [hstack([*levels[0], *[nothing] * 4]), hstack([*[nothing] * 3, *levels[1], nothing])]
    solved = linprog(
        np.concatenate([np.full(count, cost) for cost in (_TIE, _TIE, 0.0, _TIE, _TIE, 0.0, 1.0)]),
        A_ub=balance,
        b_ub=site.grid_w - site.others_w - site.own_w,
        A_eq=vstack(rows),
        b_eq=np.zeros(2 * count),
        bounds=[
            *[(0.0, _finite(common.charge_w))] * count,
            *[(0.0, _finite(common.discharge_w))] * count,
            *[(0.0, common.capacity_wh)] * count,
            *[(0.0, min(_finite(own.charge_w), each)) for each in surplus_w],
            *[(0.0, min(_finite(own.discharge_w), each)) for each in need_w],
            *[(0.0, own.capacity_wh)] * count,
            *[(0.0, None)] * count,
        ],
        method="highs",
    )
    if not solved.success:
        raise RuntimeError(solved.message)
    return float(solved.x[6 * count :].sum()) * _STEP_H


def _finite(power_w: float) -> float:
    return min(power_w, 1e7)
