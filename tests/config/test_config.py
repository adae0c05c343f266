"""A configuration is right as a whole, or every mistake in it is named."""

import contextlib
import os
import tomllib
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repository import REPOSITORY

from edge.__main__ import main
from edge.config.budget import Measured, budget
from edge.config.check import ConfigError, build, load
from edge.config.options import SECTIONS, markdown, title
from edge.config.settings import HistorySettings
from edge.energy.messages import Priority
from edge.energy.planner import RunSettings
from edge.learn.registry import MODELS, create
from edge.learn.states import StateScale
from edge.net.settings import TlsSettings
from edge.option import OneOf, Within, shown
from edge.service.measure import measured
from edge.twins.model_options import OPTIONS

GYM = REPOSITORY / "deploy" / "nodes" / "gym.toml"
PAGE = REPOSITORY / "docs" / "configuration.md"


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
            "limits.value_bytes = 256: must be at least 9643 for limits.promises",
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


@pytest.mark.parametrize("given", [{}, {"port": 7}])
def test_with_tls_all_neighbours_are_reached_by_it(given):
    neighbours = [{"name": name, "host": name, **given} for name in "ab"]
    plain = build(raw(neighbour=neighbours), "gym.toml")
    assert [(n.broker.port, n.broker.tls) for n in plain.neighbours] == [(given.get("port", 1883), None)] * 2
    files = {"ca": "ca.crt", "certificate": "node.crt", "key": "node.key"}
    config = build(raw(neighbour=neighbours, tls=files), "gym.toml")
    tls = TlsSettings(ca="ca.crt", certificate="node.crt", key="node.key")
    assert [(n.broker.port, n.broker.tls) for n in config.neighbours] == [(given.get("port", 8883), tls)] * 2
    assert (config.inbox.port, config.inbox.tls) == (1883, None)


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


@pytest.mark.parametrize("section", SECTIONS)
def test_every_number_has_a_range_that_holds_its_default(section):
    for option in SECTIONS[section].options:
        assert option.meaning
        if option.kind in (int, float):
            assert isinstance(option.mark, Within | OneOf), option.key
            assert option.required or option.refusal(option.default) == ""


