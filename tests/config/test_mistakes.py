"""Every mistake in a configuration is named, all at once."""

import contextlib

import pytest
from configurations import mistakes, raw
from hypothesis import given
from hypothesis import strategies as st
from repository import REPOSITORY

from edge.config.check import ConfigError, build
from edge.config.options import SECTIONS
from edge.option import shown


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"node": {"state_dir": "s"}}, "node.name is missing: name of this node"),
        ({"node": {"name": "Gym!", "state_dir": "s"}}, 'node.name = "Gym!": must be 1 to 32 of a-z'),
        ({"node": {"name": "gym", "state_dir": ""}}, 'node.state_dir = "": must not be empty'),
        ({"limits": {"lsas": 4}}, "limits.lsas = 4: must be between 8 and 16,384"),
        ({"limits": {"lsas": "many"}}, 'limits.lsas = "many": must be a whole number'),
        ({"limits": {"lsas": True}}, "limits.lsas = true: must be a whole number"),
        ({"limits": {"lsas": 1.5}}, "limits.lsas = 1.5: must be a whole number"),
        ({"limit": {}}, "[limit]: unknown section"),
        ({"limits": {"lsa": 4}}, "limits.lsa = 4: unknown key"),
        (
            {"limits": {"value_bytes": 256}},
            "limits.value_bytes = 256: must be at least 9607 for limits.promises",
        ),
        ({"tls": {"ca": "c", "certificate": "n"}}, "tls.key is missing: file with"),
        ({"tls": {"ca": "", "certificate": "n", "key": "k"}}, 'tls.ca = "": must not be empty'),
        ({"tls": []}, "tls = []: must be a table [tls]"),
        ({"mqtt": {"port": 0}}, "mqtt.port = 0: must be between 1 and 65,535"),
        (
            {"neighbour": [{"name": "gym", "host": "x"}]},
            'neighbour[0].name = "gym": a node cannot be its own',
        ),
        ({"neighbour": [{"name": "a", "host": "x"}] * 2}, 'neighbour.name = "a": duplicate name'),
        ({"neighbour": {"name": "a"}}, "must be one or more tables [[neighbour]]"),
        ({"bus": [{"name": "b", "port": "p", "parity": "X"}]}, 'bus[0].parity = "X": must be one of N, E, O'),
        ({"meter": [{"name": "m", "bus": "c", "address": 1, "profile": "sdm120"}]}, 'meter[0].bus = "c"'),
        ({"meter": [{"name": "m", "bus": "b", "address": 0, "profile": "sdm120"}]}, "meter[0].address = 0"),
        (
            {"meter": [{"name": "m", "bus": "b", "address": 1, "profile": "sdm9"}]},
            'meter[0].profile = "sdm9"',
        ),
        (
            {"meter": [{"name": n, "bus": "b", "address": 1, "profile": "sdm120"} for n in "mn"]},
            "meter[1].address = 1: another meter",
        ),
        (
            {"relay": [{"name": "m", "bus": "b", "address": 2, "coil": 0}]},
            'relay.name = "m": a meter has the same name',
        ),
        ({"mqtt": {"host": "a" * 70 + ".b"}}, "aaa...: must be a host name or an address"),
        ({"mqtt": {"host": ""}}, 'mqtt.host = "": must be a host name or an address'),
        ({"api": {"host": ""}}, 'api.host = "": must be a host name or an address'),
        ({"api": {"host": "[::1]"}}, 'api.host = "[::1]": must be a host name or an address'),
        ({"api": {"host": "999.1.1.1"}}, 'api.host = "999.1.1.1": must be a host name or an address'),
        ({"mqtt": {"host": "10.0.1"}}, 'mqtt.host = "10.0.1": must be a host name or an address'),
        ({"api": {"names": "a.b c.d"}}, 'api.names = "a.b c.d": must be names of hosts, separated by commas'),
        ({"api": {"names": "a.b,,c.d"}}, 'api.names = "a.b,,c.d": must be names of hosts'),
        ({"api": {"host": "not one"}}, 'api.host = "not one": must be a host name or an address'),
        (
            {"neighbour": [{"name": "a", "host": "mqtt://school.local"}]},
            'neighbour[0].host = "mqtt://school.local": must be a host name or an address',
        ),
        (
            {"neighbour": [{"name": "a", "host": "school.local:1883"}]},
            'neighbour[0].host = "school.local:1883": must be a host name or an address, without a port',
        ),
        (
            {"learning": {"node_model": "oracle"}},
            'learning.node_model = "oracle": must be one of none, persistence',
        ),
        (
            {"learning": {"node_options": "cells"}},
            'learning.node_options = "cells": `cells` must have the form name = value',
        ),
        (
            {"node": {"name": "a", "state_dir": "s", "timezone": "Mars/North"}},
            'node.timezone = "Mars/North": unknown time zone',
        ),
        (
            {"learning": {"node_model": "markov"}, "history": {"days": 3}},
            "history.days = 3: must be at least learning.memory_days = 30",
        ),
        (
            {"learning": {"node_model": "markov", "node_options": "foo = 3"}},
            'learning.node_options = "foo = 3": `foo`: unknown option of markov; known: window_days, ',
        ),
        (
            {"learning": {"cluster_model": "majority", "cluster_options": "foo = 3"}},
            "`foo`: unknown option of majority; known: none",
        ),
        (
            {"learning": {"node_model": "markov", "node_options": "window_days = 0"}},
            "`window_days = 0`: must be between 1 and 1,000",
        ),
        (
            {"learning": {"node_model": "mixture", "node_options": "cells = many"}},
            '`cells = "many"`: must be a whole number',
        ),
        (
            {"learning": {"node_model": "lstm", "node_options": "runner = gpu"}},
            '`runner = "gpu"`: must be one of tflite, numpy',
        ),
        ({"learning": {"history_days": 90}}, "learning.history_days = 90: moved to [history] days"),
        (
            {"learning": {"predictions_days": 9}},
            "learning.predictions_days = 9: moved to [history] predictions_days",
        ),
        (
            {"learning": {"node_model": "lstm"}, "limits": {"value_bytes": 512, "promises": 1}},
            "limits.value_bytes = 512: must be at least 1024 for predictions",
        ),
        (
            {"boundary": [{"scope": "node", "variable": "produced", "limits_w": "1 2 2 4 5"}]},
            'boundary[0].limits_w = "1 2 2 4 5": each limit must be above the one before',
        ),
        (
            {"boundary": [{"scope": "node", "variable": "produced", "limits_w": "1 2"}]},
            "must be five numbers",
        ),
        (
            {"boundary": [{"scope": "node", "variable": "missing", "limits_w": "1 2 3 4 5"}] * 2},
            'boundary[1].variable = "missing": duplicate for scope node',
        ),
        (
            {"twin": [{"name": "recorder", "kind": "load"}]},
            'twin[0].name = "recorder": is reserved for a twin of the node itself',
        ),
        ({"twin": [{"name": "learning", "kind": "pv"}]}, "is reserved for a twin of the node itself"),
        ({"twin": [{"name": "t", "kind": "lamp"}]}, 'twin[0].kind = "lamp": must be one of'),
        (
            {"twin": [{"name": "t", "kind": "load", "input": "m.l4"}]},
            'twin[0].input = "m.l4": unknown meter input; known: m.l1',
        ),
        (
            {"twin": [{"name": "t", "kind": "load", "relay": "r"}]},
            'twin[0].relay = "r": unknown relay; known: none',
        ),
        ({"twin": [{"name": "t", "kind": "grid"}]}, "twin[0].capacity_w = 0.0"),
        ({"twin": [{"name": "t", "kind": "both", "input": "m.l1"}]}, 'twin[0].production_input = ""'),
        ({"twin": [{"name": "t", "kind": "load", "sign": 0}]}, "twin[0].sign = 0: must be one of 1, -1"),
        (
            {"twin": [{"name": "t", "kind": "load", "power_w": float("nan")}]},
            "twin[0].power_w = nan: must be a finite number",
        ),
        (
            {"twin": [{"name": "t", "kind": "load", "power_w": float("inf")}]},
            "power_w = inf: must be a finite",
        ),
        (
            {"twin": [{"name": "t", "kind": "load", "priority": "top"}]},
            '"top": must be one of low, medium, high',
        ),
    ],
)
def test_a_mistake_is_named_with_file_key_and_value(sections, named):
    text = mistakes(**sections)
    assert named in text
    assert text.startswith("gym.toml: ")


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"api": {"host": ""}}, 'api.host = "": must be a host name or an address'),
        ({"api": {"host": "a\0"}}, 'api.host = "a\\u0000": must not contain control characters'),
        (
            {"node": {"name": "gym", "state_dir": "a\0b"}},
            'node.state_dir = "a\\u0000b": must not contain control characters',
        ),
        (
            {"tls": {"ca": "\x1b[2J", "certificate": "n", "key": "k"}},
            'tls.ca = "\\u001b[2J": must not contain control characters',
        ),
        (
            {"neighbour": [{"name": "a", "host": "h\n"}]},
            'neighbour[0].host = "h\\u000a": must not contain control characters',
        ),
        (
            {"boundary": [{"scope": "node", "variable": "produced", "limits_w": "1 2 1.2.3 4 5"}]},
            'boundary[0].limits_w = "1 2 1.2.3 4 5": must be five numbers with spaces between them',
        ),
        ({"limits": {"lsas": 1 << 20000}}, "limits.lsas = 0x1" + 54 * "0" + "...: must be between 8"),
        ({"limits": {"lsas": ["a"] * 99}}, '"a", "...: must be a whole number'),
        ({"limits": {"a b": {"c": 1.5}}}, 'limits."a b" = {c = 1.5}: unknown key'),
    ],
)
def test_a_value_is_shown_as_toml_and_cut(sections, line):
    (said,) = mistakes(**sections).splitlines()
    assert line in said
    assert len(said) < 400


