"""Real processes, real brokers, real serial lines: a chain of nodes as a user would run it."""

import json
import signal
import time
from pathlib import Path

import pytest

from host_tools.__main__ import main
from host_tools.meter.fault import MeterFault
from host_tools.microgrid.launch import Microgrid, Pace
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, connect_chain
from host_tools.microgrid.watch import Watch

pytestmark = pytest.mark.system


def device(name, kind, power_w):
    return DevicePlan(name, kind, lambda elapsed_s: power_w)


def plans():
    """Sun on the first roof only: every other building must be supplied across nodes."""
    buildings = [
        BuildingPlan("primary", [device("pv", "pv", 4_000.0), device("lighting", "load", 500.0)]),
        BuildingPlan("afterschool", [device("lighting", "load", 300.0)]),
        BuildingPlan("gym", [device("heater", "load", 1_000.0)]),
        BuildingPlan("underground", [device("pumps", "load", 800.0)]),
    ]
    connect_chain(buildings)
    return buildings


def wait_for(condition, timeout_s, what):
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"not within {timeout_s} s: {what}")


def served(building):
    total = building.ask("/node")["total"]
    return (total["requested_w"] or 0) > 0 and total["missing_w"] == 0  # null while unknown


def troubles(building):
    return "; ".join(each["text"] for each in building.ask("/health")["troubles"])


@pytest.fixture
def microgrid(tmp_path):
    with Microgrid(plans(), tmp_path, Pace(power_period_s=0.5)) as microgrid:
        yield microgrid


def test_four_nodes_trade_across_three_hops(microgrid):
    wait_for(lambda: all(served(each) for each in microgrid.buildings), 20, "every building served")
    watch = Watch(microgrid)
    watch.look()
    contracts = microgrid.buildings[3].ask("/contracts")["consumed"]
    assert contracts[0]["parts"][0]["supplier"] == "primary.pv"
    assert microgrid.buildings[3].ask("/node")["distances"]["primary"] == 3
    assert watch.audit.broken == []
    assert all(sight.health["status"] == "ok" for sight in watch.sights), [s.health for s in watch.sights]
    assert all(code == 0 for code in microgrid.stop().values())


def test_a_node_killed_amid_negotiation_comes_back(microgrid):
    primary, *others = microgrid.buildings
    wait_for(lambda: "primary" in others[2].ask("/node")["distances"], 10, "the nodes hear of each other")
    primary.signal_node(signal.SIGKILL)
    primary.process.wait()
    wait_for(lambda: "primary" not in others[2].ask("/node")["distances"], 15, "the dead node is forgotten")
    wait_for(lambda: others[2].ask("/node")["total"]["missing_w"] == 800.0, 1, "its contracts have ended")
    primary.start_node()
    wait_for(lambda: all(served(each) for each in others), 20, "every building served again")
    watch = Watch(microgrid)
    for _ in range(3):
        watch.look()
        time.sleep(0.3)
    assert watch.audit.finish([sight.health for sight in watch.sights])[1] == 0, watch.audit.broken


def test_an_unplugged_meter_is_undefined_reported_and_read_again(microgrid):
    gym = microgrid.buildings[2]
    wait_for(lambda: served(gym), 20, "the gym is served")
    gym.meter.unplug()
    wait_for(lambda: "bus rs485" in troubles(gym), 10, "the bus is reported")
    wait_for(lambda: gym.ask("/node")["total"]["requested_w"] is None, 10, "its load is unknown")
    wait_for(lambda: gym.ask("/node")["total"]["consumed_w"] == 0, 5, "its contract has ended")
    wait_for(lambda: "power of heater is unknown" in troubles(gym), 5, "it is named")
    gym.meter.replug()
    wait_for(lambda: served(gym), 20, "the gym is served again")
    gym.meter.inject(1, MeterFault.BAD_CRC)
    wait_for(lambda: "meter m1" in troubles(gym), 10, "bad answers show")
    assert gym.ask("/health")["readings_undefined"] > 0


def test_noise_on_the_inbox_is_refused_and_counted(microgrid):
    import random

    import paho.mqtt.client as mqtt

    gym = microgrid.buildings[2]
    wait_for(lambda: served(gym), 20, "the gym is served")
    rng = random.Random(5)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", gym.broker.port)
    client.loop_start()
    for _ in range(500):
        client.publish("mg/v1/inbox/gym/afterschool", rng.randbytes(rng.randint(0, 400))).wait_for_publish(5)
    client.loop_stop()
    wait_for(lambda: gym.ask("/health")["gateway"]["refused"] >= 1, 5, "the noise is counted")
    time.sleep(1.0)
    health = gym.ask("/health")
    refused = health["gateway"]["refused"] + health["links"]["inbox"]["refused"] + health["dropped"]["frames"]
    assert refused == 500
    assert health["faults"] == 0
    assert served(gym)


def test_a_broker_that_is_down_at_start_is_waited_for(tmp_path):
    microgrid = Microgrid(plans()[:1], tmp_path, Pace(power_period_s=0.5))
    microgrid.buildings[0].plan.neighbours.clear()
    building = microgrid.buildings[0]
    try:
        building.start_meter()
        building.configure({}, {})
        building.start_node()
        microgrid.wait_until_up()
        wait_for(lambda: "broker" in troubles(building), 5, "the broker is missed")
        wait_for(lambda: served(building), 10, "twins of one node trade without any broker")
        building.broker.start()
        wait_for(lambda: building.ask("/health")["status"] == "ok", 10, "the broker is found")
    finally:
        assert microgrid.stop()["primary"] == 0


