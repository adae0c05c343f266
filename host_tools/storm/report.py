"""The results of many storms: a summary, and for each failed seed a trace with its replay command."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .draw import draw
from .play import Outcome, play
from .shrink import Shrinker


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one seed; `trace` describes the failure, or is empty."""

    outcome: Outcome
    trace: str = ""

    @staticmethod
    def of(content: Mapping[str, Any]) -> "Result":
        """The same from a file."""
        told = content["outcome"]
        told = told | {"violations": tuple(told["violations"]), "faults": Counter(told["faults"])}
        return Result(Outcome(**told), content["trace"])

    def content(self) -> dict[str, Any]:
        """For a file."""
        told = {each.name: getattr(self.outcome, each.name) for each in fields(self.outcome)}
        return {"outcome": told, "trace": self.trace}


def try_seed(seed: int, reach: str = "") -> Result:
    """Play the storm of a seed, and shrink it if it fails; `reach`: how far messages go."""
    storm = replace(draw(seed), reach=reach)
    outcome = play(storm)
    if not outcome.violations:
        return Result(outcome)
    shrinker = Shrinker(storm, outcome)
    shrinker.run()
    return Result(outcome, trace(shrinker))


def trace(shrinker: Shrinker) -> str:
    """The smallest storm found, the violations, and the replay command."""
    outcome = shrinker.outcome
    broken = [f"invariant broken at {outcome.at_s:.2f} s: {line}" for line in outcome.violations]
    return "\n".join([f"seed {outcome.seed}", *shrinker.storm.lines(), *broken, shrinker.command, ""])


@dataclass
class Summary:
    """Sums over seeds; times in simulated seconds."""

    seeds: int = 0
    simulated_s: float = 0.0
    events: int = 0
    checks: int = 0
    settled_max_s: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[int] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds += 1
        self.simulated_s += outcome.at_s
        self.events += outcome.events
        self.checks += outcome.checks
        self.settled_max_s = max(self.settled_max_s, outcome.settled_s)
        self.faults += outcome.faults
        if outcome.violations:
            self.broken.append(outcome.seed)

    def figures(self, played: int, wall_s: float) -> dict[str, Any]:
        """The content of storm.json; `played` seeds took `wall_s`, the others were played before."""
        return {
            "seeds": self.seeds,
            "simulated_hours": round(self.simulated_s / 3600, 2),
            "events": self.events,
            "invariants_checked": self.checks,
            "invariants_broken": len(self.broken),
            "broken_seeds": sorted(self.broken),
            "settled_max_s": self.settled_max_s,
            "faults": dict(sorted(self.faults.items())),
            "seeds_per_minute": round(60 * played / wall_s, 1) if played else None,
        }