@pytest.mark.parametrize("profile", ["a\0", "sdm9", "deploy/none.toml"])
def test_a_bad_profile_is_one_mistake(profile):
    meter = {"name": "m", "bus": "b", "address": 1, "profile": profile}
    (said,) = mistakes(meter=[meter], twin=[{"name": "t", "kind": "load", "input": "m.total"}]).splitlines()
    assert said.startswith(f"gym.toml: meter[0].profile = {shown(profile)}: ")
    assert str(REPOSITORY) not in said
    if profile == "sdm9":
        assert "unknown profile; known: b23, " in said


def test_mistakes_between_keys_are_reported_beside_those_in_single_keys():
    text = mistakes(limits={"lsas": 1}, twin=[{"name": "t", "kind": "load", "relay": "r"}] * 2, oven={})
    assert len(text.splitlines()) == 5
    for part in ("[oven]: unknown section", "limits.lsas = 1", 'twin.name = "t": duplicate', "unknown relay"):
        assert part in text


def test_unknown_keys_and_sections_are_in_order():
    lines = mistakes(node={"name": "gym", "state_dir": "s", "z": 1, "a": 2}, zoo={}, abc=[]).splitlines()
    keys = [line.removeprefix("gym.toml: ").split(":")[0] for line in lines]
    assert keys == ["[abc]", "[zoo]", "node.a = 2", "node.z = 1"]


