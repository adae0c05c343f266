"""The tables of a household: hourly statistics by category and its appliances (`households.toml`).

Data of the realistic scenario (thesis 4.4.5.2).
"""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import fmean

_PRODUCING = ("wind", "solar", "external", "biomass", "hydro")
_ROOM = 1.15  # power of a fleet relative to the largest need of its category


@dataclass(frozen=True)
class Appliance:
    """One device: minimum and maximum power in W, usual running time in minutes (0: always on)."""

    name: str
    least_w: float
    most_w: float
    minutes: float

    def scaled(self, factor: float) -> "Appliance":
        """The same device with its power multiplied."""
        return replace(self, least_w=self.least_w * factor, most_w=self.most_w * factor)


@dataclass(frozen=True)
class Category:
    """A kind of device: mean power of a household in W for each hour of the day, and its appliances."""

    name: str
    mean_w: tuple[float, ...]
    appliances: tuple[Appliance, ...]

    @property
    def produces(self) -> bool:
        """Whether its devices produce power."""
        return self.name in _PRODUCING

    def scaled(self, statistics: float, power: float) -> "Category":
        """With statistics and device powers multiplied."""
        return replace(
            self,
            mean_w=tuple(each * statistics for each in self.mean_w),
            appliances=tuple(each.scaled(power) for each in self.appliances),
        )

    def reduced(self, count: int) -> "Category":
        """The category with only `count` appliances, spread over its range of powers."""
        ranked = sorted(self.appliances, key=lambda each: each.most_w)
        step = (len(ranked) - 1) / max(1, count - 1)
        chosen = [ranked[round(i * step)] for i in range(count)]
        needed_w, able_w = _ROOM * max(self.mean_w), sum(each.most_w for each in chosen)
        factor = max(1.0, needed_w / able_w)
        return replace(self, appliances=tuple(each.scaled(factor) for each in chosen))


@cache
def categories() -> tuple[Category, ...]:
    """All categories of the table, unscaled."""
    text = Path(__file__).with_name("households.toml").read_text(encoding="utf-8")
    return tuple(
        Category(name, tuple(map(float, table["mean_w"])), tuple(chain(*map(_alike, table["appliances"]))))
        for name, table in tomllib.loads(text).items()
    )


def representative(fleets: list[Category], count: int) -> list[Category]:
    """The categories with `count` appliances in total, in the same proportions, at least two each."""
    shares = {each.name: 2 for each in fleets}
    while sum(shares.values()) < count:  # the next one to the category that is represented worst
        worst = min(fleets, key=lambda each: shares[each.name] / len(each.appliances))
        shares[worst.name] += 1
    return [each.reduced(shares[each.name]) for each in fleets]


def external_w() -> float:
    """The mean power that the external supplier gives a household, in W."""
    return fmean(next(each for each in categories() if each.name == "external").mean_w)


def _alike(row: tuple[str, int, float, float, float]) -> list[Appliance]:
    name, many, least_w, most_w, minutes = row
    names = [name] if many == 1 else [f"{name}_{i + 1}" for i in range(many)]
    return [Appliance(each, float(least_w), float(most_w), float(minutes)) for each in names]
