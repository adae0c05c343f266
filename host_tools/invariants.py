"""The energy invariants of DESIGN 7 over a whole virtual microgrid, seen from above.

Each node checks I1, I3 and I4 of its own twins; here the two sides of every contract are compared.
"""

from edge.energy.supplier import State
from edge.twins.prosumer import ProsumerTwin

from .world import World

_TOLERANCE_W = 0.01


def broken(world: World) -> list[str]:
    """Violations of I1 to I4 and I6 at this very moment; empty as it should be."""
    twins = _twins(world)
    found = []
    for twin in twins.values():
        found += twin.violations()
        contract = twin.consumer.contract
        if contract is None or not twin.consumer.satisfied:
            continue
        for part in contract.parts:
            supplier = twins.get(part.supplier)
            promise = supplier.supplier.promises.get(twin.name) if supplier else None
            same = promise and (promise.key, promise.revision) == (contract.id, contract.revision)
            if promise and same and abs(promise.power_w - part.power_w) > _TOLERANCE_W:
                found.append(
                    f"I6 {twin.name} takes {part.power_w}, {part.supplier} books {promise.power_w} W"
                )
            if promise and same and part.max_w > promise.max_w + _TOLERANCE_W:
                found.append(f"I1 {twin.name} may draw {part.max_w}, {part.supplier} keeps {promise.max_w} W")
    return found


def disagreements(world: World) -> list[str]:
    """Contracts that one side holds and the other does not; must vanish once the network is whole (I5)."""
    twins = _twins(world)
    found = []
    for twin in twins.values():
        contract = twin.consumer.contract
        if contract and contract.valid:
            for part in contract.parts:
                supplier = twins.get(part.supplier)
                promise = supplier.supplier.promises.get(twin.name) if supplier else None
                if promise is None or promise.key != contract.id:
                    found.append(f"I5 {twin.name} holds contract {contract.id}, {part.supplier} does not")
        for consumer, promise in twin.supplier.promises.items():
            held = twins[consumer].consumer.contract if consumer in twins else None
            if promise.state is State.VALID and (held is None or held.id != promise.key):
                found.append(f"I5 {twin.name} supplies contract {promise.key}, {consumer} does not hold it")
    return found


def _twins(world: World) -> dict[str, ProsumerTwin]:
    return {twin.name: twin for each in world.nodes.values() if each.alive for twin in each.node.twins}
