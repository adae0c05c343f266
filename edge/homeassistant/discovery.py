"""What Home Assistant is told of a node and of its twins: one message for each device, MQTT discovery.

A few values are enabled, the rest has to be enabled there by its user. Home Assistant refuses a whole device
for one key that it does not know, so only such keys are used here as all its versions since 2024.12 have.
"""

import json
from typing import Any, NamedTuple

from ..config.settings import HomeAssistantSettings
from ..energy.flows import PowerSource
from ..twins.settings import TwinSettings
from .topics import alive_topic, config_topic, state_topic, switch_topic

_MAKER = "microgrid-edge"
Message = tuple[str, bytes]  # topic and payload


class Value(NamedTuple):
    """One value of a device: its key in the state, its name, what it is."""

    key: str
    name: str
    kind: str  # power, energy, battery, or of no class: credit, price
    enabled: bool = True


def _power(key: str, name: str, enabled: bool = True) -> Value:
    return Value(f"{key}_w", name, "power", enabled)


def _energy(key: str, name: str, enabled: bool = True) -> Value:
    return Value(f"{key}_kwh", name, "energy", enabled)


NODE_VALUES = (
    _power("consumption", "Consumption"),
    _power("production", "Production"),
    _energy("import", "Import"),
    _energy("export", "Export"),
    _energy("from_community", "From community"),
    _energy("to_community", "To community"),
    _energy("residual", "Residual"),
    _power("exchange", "Exchange", enabled=False),
    _power("requested", "Requested", enabled=False),
    _power("missing", "Missing", enabled=False),
    _power("available", "Available", enabled=False),
    _energy("fed_in", "Fed in", enabled=False),
    _energy("consumption", "Consumption energy", enabled=False),
    _energy("production", "Production energy", enabled=False),
)


LIMIT_VALUES = (  # of a node that takes limits; unknown: none is in force
    _power("limit_consume", "Limit of consumption"),
    _power("limit_feed_in", "Limit of feed-in", enabled=False),
)
_UNITS = {  # unit and state class of what is no power; a sum stays when the node is gone
    "energy": ("kWh", "total_increasing"),
    "battery": ("%", "measurement"),
    "credit": ("Wh", "measurement"),
    "price": ("", "measurement"),
}
_CLASSES = ("power", "energy", "battery")


def twin_values(settings: TwinSettings, community: bool = False) -> tuple[Value, ...]:
    """One power and one energy; what else there is for this kind of device is not enabled."""
    values = [_power("power", "Power")]
    if settings.source is PowerSource.GRID:
        values += [_energy("given", "Imported energy"), _energy("drawn", "Exported energy", enabled=False)]
    elif settings.consumes:
        values.append(_energy("drawn", "Energy"))
        if settings.supplies:
            values.append(_energy("given", "Energy given", enabled=False))
    else:
        values.append(_energy("given", "Energy"))
    if settings.consumes:
        values.append(_power("received", "Under contract", enabled=False))
        values.append(_power("missing", "Missing", enabled=False))
    if settings.supplies:
        values.append(_power("delivered", "Promised", enabled=False))
    if settings.battery_wh:
        values.append(Value("level_percent", "Level", "battery"))
    if community and settings.supplies:
        values.append(Value("price", "Price", "price", enabled=False))
    if community:
        values.append(Value("credit_wh", "Credit", "credit", enabled=False))
    return tuple(values)


def node_message(
    node: str, version: str, settings: HomeAssistantSettings, regulated: bool = False
) -> Message:
    """The message for the node itself; `regulated`: it takes limits."""
    device = {"identifiers": [_id(node)], "name": node, "manufacturer": _MAKER, "model": "node"}
    device["sw_version"] = version
    if settings.page:
        device["configuration_url"] = settings.page
    values = (*NODE_VALUES, *(LIMIT_VALUES if regulated else ()))
    components = {value.key: _sensor(_id(node), value, settings) for value in values}
    components["problem"] = {
        "platform": "binary_sensor",
        "unique_id": f"{_id(node)}.problem",
        "name": "Problem",
        "device_class": "problem",
        "entity_category": "diagnostic",
        "value_template": "{{ value_json.problem }}",
    }
    return config_topic(settings.prefix, node), _payload(node, "", device, version, components)


def twin_message(
    node: str, twin: TwinSettings, version: str, settings: HomeAssistantSettings, community: bool = False
) -> Message:
    """The message for a twin, which appears below its node; with a switch if it may be switched."""
    own = f"{_id(node)}.{twin.name}"
    device = {"identifiers": [own], "name": f"{node} {twin.name}", "manufacturer": _MAKER}
    device |= {"model": twin.kind, "via_device": _id(node)}
    components = {value.key: _sensor(own, value, settings) for value in twin_values(twin, community)}
    if settings.scope == "operate":
        components["switch"] = {
            "platform": "switch",
            "unique_id": f"{own}.switch",
            "name": "Active",
            "command_topic": switch_topic(node, twin.name),
            "value_template": "{{ value_json.switch }}",
        }
    topic = config_topic(settings.prefix, node, twin.name)
    return topic, _payload(node, twin.name, device, version, components)


def expires_s(settings: HomeAssistantSettings) -> int:
    """After so long without a message a power is no longer known."""
    return 3 * repeat_s(settings)


def repeat_s(settings: HomeAssistantSettings) -> int:
    """A state that has not changed is sent again after that time."""
    return max(60, settings.every_s)


def _id(node: str) -> str:
    """No name contains a dot, so no two devices or values have the same."""
    return f"edge.{node}"


def _sensor(device: str, value: Value, settings: HomeAssistantSettings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "platform": "sensor",
        "unique_id": f"{device}.{value.key}",
        "name": value.name,
        "value_template": f"{{{{ value_json.{value.key} }}}}",
    }
    if value.kind in _CLASSES:
        found["device_class"] = value.kind
    if value.kind == "power":
        found |= {
            "unit_of_measurement": "W",
            "state_class": "measurement",
            "expire_after": expires_s(settings),
        }
    else:  # a counter stays when the node is gone: it does not become wrong by that
        unit, found["state_class"] = _UNITS[value.kind]
        if unit:
            found["unit_of_measurement"] = unit
        if value.kind != "energy":
            found["expire_after"] = expires_s(settings)
    return found if value.enabled else found | {"enabled_by_default": False}


def _payload(
    node: str, twin: str, device: dict[str, Any], version: str, components: dict[str, dict[str, Any]]
) -> bytes:
    message = {
        "device": device,
        "origin": {"name": _MAKER, "sw_version": version},
        "state_topic": state_topic(node, twin),
        "availability_topic": alive_topic(node),
        "components": components,
    }
    return json.dumps(message, separators=(",", ":")).encode()