def test_all_mistakes_are_reported_at_once():
    text = mistakes(limits={"lsas": 1, "names": 1}, mqtt={"port": 99999})
    assert len(text.splitlines()) == 3


BUS = {"name": "b", "port": "p"}
METER = {"name": "m", "bus": "b", "address": 1, "profile": "sdm120"}
RELAY = {"name": "r", "bus": "b", "address": 2, "coil": 0}


@pytest.mark.parametrize(
    ("section", "right", "wrong"),
    [
        ("bus", BUS, {"name": ""}),
        ("bus", BUS, {"port": ""}),
        ("bus", BUS, {"baud": 0}),
        ("bus", BUS, {"parity": "X"}),
        ("bus", BUS, {"stop_bits": 3}),
        ("bus", BUS, {"timeout_s": 0}),
        ("bus", BUS, {"timeout_s": float("nan")}),
        ("meter", METER, {"name": ""}),
        ("meter", METER, {"name": "a.b"}),
        ("meter", METER, {"address": 0}),
        ("meter", METER, {"address": 248}),
        ("meter", METER, {"power_period_s": 0}),
        ("meter", METER, {"record_period_s": float("inf")}),
        ("relay", RELAY, {"name": ""}),
        ("relay", RELAY, {"address": 0}),
        ("relay", RELAY, {"coil": 0x10000}),
        ("neighbour", {"name": "a", "host": "h"}, {"host": ""}),
        ("neighbour", {"name": "a", "host": "h"}, {"host": "x" * 64}),
        ("neighbour", {"name": "a", "host": "h"}, {"port": 65536}),
        ("neighbour", {"name": "a", "host": "h"}, {"keepalive_s": 0}),
    ],
)
def test_a_wrong_value_of_a_device_is_refused_by_its_key(section, right, wrong):
    build(raw(**{section: [right]}), "gym.toml")
    (key,) = wrong
    assert f"{section}[0].{key} = {shown(wrong[key])}: must " in mistakes(**{section: [right | wrong]})


@pytest.mark.parametrize("wrong", [{"host": ""}, {"host": "x" * 64}, {"port": 65536}, {"keepalive_s": 0}])
def test_what_no_socket_can_connect_to_is_refused(wrong):
    (key,) = wrong
    assert f"mqtt.{key} = {shown(wrong[key])}: must be " in mistakes(mqtt=wrong)


values = st.recursive(
    st.integers() | st.floats() | st.text(max_size=8) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


keys = st.sampled_from(sorted({option.key for each in SECTIONS.values() for option in each.options}))


@given(st.dictionaries(st.sampled_from(sorted(SECTIONS)), values | st.dictionaries(keys, values, max_size=4)))
def test_any_tables_are_accepted_or_refused_with_a_message(sections):
    with contextlib.suppress(ConfigError):
        build({**raw(), **sections}, "f")


def test_ranges_and_references_are_checked_together():
    found = mistakes(
        node={"name": "Gym!", "state_dir": "state"},
        limits={"lsas": 1},
        mqtt=[],
        meter=[{"name": "m", "bus": "wire", "address": 300, "profile": "sdm9"}],
        twin=[
            {"name": "a", "kind": "load", "input": "m.total", "relay": "off"},
            {"name": "b", "kind": "grid", "capacity_w": -1},
            {"name": "c", "kind": "shiftable"},
            {"kind": "load", "input": "n.total"},
        ],
    ).splitlines()
    assert [line.partition(": ")[2].partition(" = ")[0].partition(" is missing")[0] for line in found] == [
        "node.name",
        "limits.lsas",
        "mqtt",
        "meter[0].address",
        "twin[1].capacity_w",
        "twin[3].name",
        "meter[0].bus",
        "meter[0].profile",
        "twin[0].relay",
        "twin[2].power_w",
        "twin[3].input",
    ]
