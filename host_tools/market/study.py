"""The market of the next day, day after day: forecasts, orders, clearing, settlement, and the welfare.

The welfare of positions is what they save against trading with the grid alone, where every single deviation
is paid for at the tariffs of the grid: nothing is netted among members. That is the strictest reading; if the
deviations of all were netted, any positions would bring the whole.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.energy.auction import Order
from edge.energy.day_market import STEPS, Cleared, Settled, balancing_price, clear_day, settle
from edge.energy.day_orders import orders_of
from edge.learn.next_day import NextDay
from edge.learn.series import Series
from edge.learn.terms import LEVELS
from edge.terms import DAY_MIN, VARIABLES

from .members import DAYS, Member, needs_wh

Energies = npt.NDArray[np.int64]
_QUARTER_MIN = 15
GATE_HOUR = 12  # orders are made then, for the day that begins at midnight


@dataclass(frozen=True)
class Tariffs:
    """Per kWh, of the grid: for import, and for feeding in."""

    short: float = 0.30
    long: float = 0.08


@dataclass
class Study:
    """The sums of all days, in the currency of the tariffs."""

    members: int = 0
    days: int = 0
    alone: float = 0.0  # what all pay without a market
    paid: float = 0.0  # with it, deviations at the tariffs of the grid
    foresight: float = 0.0  # with positions that are right
    programme: float = 0.0  # what a linear programme finds as the highest welfare
    settled: float = 0.0  # with deviations at the balancing price
    to_grid: float = 0.0  # what the grid is paid for all of them together
    traded_wh: int = 0
    shared_wh: int = 0  # the most that could be
    deviations_wh: int = 0
    orders: int = 0
    clearing_s: float = 0.0
    prices: list[float] = field(default_factory=list)
    gains: dict[str, float] = field(default_factory=dict)  # by member, against trading alone

    @property
    def welfare(self) -> float:
        """What the market saved."""
        return self.alone - self.paid

    @property
    def share(self) -> float:
        """Of what perfect foresight saves."""
        return self.welfare / self.foresight


Forecast = Callable[[int, int], npt.NDArray[np.float32]]  # member, day -> quantiles (96, levels) in W


def run(
    found: Sequence[Member], first: int, tariffs: Tariffs, forecast: Forecast, programme: bool = True
) -> Study:
    """Play the days from `first` on."""
    needs, study = needs_wh(found), Study(members=len(found), days=DAYS - first)
    for day in range(first, DAYS):
        actual = needs[:, day * STEPS : (day + 1) * STEPS]
        orders = {
            each.name: _orders(each.name, forecast(i, day) / 4, tariffs) for i, each in enumerate(found)
        }
        study.orders += sum(len(step) for steps in orders.values() for step in steps)
        began_s = time.process_time()
        cleared = clear_day(orders)
        study.clearing_s += time.process_time() - began_s
        _count(study, cleared, actual, tariffs)
        if programme:
            study.programme += highest_welfare(actual, tariffs)
    return study


def _orders(name: str, needs_wh: npt.NDArray[np.float32], tariffs: Tariffs) -> list[list[Order]]:
    return [list(orders_of(name, row, LEVELS, tariffs.short, tariffs.long)) for row in needs_wh.tolist()]


def _count(study: Study, cleared: Cleared, actual: Energies, tariffs: Tariffs) -> None:
    positions = np.array(list(cleared.positions_wh.values()), np.int64)
    short, long = tariffs.short / 1000, tariffs.long / 1000

    def bill(energies: Energies) -> float:
        return float(short * np.maximum(0, energies).sum() + long * np.minimum(0, energies).sum())

    study.alone += bill(actual)
    study.paid += bill(actual - positions)
    shared = np.minimum(np.maximum(0, actual).sum(0), np.maximum(0, -actual).sum(0))
    study.shared_wh += int(shared.sum())
    study.foresight += (short - long) * float(shared.sum())
    study.traded_wh += cleared.traded_wh
    study.deviations_wh += int(np.abs(actual - positions).sum())
    study.prices += [each for each in cleared.prices if each is not None]
    study.to_grid += bill(actual.sum(0))
    for step in range(STEPS):
        needs = dict(zip(cleared.positions_wh, actual[:, step].tolist(), strict=True))
        balancing = balancing_price(needs, tariffs.short, tariffs.long)
        for name, need_wh in needs.items():
            row = settle(cleared.positions_wh[name][step], cleared.prices[step], need_wh, balancing)
            assert isinstance(row, Settled)
            study.settled += row.paid
            alone = (tariffs.short if need_wh > 0 else tariffs.long) * need_wh / 1000
            study.gains[name] = study.gains.get(name, 0.0) + alone - row.paid


def highest_welfare(actual: Energies, tariffs: Tariffs) -> float:
    """By a linear programme (HiGHS) over all positions of a day, when everything is known beforehand."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    members, steps = actual.shape
    needs = actual.T.ravel()  # of each step all members
    rows = np.repeat(np.arange(steps), members)
    balance = csr_matrix((np.sign(needs), (rows, np.arange(needs.size))), shape=(steps, needs.size))
    worth = np.where(needs > 0, tariffs.short, -tariffs.long) / 1000
    solved = linprog(
        -worth,
        A_eq=balance,
        b_eq=np.zeros(steps),
        bounds=np.stack([0 * needs, np.abs(needs)], 1),
        method="highs",
    )
    if not solved.success:
        raise RuntimeError(solved.message)
    return -float(solved.fun)


