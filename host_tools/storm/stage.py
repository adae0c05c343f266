"""The microgrid of a storm in a virtual world, and the effect of each kind of fault."""

import random
from typing import Any

from edge.state import SLOTS, read_slot
from host_tools.world import LinkQuality

from ..reach import section
from ..world import World, WorldNode
from .books import Books
from .liar import Liar, Lie
from .limit_watch import LimitWatch
from .past import remember
from .plan import LIE, LIMIT, Fault, Storm
from .premises import Premises
from .tally import Tally

LATENCY_S = 0.02
BEGIN_S = 80_000.0  # time of day (UTC), 22:13:20: daily runs and the gate of the market fall into the storm
_READ_EVERY_S = 2.0
_OWN = ("regulator", "community")  # sections that are handed over by themselves
_GOOD = LinkQuality(latency_s=LATENCY_S)


class Stage:
    """The virtual world in which a storm is played."""

    def __init__(self, storm: Storm) -> None:
        self.world = World(storm.seed, LATENCY_S)
        self.world.clock.wall_offset_s += BEGIN_S
        self.world.reach = section(storm.reach)
        self._rng = random.Random(storm.seed)
        self.premises: dict[str, Premises] = {}
        self.died_s: dict[str, float] = {}  # since when each node is off
        self.liar = Liar(self.world, storm.liar, random.Random(storm.seed)) if storm.liar else None
        self._leaves = storm.leaves
        traders = [building.name for building in storm.buildings if "trader" in building.sections]
        for building in storm.buildings:
            regulator, community = map(building.sections.get, _OWN)
            node = self.world.add(
                building.name,
                building.neighbours,
                building.twins,
                regulator=regulator,
                community=community,
                sections={name: each for name, each in building.sections.items() if name not in _OWN},
            )
            self.premises[building.name] = Premises(node, building.powers_w)
            if building.name in traders:
                remember(self.world, node, traders.index(building.name))
        for gates in storm.gates:
            self.world.join(gates)
        self.tally = Tally(self.world, storm)
        self.books = Books(self.world, storm.liar)
        self.limits = LimitWatch(each for name, each in self.premises.items() if name != storm.liar)
        self._links = [(each.name, peer) for each in storm.buildings for peer in each.neighbours]
        self.world.boot()
        for node in self.world.nodes.values():
            self._read_later(node, self._rng.uniform(0.0, 1.0))

    def strike(self, fault: Fault) -> None:
        """Apply a fault; ignored if a reduced storm lacks its node, link or meter."""
        match fault.kind, fault.arguments:
            case "quality", (str(a), str(b), *numbers) if (a, b) in self._links:
                loss, duplicate, corrupt, delay, max_delay_s = map(float, numbers)
                quality = LinkQuality(LATENCY_S, loss, duplicate, corrupt, delay, max_delay_s)
                self.world.network.set_quality(a, b, quality)
            case "cut", (str(a), str(b)) if (a, b) in self._links:
                self.world.network.cut(a, b)
            case "heal", (str(a), str(b)) if (a, b) in self._links:
                self.world.network.heal(a, b)
            case "partition", names:
                for a, b in self._links:
                    if (a in names) != (b in names):
                        self.world.network.cut(a, b)
            case "mend", ():
                self._mend()
            case kind, words if kind == LIE:
                if self.liar:
                    self.liar.lie(Lie.of(words))
            case _, (str(name), *_) if name in self.world.nodes:
                self._strike_node(self.world.nodes[name], fault)

    def heal(self) -> None:
        """Repair all links, meters and nodes, and end all lies."""
        if self.liar:
            self.liar.stop(leaves=self._leaves)
        self._mend()
        for a, b in self._links:
            self.world.network.set_quality(a, b, _GOOD)
        for premises in self.premises.values():
            premises.mend()
        for node in self.world.nodes.values():
            node.clock.wall_error_s = 0.0  # keys have dates: a node with a wrong one believes nobody
            if node.name in self.died_s:
                self._start(node)

    def measure(self) -> None:
        """Read the counters of all nodes."""
        for node in self.world.nodes.values():
            if node.alive:
                neighbours = node.node.links.stats()["neighbours"].values()
                self.tally.work_of(node).sent_bytes = sum(each["sent_bytes"] for each in neighbours)

    def _strike_node(self, node: WorldNode, fault: Fault) -> None:
        match fault.kind, fault.arguments:
            case "kill" | "stop", (_, str(disk), float(off_s)) if node.alive:
                (node.stop if fault.kind == "stop" else node.kill)()
                self.died_s[node.name] = self.world.clock.now_s()
                _treat_disk(node, disk)
                self.world.after(off_s, lambda: self._start(node))
            case "drift", (_, float(rate)):
                node.clock.run_at(rate)
            case "wall", (_, float(step_s)):
                node.clock.wall_error_s += step_s
            case kind, (_, str(direction), float(power_w), float(lasts_s)) if kind == LIMIT:
                _order(node, {"direction": direction, "power_w": power_w, "lasts_s": lasts_s})
            case "power", (_, str(device), float(power_w)) if device in self.premises[node.name].powers_w:
                self.premises[node.name].powers_w[device] = power_w
                self.premises[node.name].read()
            case "meter", (_, str(device), str(how), float(seconds)):
                self.premises[node.name].fail(device, how, self.world.clock.now_s() + seconds)

    def _start(self, node: WorldNode) -> None:
        if not node.alive:
            node.clock.restart(self._rng.uniform(0.0, 30.0))  # the machine was off
            del self.died_s[node.name]
            node.boot()
            self.premises[node.name].booted()

    def _mend(self) -> None:
        for a, b in self._links:
            self.world.network.heal(a, b)

    # ---- meters -------------------------------------------------------------------------------

    def _read_later(self, node: WorldNode, delay_s: float) -> None:
        def read_all() -> None:
            if not node.alive and node.name not in self.died_s:
                return  # it has left
            self.premises[node.name].read()
            self._read_later(node, _READ_EVERY_S)

        self.world.after(delay_s, read_all)


def _order(node: WorldNode, order: dict[str, Any]) -> None:
    """The operator of the grid orders a limit, if the node has somebody who obeys."""
    node.touch(lambda each: each.regulator.tell(order, "storm") if each.regulator else None)


def _treat_disk(node: WorldNode, how: str) -> None:
    """Lost: the files are deleted. Spoiled: the file written last is truncated."""
    files = [file for name in SLOTS if (file := node.config.state_dir / name).exists()]
    if how == "lost":
        for file in files:
            file.unlink()
    elif how == "spoiled" and files:
        last = max(files, key=lambda file: (read_slot(file.read_bytes()) or {"number": 0})["number"])
        data = last.read_bytes()
        last.write_bytes(data[: len(data) // 2])
