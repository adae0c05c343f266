"""A whole microgrid in one process under a virtual clock.

Events run in order of time, and in order of submission where times are equal: so the same seed gives the
same run.
"""

import heapq
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from edge.clock import Clock
from edge.net.links import Links
from edge.trust.trust import Trust
from edge.twins.holon import Gate

from .clock import VirtualClock
from .gates import join_nodes
from .links import LinkQuality, MemoryNetwork
from .node import WorldNode

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
        self.reach: Mapping[str, int] = {}  # the section `[reach]`, likewise
        self.trust: Callable[[str, Clock], Trust] = lambda name, clock: Trust()  # of a node that boots
        self.links: Callable[[str, list[str]], Links] = self.network.links  # of a node that boots
        self.nodes: dict[str, WorldNode] = {}
        self.events = 0
        self.acted = 0  # how often twins may have changed: beats and readings, not frames that arrive
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
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
        **limits: int,
    ) -> WorldNode:
        """Add a node with these `[[twin]]` tables, and `[[meter]]` tables on the bus "bus".

        Without `meters` they are made up for the inputs of the twins, such as `m.total`; relays for their
        names.
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
        self.nodes[name] = WorldNode(self, raw)
        return self.nodes[name]

    def join(self, gates: Iterable[tuple[str, str]]) -> None:
        """Make these the gates of a holon, in the order of succession: pairs of holon twins (node.twin).

        The first of a pair is in the inner microgrid, the second in its parent; their nodes are one machine.
        """
        order = [Gate(inside, outside) for inside, outside in gates]
        for each in order:
            join_nodes(self.nodes, each, order)

    @property
    def folder(self) -> Path:
        """Of the state of all nodes, and of files for them; deleted at the end."""
        return Path(self._folder.name)

    def after(self, delay_s: float, work: Callable[[], None]) -> None:
        """Run something later; equal times keep their order."""
        self.events += 1
        heapq.heappush(self._queue, (self.clock.now_s() + delay_s, self.events, work))

    def run(self, seconds: float, each: Callable[[], None] | None = None) -> None:
        """Let that much time pass; `each` is called after every event."""
        until_s = self.clock.now_s() + seconds
        while self._queue and self._queue[0][0] <= until_s:
            at_s, _, work = heapq.heappop(self._queue)
            self.clock.advance_to(at_s)
            work()
            if each:
                each()
        self.clock.advance_to(until_s)

    def boot(self) -> "World":
        """Start all nodes."""
        for node in self.nodes.values():
            node.boot()
        return self

    def close(self) -> None:
        """Delete the state folders."""
        self._folder.cleanup()


def chain(names: list[str]) -> dict[str, list[str]]:
    """The neighbours of each node in a chain: the one before and the one after."""
    return {
        name: [other for other in (names[i - 1] if i else "", *names[i + 1 : i + 2]) if other]
        for i, name in enumerate(names)
    }
