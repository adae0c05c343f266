"""Invariant I7: one lying member harms only itself. What it may cost the others, and how that is judged.

While it lies, honest nodes that reach each other without it know each other, their contracts last, its room
in their spaces and all tables are bounded, and so is the work of checking what it says. Over the storm, which
is played again without it, and if need be with it as an honest member, honest consumers lose at most 1 % of
the energy that they were served, and once what an offer that is never confirmed costs, where there is enough
power beside the share of one member. Who had a contract with the liar, or over it, needs time for another:
that is the loss of a contract with the liar.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from edge.energy.rules import VALIDATION_S
from edge.space.names import NIL
from edge.space.tuplespace import SELF

from ..world import World, WorldNode
from . import judge
from .tally import EVERY_S, Tally, lost

STRANGE_S = 20.0  # so long honest nodes may need to meet
CHECKS_PER_S = 100.0  # signatures, beyond those of the same storm without lies
SENT_PER_S = 16_384.0  # bytes, likewise, and what the liar has sent three times over
TABLE_MAX = 2048
ROOM_SHARE = 0.5
LOST_SHARE = 0.01
# Of the largest need: an offer that is never confirmed costs its consumer that time, whatever it needs then.
# After that its member is in doubt, and costs less.
FIRST_S = VALIDATION_S + EVERY_S
_DEPTH = 5


class Harm:
    """Judges one storm; each function gives a line for each way in which an honest node is harmed."""

    def __init__(self, world: World, tally: Tally, view: judge.View, steady: bool) -> None:
        self._world = world
        self._tally = tally
        self._view = view
        self._steady = steady
        self._apart: dict[str, float] = {}  # since when

    def at_second(self) -> list[str]:
        """What must hold all the time."""
        now_s = self._world.clock.now_s()
        apart = judge.strangers(self._world, self._view) if self._steady else set()
        self._apart = {line: self._apart.get(line, now_s) for line in apart}
        late = [line for line, since_s in self._apart.items() if now_s - since_s >= STRANGE_S]
        return late + [line for each in self._view.honest(self._world) for line in self._room(each)]

    def at_end(self, honest: Tally | None, liar_bytes: int, seconds: float) -> list[str]:
        """What must hold over the storm; `honest`: the measurements without the liar."""
        found = [line for each in self._view.honest(self._world) for line in _tables(each)]
        for each in self._view.honest(self._world):
            work = self._tally.work_of(each)
            before = honest.work_of(honest.world.nodes[each.name]) if honest else None
            beside = before.checks if before else 20 * seconds
            if work.checks > beside + CHECKS_PER_S * seconds:
                found.append(f"I7-work {each.name} checks {work.checks} signatures, {beside:g} without lies")
            if before and work.sent_bytes > before.sent_bytes + SENT_PER_S * seconds + 3 * liar_bytes:
                found.append(
                    f"I7-traffic {each.name} sends {work.sent_bytes} bytes, "
                    f"{before.sent_bytes} without lies; the liar sends {liar_bytes}"
                )
        return found

    def starved(self, honest: Tally) -> Iterator[str]:
        """Groups that lost more energy than they may, compared with an honest storm."""
        for group, (lost_wh, served_wh, largest_w) in lost(self._tally, honest).items():
            first_wh = largest_w * FIRST_S / 3600
            if lost_wh > LOST_SHARE * served_wh + first_wh + 1e-9:
                names = [name for name, each in self._view.groups.items() if each == group]
                share = 100 * lost_wh / served_wh
                yield f"I7-energy {' '.join(names)} lose {share:.1f} % of {1000 * served_wh:.0f} mWh"

    def _room(self, node: WorldNode) -> Iterator[str]:
        """The LSAs of others than the honest nodes."""
        space = node.node.space
        mine = 0
        for name in node.node.distances():
            number = space.origin_number(name)
            if number not in (NIL, SELF) and name not in self._view.groups:
                mine += space.origins.count[number]
        if mine > ROOM_SHARE * space.limits.lsas:
            yield f"I7-room {node.name} holds {mine} LSAs of the liar of at most {space.limits.lsas}"


def _tables(node: WorldNode) -> Iterator[str]:
    """Tables of a node that have grown too large: everything in memory that came over the wire."""
    seen: set[int] = set()
    queue: deque[tuple[str, Any, int]] = deque([(node.name, node.node, 0)])
    while queue:
        path, each, depth = queue.popleft()
        if id(each) in seen or depth > _DEPTH:
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | deque):
            if len(each) > TABLE_MAX:
                yield f"I7-table {path} has {len(each)} entries"
            if isinstance(each, dict) and len(each) < 100:
                queue += [(f"{path}[{key!r}]", value, depth + 1) for key, value in each.items()]
            elif isinstance(each, list) and len(each) < 100:
                queue += [(f"{path}[{i}]", value, depth + 1) for i, value in enumerate(each)]
        elif type(each).__module__.startswith("edge.") and "history" not in type(each).__module__:
            queue += [(f"{path}.{key}", value, depth + 1) for key, value in _fields(each)]


def _fields(thing: Any) -> list[tuple[str, Any]]:
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    found = dict(getattr(thing, "__dict__", {}))
    found.update((name, getattr(thing, name)) for name in slots if hasattr(thing, name))
    return list(found.items())
