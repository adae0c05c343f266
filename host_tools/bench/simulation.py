"""The speed of the simulator: simulated seconds per second, by number of nodes, in one process and in two."""

import time
from collections.abc import Iterator
from typing import Any

from host_tools.sim.job import Job
from host_tools.sim.virtual import Simulation

from .sheet import Part, Sheet

TWINS = 10  # per node
PROCESSES = 2
NEAR = "1:1"  # how far requests and heartbeats go at first
_RUNS = (  # topology, reach, simulated time in s
    ("chain:4", "", 300),
    ("grid:4x5", "", 60),
    ("grid:4x5", NEAR, 60),
    ("random:100:3", NEAR, 60),
)
VALUES = {"twins": TWINS, "scarcity": 0.8, "fill_min": 1.0}  # all devices start within the first minute


def measure() -> dict[str, Any]:
    """The figures `sim`."""
    return dict(_run(*each) for each in _RUNS)


def _run(nodes: str, reach: str, seconds: int) -> tuple[str, dict[str, float]]:
    began_s = time.process_time()
    simulation, wall_s = _timed(nodes, reach, seconds, 1)
    cpu_s = time.process_time() - began_s
    _, together_s = _timed(nodes, reach, seconds, PROCESSES)
    return f"{len(simulation.nodes)}{', near' if reach else ''}", {
        "sim_s": seconds,
        "wall_s": wall_s,
        "cpu_s": cpu_s,  # with the start of all nodes
        "sim_s_per_s": seconds / wall_s,
        "events_per_s": simulation.world.events / wall_s,
        "together_wall_s": together_s,
        "together_sim_s_per_s": seconds / together_s,
    }


def _timed(nodes: str, reach: str, seconds: int, processes: int) -> tuple[Simulation, float]:
    job = Job("random", nodes=nodes, hours=seconds / 3600, values=VALUES, reach=reach, processes=processes)
    simulation = Simulation(job)
    try:
        return simulation, simulation.run().wall_s
    finally:
        simulation.close()


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    rows = []
    for nodes, row in found.items():
        speeds = (row["sim_s_per_s"], row["together_sim_s_per_s"], row["sim_s"] / row["cpu_s"])
        shown = (f"{each:,.2f}" for each in speeds)
        rows.append((nodes, str(row["sim_s"]), *shown, f"{row['events_per_s']:,.0f}"))
    yield Sheet(
        f"simulator with {TWINS} twins per node: simulated s per second",
        (
            "nodes",
            "simulated s",
            "one process",
            f"{PROCESSES} processes",
            "simulated s per s of processor time, one process",
            "events per second, one process",
        ),
        rows,
    )


PART = Part("sim", lambda folder: measure(), _sheets)
