"""An hour in the field, drawn from a seed: a small microgrid, and what goes wrong in it when."""

import itertools
import random
from dataclasses import dataclass, field

from .line import Habits

HOUR_S = 3600.0
CALM_S = 900.0  # at the end nothing is wrong, so that recovery is seen
PROFILES = ("sdm120", "sdm230", "sdm630", "em24", "b23", "iem3155", "sdm72dm-v2", "em340", "we516", "dtsu666")

ON_LINES = (
    "echo", "stray_before", "stray_after", "deaf", "stalled", "cut",
    "noise", "late", "silent", "second_master", "unplugged",
)  # fmt: skip
ON_METERS = ("not_a_number", "infinite", "out_of_range", "wrong_sign")
ON_LINKS = (
    "dropped", "slow", "lossy", "damaged", "flapping", "flapping_dropped", "refused", "unlisted", "stale",
)  # fmt: skip
ON_BROKERS = ("blocked", "broker_down", "broker_stalled", "unsubscribed")
ON_TWINS = ("lapsed",)
KINDS = (*ON_LINES, *ON_METERS, *ON_LINKS, *ON_BROKERS, *ON_TWINS)
_WRONG_W = {
    "not_a_number": (float("nan"),),
    "infinite": (float("inf"), -float("inf")),
    "out_of_range": (1e12, -1e12),
}


@dataclass(frozen=True)
class Trial:
    """One thing that is wrong for a while at a node.

    `address` is the slave concerned, 0 for the line; `peer` the other end of the link, from `node` to `peer`.
    """

    kind: str
    node: str
    from_s: float
    to_s: float
    address: int = 0
    value: float = 0.0
    stray: bytes = b""
    asks: tuple[int, int, int, int] = (1, 4, 0, 2)
    peer: str = ""

    def apply(self, habits: Habits) -> None:
        """Begin, if it concerns the line."""
        match self.kind:
            case "echo":
                habits.echo = True
            case "stray_before":
                habits.stray_before = self.stray
            case "stray_after":
                habits.stray_after = self.stray
            case "deaf":
                habits.deaf_s = self.value
            case "stalled":
                habits.stalled = True
            case "cut":
                habits.cut = True
            case "noise":
                habits.noise = self.value
            case "late":
                habits.late = self.value
            case "silent":
                habits.silent.add(self.address)
            case "second_master":
                habits.master_s, habits.master_asks = self.value, self.asks
                habits.master_seen = self.stray == b""

    def __str__(self) -> str:
        what = f"{self.node}>{self.peer}" if self.peer else self.node
        what += f" slave {self.address}" if self.address else ""
        more = f" {self.value:.2f}" if self.value else ""
        more += f" {self.stray.hex()}" if self.stray else ""
        more += f" asks {self.asks}" if self.kind == "second_master" else ""
        return f"{self.from_s:6.0f} to {self.to_s:6.0f} s  {self.kind:16} {what}{more}"


@dataclass(frozen=True)
class Site:
    """One node: its neighbours, its meters with a twin each, and how often they are read."""

    name: str
    neighbours: tuple[str, ...]
    meters: dict[int, str]  # profile by address
    kinds: dict[int, str]  # kind of the twin by address
    period_s: float


@dataclass(frozen=True)
class Field:
    """The microgrid and its hour."""

    seed: int
    sites: tuple[Site, ...]
    trials: list[Trial] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The hour in words, as a failing seed prints it."""
        lines = [f"seed {self.seed}:"]
        for site in self.sites:
            meters = ", ".join(f"{at}: {site.kinds[at]} {name}" for at, name in site.meters.items())
            lines.append(f"{site.name} to {' '.join(site.neighbours)}: every {site.period_s:g} s, {meters}")
        return [*lines, *map(str, self.trials)]


def draw(seed: int) -> Field:
    """The hour of a seed."""
    rng = random.Random(f"field/{seed}")
    sites = _sites(rng)
    groups = (ON_LINES, ON_METERS, ON_LINKS, ON_BROKERS, ON_TWINS)
    kinds = [rng.choice(rng.choices(groups, (6, 4, 7, 3, 1))[0]) for _ in range(rng.randint(2, 8))]
    trials = [_trial(rng, kind, sites) for kind in kinds]
    return Field(seed, sites, sorted(trials, key=lambda each: each.from_s))


def _sites(rng: random.Random) -> tuple[Site, ...]:
    names = [f"n{i + 1}" for i in range(rng.choices((2, 3, 4), (6, 3, 1))[0])]
    pairs = {(a, b) for a, b in itertools.pairwise(names)}
    pairs |= {(names[-1], names[0])} if len(names) > 2 and rng.random() < 0.5 else set()
    links = pairs | {(b, a) for a, b in pairs}
    sites = []
    for name in names:
        addresses = rng.sample(range(1, 40), rng.choice((1, 1, 2, 3)))
        sites.append(
            Site(
                name,
                tuple(sorted(b for a, b in links if a == name)),
                {address: rng.choice(PROFILES) for address in addresses},
                {address: rng.choice(("load", "load", "pv")) for address in addresses},
                rng.choice((5.0, 10.0, 10.0, 20.0, 20.0)),
            )
        )
    return tuple(sites)


def _trial(rng: random.Random, kind: str, sites: tuple[Site, ...]) -> Trial:
    site = rng.choice(sites)
    node, peer = site.name, rng.choice(site.neighbours)
    from_s = rng.uniform(60.0, HOUR_S - CALM_S - 60.0)
    to_s = min(from_s + rng.choice((30.0, 120.0, 600.0)) * rng.uniform(0.5, 1.5), HOUR_S - CALM_S)
    address = rng.choice(list(site.meters))
    match kind:
        case "stray_before" | "stray_after":
            stray = rng.choice((b"\x00", b"\xff", b"\xfe", b"\x00\xff"))
            return Trial(kind, node, from_s, to_s, stray=stray)
        case "deaf":
            return Trial(kind, node, from_s, to_s, value=rng.uniform(0.02, 0.095))
        case "noise" | "late":
            return Trial(kind, node, from_s, to_s, value=rng.uniform(0.1, 1.0))
        case "silent" | "lapsed" | "wrong_sign":
            return Trial(kind, node, from_s, to_s, address)
        case "not_a_number" | "infinite" | "out_of_range":
            return Trial(kind, node, from_s, to_s, address, rng.choice(_WRONG_W[kind]))
        case "second_master":
            counts = (1, 2, 2, 2, 4, 6, 8, 12, 14, 42)
            asks = (address, rng.choice((3, 4)), rng.randrange(0, 60, 2), rng.choice(counts))
            hidden = b"hidden" if rng.random() < 0.3 else b""
            return Trial(kind, node, from_s, to_s, 0, rng.uniform(0.4, 9.0), hidden, asks)
        case "slow":
            return Trial(kind, node, from_s, to_s, value=rng.uniform(0.2, 6.0), peer=peer)
        case "lossy":
            return Trial(kind, node, from_s, to_s, value=rng.uniform(0.05, 0.4), peer=peer)
        case "flapping" | "flapping_dropped":
            return Trial(kind, node, from_s, to_s, value=rng.uniform(1.0, 30.0), peer=peer)
        case "broker_stalled":
            return Trial(kind, node, from_s, to_s, value=rng.uniform(10.0, 15.0))
    return Trial(kind, node, from_s, to_s, peer=peer if kind in ON_LINKS else "")