# ---- forecasts ----------------------------------------------------------------------------------


class PastDays:
    """What a node can know at noon: the quantiles of the day that begins at midnight."""

    def __init__(self, found: Sequence[Member]) -> None:
        self._series = [_series_of(each) for each in found]

    def __call__(self, member: int, day: int) -> npt.NDArray[np.float32]:
        midnight = _MONDAY_MIN + day * DAY_MIN
        noon = midnight - DAY_MIN + GATE_HOUR * 60
        ahead = NextDay()
        for _ in ahead.work(noon - 1, midnight, self._series[member]):
            pass
        return ahead.needs_w


class Medians(PastDays):
    """The same without its doubt: the middle of it as if it were certain."""

    def __call__(self, member: int, day: int) -> npt.NDArray[np.float32]:
        return np.repeat(super().__call__(member, day)[:, [len(LEVELS) // 2]], len(LEVELS), axis=1)


def _series_of(member: Member) -> Series:
    """All its minutes. A forecast looks at none after that in which it is made."""
    series = Series(DAYS * DAY_MIN)
    powers_w = np.zeros((len(member.drawn_w), len(VARIABLES)), np.float32)
    powers_w[:, 0], powers_w[:, 1] = member.drawn_w, member.given_w
    for minute, row in enumerate(np.repeat(powers_w, _QUARTER_MIN, axis=0), _MONDAY_MIN):
        series.append(minute, row)
    return series


_MONDAY_MIN = 4 * DAY_MIN  # 5 January 1970 was a Monday


class Yesterday:
    """What it was the day before, without any doubt: a naive rival. At noon half of that is a guess, too."""

    def __init__(self, found: Sequence[Member]) -> None:
        self._needs = needs_wh(found)

    def __call__(self, member: int, day: int) -> npt.NDArray[np.float32]:
        before = self._needs[member, (day - 2) * STEPS : (day - 1) * STEPS].astype(np.float32)
        return np.repeat(4 * before[:, None], len(LEVELS), axis=1)


class Foresight:
    """What it will be: with this the market must bring everything."""

    def __init__(self, found: Sequence[Member]) -> None:
        self._needs = needs_wh(found)

    def __call__(self, member: int, day: int) -> npt.NDArray[np.float32]:
        return np.repeat(
            4 * self._needs[member, day * STEPS : (day + 1) * STEPS, None].astype(np.float32),
            len(LEVELS),
            axis=1,
        )
