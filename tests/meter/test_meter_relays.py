"""Relays: requested from any thread, switched by the bus, read back, retried and reported."""

import pytest

from edge.meter import RelaySettings
from host_tools.meter import MeterFault

BOILER = RelaySettings(name="boiler", bus="b", address=9, coil=3)
PUMP = RelaySettings(name="pump", bus="b", address=9, coil=4)


@pytest.fixture
def table(bench, meter):
    made = bench([meter()], [BOILER, PUMP])
    made.run(1)
    return made


def coil(table, settings=BOILER):
    return table.slaves[settings.address].coils[settings.coil]


def test_a_relay_without_a_request_is_only_read(bench, meter):
    table = bench([meter()], [BOILER, PUMP])
    table.slaves[9].coils[3] = True
    table.run(200)
    assert coil(table) is True
    assert table.stats("boiler")["actual"] is True
    assert table.stats("pump")["actual"] is False
    assert table.stats("boiler")["wanted"] is None


def test_switching_is_asynchronous_and_read_back(table):
    table.bus.switch("boiler", True)
    before = table.stats("boiler")
    assert coil(table) is False
    assert (before["wanted"], before["actual"], before["pending"]) == (True, None, True)
    table.run(1)
    after = table.stats("boiler")
    assert coil(table) is True
    assert coil(table, PUMP) is False
    assert (after["wanted"], after["actual"], after["pending"]) == (True, True, False)
    table.bus.switch("boiler", False)
    table.run(1)
    assert coil(table) is False
    assert table.stats("boiler")["actual"] is False


def test_an_unknown_relay_is_refused(table):
    with pytest.raises(KeyError):
        table.bus.switch("sauna", True)


def test_the_latest_request_wins_and_nothing_is_queued(table):
    for turn in range(1000):
        table.bus.switch("boiler", turn % 2 == 0)
    asked = table.adapter.line.asked[9]
    table.run(1)
    assert coil(table) is False
    assert table.stats("boiler")["superseded"] == 999
    assert table.adapter.line.asked[9] - asked <= 2


@pytest.mark.parametrize("fault", [each for each in MeterFault if each is not MeterFault.UNPLUG])
def test_a_failed_switch_is_retried_and_reported(table, fault):
    table.faults.inject(9, fault, count=2)
    table.bus.switch("boiler", True)
    table.run(1.5)
    failed = table.stats("boiler")
    assert failed["pending"] is True
    assert failed["actual"] is None
    assert failed["failures_in_a_row"] == 1
    assert 0 < failed["retry_in_s"] <= 2
    table.run(8)
    done = table.stats("boiler")
    assert coil(table) is True
    assert (done["actual"], done["pending"], done["failures_in_a_row"]) == (True, False, 0)


def test_a_stuck_coil_is_reported_and_retried(table):
    table.slaves[9].stuck = True
    table.bus.switch("boiler", True)
    table.run(10)
    stuck = table.stats("boiler")
    assert stuck["actual"] is False
    assert stuck["pending"] is True
    assert stuck["errors"]["wrong_state"] == stuck["failures_in_a_row"] == 3
    table.slaves[9].stuck = False
    table.run(10)
    assert coil(table) is True
    assert table.stats("boiler")["pending"] is False


def test_a_relay_that_lost_its_state_gets_it_back(table):
    table.bus.switch("boiler", True)
    table.run(1)
    table.slaves[9].coils[3] = False
    table.run(65)
    assert coil(table) is True
    assert table.stats("boiler")["errors"] == {"wrong_state": 1}


def test_a_request_survives_an_unplugged_adapter(table):
    table.adapter.plugged = False
    table.run(11)
    table.bus.switch("boiler", True)
    table.run(60)
    assert table.stats("boiler")["actual"] is None
    table.adapter.plugged = True
    table.run(31)
    assert coil(table) is True
    assert table.stats("boiler")["actual"] is True


def test_a_slave_that_failed_is_left_alone_by_all_its_devices(bench):
    """A late answer for one coil must not be mistaken for the state of another."""
    table = bench([], [BOILER, PUMP])
    table.slaves[9].coils[3] = True
    table.faults.inject(9, MeterFault.LATE, count=1)
    table.run(1.9)
    assert table.stats("pump")["actual"] is None
    table.run(2)
    assert table.stats("boiler")["actual"] is True
    assert table.stats("pump")["actual"] is False


def test_a_dead_relay_does_not_slow_the_meters(table):
    table.faults.inject(9, MeterFault.SILENT)
    table.bus.switch("boiler", True)
    readings = table.run(300)
    assert len(readings) == 30
    assert all(each.power_w is not None for each in readings)
