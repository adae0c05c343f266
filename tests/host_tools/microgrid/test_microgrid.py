"""Microgrids: generated and replayed power, and an audit that can fail."""

import gzip
import math
from datetime import UTC, datetime

import pytest

from host_tools.microgrid.audit import Audit
from host_tools.microgrid.generator import BUILDINGS, generated
from host_tools.microgrid.launch import LaunchError, Microgrid, Pace, to_toml
from host_tools.microgrid.plan import BuildingPlan, connect_chain
from host_tools.microgrid.replay import DataError, files_of, parse_start, replayed, sunny_morning


def write(path, rows, opener=open):
    with opener(path, "wt") as file:
        file.write("timestamp,device,kind,power_w,filled\n")
        file.writelines(f"{stamp},{device},{kind},{power_w},0\n" for stamp, device, kind, power_w in rows)


@pytest.fixture
def data(tmp_path):
    """Two nodes, three days; the sun shines on the second day, less on the third, at the second node only."""
    rows = {"b_house": [], "a_roof": []}
    for day, sun_w in ((1, 100.0), (2, 950.0), (3, 1000.0)):
        for minute in range(60):
            stamp = f"2014-06-{day:02d}T10:{minute:02d}Z"
            rows["a_roof"].append((stamp, "pv", "pv", sun_w))
            if (day, minute) != (2, 5):
                rows["b_house"].append((stamp, "tv", "load", 10.0 * minute))
            rows["b_house"].append((stamp, "battery", "battery", -50.0))
    write(tmp_path / "a_roof.csv", rows["a_roof"])
    write(tmp_path / "b_house.csv.gz", rows["b_house"], gzip.open)
    return tmp_path


def test_a_replay_starts_at_ten_of_the_first_day_with_sun(data):
    assert sunny_morning(files_of(data)) == datetime(2014, 6, 2, 10, tzinfo=UTC)


def test_each_file_is_a_node_and_each_device_a_meter_with_its_power(data):
    roof, house = replayed(files_of(data), datetime(2014, 6, 2, 10, tzinfo=UTC), 60, 10.0)
    assert (roof.name, house.name) == ("a_roof", "b_house")
    assert [(each.name, each.kind) for each in house.devices] == [("tv", "load"), ("battery", "battery")]
    tv, battery = house.devices
    assert [tv.power_w(seconds) for seconds in (0.0, 5.9, 6.0, 24.0)] == [0.0, 0.0, 10.0, 40.0]
    assert battery.power_w(3.0) == -50.0


def test_a_gap_in_the_data_reads_as_nothing(data):
    _, house = replayed(files_of(data), datetime(2014, 6, 1, 10, tzinfo=UTC), 60, 1.0)
    assert math.isnan(house.devices[0].power_w(-1.0))
    late = replayed(files_of(data), datetime(2014, 6, 1, 10, tzinfo=UTC), 7200, 1.0)[1].devices[0]
    assert late.power_w(3599.0) == 590.0
    assert math.isnan(late.power_w(3600.0 + 16 * 60))


def test_a_start_without_data_is_refused(data):
    with pytest.raises(DataError, match="no data at 2015"):
        replayed(files_of(data), datetime(2015, 1, 1, tzinfo=UTC), 60, 1.0)


@pytest.mark.parametrize(
    ("text", "hour"), [("2014-06-02", 10), ("2014-06-02T18:30", 18), ("2014-06-02T18:30Z", 18)]
)
def test_a_start_is_a_day_or_a_moment(text, hour):
    assert parse_start(text).hour == hour


def test_an_invalid_start_is_refused():
    with pytest.raises(DataError, match="--start 'noon'"):
        parse_start("noon")


def test_generated_power_is_the_same_for_a_seed_and_only_then():
    def powers(seed):
        return [
            [d.power_w(s) for d in b.devices for s in (0.0, 40.0, 7200.0)] for b in generated(seed, 10, 1.0)
        ]

    assert powers(1) == powers(1)
    assert powers(1) != powers(2)


