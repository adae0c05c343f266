"""The rules of a storm: the invariants at every moment; agreement and supply after the repair.

None of them is about the node that lies: it may harm itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from edge.energy.book import node_of
from edge.energy.rules import with_margin
from edge.space.lsa import EVERYWHERE
from edge.space.names import NIL
from edge.space.tuplespace import SELF, TupleSpace
from edge.twins.holon import HolonTwin
from edge.twins.prosumer import ProsumerTwin
from edge.twins.storage import StorageTwin

from ..invariants import broken, disagreements
from ..world import World, WorldNode

GONE_S = 15.5  # until all nodes have forgotten a node that is off: 15 s, on clocks with an error of 2 %
CONVERGED_S = 20  # until all nodes agree: 15 s to forget or confirm, and some heartbeats
SERVED_S = 12  # longest time unserved although there is power: one unanswered proposal takes 10 s
RECOVERY_S = 32  # how long the microgrid is observed after the repair
_CRUMB = 0.01  # smaller offers, relative to the request, do not count


@dataclass(frozen=True, slots=True)
class View:
    """Whom the rules are about: all but the liar, and who of them reach each other without it."""

    liar: str = ""
    groups: Mapping[str, int] = field(default_factory=dict)  # empty: all nodes reach each other
    beats: int = 0  # hops that heartbeats go, 0: everywhere; farther away nodes may not know each other

    def honest(self, world: World) -> list[WorldNode]:
        """The nodes that run and do not lie."""
        return [each for each in world.nodes.values() if each.alive and each.name != self.liar]

    def joined(self, one: str, other: str) -> bool:
        """Whether two nodes reach each other."""
        return not self.groups or self.groups[one] == self.groups[other]


ALL = View()


def alarms(world: World, view: View = ALL) -> list[str]:
    """Violations of the rules that hold at every moment."""
    return [
        *broken(world, view.liar),
        *(
            f"fault {each.name}: {each.node.engine.last_fault}"
            for each in view.honest(world)
            if each.node.engine.faults
        ),
    ]


def haunted(world: World, gone: set[str], view: View = ALL) -> list[str]:
    """Nodes that still know, or are supplied by, a node that has been off for long."""
    alive = [each for each in world.nodes.values() if each.alive]
    living = [each.node for each in alive]
    known = [f"gone {a.name} knows {name}" for a in alive for name in gone & _known(a, view)]
    return known + [
        f"gone {twin.name} is supplied by {part.supplier}"
        for a in living
        for twin in a.prosumers
        for contract in twin.consumer.active
        for part in contract.parts
        if part.supplier.split(".")[0] in gone
    ]


def shown(world: World) -> dict[str, int]:
    """The version of every LSA at its origin."""
    spaces = [each.node.space for each in world.nodes.values() if each.alive]
    return {name: version for space in spaces for name, version in space.roster(SELF)}


def unsettled(world: World, before: Mapping[str, int], view: View = ALL) -> set[str]:
    """Differences from the state in which all nodes agree; some are a passing state of negotiations.

    `before`: the result of `shown` a second ago; later changes may still be in transit.
    """
    nodes = view.honest(world)
    names = {each.name for each in world.nodes.values() if each.alive}
    pairs = [(a, b) for a in nodes for b in nodes if a is not b and view.joined(a.name, b.name)]
    return {
        *disagreements(world, view.liar),
        *(f"reach {a.name} knows {name}" for a in nodes for name in _known(a, view) - names),
        *(line for a, b in pairs for line in _differences(a, b, before) if _counts(line, a, b, view)),
    }


def _known(node: WorldNode, view: View) -> set[str]:
    """The nodes that a node knows by their heartbeats."""
    found = node.node.distances()
    return {name for name, hops in found.items() if not view.beats or hops <= view.beats}


def _counts(line: str, holder: WorldNode, origin: WorldNode, view: View) -> bool:
    """Whether a difference is one: what is far away need not be known."""
    if not view.beats:
        return True
    near = holder.node.distances().get(origin.name, view.beats + 1) <= view.beats
    linked = origin.name in [each.name for each in holder.config.neighbours]
    return linked or (near and "lacks" not in line)


def strangers(world: World, view: View) -> set[str]:
    """Honest nodes that do not know each other although they reach each other."""
    nodes = view.honest(world)
    return {
        f"I7 {a.name} does not know {b.name}"
        for a in nodes
        for b in nodes
        if a is not b
        and view.joined(a.name, b.name)
        and b.name not in a.node.distances()
        and (not view.beats or b.name in [each.name for each in a.config.neighbours])
    }


def starving(world: World, view: View = ALL) -> set[str]:
    """Consumers that are unserved although other twins, which withhold nothing, have enough free power.

    Not those that have restarted and wait for a supplier of before, which may have left meanwhile.
    """
    twins = [twin for each in view.honest(world) for twin in each.node.prosumers]
    free_w = {twin.name: twin.supplier.available_w for twin in twins if _gives_freely(twin)}
    found = set()
    for twin in twins:
        consumer = twin.consumer
        active = consumer.active
        restored = any(each.valid and each not in active for each in consumer.contracts)
        patient = consumer.satisfied or consumer.gave_up or restored
        if consumer.missing_w and twin.unserved and not patient:
            offers_w = [
                power_w
                for name, power_w in free_w.items()
                if name != twin.name and view.joined(node_of(name), node_of(twin.name))
            ]
            useful_w = sum(power_w for power_w in offers_w if power_w >= _CRUMB * consumer.need_w)
            if useful_w >= with_margin(consumer.missing_w):
                found.add(twin.name)
    return found


def _gives_freely(twin: ProsumerTwin) -> bool:
    """Whether its free power is for everybody: not limited to equal shares, not kept from those whom a
    policy or a credit excludes; not a battery, whose energy is short, and not a gate, which buys for some."""
    if twin.settings.producer_policy == "fair_share" or isinstance(twin, StorageTwin | HolonTwin):
        return False
    community = twin.home.community
    return twin.settings.giving == "all" and (community is None or community.response != "exclude")


def bonds(world: World, view: View = ALL) -> dict[str, int]:
    """The ids of the active main contracts between honest nodes that reach each other, by consumer."""
    twins = {twin.name: twin for each in view.honest(world) for twin in each.node.prosumers}
    return {
        name: contract.id
        for name, twin in twins.items()
        for contract in twin.consumer.active
        if contract is twin.consumer.main
        and all(
            part.supplier in twins and view.joined(node_of(part.supplier), node_of(name))
            for part in contract.parts
        )
    }


def mains(world: World, view: View = ALL) -> dict[str, int]:
    """The ids of the active main contracts of honest consumers, with whomever."""
    return {
        twin.name: contract.id
        for each in view.honest(world)
        for twin in each.node.prosumers
        for contract in twin.consumer.active
        if contract is twin.consumer.main
    }


def _differences(holder: WorldNode, origin: WorldNode, before: Mapping[str, int]) -> Iterator[str]:
    """How the copies of an origin's LSAs differ from the originals, without properties that expire."""
    copies, originals = holder.node.space, origin.node.space
    number = copies.origin_number(origin.name)
    if number == NIL:
        yield f"reach {holder.name} does not know {origin.name}"
    held = {} if number == NIL else dict(copies.roster(number, demoted=True))
    own = dict(originals.roster(SELF))
    for name in sorted(held.keys() | own.keys()):
        if name not in held:
            if name in before:
                yield f"space {holder.name} lacks {name}"
        elif name not in own:
            if name not in before:
                yield f"space {holder.name} holds {name}, which has left"
        elif not before.get(name, 0) <= held[name] <= own[name]:
            yield f"space {holder.name} holds an old {name}"
        elif held[name] == own[name] and _lasting(copies, name) != _lasting(originals, name):
            yield f"space {holder.name} holds another {name}"


def _lasting(space: TupleSpace, name: str) -> dict[tuple[str, str], bytes]:
    """The properties of an LSA that are visible to other nodes and do not expire."""
    slot = space.slot_of_name(name)
    found = {}
    p = space.lsa_first[slot]
    while p != NIL:
        if space.p_reach[p] == EVERYWHERE and not space.p_wheel.due(p):
            key = space.labels.text(space.p_label[p]), space.names.text(space.p_query[p])
            found[key] = space.value(p)
        p = space.p_next[p]
    return found
