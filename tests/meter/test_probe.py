"""The command probe: what hangs on a line, found by reading."""

import random
import tomllib

import pytest

from edge.__main__ import main
from edge.meter.probe import SPEEDS, as_toml, probe
from edge.meter.settings import BusSettings
from host_tools.meter import SimulatedMeter
from host_tools.meter.slave import sealed
from host_tools.meter.virtual import VirtualAdapter
from host_tools.world import VirtualClock


def found(profiles, speed=(9600, "N"), addresses=range(1, 11), power_w=1500.0):
    clock = VirtualClock()
    adapter = VirtualAdapter(profiles, lambda address, now_s: power_w, clock, random.Random(1))
    clock.advance_to(3600.0)
    asked = []

    def open_port(settings):
        port = adapter.open(settings)
        if (settings.baud, settings.parity) != speed:
            adapter_hear = port.send
            port.send = lambda frame: None  # nobody understands another speed
            assert adapter_hear
        return port

    hear = adapter.line.hear

    def listen(data, now_s):
        asked.append(data[1])
        return hear(data, now_s)

    adapter.line.hear = listen
    said = []
    bus = BusSettings(name="rs485", port="/dev/ttyUSB0", timeout_s=0.2)
    result = probe(bus, list(addresses), SPEEDS, clock, open_port, said.append)
    assert set(asked) <= {3, 4}  # it only reads
    return result, said


def test_speed_parity_addresses_and_profiles_are_found():
    result, said = found({1: "sdm630", 3: "iem3155", 7: "b23"}, speed=(19200, "E"))
    assert (result.bus.baud, result.bus.parity) == (19200, "E")
    assert [(each.address, each.profiles[0]) for each in result.slaves] == [
        (1, "sdm630"),
        (3, "iem3155"),
        (7, "b23"),
    ]
    assert [each.power_w for each in result.slaves] == [pytest.approx(1500)] * 3
    assert said[0].startswith("9600 baud, parity N: address 1 (1 of 10)")


@pytest.mark.parametrize(
    "profile",
    [
        "sdm120",
        "sdm230",
        "em24",
        "em340",
        "em540",
        "we516",
        "ddsu666",
        "pzem016",
        "pac2200",
        "finder7m38",
        "countis-e34",
        "umg96rm-e",
    ],
)
def test_each_model_is_told_from_the_others(profile):
    result, _ = found({2: profile})
    assert result.slaves[0].profiles[0] == profile


def test_a_meter_without_a_power_factor_is_found():
    """Without a load it is undefined."""
    clock = VirtualClock()
    adapter = VirtualAdapter({2: "sdm120"}, lambda address, now_s: 0.0, clock, random.Random(1))
    clock.advance_to(3600.0)
    answer = adapter.line.hear

    def hear(data, now_s):
        found = []
        for delay_s, frame in answer(data, now_s):
            first, count = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
            if first <= 0x1E < first + count:
                at = 3 + 2 * (0x1E - first)
                frame = sealed(frame[:at] + bytes.fromhex("7fc00000") + frame[at + 4 : -2])
            found.append((delay_s, frame))
        return found

    adapter.line.hear = hear
    bus = BusSettings(name="rs485", port="/dev/ttyUSB0", timeout_s=0.2)
    result = probe(bus, [2], SPEEDS[:1], clock, adapter.open, lambda text: None)
    assert "sdm120" in result.slaves[0].profiles


def test_the_printed_toml_is_what_a_configuration_takes():
    result, _ = found({1: "sdm630", 5: "sdm120"})
    tables = tomllib.loads(as_toml(result))
    assert tables["bus"] == [
        {"name": "rs485", "port": "/dev/ttyUSB0", "baud": 9600, "parity": "N", "stop_bits": 1}
    ]
    assert [(each["address"], each["profile"]) for each in tables["meter"]] == [(1, "sdm630"), (5, "sdm120")]
    from edge.config.check import build

    config = build({"node": {"name": "gym", "state_dir": "/tmp"}, **tables}, "f")
    assert config.meters[1].profile == "sdm120"


def test_nothing_there_is_none():
    result, said = found({40: "sdm120"})
    assert result is None
    assert len({each.partition(":")[0] for each in said}) == len(SPEEDS)


def test_the_command_on_a_terminal(capsys):
    with SimulatedMeter({2: "sdm230"}, lambda address, now_s: 700.0) as meter:
        assert main(["probe", "--port", meter.port, "--addresses", "1-2", "--timeout", "0.1"]) == 0
    printed = capsys.readouterr()
    assert tomllib.loads(printed.out)["meter"] == [
        {"name": "meter_2", "bus": "rs485", "address": 2, "profile": "sdm230"}
    ]
    assert "9600 baud" in printed.err


def test_exit_codes(capsys, monkeypatch):
    with SimulatedMeter({9: "sdm230"}, lambda address, now_s: 700.0) as meter:
        code = main(
            [
                "probe",
                "--port",
                meter.port,
                "--addresses",
                "1",
                "--baud",
                "9600",
                "--parity",
                "N",
                "--timeout",
                "0.05",
            ]
        )
    assert code == 1
    assert "nothing answers" in capsys.readouterr().err
    assert main(["probe", "--port", "/dev/ttyNONE"]) == 3
    for wrong in (["--addresses", "0-3"], ["--addresses", "x"], ["--timeout", "90"], ["--baud", "300"]):
        assert main(["probe", "--port", "/dev/ttyNONE", *wrong]) == 2
    assert main(["probe", "--port", "ftp://x"]) == 2
    with pytest.raises(SystemExit):
        main(["probe"])
