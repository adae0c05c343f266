"""The rules of Home Assistant for a message that describes a device, as far as they decide what happens.

They were tried with Home Assistant 2025.4.4 and 2026.2.3, and hold for both: what one of them refuses, or
takes and complains about, is a fault here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOPIC = re.compile(r"[A-Za-z0-9_-]+/device/(?:[A-Za-z0-9_-]+/)?[A-Za-z0-9_-]+/config")
_SHORT = {  # names that may be abbreviated anywhere
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "cmd_t": "command_topic",
    "cmps": "components",
    "cns": "connections",
    "dev": "device",
    "dev_cla": "device_class",
    "ids": "identifiers",
    "o": "origin",
    "p": "platform",
    "stat_cla": "state_class",
    "stat_t": "state_topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
}
_AVAILABILITY = {"availability", "availability_mode", "availability_template", "availability_topic"}
_AVAILABILITY |= {"payload_available", "payload_not_available"}
_MESSAGE = {"device", "origin", "components", "state_topic", "command_topic", "qos", "encoding"}
_DEVICE = {
    "identifiers",
    "connections",
    "name",
    "manufacturer",
    "model",
    "model_id",
    "sw_version",
    "hw_version",
}
_DEVICE |= {"serial_number", "configuration_url", "via_device", "suggested_area"}
_ORIGIN = {"name", "sw_version", "support_url"}
_PLATFORMS = {"sensor", "binary_sensor", "switch", "number", "select", "button", "event", "update"}
_UNITS = {
    "power": {"mW", "W", "kW", "MW"},
    "energy": {"Wh", "kWh", "MWh"},
    "battery": {"%"},
}
_STATES = {
    "power": {"measurement"},
    "energy": {"total", "total_increasing"},
    "battery": {"measurement"},
}


def faults(topic: str, payload: bytes) -> list[str]:
    """What is wrong with a message; an empty payload, which removes the device, is not."""
    found = [] if _TOPIC.fullmatch(topic) else [f"the topic {topic} is not that of a device"]
    if not payload:
        return found
    try:
        message = _long(json.loads(payload))
    except ValueError:
        return [*found, "it is not valid JSON"]
    if not isinstance(message, dict):
        return [*found, "it is not an object"]
    return [*found, *_of_message(message)]


def faults_together(messages: Mapping[str, bytes]) -> list[str]:
    """What is wrong with several messages, and with how they fit together."""
    found = [f"{topic}: {each}" for topic, payload in messages.items() for each in faults(topic, payload)]
    devices, names = set[str](), set[str]()
    for payload in filter(None, messages.values()):
        message = _long(json.loads(payload))
        via = message["device"].get("via_device")
        if via is not None and via not in devices:
            found.append(f"{message['device'].get('name')} is below {via}, which is not described before it")
        devices.update(message["device"].get("identifiers", ()))
        for component in message["components"].values():
            if component.get("unique_id") in names:
                found.append(f"two components have the unique_id {component['unique_id']}")
            names.add(component.get("unique_id"))
    return found


def _long(value: Any) -> Any:
    """With the abbreviations written out."""
    if isinstance(value, dict):
        return {_SHORT.get(key, key): _long(each) for key, each in value.items()}
    return [_long(each) for each in value] if isinstance(value, list) else value


def _of_message(message: dict[str, Any]) -> Iterator[str]:
    for key in sorted(message.keys() - _MESSAGE - _AVAILABILITY):
        yield f"the whole device is refused for the key {key}"
    yield from _of_availability(message)
    device, origin, components = (message.get(key) for key in ("device", "origin", "components"))
    if not isinstance(device, dict) or not (device.get("identifiers") or device.get("connections")):
        yield "the device has neither identifiers nor connections"
    else:
        for key in sorted(device.keys() - _DEVICE):
            yield f"the whole device is refused for the key device.{key}"
        if not re.match(r"https?://", device.get("configuration_url", "http://")):
            yield "configuration_url is no address of a page"
    if not isinstance(origin, dict) or not origin.get("name") or origin.keys() - _ORIGIN:
        yield "there is no origin with a name, or it has other keys"
    if not isinstance(components, dict) or not components:
        yield "there are no components"
        return
    for name, component in components.items():
        if not isinstance(component, dict) or component.get("platform") not in _PLATFORMS:
            yield f"{name} has no platform that is known"
        elif component.keys() != {"platform"}:  # that alone removes it
            yield from (f"{name}: {each}" for each in _of_component(component, message))


def _of_component(component: dict[str, Any], message: dict[str, Any]) -> Iterator[str]:
    if not component.get("unique_id"):
        yield "without a unique_id the whole device is refused"
    if "object_id" in component:
        yield "object_id is not used any more"
    yield from _of_availability(component)
    platform, both = component["platform"], {**message, **component}
    if platform in ("sensor", "binary_sensor") and not both.get("state_topic"):
        yield "it has no state_topic"
    if platform in ("switch", "number", "select", "button") and not both.get("command_topic"):
        yield "it has no command_topic"
    if platform == "number" and not {"min", "max", "step"} <= component.keys():
        yield "a number needs min, max and step"
    kind = component.get("device_class")
    if platform == "sensor" and kind in _UNITS:
        if component.get("unit_of_measurement") not in _UNITS[kind]:
            yield f"{kind} is not measured in {component.get('unit_of_measurement')}"
        if component.get("state_class") not in _STATES[kind]:
            yield f"{kind} has no state_class {component.get('state_class')}"
        if kind == "power" and not component.get("expire_after"):
            yield "a power without expire_after stays when its device is silent"


def _of_availability(owner: dict[str, Any]) -> Iterator[str]:
    if "availability" in owner and "availability_topic" in owner:
        yield "availability and availability_topic exclude each other"
