"""What a valid configuration becomes."""

from pathlib import Path

import pytest
from configurations import GYM, raw

from edge.config.check import build, load
from edge.config.settings import HistorySettings
from edge.energy.daily_run import RunSettings
from edge.energy.messages import Priority
from edge.net.settings import TlsSettings


def test_the_shipped_example_is_right():
    config = load(GYM)
    assert (config.name, len(config.twins), len(config.meters), len(config.relays)) == ("gym", 3, 3, 1)
    assert config.inbox.port == 1883


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
