"""The result of a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from .job import Job
from .recorder import Recorder
from .scenario import Figure


@dataclass
class Counts:
    """What the nodes have counted; sums over all nodes."""

    contracts: int = 0
    shed: int = 0
    interrupted: int = 0
    messages: int = 0
    bytes: int = 0
    reactions: int = 0
    checked: int = 0
    broken: int = 0
    violations: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Outcome(Counts):
    """The result of one run."""

    job: Job
    recorder: Recorder
    policies: list[str]
    consumer_policies: list[str]
    real: bool = False
    wall_s: float = 0.0
    learning: dict[str, Any] | None = None  # scores by scope
    gossip: dict[str, Any] | None = None  # sums of all nodes by scope
    batteries: dict[str, dict[str, float]] = field(default_factory=dict)  # the books, by twin
    regulation: dict[str, Any] | None = None  # what the regulators achieved
    figures: list[Figure] = field(default_factory=list)  # of the scenario


def added(counts: Sequence[Counts]) -> dict[str, Any]:
    """The sums of all counts, by name."""
    first, *others = ({each.name: getattr(count, each.name) for each in fields(Counts)} for count in counts)
    for other in others:
        first = {name: value + other[name] for name, value in first.items()}
    return first
