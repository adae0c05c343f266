"""The result of a run."""

from dataclasses import dataclass, field
from typing import Any

from .job import Job
from .recorder import Recorder
from .scenario import Figure


@dataclass
class Outcome:
    """The result of one run; counters are sums over all nodes."""

    job: Job
    recorder: Recorder
    policies: list[str]
    consumer_policies: list[str]
    real: bool = False
    contracts: int = 0
    shed: int = 0
    interrupted: int = 0
    messages: int = 0
    bytes: int = 0
    reactions: int = 0
    checked: int = 0
    broken: int = 0
    violations: list[str] = field(default_factory=list)
    wall_s: float = 0.0
    learning: dict[str, Any] | None = None  # scores by scope
    gossip: dict[str, Any] | None = None  # sums of all nodes by scope
    batteries: dict[str, dict[str, float]] = field(default_factory=dict)  # the books, by twin
    regulation: dict[str, Any] | None = None  # what the regulators achieved
    figures: list[Figure] = field(default_factory=list)  # of the scenario
