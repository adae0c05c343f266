"""Runs a scenario under the virtual clock: nodes, periodic meter readings, and a sample every second."""

import itertools
import math
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from edge.energy.book import Promise, State
from edge.energy.supplier import Supplier
from edge.node import Node
from edge.twins.prosumer import ProsumerTwin
from edge.twins.storage import StorageTwin
from host_tools.invariants import Key, broken, promises_elsewhere
from host_tools.microgrid.plan import BuildingPlan
from host_tools.reach import section
from host_tools.world import World, WorldNode
from host_tools.world.areas import Team, in_areas

from .board import Board
from .cast import cast_of, limits_for
from .job import Job
from .learning import gossiped, scored
from .outcome import Counts, Outcome, added
from .recorder import Recorder
from .regulation import PhysicalDevices, RegulationWatch
from .scenario import ScenarioError
from .topology import parts

_SMALL = 8  # up to this many nodes all invariants are checked each second
_CHECK_IDLE_S = 10


class Simulation:
    """One run of a job."""

    def __init__(self, job: Job) -> None:
        """Raises ScenarioError, TopologyError, and ConfigError for twins that a node would reject."""
        self.job = job
        self.plans = job.plans()
        if job.processes > 1 and any(plan.regulator is not None for plan in self.plans):
            raise ScenarioError(f"processes = {job.processes}: a regulator is watched in one process only")
        self.world = World(job.seed, job.latency_ms / 1000)
        self.world.clock.wall_offset_s += 3600 * job.start_hour()
        self.world.reach = section(job.reach)
        limits = _limits(self.plans)
        meter_s = job.kind.meter_s
        for plan in self.plans:
            learning = dict(plan.learning)
            if plan.past:
                past = self.world.folder / f"{plan.name}.csv"
                plan.past(past)
                learning["node_history"] = str(past)
            self.world.add(
                plan.name,
                plan.neighbours,
                plan.twins(meter_s),
                learning,
                meters=(),
                gossip=plan.gossip,
                regulator=plan.regulator,
                community=plan.community,
                sections=plan.sections,
                **limits[plan.name],
            )
        for holon in job.gates():
            self.world.join(holon)
        self.nodes = list(self.world.nodes.values())
        self.cast = cast_of([node.config for node in self.nodes], job.gates())
        self.board = Board(self.cast)
        self.recorder = Recorder(self.cast, job.seconds)
        self.check_s = job.check_s or (1 if len(self.plans) <= _SMALL else 10)
        self._checked = 0
        self._violations: list[str] = []

    def run(self, each_second: Callable[[int], None] | None = None) -> Outcome:
        """Run the job; `each_second` is called with the simulated second."""
        began_s = time.perf_counter()
        machines = self.world.machines()
        outcome = in_areas(machines, self.job.processes, lambda team: self._play(team, each_second))
        outcome.wall_s = time.perf_counter() - began_s
        return outcome

    def _play(self, team: Team, each_second: Callable[[int], None] | None) -> Outcome:
        """Run the nodes of one process. The first one also records, and has the whole outcome."""
        first = team.index == 0
        self.world.keep_to(team)
        self.world.boot()
        self._start_meters()
        watch = RegulationWatch(self.world, self.plans)
        each_event = watch.look if watch.nodes else None
        own_watch = self.job.kind.watch(self.world, self.job.setting(())) if self.job.kind.watch else None
        observers = [Observer(i, each.node, self.board) for i, each in enumerate(self.nodes) if each.alive]
        for second in range(1, self.job.seconds + 1):
            self.world.run(1.0, each_event)
            changed = [observer.look() for observer in observers]
            anywhere = any(team.gather(any(changed)))
            if first:
                self.recorder.look(self.board, float(second))
            self._check(second, anywhere)
            if own_watch:
                own_watch.look(second)
            if each_second and first:
                each_second(second)
        self.recorder.close()
        outcome = self._outcome()
        outcome.regulation = watch.summary() if watch.nodes else None
        outcome.figures += own_watch.figures() if own_watch else []
        return outcome

    def close(self) -> None:
        """Delete the files of the nodes."""
        self.world.close()

    # ---- inside -------------------------------------------------------------------------------

    def _start_meters(self) -> None:
        rng = random.Random(f"{self.job.seed}/meters")
        for plan, node in zip(self.plans, self.nodes, strict=True):
            first_s = rng.uniform(0.0, self.job.kind.meter_s)
            if not node.alive:  # in another process
                continue
            reader = MeterReader(self.world, node, plan, self.job.kind.meter_s)
            self.world.after(first_s, reader.read, node.rank)
            for at_s, order in plan.orders:
                self.world.after(at_s, partial(_order, node, order), node.rank)

    def _check(self, second: int, changed: bool) -> None:
        """Check all invariants when due; less often while nothing changes."""
        if second % (self.check_s if changed else max(self.check_s, _CHECK_IDLE_S)):
            return
        self._checked += len(self.cast.names)
        team = self.world.team
        elsewhere: dict[Key, Promise] = {}
        if not team.alone:
            for promised in team.gather(promises_elsewhere(self.world)):
                elsewhere |= promised
        found = itertools.chain.from_iterable(team.gather(broken(self.world, elsewhere=elsewhere)))
        self._violations += [f"{second} s, seed {self.job.seed}: {line}" for line in found]

    def _outcome(self) -> Outcome:
        team = self.world.team
        nodes = [each.node for each in self.nodes if each.alive]
        twins = [twin for node in nodes for twin in node.prosumers]
        batteries = team.gather({twin.name: _books(twin) for twin in twins if twin.battery})
        counts = added(team.gather(self._counts(nodes)))
        settings = [twin for config in (each.config for each in self.nodes) for twin in config.twins]
        outcome = Outcome(
            **counts
            | {
                "checked": counts["checked"] + self._checked,
                "broken": counts["broken"] + len(self._violations),
                "violations": self._violations + counts["violations"],
            },
            job=self.job,
            recorder=self.recorder,
            policies=sorted({each.producer_policy for each in settings if each.supplies}),
            consumer_policies=sorted({each.consumer_policy for each in settings if each.consumes}),
            learning=scored(nodes) if self.job.learn else None,
            gossip=gossiped(nodes) if self.job.gossip else None,
            batteries={name: books for each in batteries for name, books in each.items()},
        )
        outcome.figures = self.job.kind.figures(self.job.setting(()), outcome, nodes)
        return outcome

    def _counts(self, nodes: list[Node]) -> Counts:
        """What the nodes of this process have counted."""
        twins = [twin for node in nodes for twin in node.prosumers]
        links = [stats for node in nodes for stats in node.links.stats()["neighbours"].values()]
        return Counts(
            contracts=sum(twin.validated for twin in twins),
            shed=sum(twin.supplier.shed for twin in twins),
            interrupted=sum(twin.supplier.interrupted for twin in twins),
            messages=sum(each["sent_frames"] for each in links),
            bytes=sum(each["sent_bytes"] for each in links),
            reactions=sum(node.engine.reactions for node in nodes),
            checked=sum(node.invariants_checked for node in nodes),
            broken=sum(node.invariants_broken for node in nodes),
            violations=[
                f"at the end, seed {self.job.seed}: {node.last_violation}"
                for node in nodes
                if node.last_violation
            ],
        )


