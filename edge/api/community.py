"""What a node shows of its community: the rules, credits, what power costs, and what is shared now."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from .context import Context
from .storages import Donation, Storage, donations, storages

if TYPE_CHECKING:
    from ..twins.community import CommunityTwin


class Rules(TypedDict):
    name: str
    response: Annotated[str, "what follows from a credit: none, exclude, price, place"]
    tolerance_wh: Annotated[float, "a credit is negative below minus so much"]
    energy_mix: str
    connection: str
    pricing: str
    sharing_key: str
    data: str
    emergency: str
    flexibility: str
    management: str


class Scored(TypedDict):
    supply_wh: Annotated[float, "bonus for what was given beyond duty, less what was withheld"]
    consumption_wh: Annotated[float, "saved of the quota, or taken beyond it, while power was short"]
    equity_wh: float
    green_wh: float


class Prosumer(TypedDict):
    twin: str
    quota_w: Annotated[float | None, "of its household while power is short; null without people"]
    credit_wh: Annotated[float, "of the last 60 minutes; below 0: a debt"]
    award: Annotated[Scored | None, "of the last minute; null before the first"]
    needed_wh: Annotated[float, "since the node started, as all that follows"]
    received_wh: float
    given_wh: float
    fed_in_wh: Annotated[float, "without a contract, which the operator of the grid pays"]
    paid: Annotated[float, "in the currency of the community"]
    earned: float
    mean_price: Annotated[float | None, "paid per kWh; null while nothing was received"]


class Experience(TypedDict):
    member: str
    experienced_wh: Annotated[float, "given to this node, less withheld from it and less discounts here"]


class PriceSlot(TypedDict):
    from_s: Annotated[int, "Unix time"]
    rate: Annotated[float, "per kWh, for a consumer without credit"]


class Supplier(TypedDict):
    supplier: str
    capacity_w: float
    left_w: Annotated[float, "under no contract and not on offer"]
    impact: Annotated[int, "environmental; low is green"]
    slots: list[PriceSlot]


class Shared(TypedDict):
    member: str
    received_w: float
    given_w: float


class Comparison(TypedDict):
    nodes: int
    own_requested_w: float
    mean_requested_w: Annotated[float, "of all nodes that show their total; at least three"]


class Community(TypedDict):
    rules: Annotated[Rules | None, "null without a section `[community]`"]
    prosumers: list[Prosumer]
    experience: Annotated[
        list[Experience], "with other members, in the last 60 minutes; not shown to a member of the node"
    ]
    suppliers: Annotated[list[Supplier], "of all members that tell what they have left"]
    sharing: Annotated[list[Shared], "what flows now between this node and other members, by contract"]
    storages: Annotated[list[Storage], "batteries of this node"]
    donations: Annotated[list[Donation], "of producers of this node to the common storage"]
    comparison: Annotated[Comparison | None, "null below three nodes, without learning, or if unwanted"]


def community(context: Context) -> Community:
    """Answers /community."""
    twin = context.node.community
    if twin is None:
        return {
            "rules": None,
            "prosumers": [],
            "experience": [],
            "suppliers": [],
            "sharing": [],
            "storages": storages(context),
            "donations": donations(context),
            "comparison": None,
        }
    settings, caller = twin.settings, context.caller
    experience = {} if caller.member else twin.credits.state()[1]
    return {
        "rules": {
            "name": settings.name,
            "response": settings.response,
            "tolerance_wh": settings.tolerance_wh,
            "energy_mix": settings.energy_mix,
            "connection": settings.connection,
            "pricing": settings.pricing,
            "sharing_key": settings.sharing_key,
            "data": settings.data,
            "emergency": settings.emergency,
            "flexibility": settings.flexibility,
            "management": settings.management,
        },
        "prosumers": [_prosumer(twin, name) for name in sorted(twin.accounts) if caller.sees(name)],
        "experience": [
            {"member": member, "experienced_wh": round(energy_wh, 3)}
            for member, energy_wh in sorted(experience.items())
        ],
        "suppliers": [
            {
                "supplier": name,
                "capacity_w": each.capacity_w,
                "left_w": each.left_w,
                "impact": each.impact,
                "slots": [{"from_s": slot.from_s, "rate": slot.rate} for slot in each.prices],
            }
            for name, each in sorted(twin.productions.items())
        ],
        "sharing": [
            {"member": member, "received_w": round(received_w, 3), "given_w": round(given_w, 3)}
            for member, (received_w, given_w) in sorted(twin.shared_w().items())
        ],
        "storages": storages(context),
        "donations": donations(context),
        "comparison": _comparison(context),
    }


def _prosumer(twin: "CommunityTwin", name: str) -> Prosumer:
    account = twin.accounts[name]
    received_kwh = account.received_wh / 1000
    return {
        "twin": name,
        "quota_w": twin.quota_w(name),
        "credit_wh": round(twin.credits.of(name), 3),
        "award": _award(twin, name),
        "needed_wh": round(account.needed_wh, 3),
        "received_wh": round(account.received_wh, 3),
        "given_wh": round(account.given_wh, 3),
        "fed_in_wh": round(account.fed_in_wh, 3),
        "paid": round(account.paid, 6),
        "earned": round(account.earned, 6),
        "mean_price": round(account.paid / received_kwh, 6) if received_kwh else None,
    }


def _award(twin: "CommunityTwin", name: str) -> Scored | None:
    award = twin.awards.get(name)
    if award is None:
        return None
    return {
        "supply_wh": round(award.supply_wh, 3),
        "consumption_wh": round(award.consumption_wh, 3),
        "equity_wh": round(award.equity_wh, 3),
        "green_wh": round(award.green_wh, 3),
    }


def _comparison(context: Context) -> Comparison | None:
    node = context.node
    settings, learning = node.config.community, node.learning
    if settings is None or settings.comparison == "none" or learning is None:
        return None
    powers_w, own_w = learning.cluster_w(), node.total().requested_w
    if powers_w is None or own_w is None or learning.nodes_summed < _FEWEST:
        return None
    nodes = learning.nodes_summed
    return {"nodes": nodes, "own_requested_w": own_w, "mean_requested_w": round(powers_w[0] / nodes, 1)}


_FEWEST = 3  # nodes, so that no member can be told from a mean