@pytest.mark.parametrize("section", SECTIONS)
def test_every_default_has_the_type_of_its_key(section):
    """A default of the wrong type would only be noticed on the node that relies on it."""
    for option in SECTIONS[section].options:
        assert option.required or type(option.default) is option.kind


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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[node", "is not valid TOML"),
        (b"\xff\xfe", "is not a text file in UTF-8"),
        (None, "cannot be read"),
        (b"a = " + b"9" * 5000, "a number is too long"),
        (b"a = " + b"[" * 50_000, "nested too deep"),
        (b"a = 2024-02-31", "Invalid date"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path, capsys, content, message):
    path = tmp_path / "node.toml"
    if content is not None:
        path.write_bytes(content)
    assert main(["check", "--config", str(path)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert message in error


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


def test_check_finds_a_model_that_does_not_know_its_option(tmp_path, capsys):
    path = tmp_path / "node.toml"
    lines = ["[node]", 'name = "gym"', f'state_dir = "{tmp_path}"', "[learning]", 'node_model = "markov"']
    path.write_text("\n".join([*lines, 'node_options = "cells = 9"']))
    assert main(["check", "--config", str(path)]) == 1
    assert "cells" in capsys.readouterr().err


def test_check_finds_a_missing_runtime(tmp_path, capsys, monkeypatch):
    path, missing = tmp_path / "node.toml", tmp_path / "missing"
    lines = ["[node]", 'name = "gym"', f'state_dir = "{tmp_path}"', "[learning]", 'node_model = "lstm"']
    path.write_text("\n".join(lines))
    for name in ("tflite_runtime", "ai_edge_litert"):
        (missing / name).mkdir(parents=True)
        (missing / name / "__init__.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", f"{missing}:{os.environ.get('PYTHONPATH', '')}:{REPOSITORY}")
    assert main(["check", "--config", str(path)]) == 1
    assert "no TFLite runtime works on this machine" in capsys.readouterr().err


def test_check_measures_this_interpreter(tmp_path):
    path = tmp_path / "node.toml"
    lines = ["[node]", 'name = "gym"', f'state_dir = "{tmp_path / "state"}"']
    path.write_text("\n".join(lines))
    plain = measured(load(path), path)
    assert 15 < plain.libraries_mb < 60
    assert plain.learning_mb == 0.0
    assert not (tmp_path / "state").exists()
    path.write_text("\n".join([*lines, "[learning]", 'node_model = "lstm"']))
    learns = measured(load(path), path)
    assert 5 < learns.learning_mb < 60
    assert abs(learns.libraries_mb - plain.libraries_mb) < 3


def test_check_prints_the_budget(capsys):
    assert main(["check", "--config", str(GYM)]) == 0
    printed = capsys.readouterr().out
    assert "LSA slots" in printed
    assert "total" in printed


def total_kb(learning_mb=20.0, **sections):
    return sum(line.kb for line in budget(build(raw(**sections), "f"), Measured(30.0, learning_mb)))


def test_learning_shows_in_the_budget():
    with_it = total_kb(learning={"node_model": "lstm"})
    twice = total_kb(learning={"node_model": "lstm", "memory_days": 60})
    without = total_kb()
    assert 20 * 1024 < with_it - without < 34 * 1024
    assert twice - with_it == 30 * 1440 * 24 * 9 / 8 / 1024


def test_the_budget_contains_what_was_measured():
    learns = {"node_model": "lstm"}
    assert total_kb(25.0, learning=learns) - total_kb(20.0, learning=learns) == 5 * 1024
    assert total_kb(25.0) == total_kb(20.0)


def test_the_known_options_are_those_of_the_models():
    """The table is read without numpy; here it is compared with what the models take."""
    scale = StateScale.of_max_power(3000.0)
    for model, options in OPTIONS.items():
        given = {"window_days": 9, "context": "weekday", "prior": 2.0, "share": 0.25, "inputs": "power time"}
        given |= {"runner": "numpy", "layers": 1, "cells": 4, "members": 2, "start": ""}
        rest = {"first_epochs": 1.0, "first_rate": 0.1, "rate": 0.1, "decay": 0.0}
        create(model, scale, Random(1), **{each.key: (given | rest).get(each.key, 2) for each in options})
    assert OPTIONS.keys() == MODELS.keys()


def test_a_learning_section_becomes_settings():
    config = build(
        raw(
            learning={
                "node_model": "lstm",
                "node_options": "cells = 16; rate = 1e-3; inputs = power time",
                "max_power_w": 6000,
                "weather": "sky.csv",
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


def test_a_twin_knows_its_sides_its_run_and_its_impact():
    twins = [
        {"name": "roof", "kind": "pv"},
        {"name": "house", "kind": "building", "impact": 7, "accepts": "partial", "priority": "high"},
        {"name": "wash", "kind": "shiftable", "power_w": 800, "run_s": 60},
    ]
    roof, house, wash = build(raw(twin=twins, limits={"promises": 9, "offers": 3}), "f").twins
    assert [(each.consumes, each.supplies) for each in (roof, house, wash)] == [
        (False, True),
        (True, True),
        (True, False),
    ]
    assert [each.environmental_impact for each in (roof, house, wash)] == [2, 7, 3]
    assert (roof.partial, house.partial, house.priority) == (False, True, Priority.HIGH)
    assert roof.run is None
    assert wash.run == RunSettings(power_w=800.0, run_s=60.0, within_s=28800.0, ready_hour=0.0)
    assert (house.promises, house.offers) == (9, 3)


def test_history_is_kept_with_and_without_learning():
    assert build(raw(), "f").history == HistorySettings(days=100, predictions_days=30)
    assert build(raw(history={"days": 7}), "f").history.days == 7


def test_options_prints_every_key(capsys):
    assert main(["options"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    for name, section in SECTIONS.items():
        assert title(name) in printed
        assert all(option.key in printed for option in section.options)


def test_the_page_of_the_configuration_is_current(capsys):
    assert main(["options", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert printed == markdown()
    command = "microgrid-edge options --markdown > docs/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == printed, f"the page is out of date; run: {command}"


def test_the_example_of_the_page_is_right():
    example = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert build(tomllib.loads(example), "f").twins[0].name == "water_heater"


def _bus(*meters, **bus):
    rows = [
        {
            "name": f"m{n}",
            "bus": "b",
            "address": n,
            **({"profile": meter} if isinstance(meter, str) else meter),
        }
        for n, meter in enumerate(meters, 1)
    ]
    tables = {"bus": [{"name": "b", "port": "/dev/null", **bus}], "meter": rows}
    return build(raw(**tables), "gym.toml").buses[0]


def test_a_bus_gets_what_the_profiles_of_its_meters_know():
    bus = _bus("iem3155")
    assert (bus.baud, bus.parity, bus.stop_bits, bus.pause_s) == (19200, "E", 1, 0.1)
    assert _bus("iem3155", "b23").parity == "E"  # the other one does not say
    assert (_bus("sdm120").baud, _bus("sdm120").parity) == (9600, "N")
    assert _bus("iem3155", baud=9600).baud == 9600  # the file has the last word
    assert _bus("iem3155", port="tcp://meter:502").pause_s == 0.0


def test_profiles_that_disagree_must_be_settled_by_the_file():
    meters = [
        {"name": name, "bus": "b", "address": n, "profile": profile}
        for n, (name, profile) in enumerate((("house", "sdm630"), ("pv", "iem3155")), 1)
    ]
    said = mistakes(meter=meters)
    assert "bus[0].baud must be stated" in said
    assert "house: 9600, pv: 19200" in said
    stated = [{"name": "b", "port": "/dev/null", "baud": 9600, "parity": "N"}]
    assert build(raw(bus=stated, meter=meters), "gym.toml").buses[0].baud == 9600


def test_the_pause_fits_the_sampling_period():
    assert _bus("sdm120").pause_s == 0.1
    fast = {"profile": "sdm120", "power_period_s": 0.1, "record_period_s": 60.0}
    assert 0.02 < _bus(fast, fast).pause_s < 0.03
    meters = [{"name": "m", "bus": "b", "address": 1, **fast}]
    said = mistakes(bus=[{"name": "b", "port": "p", "pause_s": 0.5}], meter=meters)
    assert "bus[0].pause_s = 0.5: leaves no time for the readings of its meters" in said


@pytest.mark.parametrize(
    "port", ["tcp://meter", "tcp://10.0.0.7:502", "socket://[fd00::1]:4001", "/dev/ttyACM0"]
)
def test_a_port_may_be_in_the_network(port):
    assert _bus("sdm120", port=port).port == port


@pytest.mark.parametrize("port", ["rfc2217://meter:1", "tcp://", "socket://host:port", "http://x"])
def test_an_unknown_kind_of_port_is_refused(port):
    said = mistakes(bus=[{"name": "b", "port": port}])
    assert f"bus[0].port = {shown(port)}: must be a device file, tcp://HOST:PORT" in said
