"""The speed of the simulator: simulated seconds per second, by the number of nodes."""

from typing import Any

from host_tools.sim.job import Job
from host_tools.sim.virtual import Simulation

_TWINS = 10  # per node
_SPANS_S = {"chain:4": 300, "grid:4x5": 60, "random:100:3": 15}  # simulated time by topology
_VALUES = {"twins": _TWINS, "scarcity": 0.8, "fill_min": 1.0}  # all devices start within the first minute


def measure() -> dict[str, Any]:
    """The figures `sim`."""
    return dict(_run(nodes, seconds) for nodes, seconds in _SPANS_S.items())


def _run(nodes: str, seconds: int) -> tuple[str, dict[str, float]]:
    simulation = Simulation(Job("random", nodes=nodes, hours=seconds / 3600, values=_VALUES))
    try:
        wall_s = simulation.run().wall_s
    finally:
        simulation.close()
    return str(len(simulation.nodes)), {
        "sim_s": seconds,
        "wall_s": wall_s,
        "sim_s_per_s": seconds / wall_s,
        "events_per_s": simulation.world.events / wall_s,
    }
