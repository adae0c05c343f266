"""Holons for `make run`: microgrids of three buildings that are prosumers of a parent, with two gates each.

The holons with odd numbers have the roofs, the others only loads: what these lack passes the gates.
"""

from .generator import generated
from .plan import DOWN, UP, BuildingPlan, connect_chain, gate_twin

MOST = 8  # holons: 24 nodes with a process, and 40 brokers
_MEMBERS, _GATES = 3, 2


def members(count: int, seed: int, start_hour: float, speed: float) -> list[BuildingPlan]:
    """The buildings of all holons, one holon after the other, not yet connected."""
    plans = []
    for number in range(1, count + 1):
        for plan in generated(seed + number - 1, start_hour, speed)[:_MEMBERS]:
            plan.name = f"h{number}-{plan.name}"
            if number % 2 == 0:
                plan.devices = [each for each in plan.devices if each.kind == "load"]
            plans.append(plan)
    return plans


def connect(plans: list[BuildingPlan]) -> None:
    """Connect the members of each holon in a chain, and add the parent: a ring of the nodes of the gates.

    A ring, so that no gate that ends cuts others off.
    """
    parent = []
    for at in range(0, len(plans), _MEMBERS):
        holon = plans[at : at + _MEMBERS]
        connect_chain(holon)
        order = ", ".join(f"{each.name}={_outside(each)}" for each in holon[:_GATES])
        for inside in holon[:_GATES]:
            name = _outside(inside)
            inside.extra.append(gate_twin(UP))
            inside.sections["holon"] = {"parent": f"../{name}/node.toml", "order": order}
            parent.append(BuildingPlan(name, [], [gate_twin(DOWN)], machine=inside.name))
    connect_chain([*parent, parent[0]])
    plans += parent


def form(count: int) -> str:
    """What they are, for the title of the display."""
    return f"{count} holons of {_MEMBERS} nodes"


def _outside(plan: BuildingPlan) -> str:
    """The name that the machine of a gate has in the parent."""
    return f"q-{plan.name}"
