"""An hour in the field, drawn from a seed: which meters hang on a line, and what happens to it when."""

import random
from dataclasses import dataclass, field

from .line import Habits

HOUR_S = 3600.0
CALM_S = 900.0  # at the end nothing is wrong, so that recovery is seen
PROFILES = ("sdm120", "sdm230", "sdm630", "em24", "b23", "iem3155", "sdm72dm-v2", "em340", "we516", "dtsu666")


@dataclass(frozen=True)
class Trial:
    """One thing that is wrong for a while. `address` is the slave concerned, 0 for the line."""

    kind: str
    from_s: float
    to_s: float
    address: int = 0
    value: float = 0.0
    stray: bytes = b""
    asks: tuple[int, int, int, int] = (1, 4, 0, 2)

    def apply(self, habits: Habits) -> None:
        """Begin."""
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
        what = f"slave {self.address}" if self.address else "line"
        more = f" {self.value:.2f}" if self.value else ""
        more += f" {self.stray.hex()}" if self.stray else ""
        more += f" asks {self.asks}" if self.kind == "second_master" else ""
        return f"{self.from_s:6.0f} to {self.to_s:6.0f} s  {self.kind:13} {what}{more}"


@dataclass(frozen=True)
class Field:
    """The installation and the hour."""

    seed: int
    meters: dict[int, str]  # profile by address
    period_s: float
    trials: list[Trial] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The hour in words, as a failing seed prints it."""
        meters = ", ".join(f"{address}: {profile}" for address, profile in self.meters.items())
        return [f"seed {self.seed}: every {self.period_s:g} s, {meters}", *map(str, self.trials)]


KINDS = (
    "echo", "stray_before", "stray_after", "deaf", "stalled", "cut",
    "noise", "late", "silent", "second_master", "unplugged",
)  # fmt: skip


def draw(seed: int) -> Field:
    """The hour of a seed."""
    rng = random.Random(f"field/{seed}")
    addresses = rng.sample(range(1, 40), rng.randint(1, 4))
    meters = {address: rng.choice(PROFILES) for address in addresses}
    trials = [_trial(rng, rng.choice(KINDS), list(meters)) for _ in range(rng.randint(1, 6))]
    return Field(seed, meters, rng.choice((5.0, 10.0, 20.0)), sorted(trials, key=lambda each: each.from_s))


def _trial(rng: random.Random, kind: str, addresses: list[int]) -> Trial:
    from_s = rng.uniform(0.0, HOUR_S - CALM_S - 60.0)
    to_s = min(from_s + rng.choice((30.0, 120.0, 600.0)) * rng.uniform(0.5, 1.5), HOUR_S - CALM_S)
    address = rng.choice(addresses)
    match kind:
        case "stray_before" | "stray_after":
            return Trial(kind, from_s, to_s, stray=rng.choice((b"\x00", b"\xff", b"\xfe", b"\x00\xff")))
        case "deaf":
            return Trial(kind, from_s, to_s, value=rng.uniform(0.02, 0.095))
        case "noise" | "late":
            return Trial(kind, from_s, to_s, value=rng.uniform(0.1, 1.0))
        case "silent":
            return Trial(kind, from_s, to_s, address)
        case "second_master":
            asks = (
                address,
                rng.choice((3, 4)),
                rng.randrange(0, 60, 2),
                rng.choice((1, 2, 2, 2, 4, 6, 8, 12, 14, 42)),
            )
            hidden = b"hidden" if rng.random() < 0.3 else b""
            return Trial(kind, from_s, to_s, 0, rng.uniform(0.4, 9.0), hidden, asks)
    return Trial(kind, from_s, to_s)
