"""What Home Assistant is told: checked by its own rules, and these by what is known to break them."""

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.settings import HomeAssistantSettings
from edge.homeassistant.discovery import NODE_VALUES, node_message, twin_message, twin_values
from edge.homeassistant.states import node_state, twin_state
from edge.homeassistant.topics import from_node, to_node
from edge.twins.registry import DEVICES
from edge.twins.settings import TwinSettings
from host_tools.homeassistant.rules import faults, faults_together
from host_tools.world import World

TOPIC = "homeassistant/device/gym/config"
POWER = {
    "platform": "sensor",
    "unique_id": "gym.power",
    "device_class": "power",
    "unit_of_measurement": "W",
    "state_class": "measurement",
    "expire_after": 180,
}
ENERGY = {
    "platform": "sensor",
    "unique_id": "gym.energy",
    "device_class": "energy",
    "unit_of_measurement": "kWh",
    "state_class": "total_increasing",
}
GOOD = {
    "device": {"identifiers": ["gym"], "name": "gym"},
    "origin": {"name": "microgrid-edge"},
    "state_topic": "gym/state",
    "availability_topic": "gym/alive",
    "components": {"power": POWER, "energy": ENERGY},
}


def changed(path, value="absent"):
    """The good message with one thing changed, or left out."""
    message = copy.deepcopy(GOOD)
    place = message
    for key in path[:-1]:
        place = place[key]
    if value == "absent":
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(message).encode()


def test_a_good_message_is_found_good():
    assert faults(TOPIC, json.dumps(GOOD).encode()) == []
    assert faults(TOPIC, b"") == []
    assert faults("homeassistant/device/gym/lamp/config", json.dumps(GOOD).encode()) == []
    battery = {"platform": "sensor", "unique_id": "b", "device_class": "battery"}
    battery |= {"unit_of_measurement": "%", "state_class": "measurement"}
    assert faults(TOPIC, changed(("components", "level"), battery)) == []
    assert faults(TOPIC, changed(("components", "power"), {"platform": "sensor"})) == []


def test_abbreviations_are_understood():
    short = {
        "dev": {"ids": ["gym"]},
        "o": {"name": "x"},
        "stat_t": "s",
        "cmps": {"e": {"p": "sensor", "uniq_id": "e", "dev_cla": "energy", "unit_of_meas": "J"}},
    }
    assert faults(TOPIC, json.dumps(short).encode()) == [
        "e: energy is not measured in J",
        "e: energy has no state_class None",
    ]


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("origin",), "absent", "origin"),
        (("origin", "name"), "absent", "origin"),
        (("origin", "url"), "http://x", "origin"),
        (("device",), "absent", "identifiers"),
        (("device", "identifiers"), [], "identifiers"),
        (("device", "colour"), "red", "device.colour"),
        (("device", "configuration_url"), "gym.local", "configuration_url"),
        (("components",), "absent", "components"),
        (("components",), {}, "components"),
        (("components", "power", "unique_id"), "absent", "unique_id"),
        (("components", "power", "platform"), "absent", "platform"),
        (("components", "power", "platform"), "meter", "platform"),
        (("components", "power", "object_id"), "gym_power", "object_id"),
        (("components", "power", "expire_after"), "absent", "expire_after"),
        (("components", "power", "state_class"), "total", "state_class"),
        (("components", "energy", "unit_of_measurement"), "W", "measured in W"),
        (("components", "energy", "state_class"), "measurement", "state_class measurement"),
        (("components", "energy", "state_class"), "absent", "state_class None"),
        (("components", "energy", "availability"), [{"topic": "a"}], ""),
        (("availability",), [{"topic": "a"}], "exclude each other"),
        (("child_devices",), {}, "child_devices"),
        (("migrate_discovery",), True, "migrate_discovery"),
        (("state_topic",), "absent", "state_topic"),
        (("components", "on"), {"platform": "switch", "unique_id": "s"}, "command_topic"),
        (("components", "n"), {"platform": "number", "unique_id": "n", "command_topic": "c"}, "min, max"),
    ],
)
def test_what_home_assistant_refuses_is_found(path, value, word):
    found = faults(TOPIC, changed(path, value))
    assert any(word in each for each in found) == bool(word), found


def test_other_damage_is_found():
    good = json.dumps(GOOD).encode()
    assert faults("homeassistant/device/gy m/config", good)
    assert faults("homeassistant/sensor/gym/config", good)
    assert faults(TOPIC, good[:-1]) == ["it is not valid JSON"]
    assert faults(TOPIC, b"[]") == ["it is not an object"]
    below = changed(("device", "via_device"), "school")
    found = faults_together({TOPIC: good, "homeassistant/device/gym/lamp/config": below})
    assert any("below school" in each for each in found)
    assert any("two components have the unique_id gym.power" in each for each in found)


