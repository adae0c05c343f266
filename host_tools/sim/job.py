"""The description of one run, and its building plans. It is small and can be sent to other processes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge.energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from edge.learn.registry import MODELS
from host_tools.microgrid.lessons import gossip, lessons
from host_tools.microgrid.plan import BuildingPlan, connect_chain
from host_tools.reach import section
from host_tools.study.run import fingerprint

from .clock_axis import Begin
from .scenario import Gates, Scenario, ScenarioError, Setting
from .scenarios import SCENARIOS
from .topology import parse

_FROM_DATA = "data"  # a topology: a chain of all nodes that the scenario creates


@dataclass(frozen=True)
class Job:
    """One run. None: the default of the scenario; policy None: the twins keep their own policies."""

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
    learn: str | None = None  # model of every node in both scopes; None: no learning
    gossip: bool = False  # models and predictions go to neighbours; only with learn
    max_power_w: float = 3000.0  # MAX_POWER of a node's states; the microgrid's is this times the nodes
    reach: str = ""  # REQUESTS:BEATS, how far messages go; empty: everywhere
    processes: int = 1  # that simulate one area of the microgrid each; the result is the same
    check_s: int | None = None  # seconds between two checks of all invariants; None: by the number of nodes

    @property
    def kind(self) -> Scenario:
        """Its scenario. Raises ScenarioError."""
        if self.scenario not in SCENARIOS:
            raise ScenarioError(f"unknown scenario {self.scenario!r}: must be one of {', '.join(SCENARIOS)}")
        return SCENARIOS[self.scenario]

    def topology_of(self, count: int) -> str:
        """The topology as given or by default, for `count` nodes; several microgrids have none."""
        spec = self.nodes or self.kind.nodes
        if self.kind.gates:
            return f"{count} nodes"
        return f"chain:{count}" if spec == _FROM_DATA else spec

    @property
    def seconds(self) -> int:
        """The duration in whole simulated seconds. Raises ScenarioError."""
        hours = self.kind.hours if self.hours is None else self.hours
        if not 1 / 3600 <= hours <= 24 * 366:
            raise ScenarioError(f"hours = {hours:g}: must be between 0.0003 (one second) and 8784")
        return round(3600 * hours)

    def plans(self) -> list[BuildingPlan]:
        """The connected buildings with the chosen policies. Raises ScenarioError, TopologyError."""
        self._check()
        spec = self.nodes or self.kind.nodes
        links = {} if spec == _FROM_DATA else parse(spec, self.seed)
        plans = self.kind.build(self.setting(tuple(links)))
        if links:
            for plan in plans:
                plan.neighbours = list(links[plan.name])
        elif not self.kind.gates:
            connect_chain(plans)
        for plan in plans:
            self._apply_policies(plan)
            if self.learn:
                most_w = self.max_power_w * len(plans)
                plan.learning = lessons(self.learn, self.max_power_w, cluster_max_power_w=most_w)
                plan.gossip = gossip() if self.gossip else {}
        return plans

    def gates(self) -> Gates:
        """Those of each holon; none in a flat microgrid."""
        return self.kind.gates(self.setting(())) if self.kind.gates else ()

    def start_hour(self) -> float:
        """The hour of the day at which the run begins; midnight if the scenario has no such parameter."""
        return float(self.kind.values(self.values).get("start_hour", 0.0))

    def begin(self) -> Begin:
        """When the run begins, for the plots."""
        return self.kind.begin(self.setting(()))

    def setting(self, nodes: tuple[str, ...]) -> Setting:
        """The input of its scenario, for these nodes."""
        values = self.kind.values(self.values)
        return Setting(nodes, self.seconds / 3600, self.seed, values, self.data, self.start)

    def arguments(self) -> dict[str, Any]:
        """What its result depends on, as JSON: files by their content, wherever they are. Raises
        ScenarioError."""
        found = asdict(self) | {"values": self.kind.values(self.values)}
        try:
            if self.data:
                found["data"] = fingerprint(self.data)
            if self.nodes and self.nodes.endswith((".toml", ".json")):
                found["nodes"] = fingerprint(Path(self.nodes))
        except OSError as error:
            raise ScenarioError(f"{error.filename}: {error.strerror}") from None
        return found

    def _check(self) -> None:
        if self.kind.nodes != _FROM_DATA:
            for name, given in (("data", self.data), ("start", self.start)):
                if given is not None:
                    raise ScenarioError(f"{name} = {str(given)!r}: is not for scenario {self.scenario}")
        try:
            section(self.reach)
        except ValueError as error:
            raise ScenarioError(str(error)) from None
        if self.kind.gates and self.nodes is not None:
            raise ScenarioError(f"nodes = {self.nodes!r}: scenario {self.scenario} has its own")
        for key, value, known in (
            ("policy", self.policy, PRODUCER_POLICIES),
            ("consumer_policy", self.consumer_policy, CONSUMER_POLICIES),
            ("learn", self.learn, MODELS),
        ):
            if value is not None and value not in known:
                raise ScenarioError(f"{key} = {value!r}: must be one of {', '.join(known)}")
        if self.gossip and not self.learn:
            raise ScenarioError("gossip needs a model: learn is not given")
        if not 1.0 <= self.max_power_w <= 1e6:
            raise ScenarioError(f"max_power_w = {self.max_power_w:g}: must be between 1 and 1,000,000")
        if not 0.0 <= self.latency_ms <= 10_000:
            raise ScenarioError(f"latency_ms = {self.latency_ms:g}: must be between 0 and 10,000")
        if not 0 <= self.seed < 2**53:
            raise ScenarioError(f"seed = {self.seed}: must be between 0 and 2**53")
        if not 1 <= self.processes <= 64:
            raise ScenarioError(f"processes = {self.processes}: must be between 1 and 64")
        if self.processes > 1 and (self.learn or self.kind.looks_at_nodes or not self.latency_ms):
            raise ScenarioError(
                f"processes = {self.processes}: learning, scenarios that look at all nodes and links without "
                "latency need one process"
            )
        if self.check_s is not None and self.check_s < 1:
            raise ScenarioError(f"check = {self.check_s}: must be at least 1 s")

    def _apply_policies(self, plan: BuildingPlan) -> None:
        asked = {"producer_policy": self.policy, "consumer_policy": self.consumer_policy}
        given = {key: value for key, value in asked.items() if value}
        for twin in (*(device.twin for device in plan.devices), *plan.extra):
            twin.update(given)
