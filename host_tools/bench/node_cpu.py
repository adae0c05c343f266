"""Processor time of one node among many, at rest and with ten twins that trade, and what that is on a Pi.

It is the time of a whole simulated microgrid, divided by its nodes: with the links and the clock of the
simulator, and without the threads, brokers, pages and files of the real service.
"""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from host_tools.reach import section
from host_tools.sim.job import Job
from host_tools.sim.topology import parse
from host_tools.sim.virtual import Simulation
from host_tools.world import World, WorldNode

from .sheet import Part, Sheet
from .simulation import NEAR, TWINS, VALUES

NODES = 4, 100
PI_FACTOR = 10.0  # so many times longer takes a core of a Pi 3: an estimate, not measured
_SETTLE_S, _SPAN_S = 90, 60  # by then all devices have started, and most requests are served
_METER_S = 1.0


def measure(nodes: int) -> dict[str, Any]:
    """The figures of one node among so many."""
    spec = f"random:{nodes}:3" if nodes > 4 else f"chain:{nodes}"
    reach = NEAR if nodes > 10 else ""
    figures = {"rest": _at_rest(spec, section(reach)), "trading": _trading(spec, reach)}
    return {name: _of_one(cpu_s, nodes) for name, cpu_s in figures.items()}


def _of_one(cpu_s: float, nodes: int) -> dict[str, float]:
    percent = 100 * cpu_s / (nodes * _SPAN_S)
    return {
        "cpu_s_per_hour": 36 * percent,
        "percent_of_a_core": percent,
        "percent_of_a_pi_core": PI_FACTOR * percent,
    }


def _at_rest(spec: str, reach: Mapping[str, int]) -> float:
    """Processor time in s while no device draws or gives anything; each meter is read once a second."""
    world = World(1)
    world.reach = reach
    links = parse(spec)
    kinds = ["pv" if i % 5 in (0, 2) else "load" for i in range(TWINS)]
    for name, neighbours in links.items():
        twins = [
            {"name": f"t{i}", "kind": kind, "input": f"m{i}.total", "power_w": 100.0}
            for i, kind in enumerate(kinds)
        ]
        size = len(links) * (TWINS + 4) + 32
        world.add(name, neighbours, twins, nodes=len(links) + 8, lsas=size if not reach else size // 4 + 64)
    try:
        world.boot()
        _read(world)
        world.run(_SETTLE_S)
        began_s = time.process_time()
        world.run(_SPAN_S)
        return time.process_time() - began_s
    finally:
        world.close()


def _read(world: World) -> None:
    for node in world.nodes.values():
        node.together(partial(_say_zero, node))
    world.after(_METER_S, partial(_read, world))


def _say_zero(node: WorldNode) -> None:
    for i in range(TWINS):
        node.meters.say(f"m{i}.total", 0.0)


def _trading(spec: str, reach: str) -> float:
    """Processor time in s of the scenario `random`, once all devices have started."""
    hours = (_SETTLE_S + _SPAN_S) / 3600
    simulation = Simulation(Job("random", nodes=spec, hours=hours, values=VALUES, reach=reach))
    times_s: list[float] = []

    def passed(second: int) -> None:
        if second in (_SETTLE_S, _SETTLE_S + _SPAN_S):
            times_s.append(time.process_time())

    try:
        simulation.run(passed)
    finally:
        simulation.close()
    return times_s[1] - times_s[0]


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        f"processor time of a node with {TWINS} twins, simulated; a Pi 3 is taken to be "
        f"{PI_FACTOR:g} times slower",
        ("nodes", "what it does", "s per hour", "% of a core here", "% of a core of a Pi 3"),
        [
            (nodes, what, *(f"{value:,.2f}" for value in row.values()))
            for nodes, rows in found.items()
            for what, row in rows.items()
        ],
    )


PART = Part("node_cpu", lambda folder: {str(nodes): measure(nodes) for nodes in NODES}, _sheets)
