"""Buses: what they take from the profiles of their meters, and where their ports may be."""

import pytest
from configurations import mistakes, raw

from edge.config.check import build
from edge.option import shown


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
