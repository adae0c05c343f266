"""A community for a microgrid on this machine: rules, prices, a storage, a wallbox, and a limit for it.

The operator of the grid is a thread here: at its time it orders the limits of the plans over HTTP.
"""

import contextlib
import json
import threading
import time
import urllib.request
from dataclasses import replace
from typing import Any

from edge.api.access import load_tokens

from .generator import sun
from .launch import Building, Microgrid
from .plan import BuildingPlan, DevicePlan, PowerAt

METER_S = 0.5  # a limit is obeyed within 1 s only where meters are read more often
_RULES = {"name": "living lab", "pricing": "dynamic", "response": "price", "newcomer_wh": 20.0}
_GRID_PRICES = "06:00 0.32; 22:00 0.20"  # per kWh
_SUN_PRICE = 0.12
_STORAGE = {"name": "storage", "kind": "storage", "battery_wh": 500.0}
_STORAGE_POWERS = {"battery_charge_w": 2500.0, "battery_discharge_w": 2500.0, "battery_efficiency": 0.92}
_ROOF_W, _WALLBOX_W = 6_000.0, 3_700.0
_LIMIT_W = 4_200.0
_ORDER_S, _LASTS_S = 20.0, 60.0


def commune(plans: list[BuildingPlan], hour: float, speed: float, seconds: float | None) -> None:
    """Turn buildings into a community; the operator limits the last of them during the run.

    `seconds`: the duration of the run, None without end.
    """
    order_s, lasts_s = _times(seconds)
    for plan in plans:
        plan.community = dict(_RULES)
        plan.regulator = {"max_produced_w": 50_000.0, "max_consumed_w": 50_000.0}
        plan.devices = [_with_terms(device) for device in plan.devices]
        plan.extra = [
            each | ({"prices": _GRID_PRICES} if each["kind"] == "grid" else {}) for each in plan.extra
        ]
    shared = plans[min(1, len(plans) - 1)]
    shared.devices.append(_with_terms(DevicePlan("solar_roof", "pv", _sunshine(hour, speed), "sdm630")))
    shared.extra.append(_STORAGE | _STORAGE_POWERS)
    limited = plans[-1]
    limited.devices.append(_wallbox())
    limited.orders = [(order_s, {"direction": "consume", "power_w": _LIMIT_W, "lasts_s": lasts_s})]


def notice(plans: list[BuildingPlan]) -> str:
    """What will happen, for who watches."""
    limited = plans[-1]
    [(order_s, order)] = limited.orders
    shared = plans[min(1, len(plans) - 1)]
    return (
        f"community: credits, prices, a common storage at {shared.name}; {order_s:.0f} s after the start the "
        f"operator limits {limited.name} to {order['power_w']:,.0f} W for {order['lasts_s']:.0f} s"
    )


def _times(seconds: float | None) -> tuple[float, float]:
    """When the limit is ordered, and how long it lasts, in s: it ends within the run."""
    if seconds is None:
        return _ORDER_S, _LASTS_S
    return min(_ORDER_S, seconds / 3), max(1.0, min(_LASTS_S, seconds / 3))


def _with_terms(device: DevicePlan) -> DevicePlan:
    if device.kind == "pv":
        return replace(device, twin=device.twin | {"price": _SUN_PRICE, "pricing": "dynamic", "donates": 1.0})
    return replace(device, twin=device.twin | {"consumer_policy": "lowest_price"})


def _sunshine(hour: float, speed: float) -> PowerAt:
    return lambda elapsed_s: _ROOF_W * sun((hour + elapsed_s * speed / 3600) % 24)


def _wallbox() -> DevicePlan:
    terms = {
        "relay": "wallbox",
        "flexible": "switched",
        "rated_w": _WALLBOX_W,
        "consumer_policy": "lowest_price",
    }
    return DevicePlan("wallbox", "load", lambda elapsed_s: _WALLBOX_W, "sdm120", twin=terms)


# ---- the operator of the grid --------------------------------------------------------------------


