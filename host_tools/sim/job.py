"""What one run is asked to be, and the plans that follow from it; small, since other processes get it too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from edge.learn.registry import MODELS
from host_tools.microgrid.lessons import lessons
from host_tools.microgrid.plan import BuildingPlan, connect_chain

from .scenario import Scenario, ScenarioError, Setting
from .scenarios import SCENARIOS
from .topology import parse

_FROM_DATA = "data"  # a topology: a chain of as many nodes as the scenario makes


@dataclass(frozen=True)
class Job:
    """One run. None stands for what the scenario says; a policy of None leaves its twins as they are."""

    scenario: str
    nodes: str | None = None
    hours: float | None = None
    seed: int = 1
    policy: str | None = None
    consumer_policy: str | None = None
    latency_ms: float = 20.0
    values: Mapping[str, Any] = field(default_factory=dict)
    data: Path | None = None
    start: str | None = None
    learn: str | None = None  # model of both scopes of every node; None: no learning
    max_power_w: float = 3000.0  # MAX_POWER of the states of a node; the microgrid has as many times that
    check_s: int | None = None  # seconds between two checks of all invariants; None: by the number of nodes

    @property
    def kind(self) -> Scenario:
        """Its scenario. Raises ScenarioError."""
        if self.scenario not in SCENARIOS:
            raise ScenarioError(f"SCENARIO = {self.scenario!r}: one of {', '.join(SCENARIOS)} expected")
        return SCENARIOS[self.scenario]

    def topology_of(self, count: int) -> str:
        """Its shape, as given or by default, when it has that many nodes."""
        spec = self.nodes or self.kind.nodes
        return f"chain:{count}" if spec == _FROM_DATA else spec

    @property
    def seconds(self) -> int:
        """How long it lasts, whole simulated seconds. Raises ScenarioError."""
        hours = self.kind.hours if self.hours is None else self.hours
        if not 1 / 3600 <= hours <= 24 * 366:
            raise ScenarioError(f"hours = {hours:g}: 0.0003 (one second) .. 8784 expected")
        return round(3600 * hours)

    def plans(self) -> list[BuildingPlan]:
        """The buildings, connected, with the policies asked for. Raises ScenarioError, TopologyError."""
        self._check()
        scenario = self.kind
        spec = self.nodes or scenario.nodes
        links = {} if spec == _FROM_DATA else parse(spec, self.seed)
        values = scenario.values(self.values)
        hours = self.seconds / 3600
        plans = scenario.build(Setting(tuple(links), hours, self.seed, values, self.data, self.start))
        if links:
            for plan in plans:
                plan.neighbours = list(links[plan.name])
        else:
            connect_chain(plans)
        for plan in plans:
            self._apply_policies(plan)
            if self.learn:
                most_w = self.max_power_w * len(plans)
                plan.learning = lessons(self.learn, self.max_power_w, cluster_max_power_w=most_w)
        return plans

    def start_hour(self) -> float:
        """The hour of the day at which it begins, where the scenario has one; else midnight."""
        return float(self.kind.values(self.values).get("start_hour", 0.0))

    def _check(self) -> None:
        for key, value, known in (
            ("policy", self.policy, PRODUCER_POLICIES),
            ("consumer_policy", self.consumer_policy, CONSUMER_POLICIES),
            ("learn", self.learn, MODELS),
        ):
            if value is not None and value not in known:
                raise ScenarioError(f"{key} = {value!r}: one of {', '.join(known)} expected")
        if not 1.0 <= self.max_power_w <= 1e6:
            raise ScenarioError(f"max_power_w = {self.max_power_w:g}: 1 .. 1,000,000 expected")
        if not 0.0 <= self.latency_ms <= 10_000:
            raise ScenarioError(f"latency_ms = {self.latency_ms:g}: 0 .. 10,000 expected")
        if not 0 <= self.seed < 2**53:
            raise ScenarioError(f"seed = {self.seed}: 0 .. 2**53 expected")
        if self.check_s is not None and self.check_s < 1:
            raise ScenarioError(f"check = {self.check_s}: at least 1 s expected")

    def _apply_policies(self, plan: BuildingPlan) -> None:
        asked = {"producer_policy": self.policy, "consumer_policy": self.consumer_policy}
        given = {key: value for key, value in asked.items() if value}
        for twin in (*(device.twin for device in plan.devices), *plan.extra):
            twin.update(given)
