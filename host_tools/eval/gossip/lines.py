"""The scores in the files of jobs, and how a variant compares with another one.

Differences are paired: the same nodes, days, variables and horizons. A day is one block over all nodes, and
the intervals are those of t over days. A node is harmed if it is worse than alone, and surely harmed if its
own interval lies below 0.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from host_tools.study.results import Damaged, content_of

from ..intervals import Interval, by_days
from .judge import SUMS
from .plan import FORMAT

Floats = NDArray[np.float64]
_N, _ACCURACY, _LOSS = SUMS.index("n"), SUMS.index("accuracy"), SUMS.index("log_loss")
LOCAL = {"late": "scratch", "nodes": "local", "cluster": "local", "codec": "float32"}


@dataclass(frozen=True)
class Score:
    """One node with one variant: sums (measures, days, 6, 4), and those without trivial hours."""

    node: str
    sums: Floats
    not_trivial: Floats
    varying: list[int]
    horizons: list[int]

    @classmethod
    def of(cls, node: str, told: dict[str, Any]) -> "Score":
        """From what a job file keeps of a node and variant."""
        sums, not_trivial = np.array(told["sums"]), np.array(told["not_trivial"])
        return cls(node, sums, not_trivial, told["varying"], told["horizons"])

    def part(self, demand: bool, trivial: bool = True) -> Floats:
        """The sums (measures, days, cells) of the demand, or of all variables that change; with or without
        trivial hours."""
        variables = [0] if demand else self.varying
        found = (self.sums if trivial else self.not_trivial)[:, :, variables][..., self.horizons]
        return found.reshape(*found.shape[:2], -1)


Group = dict[str, list[Score]]  # by variant


def read(out: Path) -> list[dict[str, Any]]:
    """All result files, in order of names. Raises ValueError if there are none, or if they are too old."""
    files = sorted((out / "results").rglob("*.json"))
    if not files:
        raise ValueError(f"{out}: there are no results")
    found = []
    for file in files:
        try:
            one = content_of(file)
        except Damaged:
            raise ValueError(f"{file}: damaged, so its job must run again") from None
        if one["plan"].get("format") != FORMAT:
            raise ValueError(f"{file}: another version made it; this one reads format {FORMAT}")
        found.append({**one, "file": str(file)})
    return found


def _same_plan(first: dict[str, Any], one: dict[str, Any]) -> None:
    """Differences are paired, so one table has one plan. Raises ValueError."""
    before, now = first["plan"], one["plan"]
    names = [name for name in sorted(before | now) if before.get(name) != now.get(name)]
    if names:
        told = ", ".join(f"{name} {now.get(name)}, not {before.get(name)}" for name in names)
        raise ValueError(
            f"{one['file']}: made with {told} as {first['file']} of the same table; "
            "jobs of other plans need a folder of their own (--out)"
        )


def groups(results: Iterable[dict[str, Any]], study: str) -> dict[str, Group]:
    """The scores of a study by group (all but node, variant and seed) and variant."""
    found: dict[str, Group] = defaultdict(lambda: defaultdict(list))
    first: dict[str, dict[str, Any]] = {}
    for one in results:
        if one["study"] != study:
            continue
        *place, _, seed = one["job"].split("/")
        _same_plan(first.setdefault("/".join(place), one), one)
        for node, variants in one["nodes"].items():
            for variant, told in variants.items():
                name, key = f"{node} {seed}", "/".join(place)
                if study == "late":
                    model, data, node_name, own_days = place
                    name, key = f"{data}/{node_name} {seed}", f"{model}, {own_days}"
                if all(each.node != name for each in found[key][variant]):
                    found[key][variant].append(Score.of(name, told))
    return {key: dict(each) for key, each in found.items()}


class Means(NamedTuple):
    """Without trivial hours both are NaN if there are no others."""

    accuracy: float
    log_loss: float


def means(scores: Sequence[Score], demand: bool, trivial: bool = True, rival: str = "") -> Means:
    """Those of a variant over nodes, or of a rival on the same predictions, with or without trivial hours."""
    sums = _joined([each.part(demand, trivial) for each in scores])
    of = dict(zip(SUMS, sums, strict=True))
    before = f"{rival}_" if rival else ""
    return Means(*(by_days(of[f"{before}{each}"], of["n"])[0] for each in Means._fields))


@dataclass(frozen=True)
class Line:
    """A variant beside another one, over the nodes that both have."""

    nodes: int
    ours: Means
    persistence: Means
    not_trivial: Means
    gain: float
    gain_limits: Interval
    saved: float  # log loss
    saved_limits: Interval
    median: float
    worst: float
    harmed: int
    surely_harmed: int


def line(scores: Sequence[Score], others: Sequence[Score], demand: bool) -> Line:
    """The scores of a variant, and paired with those of another one."""
    other = {each.node: each for each in others}
    scores = [each for each in scores if each.node in other]
    both = [(each.part(demand), other[each.node].part(demand)) for each in scores]
    ours, theirs = (_joined([pair[at] for pair in both]) for at in (0, 1))
    gain, gain_limits = by_days(ours[_ACCURACY] - theirs[_ACCURACY], ours[_N])
    saved, saved_limits = by_days(theirs[_LOSS] - ours[_LOSS], ours[_N])
    each = [by_days(one[_ACCURACY] - two[_ACCURACY], one[_N]) for one, two in both]
    gains = [mean for mean, _ in each]
    return Line(
        len(both),
        means(scores, demand),
        means(scores, demand, rival="persistence"),
        means(scores, demand, trivial=False),
        gain,
        gain_limits,
        saved,
        saved_limits,
        float(np.median(gains)),
        min(gains),
        sum(mean < -0.0005 for mean in gains),  # less than 0.05 points is no harm
        sum(limits is not None and limits[1] < 0 for _, limits in each),
    )


def _joined(parts: list[Floats]) -> Floats:
    days = min(each.shape[1] for each in parts)
    return np.concatenate([each[:, :days] for each in parts], -1)