class Operator:
    """Orders the limits of the plans, each at its time."""

    def __init__(self, microgrid: Microgrid) -> None:
        self._due = sorted(
            (
                (at_s, place, order)
                for place, each in enumerate(microgrid.buildings)
                for at_s, order in each.plan.orders
            ),
            key=lambda each: each[:2],
        )
        self._buildings = microgrid.buildings
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to count the time."""
        threading.Thread(target=self._run, name="operator", daemon=True).start()

    def stop(self) -> None:
        """Order nothing more."""
        self._stopping.set()

    def _run(self) -> None:
        began_s = time.monotonic()
        for at_s, place, order in self._due:
            if self._stopping.wait(max(0.0, began_s + at_s - time.monotonic())):
                return
            order_limit(self._buildings[place], order)


def order_limit(building: Building, order: dict[str, Any]) -> None:
    """PUT a limit. Raises OSError."""
    token = load_tokens(building.directory / "state")["operate"]
    request = urllib.request.Request(
        f"{building.url}/api/v1/limits/operator",
        json.dumps(order).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=5.0) as response:
        response.read()


# ---- what is told at the end ---------------------------------------------------------------------


def findings(microgrid: Microgrid) -> dict[str, Any]:
    """What the nodes show of the community now; a node that does not answer is left out."""
    found: dict[str, Any] = {"nodes": {}, "orders": [], "storages": {}}
    for building in microgrid.buildings:
        with contextlib.suppress(OSError, ValueError):
            found["nodes"][building.name] = building.ask("/community")
            found["orders"] += [{"node": building.name, **each} for each in building.ask("/orders")]
            for twin in building.ask("/twins"):
                if twin["kind"] == "storage":
                    found["storages"][twin["name"]] = {
                        "capacity_wh": twin["battery_wh"],
                        "level": twin["state_of_charge"],
                        "supplies_w": twin["supplied_w"],
                    }
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """The same in words."""
    told = ["community"]
    for name, node in found["nodes"].items():
        told.append(f"  {_credit_line(name, node['prosumers'])}")
        told += [f"  {name} now {_exchange(each)}" for each in node["sharing"]]
    told += [f"  {_price_line(each)}" for each in _suppliers(found)]
    told += [_storage_line(name, each) for name, each in found["storages"].items()]
    orders = sorted(found["orders"], key=lambda each: (each["created_s"], each["number"]))
    return told + [f"  {_order_line(each)}" for each in orders]


def _credit_line(name: str, prosumers: list[dict[str, Any]]) -> str:
    def total(key: str) -> float:
        return sum(float(each[key]) for each in prosumers)

    lowest = min(prosumers, key=lambda each: each["credit_wh"], default=None)
    highest = max(prosumers, key=lambda each: each["credit_wh"], default=None)
    line = (
        f"{name}: received {total('received_wh'):.1f} Wh and paid {total('paid'):.4f}, "
        f"gave {total('given_wh'):.1f} Wh and earned {total('earned'):.4f}"
    )
    if lowest is None or highest is None:
        return line
    return f"{line}; credit from {_credit(lowest)} to {_credit(highest)}"


def _credit(prosumer: dict[str, Any]) -> str:
    return f"{prosumer['credit_wh']:+.2f} Wh ({prosumer['twin'].partition('.')[2]})"


def _exchange(shared: dict[str, Any]) -> str:
    member = shared["member"]
    flows = {
        f"receives {{}} from {member}": shared["received_w"],
        f"gives {{}} to {member}": shared["given_w"],
    }
    return ", ".join(text.format(_watts(power_w)) for text, power_w in flows.items() if power_w)


def _suppliers(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Each once, though every node knows it."""
    known = {each["supplier"]: each for node in found["nodes"].values() for each in node["suppliers"]}
    return [known[name] for name in sorted(known)]


def _price_line(supplier: dict[str, Any]) -> str:
    rates = [each["rate"] for each in supplier["slots"][:1]]
    price = f"{rates[0]:.3f} per kWh" if rates else "no price"
    left = f"{_watts(supplier['left_w'])} of {_watts(supplier['capacity_w'])} left"
    return f"{supplier['supplier']}: {price}, {left}"


def _storage_line(name: str, storage: dict[str, Any]) -> str:
    level = "unknown" if storage["level"] is None else f"{100 * storage['level']:.1f} %"
    supplies = _watts(storage["supplies_w"])
    return f"  {name}: level {level} of {storage['capacity_wh']:,.0f} Wh, supplies {supplies}"


def _order_line(order: dict[str, Any]) -> str:
    begun = time.strftime("%H:%M:%S", time.localtime(order["created_s"]))
    ended = order["finished_s"]
    until = f"until {time.strftime('%H:%M:%S', time.localtime(ended))}" if ended else "still in force"
    powers = {key: _watts(order[f"{key}_w"]) for key in ("start", "limit", "after", "highest")}
    return (
        f"{order['kind']} of {order['node']} {order['subject']} by {order['source']}: from {begun} {until}; "
        f"before {powers['start']}, limit {powers['limit']}, after 1 s {powers['after']}, "
        f"then at most {powers['highest']}"
    )


def _watts(power_w: float | None) -> str:
    return "unknown" if power_w is None else f"{power_w:,.0f} W"
