"""Microgrids as prosumers of a parent microgrid (thesis 8.2.1): two or three levels, each with gates.

The members are those of `random`. `uneven` moves production from every second holon to the others, so what
is missing here is there: with 1 all of it. Parents of three levels are called p1, p2 and so on, the holons of
each are h1, h2 and so on, and their nodes n1, n2 and so on; the first of them are the gates.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from host_tools.microgrid.plan import DOWN, UP, BuildingPlan, DevicePlan, PowerAt, gate_twin
from host_tools.sim import topology
from host_tools.sim.scenario import Gates, Parameter, Scenario, ScenarioError, Setting
from host_tools.world import World

from . import random_twins
from .holon_watch import HolonWatch

_MEMBER_W = 10_000_000  # a gate asks for many
_TOP = "g"


def build(setting: Setting) -> list[BuildingPlan]:
    """The members of all holons, then the nodes of gates in the parents, from the bottom to the top."""
    values = setting.values
    holons = _holons(setting)
    if values["gates"] > values["members"]:
        raise ScenarioError(f"gates = {values['gates']}: must not exceed members = {values['members']}")
    names = tuple(f"{holon}-n{i + 1}" for holon in holons for i in range(values["members"]))
    kept = {key: values[key] for key in random_twins.PARAMETERS}
    plans = {plan.name: plan for plan in random_twins.build(replace(setting, nodes=names, values=kept))}
    for i, holon in enumerate(holons):
        factor = 1.0 + values["uneven"] * (1 if i % 2 else -1)
        own = [plan for name, plan in plans.items() if _holon_of(name) == holon]
        for plan in own:
            plan.devices = [_scaled(each, factor) if each.kind == "pv" else each for each in plan.devices]
        _connect(own, values["degree"], f"{setting.seed}/{holon}")
    parents: dict[str, list[BuildingPlan]] = {}
    for order in gates(setting):
        for inside, outside in order:
            own_node, parent_node = (twin.partition(".")[0] for twin in (inside, outside))
            if parent_node not in plans:
                plan = plans[parent_node] = BuildingPlan(parent_node, [])
                parents.setdefault(_holon_of(parent_node), []).append(plan)
            plans[own_node].extra.append(gate_twin(UP))
            plans[parent_node].extra.append(gate_twin(DOWN))
    for parent, own in parents.items():
        _connect(own, values["degree"], f"{setting.seed}/{parent}")
    for plan in plans.values():
        plan.limits = {"member_w": _MEMBER_W}
    return list(plans.values())


def gates(setting: Setting) -> Gates:
    """Those of each holon, the lower levels first."""
    values = setting.values
    count, found = values["gates"], []
    for holon in _holons(setting):
        parent, _, child = holon.rpartition("-")
        pairs = [(f"{holon}-n{i + 1}", f"{parent or _TOP}-{child}g{i + 1}") for i in range(count)]
        found.append([(f"{inside}.{UP}", f"{outside}.{DOWN}") for inside, outside in pairs])
    for p in range(values["parents"] if values["parents"] > 1 else 0):
        pairs = [(f"p{p + 1}-h1g{i + 1}", f"{_TOP}-p{p + 1}g{i + 1}") for i in range(count)]
        found.append([(f"{inside}.{UP}", f"{outside}.{DOWN}") for inside, outside in pairs])
    return found


def watch(world: World, setting: Setting) -> HolonWatch:
    """Of one area."""
    return HolonWatch(world, setting, gates(setting)[0][0][0])


def _holons(setting: Setting) -> list[str]:
    """The names of the lowest microgrids."""
    parents, holons = setting.values["parents"], setting.values["holons"]
    if parents == 1:
        return [f"h{i + 1}" for i in range(holons)]
    return [f"p{p + 1}-h{i + 1}" for p, i in product(range(parents), range(holons))]


def _holon_of(node: str) -> str:
    return node.rpartition("-")[0]


def _scaled(device: DevicePlan, factor: float) -> DevicePlan:
    return replace(device, power_w=_times(device.power_w, factor))


def _times(power_w: PowerAt, factor: float) -> PowerAt:
    return lambda elapsed_s: factor * power_w(elapsed_s)


def _connect(plans: Sequence[BuildingPlan], degree: int, seed: str) -> None:
    """A random tree and more links, up to that mean degree; with fewer nodes, all to all."""
    count = len(plans)
    if count < 2:
        return
    links = topology.parse(f"random:{count}:{degree}", random.Random(seed).getrandbits(32), capped=True)
    names = dict(zip(links, [plan.name for plan in plans], strict=True))
    for plan, neighbours in zip(plans, links.values(), strict=True):
        plan.neighbours = [names[each] for each in neighbours]


SCENARIO = Scenario(
    name="holons",
    title="microgrids as prosumers of a parent microgrid, with gates",
    hours=1 / 20,
    nodes="data",
    meter_s=1.0,
    parameters=(
        Parameter("holons", 4, 1, 64, "microgrids below each parent"),
        Parameter("members", 6, 1, 64, "nodes of each of them"),
        Parameter("parents", 1, 1, 64, "parent microgrids; with more than one, three levels"),
        Parameter("gates", 2, 1, 8, "gates of each holon"),
        Parameter("degree", 3, 1, 63, "mean number of neighbours, at most all others"),
        Parameter("uneven", 0.0, 0.0, 1.0, "share of the production that is in the other holons"),
        Parameter("kill_s", 0.0, 0.0, 1e6, "when the first gate of the first holon fails, s; 0: never"),
        *(
            replace(each, default=6) if each.name == "twins" else each
            for each in random_twins.SCENARIO.parameters
        ),
    ),
    build=build,
    watch=watch,
    gates=gates,
    gathers=True,
)
