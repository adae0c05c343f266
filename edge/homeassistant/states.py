"""The values of a node and of its twins, as Home Assistant reads them: JSON, null while they are unknown."""

import json
from typing import TYPE_CHECKING, Any

from ..counters import TwinEnergy, powers_of
from ..energy.flows import PowerSource
from ..energy.totals import NodeTotal
from ..journal import device_w

if TYPE_CHECKING:
    from ..node import Node
    from ..twins.community import CommunityTwin
    from ..twins.prosumer import ProsumerTwin

_WH_PER_KWH = 1000


def node_state(node: "Node", problem: bool) -> bytes:
    """Of the node."""
    powers = powers_of(node.prosumers)
    total: NodeTotal | None = None if node.unknown else node.total()
    energy = node.counters.member
    state: dict[str, Any] = {
        "consumption_w": _w(powers and powers.drawn_w),
        "production_w": _w(powers and powers.given_w),
        "exchange_w": _w(powers and powers.drawn_w - powers.given_w),
        "requested_w": _w(total.requested_w if total else None),
        "missing_w": _w(total.missing_w if total else None),
        "available_w": _w(total.available_w if total else None),
        "import_kwh": _kwh(energy and energy.import_wh),
        "export_kwh": _kwh(energy and energy.export_wh),
        "from_community_kwh": _kwh(energy and energy.from_community_wh),
        "to_community_kwh": _kwh(energy and energy.to_community_wh),
        "residual_kwh": _kwh(energy and energy.residual_wh),
        "fed_in_kwh": _kwh(energy and energy.fed_in_wh),
        "consumption_kwh": _kwh(energy and energy.drawn_wh),
        "production_kwh": _kwh(energy and energy.given_wh),
        "problem": "ON" if problem else "OFF",
    }
    if node.regulator:
        from ..energy.limits import CONNECTION, Direction  # there already on such a node

        for direction in Direction:
            held = node.regulator.held.get((direction, CONNECTION))
            state[f"limit_{direction.value}_w"] = _w(held.power_w if held else None)
    return _json(state)


def twin_state(
    twin: "ProsumerTwin",
    energy: TwinEnergy | None,
    switchable: bool,
    community: "CommunityTwin | None" = None,
) -> bytes:
    """Of one twin. Its power is what it draws less what it gives; what only gives counts the other way."""
    powers_w = device_w(twin)
    power_w = powers_w and powers_w[0] - powers_w[1]
    if power_w is not None and (not twin.settings.consumes or twin.settings.source is PowerSource.GRID):
        power_w = 0.0 - power_w
    state: dict[str, Any] = {
        "power_w": _w(power_w),
        "drawn_kwh": _kwh(energy and energy.drawn_wh),
        "given_kwh": _kwh(energy and energy.given_wh),
    }
    if twin.settings.consumes:
        state["received_w"] = _w(twin.consumer.supplied_w)
        state["missing_w"] = _w(None if powers_w is None else twin.consumer.missing_w)
    if twin.settings.supplies:
        state["delivered_w"] = _w(twin.supplier.supplied_w)
    if twin.battery:
        share = twin.battery.state_of_charge
        state["level_percent"] = None if share is None else round(100 * share, 1)
    if community:
        state["credit_wh"] = round(community.credits.of(twin.name), 2)
        if twin.settings.supplies:
            state["price"] = community.rate_of(twin.name)
    if switchable:
        state["switch"] = "OFF" if twin.disabled else "ON"
    return _json(state)


def _w(power_w: float | None) -> float | None:
    return None if power_w is None else round(power_w, 1) + 0.0  # not -0.0


def _kwh(energy_wh: int | None) -> float | None:
    return None if energy_wh is None else energy_wh / _WH_PER_KWH


def _json(state: dict[str, Any]) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()
