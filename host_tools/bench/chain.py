"""Contract latency, traffic, CPU and memory of real nodes with real MQTT brokers and serial meters."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.microgrid.launch import Building, Microgrid, Pace
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, connect_chain

from . import java
from .sheet import Part, Sheet

_NAMES = ("n1", "n2", "n3", "n4")
_PRODUCER_W = 40.0
_SERVED_WITHIN_S = 60.0
_SETTLE_S = 12.0
_IDLE_S = 20.0
_LIMITS = {"lsas": 256, "properties": 1024}


class Switch:
    """Switches on all consumers of a benchmark at once."""

    def __init__(self, on: bool = False) -> None:
        self.on = on

    def power(self, power_w: float) -> Callable[[float], float]:
        """The power of a consumer that follows the switch."""
        return lambda elapsed_s: power_w if self.on else 0.0


@dataclass(frozen=True)
class Load:
    """The number of producers and consumers of each node."""

    producers: tuple[int, ...]
    consumers: tuple[int, ...]
    consumer_w: float = 30.0

    def plans(self, switch: Switch) -> list[BuildingPlan]:
        """The buildings. Producers give 40 W each; consumers draw 30 W and slightly more, all different."""
        plans = [
            BuildingPlan(
                name,
                [
                    DevicePlan(f"c{i}", "load", switch.power(self.consumer_w + 0.1 * i))
                    for i in range(consumers)
                ],
                [{"name": f"p{i}", "kind": "pv", "power_w": _PRODUCER_W} for i in range(producers)],
            )
            for name, producers, consumers in zip(_NAMES, self.producers, self.consumers, strict=False)
        ]
        connect_chain(plans)
        return plans


def even(prosumers: int, nodes: int = 4) -> Load:
    """Half producers and half consumers on every node."""
    return Load((prosumers // 2,) * nodes, (prosumers // 2,) * nodes)


def latency(load: Load, directory: Path) -> dict[str, Any]:
    """Switch on all consumers and wait until each holds a valid contract."""
    switch = Switch()
    with Microgrid(load.plans(switch), directory, Pace(power_period_s=1.0), _LIMITS) as microgrid:
        _wait_for_links(microgrid)
        time.sleep(3.0)
        switch.on = True
        asked = sum(load.consumers)
        deadline_s = time.monotonic() + _SERVED_WITHIN_S
        while time.monotonic() < deadline_s:
            time.sleep(1.0)
            twins = {building.name: building.ask("/twins") for building in microgrid.buildings}
            served = [twin for row in twins.values() for twin in row if twin["satisfied"]]
            if len(served) == asked:
                break
        by_hops = _by_hops(microgrid, twins)
    times = [twin["response_s"] for twin in served]
    return {"asked": asked, "served": len(served), "latency_s": spread(times), "by_hops": by_hops}


def idle(load: Load, directory: Path) -> dict[str, Any]:
    """Traffic, CPU share and memory while nothing changes; meters are read every 10 s."""
    with Microgrid(load.plans(Switch(on=True)), directory, Pace(), _LIMITS) as microgrid:
        _wait_for_links(microgrid)
        time.sleep(_SETTLE_S)
        before = [_usage(building) for building in microgrid.buildings]
        began_s = time.monotonic()
        time.sleep(_IDLE_S)
        after = [_usage(building) for building in microgrid.buildings]
        seconds = time.monotonic() - began_s
        figures: dict[str, Any] = {"rss_mb": {}, "hwm_mb": {}, "cpu_percent": {}, "bytes_per_s": {}}
        for building, old, new in zip(microgrid.buildings, before, after, strict=True):
            figures["rss_mb"][building.name] = new["rss_mb"]
            figures["hwm_mb"][building.name] = new["hwm_mb"]
            figures["cpu_percent"][building.name] = round(100 * (new["cpu_s"] - old["cpu_s"]) / seconds, 2)
            figures["bytes_per_s"][building.name] = round((new["bytes"] - old["bytes"]) / seconds, 1)
        return figures


def spread(times: list[float]) -> dict[str, float]:
    """Median, 90th and 95th percentile, maximum; empty without times."""
    if not times:
        return {}
    times = sorted(times)

    def at(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))]

    return {"median": statistics.median(times), "p90": at(0.9), "p95": at(0.95), "max": times[-1]}


def _wait_for_links(microgrid: Microgrid) -> None:
    deadline_s = time.monotonic() + 30.0
    while time.monotonic() < deadline_s:
        nodes = [building.ask("/node") for building in microgrid.buildings]
        if all(len(node["distances"]) == len(nodes) for node in nodes):
            return
        time.sleep(0.2)
    raise RuntimeError("the nodes do not see each other")


def _by_hops(microgrid: Microgrid, twins: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Response times by the distance of the farthest supplier."""
    times: dict[int, list[float]] = {}
    for building in microgrid.buildings:
        responses = {twin["name"]: twin["response_s"] for twin in twins[building.name]}
        distances = building.ask("/node")["distances"]
        for contract in building.ask("/contracts")["consumed"]:
            response_s = responses.get(contract["consumer"])
            if contract["valid"] and response_s is not None:
                hops = max(distances.get(part["supplier"].partition(".")[0], 0) for part in contract["parts"])
                times.setdefault(hops, []).append(response_s)
    return {str(hops): spread(each) for hops, each in sorted(times.items())}


