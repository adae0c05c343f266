"""The trial: loads are switched on, rest, are cut off from their supply, and get it back.

The same steps at the same times for real nodes and under the virtual clock. One node supplies all others; the
nodes farthest from it are the part that is cut off.
"""

import random
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..microgrid.plan import BuildingPlan, DevicePlan
from ..sim.cast import limits_for
from ..sim.topology import Links

METER_S = 1.0
_LEAST_W, _MOST_W = 50.0, 150.0
_SPARE = 1.5  # of all that is needed
_LOOK_S = 1.0


@dataclass(frozen=True)
class Phases:
    """Durations in s."""

    links: float = 60.0  # at most, until all nodes know each other
    settle: float = 5.0
    switching: float = 20.0  # in which loads are switched on, each at its moment
    served: float = 15.0  # after that, until times are read
    rest: float = 20.0  # in which traffic at rest is measured
    cut: float = 25.0
    healing: float = 60.0  # at most


def limits_of(plans: Sequence[BuildingPlan]) -> dict[str, int]:
    """The `[limits]` of every node: room for all twins, and for the identity of each node."""
    return limits_for([len(plan.devices) + len(plan.extra) + 2 for plan in plans])


class Start:
    """The moment at which loads begin to be switched on, in seconds of the run."""

    def __init__(self) -> None:
        self.at_s: float | None = None

    def load(self, after_s: float, power_w: float) -> Any:
        """The power of a load that is switched on `after_s` later."""
        return lambda now_s: power_w if self.at_s is not None and now_s - self.at_s >= after_s else 0.0


class Served(NamedTuple):
    """A consumer: whether all it needs is under contract, and the time that took, if it is known."""

    satisfied: bool
    response_s: float | None


class Site(Protocol):
    """Where the trial takes place."""

    def begin(self) -> None:
        """Switch the loads on, each at its moment."""

    def wait(self, seconds: float) -> float:
        """Let time pass; returns how much did."""

    def known(self) -> dict[str, int]:
        """How many nodes each node knows."""

    def consumers(self, nodes: Collection[str]) -> dict[str, list[Served]]:
        """Those of these nodes."""

    def sent(self) -> dict[str, tuple[int, int]]:
        """Messages and bytes that each node has sent to its neighbours."""

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        """Cut the network into parts; without parts it is whole again."""

    def broken(self) -> list[str]:
        """The invariants that were broken."""


@dataclass
class Findings:
    """What was measured. Times in s, None where it did not happen in time."""

    known_s: float | None = None  # until all nodes know each other
    by_hops: dict[int, list[float]] = field(default_factory=dict)
    consumers: int = 0
    served: int = 0
    switching: dict[str, float] = field(default_factory=dict)  # traffic a node
    rest: dict[str, float] = field(default_factory=dict)
    lost: int = 0  # consumers without supply at the end of the cut
    seen_again_s: float | None = None  # after the repair, until all nodes know each other
    served_again_s: float | None = None  # until all consumers are supplied
    broken: list[str] = field(default_factory=list)


def plans(links: Links, start: Start, seed: int, seconds: float) -> list[BuildingPlan]:
    """The first node supplies; each other has two loads, which are switched on within `seconds`."""
    rng = random.Random(f"{seed}/trial")
    first, *others = links
    found = [BuildingPlan(first, [], [])]
    total_w = 0.0
    for name in others:
        devices = []
        for number in range(2):
            power_w = round(rng.uniform(_LEAST_W, _MOST_W), 1)
            total_w += power_w
            load = start.load(rng.uniform(0.0, seconds), power_w)
            devices.append(DevicePlan(f"load{number + 1}", "load", load))
        found.append(BuildingPlan(name, devices))
    found[0].extra.append({"name": "grid", "kind": "grid", "capacity_w": round(_SPARE * total_w)})
    for plan in found:
        plan.neighbours = list(links[plan.name])
    return found


def hops_from_first(links: Links) -> dict[str, int]:
    """The distance of each node from the first."""
    first = next(iter(links))
    found, waiting = {first: 0}, deque([first])
    while waiting:
        name = waiting.popleft()
        for neighbour in links[name]:
            if neighbour not in found:
                found[neighbour] = found[name] + 1
                waiting.append(neighbour)
    return found


def far_half(links: Links) -> set[str]:
    """The half of the nodes that is farthest from the first."""
    hops = hops_from_first(links)
    order = sorted(links, key=lambda name: hops[name])
    return set(order[(len(order) + 1) // 2 :])


def play(site: Site, links: Links, phases: Phases) -> Findings:
    """The trial."""
    found = Findings()
    hops, far = hops_from_first(links), far_half(links)
    found.known_s = _until(site, phases.links, lambda: _all_known(site, len(links)))
    site.wait(phases.settle)

    before = site.sent()
    site.begin()
    passed_s = site.wait(phases.switching + phases.served)
    found.switching = _traffic(before, site.sent(), passed_s)
    for name, served in site.consumers(links.keys()).items():
        for each in served:
            found.consumers += 1
            found.served += each.satisfied
            if each.satisfied and each.response_s is not None:
                found.by_hops.setdefault(hops[name], []).append(each.response_s)

    before = site.sent()
    passed_s = site.wait(phases.rest)
    found.rest = _traffic(before, site.sent(), passed_s)

    site.separate([set(links) - far, far])
    site.wait(phases.cut)
    found.lost = sum(not each.satisfied for row in site.consumers(far).values() for each in row)
    site.separate([])
    waited_s = 0.0
    while waited_s < phases.healing and None in (found.served_again_s, found.seen_again_s):
        waited_s += site.wait(_LOOK_S)
        if found.seen_again_s is None and _all_known(site, len(links)):
            found.seen_again_s = waited_s
        if found.served_again_s is None and _all_served(site, far):
            found.served_again_s = waited_s
    found.broken = site.broken()
    return found


def _until(site: Site, seconds: float, condition: Any) -> float | None:
    waited_s = 0.0
    while waited_s < seconds:
        if condition():
            return waited_s
        waited_s += site.wait(_LOOK_S)
    return None


def _all_known(site: Site, count: int) -> bool:
    return all(known == count for known in site.known().values())


def _all_served(site: Site, nodes: Collection[str]) -> bool:
    return all(each.satisfied for row in site.consumers(nodes).values() for each in row)


def _traffic(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], seconds: float
) -> dict[str, float]:
    sizes = [(after[name][1] - before[name][1]) / seconds for name in after]
    frames = [(after[name][0] - before[name][0]) / seconds for name in after]
    return {
        "bytes_per_s": sum(sizes) / len(sizes),
        "bytes_per_s_max": max(sizes),
        "messages_per_s": sum(frames) / len(frames),
    }