def test_an_absent_serial_port_is_reported_and_the_node_lives(tmp_path):
    building_plan = BuildingPlan("gym", [device("heater", "load", 100.0)])
    microgrid = Microgrid([building_plan], tmp_path, Pace())
    building = microgrid.buildings[0]
    try:
        microgrid.prepare()
        text = building.config.read_text()
        building.config.write_text(text.replace(building.meter.port, str(tmp_path / "ttyNONE")))
        building.start_node()
        microgrid.wait_until_up()
        wait_for(lambda: "ttyNONE" in troubles(building), 10, "the port is named")
    finally:
        assert microgrid.stop()["gym"] == 0


def test_an_http_port_in_use_ends_the_node_with_code_3(tmp_path):
    import socket

    microgrid = Microgrid([BuildingPlan("gym", [])], tmp_path, Pace())
    building = microgrid.buildings[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", building.api_port))
        taken.listen()
        building.configure({}, {})
        building.start_node()
        assert building.process.wait(10) == 3
    assert f"port {building.api_port}" in building.log_tail()


def test_a_state_folder_that_cannot_be_made_ends_the_node_with_code_3(tmp_path):
    microgrid = Microgrid([BuildingPlan("gym", [])], tmp_path, Pace())
    building = microgrid.buildings[0]
    building.configure({}, {})
    (building.directory / "state").write_text("a file where a folder should be")
    building.start_node()
    assert building.process.wait(10) == 3
    assert "node.state_dir" in building.log_tail()


def test_a_state_that_cannot_be_written_is_reported_and_the_node_trades_on(tmp_path):
    microgrid = Microgrid(plans()[:1], tmp_path, Pace(power_period_s=0.5))
    building = microgrid.buildings[0]
    building.plan.neighbours.clear()
    with microgrid:
        state = building.directory / "state"
        state.rename(building.directory / "lost")
        state.write_text("a file in the place of the folder")
        wait_for(lambda: "state cannot be written" in troubles(building), 15, "it is said")
        wait_for(lambda: served(building), 10, "it trades all the same")
        assert "File exists" in building.log_tail()


def test_a_wrong_configuration_ends_the_node_with_code_1(tmp_path):
    microgrid = Microgrid([BuildingPlan("gym", [])], tmp_path, Pace())
    building = microgrid.buildings[0]
    building.configure({}, {"lsas": 3})
    building.start_node()
    assert building.process.wait(10) == 1
    assert "limits.lsas = 3" in building.log_tail()


def test_sigterm_ends_a_node_within_2_s(microgrid):
    gym = microgrid.buildings[2]
    began_s = time.monotonic()
    gym.signal_node(signal.SIGTERM)
    assert gym.process.wait(5) == 0
    assert time.monotonic() - began_s < 2.0


def test_the_partners_of_a_node_that_stops_do_not_wait_for_it(microgrid):
    """Two hops away: a crash would be noticed after 8 to 15 s."""
    primary, gym = microgrid.buildings[0], microgrid.buildings[2]
    wait_for(lambda: served(gym), 20, "the gym is served")
    primary.signal_node(signal.SIGTERM)
    wait_for(lambda: gym.ask("/node")["total"]["consumed_w"] == 0, 4, "its contract has ended")
    assert primary.process.wait(5) == 0
    wait_for(lambda: "neighbour primary" in troubles(microgrid.buildings[1]), 4, "its last will has arrived")


def test_status_reports_the_health_of_a_node(microgrid, capsys):
    from edge.__main__ import main as edge

    gym = microgrid.buildings[2]
    wait_for(lambda: gym.ask("/health")["status"] == "ok", 10, "the gym is well")
    assert edge(["status", "--config", str(gym.config)]) == 0
    assert json.loads(capsys.readouterr().out)["node"] == "gym"
    assert edge(["status", "--url", "http://127.0.0.1:1"]) == 1
    assert "no answer" in capsys.readouterr().err


def test_run_replays_measured_data(tmp_path, capsys):
    data = tmp_path / "data"
    data.mkdir()
    for node, rows in {
        "n1": [("pv", "pv", 900.0)],
        "n2": [("house", "load", 400.0), ("tv", "load", 80.0)],
    }.items():
        lines = ["timestamp,device,kind,power_w,filled"]
        for minute in range(120):
            stamp = f"2014-06-01T{9 + minute // 60:02d}:{minute % 60:02d}Z"
            lines += [f"{stamp},{name},{kind},{power_w},0" for name, kind, power_w in rows]
        (data / f"{node}.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    code = main(
        ["run", "--duration", "8", "--data", str(data), "--speed", "20", "--grid-w", "0", "--out", str(out)]
    )
    printed = capsys.readouterr()
    assert code == 0, printed
    report = json.loads((out / "run.json").read_text())
    assert [node["name"] for node in report["nodes"]] == ["n1", "n2"]
    assert report["contracts_across_nodes"] >= 1
    assert report["invariants_checked"] > 0
    assert report["invariants_broken"] == 0
    assert all(node["readings"] > 0 for node in report["nodes"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "column device, kind, power_w, timestamp is missing"),
        ("timestamp,device,kind,power_w\n2014-06-01T10:00Z,a,lamp,5\n", "kind 'lamp'"),
        ("timestamp,device,kind,power_w\n2014-06-01T10:00Z,a,load,much\n", "data/n1.csv, line 2"),
        ("timestamp,device,kind,power_w\nyesterday,a,load,5\n", "data/n1.csv, line 2"),
    ],
)
def test_data_that_cannot_be_replayed_is_named(tmp_path, capsys, rows, message):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "n1.csv").write_text(rows)
    assert main(["run", "--duration", "1", "--data", str(tmp_path / "data"), "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_data_folder_is_named(tmp_path, capsys):
    assert main(["run", "--data", str(Path(tmp_path) / "none")]) == 2
    assert "not a directory" in capsys.readouterr().err
