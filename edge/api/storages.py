"""What a node shows of its batteries, and of what its producers gave to the common storage."""

from typing import TYPE_CHECKING, Annotated, TypedDict, cast

from .context import Context

if TYPE_CHECKING:
    from ..twins.donor import DonorTwin
    from ..twins.prosumer import ProsumerTwin
    from ..twins.storage import StorageTwin


class Storage(TypedDict):
    twin: str
    common: Annotated[bool, "it serves all members; false: the battery of one device"]
    capacity_wh: float
    reserve_wh: Annotated[float, "kept for needs of high priority"]
    level_wh: Annotated[float | None, "null while it is not known"]
    charging_w: Annotated[float, "what it takes in now"]
    giving_w: Annotated[float, "what it gives now"]
    taken_wh: Annotated[float, "since the node started, as what follows"]
    given_wh: float
    donors: Annotated[int, "producers that have given to it"]


class Donation(TypedDict):
    twin: str
    storage: Annotated[str, "that it gives to; empty: none is known"]
    given_wh: Annotated[float, "since the node started, as far as the storage has booked it"]


def storages(context: Context) -> list[Storage]:
    """Every battery of the node that the caller may see."""
    twins = [twin for twin in context.node.prosumers if twin.battery]
    return [
        _storage(twin) for twin in twins if twin.settings.kind == "storage" or context.caller.sees(twin.name)
    ]


def donations(context: Context) -> list[Donation]:
    """Every producer of the node that gives to the common storage, and that the caller may see."""
    found = [cast("DonorTwin", twin) for twin in context.node.prosumers if hasattr(twin, "donor")]
    return [
        {"twin": twin.name, "storage": twin.storage, "given_wh": round(twin.donor.given_mwh / 1000, 3)}
        for twin in found
        if context.caller.sees(twin.name)
    ]


def _storage(twin: "ProsumerTwin") -> Storage:
    battery, common = twin.battery, twin.settings.kind == "storage"
    assert battery is not None
    donors = 0
    giving_w = twin.own_w
    if common:
        storage = cast("StorageTwin", twin)
        donors, giving_w = len(storage.donations.receipts), storage.storage.out_w
    return {
        "twin": twin.name,
        "common": common,
        "capacity_wh": battery.limits.capacity_wh,
        "reserve_wh": battery.limits.reserve_wh,
        "level_wh": None if battery.level_wh is None else round(battery.level_wh, 3),
        "charging_w": round(twin.charging_w, 3),
        "giving_w": round(giving_w, 3),
        "taken_wh": round(battery.taken_wh, 3),
        "given_wh": round(battery.given_wh, 3),
        "donors": donors,
    }