def _usage(building: Building) -> dict[str, float]:
    health = building.ask("/health")
    sent = sum(each["sent_bytes"] for each in health["links"]["neighbours"].values())
    assert building.process is not None
    fields = Path(f"/proc/{building.process.pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return {"rss_mb": health["rss_mb"], "hwm_mb": health["hwm_mb"], "cpu_s": cpu_s, "bytes": sent}


def _chain(folder: Path) -> dict[str, Any]:
    found = {}
    for prosumers in (0, *java.CHAIN_S):
        load = even(prosumers)
        result = latency(load, folder) if prosumers else {}
        found[str(prosumers)] = result | {"idle": idle(load, folder)}
    return found


def _one_node_sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        "contract latency, one node, 40 prosumers",
        ("median / p90 / max s", "served", "Java"),
        [(_shown(found["40"]["latency_s"]), _served(found["40"]), java.ONE_NODE_S[40])],
    )


def _chain_sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        "four nodes in a chain over MQTT",
        ("prosumers per node", "latency: median / p90 / max s", "served", "Java"),
        [
            (each, _shown(result["latency_s"]), _served(result), java.CHAIN_S[int(each)])
            for each, result in found.items()
            if "latency_s" in result
        ],
    )
    rows = []
    for each, result in found.items():
        figures, prosumers = result["idle"], int(each)
        rows.append(
            (
                each,
                f"{max(figures['rss_mb'].values()):.1f}",
                java.RSS_MB[prosumers],
                f"{max(figures['bytes_per_s'].values()):.0f}",
                java.BYTES_PER_S[prosumers],
                f"{max(figures['cpu_percent'].values()):.1f}",
                java.CPU_PERCENT[prosumers],
            )
        )
    yield Sheet(
        "the same chain while idle (largest value of the four nodes)",
        ("prosumers per node", "RSS MB", "Java", "B/s sent", "Java", "CPU %", "Java"),
        rows,
    )


def _hops_sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        f"producers on the first node only ({_served(found)} served)",
        ("hops", "median / p90 / max s", "Java s"),
        [(hops, _shown(times), java.HOPS_S[int(hops)]) for hops, times in found["by_hops"].items()],
    )


def _shown(times: dict[str, float]) -> str:
    return f"{times['median']:.3f} / {times['p90']:.3f} / {times['max']:.3f}" if times else "-"


def _served(result: dict[str, Any]) -> str:
    return f"{result['served']}/{result['asked']}"


ONE_NODE = Part("one_node", lambda folder: {"40": latency(even(40, nodes=1), folder)}, _one_node_sheets)
CHAIN = Part("chain", _chain, _chain_sheets)
HOPS = Part("hops", lambda folder: latency(Load((12, 0, 0, 0), (3, 3, 3, 3)), folder), _hops_sheets)