def _limits(plans: list[BuildingPlan]) -> dict[str, dict[str, int]]:
    """The `[limits]` of each node, by the size of its microgrid."""
    part_of = parts({plan.name: plan.neighbours for plan in plans})
    twins: dict[int, list[int]] = {}
    for plan in plans:
        twins.setdefault(part_of[plan.name], []).append(len(plan.devices) + len(plan.extra))
    limits = {part: limits_for(counts) for part, counts in twins.items()}
    return {plan.name: limits[part_of[plan.name]] | plan.limits for plan in plans}


def _books(twin: ProsumerTwin) -> dict[str, float]:
    battery = twin.battery
    assert battery is not None
    level_wh = math.nan if battery.level_wh is None else battery.level_wh
    books = {"level_wh": level_wh, "taken_wh": battery.taken_wh, "given_wh": battery.given_wh}
    return books | {"bought_wh": twin.bought_wh} if isinstance(twin, StorageTwin) else books


def _order(node: WorldNode, order: dict[str, Any]) -> None:
    """The operator of the grid orders a limit."""

    def tell(node: Node) -> None:
        if node.regulator:
            node.regulator.tell(order, "operator")

    node.touch(tell)


class MeterReader:
    """Reads the meters of one node periodically, and that of its grid connection if it has one."""

    def __init__(self, world: World, node: WorldNode, plan: BuildingPlan, meter_s: float) -> None:
        self._world = world
        self._node = node
        self._meter_s = meter_s
        self._inputs = [f"m{i + 1}.total" for i in range(len(plan.devices))]
        self._devices = PhysicalDevices(world, node, plan)
        self._connection = (plan.regulator or {}).get("connection_input", "")

    def read(self) -> None:
        """Read all meters now, and schedule the next reading."""
        self._node.together(self._say)
        self._world.after(self._meter_s, self.read, self._node.rank)

    def _say(self) -> None:
        for name, power_w in zip(self._inputs, self._devices.powers_w(), strict=True):
            self._node.meters.say(name, None if math.isnan(power_w) else power_w)
        if self._connection:
            drawn_w, given_w = self._devices.sums_w()
            self._node.meters.say(self._connection, drawn_w - given_w)


