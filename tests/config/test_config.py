"""A configuration is right as a whole, or every mistake in it is named."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.__main__ import main
from edge.config.budget import budget
from edge.config.check import ConfigError, build, load
from edge.config.options import OPTIONS, REQUIRED, SINGLE
from edge.net.mqtt import TlsSettings

GYM = Path(__file__).parents[2] / "deploy" / "nodes" / "gym.toml"


def raw(**sections):
    return {
        "node": {"name": "gym", "state_dir": "state"},
        "bus": [{"name": "b", "port": "/dev/null"}],
        "meter": [{"name": "m", "bus": "b", "address": 1, "profile": "sdm630"}],
        **sections,
    }


def mistakes(**sections):
    with pytest.raises(ConfigError) as caught:
        build(raw(**sections), "gym.toml")
    return str(caught.value)


def test_the_shipped_example_is_right():
    config = load(GYM)
    assert (config.name, len(config.twins), len(config.meters), len(config.relays)) == ("gym", 3, 3, 1)
    assert config.inbox.port == 1883


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"node": {"state_dir": "s"}}, "node.name = None: is required"),
        ({"node": {"name": "Gym!", "state_dir": "s"}}, "node.name = 'Gym!': must match"),
        ({"node": {"name": "gym", "state_dir": ""}}, "node.state_dir = '': must not be empty"),
        ({"limits": {"lsas": 4}}, "limits.lsas = 4: must lie in 8 .. 16,384"),
        ({"limits": {"lsas": "many"}}, "limits.lsas = 'many': int expected"),
        ({"limits": {"lsas": True}}, "limits.lsas = True: int expected"),
        ({"limits": {"lsas": 1.5}}, "limits.lsas = 1.5: int expected"),
        ({"limit": {}}, "limit = '...': no such section"),
        ({"limits": {"lsa": 4}}, "limits.lsa = 4: no such key"),
        ({"limits": {"value_bytes": 256}}, "limits.value_bytes = 256: 8480 needed for limits.promises"),
        ({"tls": {"ca": "c", "certificate": "n"}}, "tls.key = None: is required"),
        ({"tls": {"ca": "", "certificate": "n", "key": "k"}}, "tls.ca = '': must not be empty"),
        ({"tls": []}, "tls = []: a table [tls] is expected"),
        ({"mqtt": {"port": 0}}, "mqtt.port = 0: must lie in 1 .. 65,535"),
        ({"neighbour": [{"name": "gym", "host": "x"}]}, "neighbour[0].name = 'gym': a node is not its own"),
        ({"neighbour": [{"name": "a", "host": "x"}] * 2}, "neighbour.name = 'a': stands twice"),
        ({"neighbour": {"name": "a"}}, "tables [[neighbour]] are expected"),
        ({"bus": [{"name": "b", "port": "p", "parity": "X"}]}, "bus[0].parity = 'X': one of N, E, O"),
        ({"meter": [{"name": "m", "bus": "c", "address": 1, "profile": "sdm120"}]}, "meter[0].bus = 'c'"),
        ({"meter": [{"name": "m", "bus": "b", "address": 0, "profile": "sdm120"}]}, "meter[0].address = 0"),
        (
            {"meter": [{"name": "m", "bus": "b", "address": 1, "profile": "sdm9"}]},
            "meter[0].profile = 'sdm9'",
        ),
        (
            {"meter": [{"name": n, "bus": "b", "address": 1, "profile": "sdm120"} for n in "mn"]},
            "another meter",
        ),
        ({"relay": [{"name": "m", "bus": "b", "address": 2, "coil": 0}]}, "relay.name = 'm': a meter is"),
        ({"mqtt": {"host": "a" * 70 + ".b"}}, "gym.toml: "),
        ({"learning": {"node_model": "oracle"}}, "learning.node_model = 'oracle': one of none, persistence"),
        ({"learning": {"node_options": "cells"}}, "learning.node_options = 'cells': 'cells': name = value"),
        ({"learning": {"timezone": "Mars/North"}}, "learning.timezone = 'Mars/North': no such time zone"),
        ({"learning": {"history_days": 3}}, "learning.history_days = 3: at least memory_days = 30"),
        (
            {"learning": {"node_model": "lstm"}, "limits": {"value_bytes": 512, "promises": 1}},
            "limits.value_bytes = 512: 1024 needed for predictions",
        ),
        (
            {"boundary": [{"scope": "node", "variable": "produced", "limits_w": "1 2 2 4 5"}]},
            "boundary[0].limits_w = '1 2 2 4 5': each must be above the one before",
        ),
        ({"boundary": [{"scope": "node", "variable": "produced", "limits_w": "1 2"}]}, "must match"),
        (
            {"boundary": [{"scope": "node", "variable": "missing", "limits_w": "1 2 3 4 5"}] * 2},
            "boundary[1].variable = 'missing': stands twice for node",
        ),
        ({"twin": [{"name": "t", "kind": "lamp"}]}, "twin[0].kind = 'lamp': one of"),
        ({"twin": [{"name": "t", "kind": "load", "input": "m.l4"}]}, "twin[0].input = 'm.l4': no such meter"),
        ({"twin": [{"name": "t", "kind": "load", "relay": "r"}]}, "twin[0].relay = 'r': no such relay"),
        ({"twin": [{"name": "t", "kind": "grid"}]}, "twin[0].capacity_w = 0.0"),
        ({"twin": [{"name": "t", "kind": "both", "input": "m.l1"}]}, "twin[0].production_input = ''"),
        ({"twin": [{"name": "t", "kind": "load", "sign": 0}]}, "twin[0].sign = 0"),
        ({"twin": [{"name": "t", "kind": "load", "power_w": float("nan")}]}, "twin[0].power_w = nan"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_value(sections, named):
    text = mistakes(**sections)
    assert named in text
    assert text.startswith("gym.toml: ")


@pytest.mark.parametrize("given", [{}, {"port": 7}])
def test_with_tls_all_neighbours_are_reached_by_it(given):
    neighbours = [{"name": name, "host": name, **given} for name in "ab"]
    plain = build(raw(neighbour=neighbours), "gym.toml")
    assert [(n.broker.port, n.broker.tls) for n in plain.neighbours] == [(given.get("port", 1883), None)] * 2
    files = {"ca": "ca.crt", "certificate": "node.crt", "key": "node.key"}
    config = build(raw(neighbour=neighbours, tls=files), "gym.toml")
    tls = TlsSettings("ca.crt", "node.crt", "node.key")
    assert [(n.broker.port, n.broker.tls) for n in config.neighbours] == [(given.get("port", 8883), tls)] * 2
    assert (config.inbox.port, config.inbox.tls) == (1883, None)


def test_all_mistakes_are_reported_at_once():
    text = mistakes(limits={"lsas": 1, "names": 1}, mqtt={"port": 99999})
    assert len(text.splitlines()) == 3


@pytest.mark.parametrize("section", OPTIONS)
def test_every_number_has_a_range_that_holds_its_default(section):
    for option in OPTIONS[section]:
        if option.type in (int, float):
            assert option.least is not None
            assert option.most is not None
            assert option.default is REQUIRED or option.least <= option.default <= option.most


values = st.recursive(
    st.integers() | st.floats() | st.text(max_size=8) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(sorted({option.key for options in OPTIONS.values() for option in options}))


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), values | st.dictionaries(keys, values, max_size=4)))
def test_any_tables_are_accepted_or_refused_with_a_message(sections):
    with contextlib.suppress(ConfigError):
        build({**raw(), **sections}, "f")


@pytest.mark.parametrize(
    ("content", "message"), [(b"[node", "is no TOML"), (b"\xff\xfe", "is no TOML"), (None, "cannot be read")]
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, capsys, content, message):
    path = tmp_path / "node.toml"
    if content is not None:
        path.write_bytes(content)
    assert main(["check", "--config", str(path)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert message in error


def test_check_prints_the_budget(capsys):
    assert main(["check", "--config", str(GYM)]) == 0
    printed = capsys.readouterr().out
    assert "LSA slots" in printed
    assert "total" in printed


def test_learning_shows_in_the_budget():
    with_it = sum(line.kb for line in budget(build(raw(learning={"node_model": "lstm"}), "f")))
    twice = sum(
        line.kb for line in budget(build(raw(learning={"node_model": "lstm", "memory_days": 60}), "f"))
    )
    without = sum(line.kb for line in budget(build(raw(), "f")))
    assert 20 * 1024 < with_it - without < 34 * 1024
    assert twice - with_it == 30 * 1440 * 24 * 9 / 8 / 1024


def test_a_learning_section_becomes_settings():
    config = build(
        raw(
            learning={
                "node_model": "lstm",
                "node_options": "cells = 16; rate = 1e-3; inputs = power time",
                "max_power_w": 6000,
                "weather": "sky.csv",
                "timezone": "Europe/Zurich",
            },
            boundary=[{"scope": "node", "variable": "produced", "limits_w": "1 2 3.5 4 5"}],
        ),
        "f",
    )
    (scope,) = config.learning.scopes
    assert scope.options == {"cells": 16, "rate": 1e-3, "inputs": "power time"}
    assert scope.boundaries == {"produced": (1.0, 2.0, 3.5, 4.0, 5.0)}
    assert (scope.max_power_w, config.learning.weather_file) == (6000.0, Path("sky.csv"))
    assert build(raw(), "f").learning is None


def test_options_prints_every_key(capsys):
    assert main(["options"]) == 0
    printed = capsys.readouterr().out
    for section, options in OPTIONS.items():
        assert (f"[{section}]" if section in SINGLE else f"[[{section}]]") in printed
        assert all(option.key in printed for option in options)
