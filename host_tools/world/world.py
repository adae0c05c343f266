"""A whole microgrid in one process under a virtual clock.

Events run in order of time. Where times are equal, what arrives comes before what happens inside nodes; then
they are ordered by the node that submitted them, and in its order of submission: so the same seed gives the
same run, in one process or in several (`areas.py`).
"""

import heapq
import math
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from edge.clock import Clock
from edge.net.links import Links
from edge.trust.trust import Trust
from edge.twins.holon import Gate

from .areas import Passing, Team
from .clock import VirtualClock
from .gates import join_nodes
from .links import LinkQuality, MemoryNetwork
from .node import WorldNode

_WORLD = -1  # the rank of events that no node submitted
_INSIDE = 1 << 20  # that of events inside a node begins here: what arrives at the same time comes first
_RAM = Path("/dev/shm")  # nodes sync their state to disk every few seconds; a simulated day would take hours


class World:
    """Nodes, links and time of one microgrid."""

    def __init__(self, seed: int, latency_s: float = 0.02, folder: Path | None = None) -> None:
        """`folder`: for the files of the nodes, in place of memory."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.network = MemoryNetwork(
            self.after, random.Random(self.rng.getrandbits(64)), quality=LinkQuality(latency_s=latency_s)
        )
        self.timezone = "UTC"  # of nodes that are added
        self.write_min = 1  # minutes of the history that they write at once: it can be read at any moment
        self.reach: Mapping[str, int] = {}  # the section `[reach]`, likewise
        self.trust: Callable[[str, Clock], Trust] = lambda name, clock: Trust()  # of a node that boots
        self.links: Callable[[str, list[str]], Links] = self.network.links  # of a node that boots
        self.nodes: dict[str, WorldNode] = {}
        self.events = 0
        self.acted = 0  # how often twins may have changed: beats and readings, not frames that arrive
        self.team = Team()  # the processes that run this world together
        self._ahead_s = 0.0  # so far each of them may run ahead
        self._queue: list[tuple[float, int, int, Callable[[], None]]] = []
        folder = folder or (_RAM if _RAM.is_dir() else None)
        self._folder = tempfile.TemporaryDirectory(prefix="world-", dir=folder)

    def add(
        self,
        name: str,
        neighbours: Iterable[str],
        twins: Iterable[Mapping[str, Any]],
        learning: Mapping[str, Any] | None = None,
        meters: Iterable[Mapping[str, Any]] = (),
        gossip: Mapping[str, Any] | None = None,
        regulator: Mapping[str, Any] | None = None,
        community: Mapping[str, Any] | None = None,
        sections: Mapping[str, Mapping[str, Any]] | None = None,
        **limits: int,
    ) -> WorldNode:
        """Add a node with these `[[twin]]` tables, and `[[meter]]` tables on the bus "bus".

        Without `meters` they are made up for the inputs of the twins, such as `m.total`; relays for their
        names. `sections`: further ones of the configuration.
        """
        twins = [dict(twin) for twin in twins]
        inputs = [twin[key] for twin in twins for key in ("input", "production_input") if twin.get(key)]
        inputs += [value for key, value in (regulator or {}).items() if key.endswith("_input")]
        tables = [dict(meter) for meter in meters] or [
            {"name": meter, "bus": "bus", "address": i + 1, "profile": "sdm120"}
            for i, meter in enumerate(sorted({each.partition(".")[0] for each in inputs}))
        ]
        relays = sorted({twin["relay"] for twin in twins if twin.get("relay")})
        raw = {
            "node": {
                "name": name,
                "state_dir": str(Path(self._folder.name) / name),
                "timezone": self.timezone,
            },
            "limits": limits,
            "history": {"write_min": self.write_min},
            "reach": dict(self.reach),
            "learning": dict(learning or {}),
            "gossip": dict(gossip or {}),
            **({"community": dict(community)} if community else {}),
            "neighbour": [{"name": each, "host": "virtual"} for each in neighbours],
            "bus": [{"name": "bus", "port": "virtual", "baud": 9600, "parity": "N"}]
            if tables or relays
            else [],
            "meter": tables,
            "relay": [
                {"name": relay, "bus": "bus", "address": 200, "coil": i} for i, relay in enumerate(relays)
            ],
            "twin": twins,
        } | ({} if regulator is None else {"regulator": dict(regulator)})
        raw |= {name: dict(section) for name, section in (sections or {}).items()}
        self.network.ranks[name] = len(self.nodes)
        self.nodes[name] = WorldNode(self, raw, _INSIDE + len(self.nodes))
        return self.nodes[name]

    def join(self, gates: Iterable[tuple[str, str]]) -> None:
        """Make these the gates of a holon, in the order of succession: pairs of holon twins (node.twin).

        The first of a pair is in the inner microgrid, the second in its parent; their nodes are one machine.
        """
        order = [Gate(inside, outside) for inside, outside in gates]
        for each in order:
            join_nodes(self.nodes, each, order)

    def machines(self) -> list[list[str]]:
        """The nodes by machine: both nodes of a gate, and those of a gate above it, are one."""
        found: dict[str, list[str]] = {}
        for name in self.nodes:
            if name not in found:
                machine = [name]
                for each in machine:
                    mates = (mate.name for mate in self.nodes[each].machine)
                    machine += [mate for mate in mates if mate not in machine]
                found |= dict.fromkeys(machine, machine)
        return [machine for name, machine in found.items() if machine[0] == name]

    @property
    def folder(self) -> Path:
        """Of the state of all nodes, and of files for them; deleted at the end."""
        return Path(self._folder.name)

    def after(self, delay_s: float, work: Callable[[], None], rank: int = _WORLD) -> None:
        """Run something later. Equal times are ordered by rank, and events of one rank keep their order."""
        self.events += 1
        heapq.heappush(self._queue, (self.clock.now_s() + delay_s, rank, self.events, work))

    def run(self, seconds: float, each: Callable[[], None] | None = None) -> None:
        """Let that much time pass; `each` is called after every event."""
        until_s = self.clock.now_s() + seconds
        if self.team.alone:
            self._run(until_s, math.inf, each)
        while not self.team.alone and (soonest_s := self._meet()) <= until_s:
            self._run(until_s, soonest_s + self._ahead_s, each)
        self.clock.advance_to(until_s)

    def keep_to(self, team: Team) -> None:
        """Run only the nodes of this process. Links must have a latency, which stays, and no faults."""
        self.team = team
        if not team.alone:
            self.network.pass_on = self._pass_on
            self._ahead_s = self.network.least_s

    def boot(self) -> "World":
        """Start all nodes."""
        nodes = self.nodes.values()
        for node in nodes:
            node.draw()
        for node in nodes:
            if not node.alive:  # a gate boots both of its nodes
                node.boot()
        return self

    def _run(self, until_s: float, before_s: float, each: Callable[[], None] | None) -> None:
        queue, clock = self._queue, self.clock
        while queue and queue[0][0] <= until_s and queue[0][0] < before_s:
            at_s, _, _, work = heapq.heappop(queue)
            clock.advance_to(at_s)
            work()
            if each:
                each()

    def _meet(self) -> float:
        """Exchange what has left the areas; returns when the next event anywhere is due."""
        soonest_s, arrived = self.team.exchange(self._queue[0][0] if self._queue else math.inf)
        for passing in arrived:
            event = (passing.at_s, passing.rank, passing.number, lambda it=passing: self.network.take(it))
            heapq.heappush(self._queue, event)
        return soonest_s

    def _pass_on(self, delay_s: float, rank: int, sender: str, receiver: str, frame: bytes | bool) -> bool:
        """Pass something on that arrives later in another area; False if it is this one."""
        if self.team.has(receiver):
            return False
        self.events += 1
        at_s = self.clock.now_s() + delay_s
        self.team.send(Passing(at_s, rank, self.events, sender, receiver, frame))
        return True

    def close(self) -> None:
        """Delete the state folders."""
        self._folder.cleanup()


def chain(names: list[str]) -> dict[str, list[str]]:
    """The neighbours of each node in a chain: the one before and the one after."""
    return {
        name: [other for other in (names[i - 1] if i else "", *names[i + 1 : i + 2]) if other]
        for i, name in enumerate(names)
    }