TWINS = st.lists(
    st.tuples(
        st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,30}", fullmatch=True), st.sampled_from(list(DEVICES))
    ),
    max_size=6,
    unique_by=lambda each: each[0],
)
SETTINGS = st.builds(
    HomeAssistantSettings,
    scope=st.sampled_from(["read", "operate"]),
    prefix=st.sampled_from(["homeassistant", "ha-2"]),
    every_s=st.integers(2, 300),
    page=st.sampled_from(["", "https://gym.local:8080/"]),
)


def all_of(node, twins, settings):
    found = [node_message(node, "1.0", settings)]
    return dict([*found, *(twin_message(node, twin, "1.0", settings) for twin in twins)])


def settings_of(kind, name="lamp"):
    return TwinSettings(name=name, kind=kind, promises=8, offers=4)


@given(TWINS, SETTINGS)
def test_what_a_node_says_follows_the_rules(rows, settings):
    twins = [settings_of(kind, name) for name, kind in rows]
    messages = all_of("gym", twins, settings)
    assert faults_together(messages) == []
    assert len(messages) == 1 + len(rows)
    for topic, payload in messages.items():
        assert any(_matches(pattern, topic) for pattern in from_node(settings.prefix, "gym"))
        message = json.loads(payload)
        assert any(_matches(each, message["state_topic"]) for each in from_node("x", "gym"))
        for component in message["components"].values():
            if component["platform"] == "switch":
                assert any(_matches(each, component["command_topic"]) for each in to_node("x", "gym", True))


def _matches(pattern, topic):
    levels, found = pattern.split("/"), topic.split("/")
    pairs = zip(levels, found, strict=False)
    return len(levels) == len(found) and all(level in ("+", each) for level, each in pairs)


@pytest.mark.parametrize("kind", DEVICES)
def test_of_a_twin_one_power_and_one_energy_are_enabled(kind):
    enabled = [value.kind for value in twin_values(settings_of(kind)) if value.enabled]
    assert sorted(enabled) == ["energy", "power"]


def test_the_counters_of_the_member_are_enabled():
    enabled = {value.key for value in NODE_VALUES if value.enabled and value.kind == "energy"}
    assert enabled == {
        f"{each}_kwh" for each in ("import", "export", "from_community", "to_community", "residual")
    }


def test_only_what_may_operate_has_switches():
    for scope, switches in (("read", False), ("operate", True)):
        _, payload = twin_message("gym", settings_of("load"), "1.0", HomeAssistantSettings(scope=scope))
        assert ("switch" in json.loads(payload)["components"]) == switches
        assert (len(to_node("homeassistant", "gym", switches)) == 2) == switches


def test_names_of_nodes_and_twins_do_not_run_into_each_other():
    messages = all_of("gym", [settings_of("load", "a_b")], HomeAssistantSettings(scope="read"))
    messages |= all_of("gym_a", [settings_of("load", "b")], HomeAssistantSettings(scope="read"))
    assert faults_together(messages) == []


@pytest.mark.parametrize("kind", DEVICES)
def test_of_a_community_a_level_is_enabled_where_there_is_a_battery_and_prices_and_credits_are_not(kind):
    settings = HomeAssistantSettings(scope="read")
    twin = replace(settings_of(kind), battery_wh=500.0)
    messages = dict(
        [
            node_message("gym", "1.0", settings, regulated=True),
            twin_message("gym", twin, "1.0", settings, community=True),
        ]
    )
    assert faults_together(messages) == []
    enabled = {value.key for value in twin_values(twin, community=True) if value.enabled}
    assert "level_percent" in enabled
    assert not enabled & {"price", "credit_wh"}
    assert {"limit_consume_w", "limit_feed_in_w"} <= set(json.loads(messages[TOPIC])["components"])


def test_what_is_described_of_a_community_is_in_the_states():
    world = World(seed=1)
    cells = {"name": "cells", "kind": "storage", "battery_wh": 500.0}
    roof = {"name": "roof", "kind": "pv", "power_w": 900.0, "price": 0.2, "donates": 1.0}
    lamp = {"name": "lamp", "kind": "load", "power_w": 100.0}
    world.add("gym", [], [cells, roof, lamp], community={"name": "ours"}, regulator={"max_produced_w": 1e5})
    world.boot()
    node = world.nodes["gym"].node
    node.regulator.tell({"direction": "consume", "power_w": 4200.0}, "test")
    world.run(30)
    settings = HomeAssistantSettings(scope="read")
    state = json.loads(node_state(node, problem=False))
    described = json.loads(node_message("gym", "1.0", settings, regulated=True)[1])["components"]
    assert set(described) == set(state)
    assert (state["limit_consume_w"], state["limit_feed_in_w"]) == (4200.0, None)
    for twin in node.prosumers:
        state = json.loads(twin_state(twin, None, False, node.community))
        described = json.loads(twin_message("gym", twin.settings, "1.0", settings, community=True)[1])
        assert set(described["components"]) <= set(state), twin.name
    roof = json.loads(twin_state(node.prosumer("roof"), None, False, node.community))
    assert roof["price"] == 0.2
    for community in (node.community, None):
        cells = json.loads(twin_state(node.prosumer("cells"), None, False, community))
        assert cells["level_percent"] > 0, "also on a node without a community"
    world.close()
