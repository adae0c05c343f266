"""How much a node writes in a day: bytes that the history hands to the file system, and what reaches a card.

One node with swinging loads, photovoltaics and a connection to the grid, a model for both scopes, and records
of three phases of every meter runs for a day under the virtual clock; what was noted is written when a node
would write it, at the end of a minute. The card is ext4 with the options of a board, where it can be mounted:
it gets whole blocks of 4 kB, the saves of the state, the checkpoints of the log, and each hour what the
kernel kept back. What is learnt is saved once in that day, as large as the largest seen.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.config.settings import HistorySettings

from ..world import World
from ..world.node import WorldNode
from .card import Card, mounted
from .sheet import Part, Sheet

MOST_MB_A_DAY = 20.0
TWINS = (4, 20)
_HOURS = 24.0  # with several checkpoints of the log
_SYNC_MIN = 60  # vm.dirty_expire_centisecs of a board
_FIRST_MIN = 15  # until it is at work, and the first write
_LEARNT_MIN, _LEARNT_BYTES = 720, 550_000  # when both scopes are saved; the living lab has 0.66 MB, packed
_READ_S = 10.0
NOISE = {
    "at rest": 0.0,
    "calm": 0.005,
    "restless": 0.02,
}  # of a power, from one reading to the next; 1 % changes a contract
_SWITCHED_S = 900.0  # on average, until a device is switched
_POWERS_W = (0.0, 80.0, 300.0, 1500.0)
_RECORD = {"voltage_v": 230.0, "current_a": 2.0, "power_w": 460.0, "power_factor": 0.97}
_PHASES = {f"{phase}.{name}": value for phase in ("l1", "l2", "l3") for name, value in _RECORD.items()}


def measure(twins: int, noise: float, card: Card | None = None, hours: float = _HOURS) -> dict[str, float]:
    """MB a day of the history and to the card, the largest write in kB, events a day, growth of the file."""
    world, rng = World(seed=2, folder=card.folder if card else None), random.Random(3)
    try:
        node = _build(world, twins)
        base_w: dict[str, float] = {}
        for _ in range(_FIRST_MIN):
            _minute(world, node, base_w, rng, noise)
        if card:
            card.sync()
        history, before = node.node.history, card.written if card else 0
        events, size = history.latest(0)[0], history.path.stat().st_size
        written = []
        for minute in range(1, round(60 * hours) + 1):
            if minute == _LEARNT_MIN:
                for scope in ("node", "cluster"):
                    history.keep(f"{scope}/learnt", rng.randbytes(_LEARNT_BYTES))
            written.append(_minute(world, node, base_w, rng, noise))
            if card and minute % _SYNC_MIN == 0:
                card.sync()
        days = hours / 24
        return {
            "mb_a_day": sum(written) / days / 1e6,
            "card_mb_a_day": (card.written - before) / days / 1e6 if card else math.nan,
            "largest_kb": max(written) / 1e3,
            "events_a_day": (history.latest(0)[0] - events) / days,
            "grows_mb_a_day": (history.path.stat().st_size - size) / days / 1e6,
        }
    finally:
        world.close()


def _build(world: World, twins: int) -> WorldNode:
    world.write_min = HistorySettings().write_min
    tables: list[dict[str, Any]] = [{"name": "grid", "kind": "grid", "capacity_w": 30_000.0}]
    for number in range(1, twins):
        kind = "pv" if number % 4 == 1 else "load"
        tables.append({"name": f"{kind}_device_{number}", "kind": kind, "input": f"m{number}.total"})
    world.add("school", [], tables, {"node_model": "markov", "cluster_model": "markov"})
    world.boot()
    return world.nodes["school"]


def _minute(world: World, node: WorldNode, base_w: dict[str, float], rng: random.Random, noise: float) -> int:
    """Play a minute, and write at its end if a write is due, as the thread of a node does; returns the
    bytes."""
    history: Any = node.node.history
    history.write = lambda: True  # the world would write at every note
    inputs = sorted({name for twin in node.node.prosumers for name in twin.inputs})
    for _ in range(round(60 / _READ_S)):
        for name in inputs:
            if name not in base_w or rng.random() < _READ_S / _SWITCHED_S:
                base_w[name] = rng.choice(_POWERS_W)
            power_w = round(base_w[name] * rng.uniform(1 - noise, 1 + noise), 1)
            node.meters.say(name, power_w, _PHASES)
        world.run(_READ_S)
    del history.write
    if not history.news.is_set():
        return 0
    before = _written()
    if not history.write():
        raise RuntimeError("the history cannot be written")
    return _written() - before


def _written() -> int:
    """Bytes that this process has written so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))


def _all(folder: Path) -> dict[str, Any]:
    with mounted() as card:
        return {
            f"{twins}, {load}": measure(twins, noise, card)
            for load, noise in NOISE.items()
            for twins in TWINS
        }


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    rows, below = [], list[str]()
    for twins, row in found.items():
        sizes = f"{row['largest_kb']:.0f}", f"{row['events_a_day']:,.0f}"
        a_day = [f"{row[name]:.1f}" for name in ("mb_a_day", "card_mb_a_day", "grows_mb_a_day")]
        rows.append((twins, *a_day[:2], *sizes, a_day[2]))
        if math.isnan(row["card_mb_a_day"]) and not below:
            below.append("no card can be mounted here (root, loop device, e2fsprogs): it is not measured")
    yield Sheet(
        f"written by a learning node (at most {MOST_MB_A_DAY:g} MB a day)",
        (
            "twins, load",
            "history, MB a day",
            "to a card, MB a day",
            "largest write, kB",
            "events a day",
            "the file grows, MB a day",
        ),
        rows,
        tuple(below),
    )


PART = Part("wear", _all, _sheets)