def test_generated_buildings_live_a_day():
    buildings = {building.name: building for building in generated(1, 0.0, 1.0)}
    assert tuple(buildings) == BUILDINGS
    pv = next(device for device in buildings["gym"].devices if device.kind == "pv")
    assert pv.power_w(0.0) == 0.0
    assert pv.power_w(13 * 3600.0) > 1_000
    lighting = next(device for device in buildings["primary"].devices if device.name == "lighting")
    assert lighting.power_w(9 * 3600.0) > 5 * lighting.power_w(2 * 3600.0)


def test_a_chain_knows_its_neighbours():
    buildings = generated(1, 10.0, 1.0)
    connect_chain(buildings)
    assert [building.neighbours for building in buildings] == [
        ["afterschool"],
        ["primary", "gym"],
        ["afterschool", "underground"],
        ["gym"],
    ]


def test_toml_is_what_a_node_reads():
    import tomllib

    raw = {
        "node": {"name": "a", "seed": 1},
        "twin": [{"name": "x", "power_w": 1.5}, {"name": "y"}],
        "bus": [],
    }
    parsed = tomllib.loads(to_toml(raw))
    assert parsed == {key: value for key, value in raw.items() if value}


def consumed(power_w=50.0, revision=1, supplier="b.pv"):
    part = {"supplier": supplier, "power_w": power_w, "max_w": 52.5}
    return {"consumer": "a.load", "id": 7, "revision": revision, "valid": True, "parts": [part]}


def supplied(power_w=50.0, revision=1):
    return {
        "supplier": "b.pv",
        "consumer": "a.load",
        "state": "valid",
        "id": 7,
        "revision": revision,
        "power_w": power_w,
        "max_w": 52.5,
    }


def books(contract, promise):
    return {
        "a": {"consumed": [contract] if contract else [], "supplied": []},
        "b": {"consumed": [], "supplied": [promise] if promise else []},
    }


def test_the_audit_finds_nothing_in_books_that_balance():
    audit = Audit()
    for second in range(60):
        audit.look(books(consumed(), supplied()), float(second))
    assert audit.broken == []
    assert audit.checked > 100


def test_the_audit_finds_power_that_two_sides_book_differently():
    audit = Audit()
    audit.look(books(consumed(50.0), supplied(49.0)), 0.0)
    assert "I6" in audit.broken[0]


def test_the_audit_lets_a_restatement_travel():
    audit = Audit()
    audit.look(books(consumed(50.0, revision=2), supplied(49.0, revision=1)), 0.0)
    assert audit.broken == []


def test_the_audit_finds_a_contract_that_only_one_side_holds_for_long():
    audit = Audit()
    for second in range(19):
        audit.look(books(consumed(), None), float(second))
    assert audit.broken == []
    for second in range(19, 23):
        audit.look(books(consumed(), None), float(second))
    assert "I5" in audit.broken[0]


def test_the_audit_finds_a_third_contract():
    audit = Audit()
    three = books(consumed(), supplied())
    three["a"]["consumed"] *= 3
    audit.look(three, 0.0)
    assert any("I2" in line for line in audit.broken)


def test_the_audit_adds_what_the_nodes_found_themselves():
    trouble = {"code": "invariant_broken", "subject": "a", "text": "I1 ..."}
    health = {"node": "a", "invariants_checked": 5, "invariants_broken": 1, "troubles": [trouble]}
    assert Audit().finish([health]) == (5, 1)


def test_a_second_microgrid_in_one_folder_is_refused(tmp_path):
    first = Microgrid([BuildingPlan("gym", [])], tmp_path, Pace())
    (tmp_path / "gym" / "kept").touch()
    with pytest.raises(LaunchError, match="another microgrid runs in this folder"):
        Microgrid([BuildingPlan("gym", [])], tmp_path, Pace())
    assert (tmp_path / "gym" / "kept").exists()
    first.stop()
    Microgrid([BuildingPlan("gym", [])], tmp_path, Pace()).stop()
