"""The invariants of contracts over a whole virtual microgrid.

Each node checks I1 to I4 for its own twins (edge/energy/invariants.py). Here the two sides of every contract
are compared: I5, both sides hold it, and I6, both have the same power.
"""

from collections.abc import Mapping

from edge.energy.book import Promise, State, node_of
from edge.energy.messages import Contract, Part
from edge.twins.prosumer import ProsumerTwin

from .microgrid.audit import TOLERANCE_W
from .world.world import World

Key = tuple[str, str, int]  # supplier, consumer, contract


def promises_elsewhere(world: World) -> dict[Key, Promise]:
    """What the twins of this process have promised to those of others."""
    return {
        (twin.name, each.consumer, each.key): each
        for twin in _twins(world, "").values()
        for each in (*twin.supplier.ahead, *twin.supplier.book)
        if each.committed and not world.team.has(node_of(each.consumer))
    }


def broken(world: World, liar: str = "", elsewhere: Mapping[Key, Promise] | None = None) -> list[str]:
    """One line for each violation of I1 to I4 and I6 at this moment; normally empty.

    What concerns the node `liar` does not count. `elsewhere`: promises of nodes in other processes.
    """
    twins = _twins(world, liar)
    found = []
    for twin in twins.values():
        found += twin.violations()
        for contract in twin.consumer.active:
            for part in contract.parts:
                promise = _promise(twins, twin, contract, part)
                if promise is None and elsewhere:
                    promise = elsewhere.get((part.supplier, twin.name, contract.id))
                if promise and promise.revision == contract.revision:
                    found += _differences(twin, part, promise)
    return found


def disagreements(world: World, liar: str = "") -> list[str]:
    """Contracts that only one side holds (I5). They must disappear once the network is intact.

    Contracts with the node `liar` do not count.
    """
    twins = _twins(world, liar)
    found = []
    for twin in twins.values():
        for contract in twin.consumer.contracts:
            if contract.valid:
                found += [
                    f"I5 {twin.name} holds contract {contract.id}, {part.supplier} does not"
                    for part in contract.parts
                    if node_of(part.supplier) != liar and _promise(twins, twin, contract, part) is None
                ]
        for promise in twin.supplier.book:
            if node_of(promise.consumer) == liar:
                continue
            held = twins[promise.consumer].consumer.contracts if promise.consumer in twins else []
            if promise.state is State.VALID and promise.key not in [contract.id for contract in held]:
                found.append(
                    f"I5 {twin.name} supplies contract {promise.key}, {promise.consumer} does not hold it"
                )
    return found


def _differences(twin: ProsumerTwin, part: Part, promise: Promise) -> list[str]:
    found = []
    if abs(promise.power_w - part.power_w) > TOLERANCE_W:
        found.append(f"I6 {twin.name} takes {part.power_w}, {part.supplier} books {promise.power_w} W")
    if part.max_w > promise.max_w + TOLERANCE_W:
        found.append(f"I1 {twin.name} may draw {part.max_w}, {part.supplier} keeps {promise.max_w} W")
    return found


def _promise(
    twins: dict[str, ProsumerTwin], twin: ProsumerTwin, contract: Contract, part: Part
) -> Promise | None:
    supplier = twins.get(part.supplier)
    return supplier.supplier.promise(twin.name, contract.id) if supplier else None


def _twins(world: World, liar: str) -> dict[str, ProsumerTwin]:
    nodes = [each for each in world.nodes.values() if each.alive and each.name != liar]
    return {twin.name: twin for each in nodes for twin in each.node.prosumers}
