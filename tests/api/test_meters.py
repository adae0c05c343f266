"""/meters: what each meter measures, and how old it is."""

import json

import orjson
import pytest
from answer_schema import faults
from asked_node import AskedNode

from edge.api.dispatch import Api
from edge.api.meters import MeterAnswer
from edge.meter.reading import Reading
from edge.meter.settings import MeterSettings
from host_tools.world import World


@pytest.fixture
def node():
    world = World(seed=3)
    world.add("n1", [], [])
    world.boot()
    node = world.nodes["n1"].node
    meters = tuple(
        MeterSettings(name=name, bus="rs485", address=n, profile="sdm630")
        for n, name in enumerate(("house", "roof"), 1)
    )
    object.__setattr__(node.config, "meters", meters)
    yield node
    world.close()


def asked(node):
    answer = Api(AskedNode(node)).answer("GET", "/api/v1/meters")
    assert answer.status == 200
    content = json.loads(orjson.dumps(answer.content))
    assert faults(content, list[MeterAnswer]) == []
    return content


def test_a_meter_without_a_reading_is_shown_too(node):
    assert asked(node)[0] == {
        "meter": "house",
        "bus": "rs485",
        "address": 1,
        "profile": "sdm630",
        "powers": {},
        "record": {},
        "record_age_s": None,
    }


def test_powers_and_records_are_shown_with_their_age(node):
    now_s = node.now_s()
    record = {"import_energy_wh": 1234567.8912, "l1.voltage_v": 231.25, "l1.current_a": 4.5}
    node.read(Reading("house.total", 1200.5, now_s - 60, record))
    node.read(Reading("house.total", 1100.0, now_s - 3))
    node.read(Reading("house.l1", None, now_s - 3))
    house, roof = asked(node)
    assert house["powers"] == {
        "total": {"power_w": 1100.0, "age_s": 3.0},
        "l1": {"power_w": None, "age_s": 3.0},
    }
    assert house["record"] == {"import_energy_wh": 1234567.891, "l1.voltage_v": 231.25, "l1.current_a": 4.5}
    assert house["record_age_s"] == 60.0
    assert roof["powers"] == {}