class Observer:
    """Writes the state of one node's twins to the board when it may have changed."""

    def __init__(self, index: int, node: Node, board: Board) -> None:
        self._index = index
        self._node = node
        self._board = board
        self._twins = board.cast.slice_of(index)
        self._seen = (-1, -1)  # reactions of the node, changes of its twins
        self._node_of = {name: i for i, name in enumerate(board.cast.nodes)}
        self._prosumers = node.prosumers
        twins = list(enumerate(self._prosumers, self._twins.start))
        self._consumers = [(i, twin) for i, twin in twins if twin.settings.consumes]
        self._suppliers = [(i, twin) for i, twin in twins if twin.settings.supplies]

    def look(self) -> bool:
        """Update the board; returns whether anything may have changed."""
        news = self._node.engine.reactions, sum([twin.changes for twin in self._prosumers])
        if news == self._seen:
            return False
        self._seen = news
        self._look_at_consumers()
        for i, twin in self._suppliers:
            self._look_at_supplier(i, twin.supplier)
        return True

    def _look_at_consumers(self) -> None:
        board = self._board
        flow_w = board.flow_w[self._index]
        flow_w[:] = 0.0
        for i, twin in self._consumers:
            consumer = twin.consumer
            passes_on = twin.settings.kind == "holon"  # what others need, and is counted there
            board.need_w[i] = 0.0 if passes_on else max(0.0, consumer.need_w - twin.own_w)
            asked_s = None if passes_on else consumer.unserved_since_s
            board.asked_s[i] = math.nan if asked_s is None or not twin.unserved else asked_s
            board.response_s[i] = math.nan if passes_on else consumer.response_s
            board.unserved_w[i] = consumer.unserved_w
            board.validated[i] = twin.validated
            taken_w = 0.0
            for contract in consumer.active:
                for part in contract.parts:
                    taken_w += part.power_w
                    flow_w[self._node_of[part.supplier.partition(".")[0]]] += part.power_w
            board.taken_w[i] = taken_w

    def _look_at_supplier(self, i: int, supplier: Supplier) -> None:
        board, given_w, committed_w, reserved_w = self._board, 0.0, 0.0, 0.0
        for promise in supplier.book:
            reserved_w += promise.max_w
            if promise.state is not State.OFFERED:
                committed_w += promise.max_w
            if promise.state is State.VALID:
                given_w += promise.power_w
        board.capacity_w[i], board.given_w[i] = supplier.capacity_w, given_w
        board.reserved_w[i], board.committed_w[i] = reserved_w, committed_w
