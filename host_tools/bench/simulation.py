"""The speed of the simulator: simulated seconds per second, by number of nodes, in one process and in two."""

from typing import Any

from host_tools.sim.job import Job
from host_tools.sim.virtual import Simulation

TWINS = 10  # per node
PROCESSES = 2
_SPANS_S = {"chain:4": 300, "grid:4x5": 60, "random:100:3": 15}  # simulated time by topology
_VALUES = {"twins": TWINS, "scarcity": 0.8, "fill_min": 1.0}  # all devices start within the first minute


def measure() -> dict[str, Any]:
    """The figures `sim`."""
    return dict(_run(nodes, seconds) for nodes, seconds in _SPANS_S.items())


def _run(nodes: str, seconds: int) -> tuple[str, dict[str, float]]:
    simulation, wall_s = _timed(nodes, seconds, 1)
    _, together_s = _timed(nodes, seconds, PROCESSES)
    return str(len(simulation.nodes)), {
        "sim_s": seconds,
        "wall_s": wall_s,
        "sim_s_per_s": seconds / wall_s,
        "events_per_s": simulation.world.events / wall_s,
        "together_wall_s": together_s,
        "together_sim_s_per_s": seconds / together_s,
    }


def _timed(nodes: str, seconds: int, processes: int) -> tuple[Simulation, float]:
    job = Job("random", nodes=nodes, hours=seconds / 3600, values=_VALUES, processes=processes)
    simulation = Simulation(job)
    try:
        return simulation, simulation.run().wall_s
    finally:
        simulation.close()
