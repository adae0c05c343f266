"""What is measured in a storm: the energy that honest nodes are served, and the work that a liar makes them.

Energy is what consumers hold contracts for. A supplier that confirms and does not deliver cannot be seen by
the market, so such a contract counts as served.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.clock import Clock
from edge.trust.keyring import Keyring

from ..world import Members, World, WorldNode
from .plan import Storm

EVERY_S = 0.5  # between two samples
_AMPLE = 1.1  # power suffices when there is so much more than is needed


@dataclass
class Sample:
    """The powers of one group of honest nodes at one moment, in W; `members`: nodes of the group."""

    members: int
    needed_w: float = 0.0
    served_w: float = 0.0
    capacity_w: float = 0.0
    liar_w: float = 0.0  # what the honest twins of the liar need


@dataclass
class Work:
    """What one node has done since the storm began."""

    checks: int = 0  # signatures to verify
    sent_bytes: int = 0


@dataclass
class Tally:
    """Samples of a storm, and counters of its nodes. It also gives them their keys."""

    world: World
    storm: Storm
    samples: list[dict[int, Sample]] = field(default_factory=list)
    work: dict[str, Work] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._groups = self.storm.groups()
        self._members = Members(self.world.clock)
        self.world.trust = self._trust
        if self.storm.steady:
            self.world.after(EVERY_S, self._sample)

    def work_of(self, node: WorldNode) -> Work:
        """Counters of a node."""
        return self.work.setdefault(node.name, Work())

    def _trust(self, name: str, clock: Clock) -> Keyring:
        keyring, work = self._members.trust(name, clock), self.work.setdefault(name, Work())
        verify = keyring.verify

        def counted(origin: str, message: bytes, signature: bytes, incarnation: int = 0) -> None:
            work.checks += keyring.knows(origin)  # what comes from others is refused before
            verify(origin, message, signature, incarnation)

        keyring.verify = counted  # type: ignore[method-assign]
        return keyring

    def _sample(self) -> None:
        if self.world.clock.now_s() > self.storm.trouble_s:
            return
        self.samples.append(self._now())
        self.world.after(EVERY_S, self._sample)

    def _now(self) -> dict[int, Sample]:
        sizes: dict[int, int] = {}
        for group in self._groups.values():
            sizes[group] = sizes.get(group, 0) + 1
        liar = self.world.nodes.get(self.storm.liar)
        liar_w = sum(twin.consumer.need_w for twin in liar.node.prosumers) if liar else 0.0
        found = {group: Sample(size, liar_w=liar_w) for group, size in sizes.items()}
        for name, group in self._groups.items():
            node = self.world.nodes[name]
            for twin in node.node.prosumers if node.alive else ():
                sample = found[group]
                sample.needed_w += twin.consumer.need_w
                sample.served_w += min(twin.consumer.need_w, twin.consumer.supplied_w)
                sample.capacity_w += twin.supplier.capacity_w
        return found


def lost(lying: Tally, honest: Tally) -> Mapping[int, tuple[float, float, float]]:
    """For each group the energy lost to the liar and that of the honest storm, in Wh, while power suffices,
    and the largest need meanwhile, in W.

    The liar is entitled to the share of one member. Power suffices when the rest covers all needs, also
    those of the liar's devices.
    """
    sums: dict[int, tuple[float, float, float]] = {}
    for with_liar, without in zip(lying.samples, honest.samples, strict=False):
        for group, sample in without.items():
            rest_w = sample.capacity_w * sample.members / (sample.members + 1)
            if rest_w < _AMPLE * (sample.needed_w + with_liar[group].liar_w):
                continue
            lost_wh, served_wh, largest_w = sums.get(group, (0.0, 0.0, 0.0))
            lost_w = sample.served_w - with_liar[group].served_w
            hour = EVERY_S / 3600
            served_wh += sample.served_w * hour
            sums[group] = lost_wh + lost_w * hour, served_wh, max(largest_w, sample.needed_w)
    return sums
