"""Every scenario builds plans that nodes accept, the same for a seed; and each does what its name says."""

import gzip
import math

import pytest

from host_tools.sim.scenario import ScenarioError, Setting
from host_tools.sim.scenarios import SCENARIOS
from host_tools.world import World

NODES = ("n1", "n2", "n3")
WITHOUT_DATA = [name for name in SCENARIOS if name != "six_buildings"]  # that one has a test of its own
FIXED = {"storage", "forecast", "awards"}  # scenarios in which nothing is random


def setting(name, seed=1, nodes=NODES, hours=None, data=None, start=None, **values):
    scenario = SCENARIOS[name]
    nodes = () if scenario.nodes == "data" and nodes is NODES else nodes
    return Setting(nodes, hours or scenario.hours, seed, scenario.values(values), data, start)


def plans(name, **asked):
    return SCENARIOS[name].build(setting(name, **asked))


def devices(name, **asked):
    return [device for plan in plans(name, **asked) for device in plan.devices]


def mean_w(device, hours, kind="load"):
    moments = [36.0 * hours * i for i in range(100)]
    return sum(device.power_w(at_s) for at_s in moments) / len(moments) if device.kind == kind else 0.0


def picture(name, **asked):
    """All that a run would see of a plan, at some moments."""
    hours = setting(name, **asked).hours
    return [
        (
            plan.name,
            plan.extra,
            [
                (each.name, each.kind, each.priority, [each.power_w(36 * hours * i) for i in range(101)])
                for each in plan.devices
            ],
        )
        for plan in plans(name, **asked)
    ]


def accept(name, plans):
    """Hand the plans to nodes, as the simulator does. Raises ConfigError."""
    world = World(1)
    try:
        for plan in plans:
            world.add(plan.name, plan.neighbours, plan.twins(SCENARIOS[name].meter_s))
    finally:
        world.close()


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_nodes_accept_what_a_scenario_builds(name):
    accept(name, plans(name))


def test_nodes_accept_machines_that_are_not_flexible():
    accept("shiftable", plans("shiftable", flexible=False))


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_a_scenario_is_the_same_for_a_seed_and_only_then(name):
    assert picture(name, seed=1) == picture(name, seed=1)
    assert (picture(name, seed=1) != picture(name, seed=2)) == (name not in FIXED)


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_every_power_is_measured_from_the_start_and_none_is_negative(name):
    for device in devices(name):
        for i in range(20):
            power_w = device.power_w(180.0 * SCENARIOS[name].hours * i)
            least_w = -1e6 if device.kind == "building" else 0.0  # a building may produce
            assert least_w <= power_w < 1e6


@pytest.mark.parametrize("name", WITHOUT_DATA)
def test_a_number_out_of_range_is_refused_by_name_and_value(name):
    for parameter in SCENARIOS[name].parameters:
        if parameter.most is not None:
            with pytest.raises(ScenarioError, match=rf"{parameter.name} = {parameter.most + 1}"):
                SCENARIOS[name].values({parameter.name: parameter.most + 1})


@pytest.mark.parametrize("name", [name for name in WITHOUT_DATA if name not in ("living_lab", "holons")])
def test_each_node_that_is_named_gets_a_plan(name):
    nodes = tuple(f"house{i}" for i in range(5))
    assert tuple(plan.name for plan in plans(name, nodes=nodes)) == nodes
    assert [plan.name for plan in plans(name, nodes=("one",))] == ["one"]


# ---- random ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scarcity", [0.8, 1.2, 3.0])
def test_random_twins_want_as_much_more_than_there_is_as_was_asked(scarcity):
    asked = {"scarcity": scarcity, "hours": 0.5}
    wanted = sum(mean_w(each, 0.5) for each in devices("random", **asked))
    produced = sum(mean_w(each, 0.5, "pv") for each in devices("random", **asked))
    assert wanted / produced == pytest.approx(scarcity, rel=0.03)


def test_random_twins_come_in_bursts_and_come_back_with_another_power():
    loads = [each for each in devices("random", duration=0.05, hours=1.0) if each.kind == "load"]
    starts = [at_s for each in loads for at_s in each.power_w.times_s[1::2]]
    in_bursts = sum(at_s % 60 == 0 for at_s in starts) / len(starts)
    assert 0.4 < in_bursts < 0.6
    returning = [each.power_w.powers_w[1::2] for each in loads if len(each.power_w.powers_w) > 3]
    assert len(returning) > len(loads) / 2
    assert all(len(set(powers_w)) == len(powers_w) for powers_w in returning)


def test_random_twins_without_a_producer_are_refused():
    lacking = next(seed for seed in range(100) if _refused(seed))
    with pytest.raises(ScenarioError, match=f"seed = {lacking}: no (producer|consumer) among 2 twins"):
        plans("random", twins=2, nodes=("one",), seed=lacking)


def _refused(seed):
    try:
        plans("random", twins=2, nodes=("one",), seed=seed)
    except ScenarioError:
        return True
    return False


# ---- living lab ------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path):
    for building, power_w in (("school", 900.0), ("gym", 300.0)):
        with gzip.open(tmp_path / f"{building}.csv.gz", "wt") as file:
            file.write("timestamp,device,kind,power_w\n")
            for minute in range(120):
                stamp = f"2023-01-10T{10 + minute // 60}:{minute % 60:02d}Z"
                file.write(f"{stamp},lighting,load,{power_w}\n{stamp},roof,pv,{minute}\n")
    return tmp_path


def test_the_living_lab_has_a_node_for_each_file_and_the_grid_at_the_first(data):
    gym, school = plans("living_lab", data=data, hours=1.0, grid_w=5000.0)
    assert (gym.name, school.name) == ("gym", "school")
    assert [(each.name, each.kind) for each in gym.devices] == [("lighting", "load"), ("roof", "pv")]
    assert gym.extra == [{"name": "grid", "kind": "grid", "capacity_w": 5000.0}]
    assert school.extra == []
    assert [each.power_w(1800.0) for each in school.devices] == [900.0, 30.0]


def test_a_measured_run_begins_where_it_is_told_to(data):
    gym = plans("living_lab", data=data, hours=0.5, start="2023-01-10T11:00")[0]
    assert gym.devices[1].power_w(0.0) == 60.0


def test_nodes_can_be_named_but_must_be_as_many_as_files(data):
    named = plans("living_lab", data=data, hours=1.0, nodes=("a", "b"))
    assert [plan.name for plan in named] == ["a", "b"]
    with pytest.raises(ScenarioError, match=r"nodes = 3: .* contains 2 files"):
        plans("living_lab", data=data, hours=1.0, nodes=("a", "b", "c"))
    with pytest.raises(ScenarioError, match="nodes = 3: the generated living lab has 4 buildings"):
        plans("living_lab", nodes=("a", "b", "c"))


def test_data_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ScenarioError, match="contains no"):
        plans("living_lab", data=tmp_path)
    with pytest.raises(ScenarioError, match="--start 'noon'"):
        plans("living_lab", start="noon")


# ---- regulation ------------------------------------------------------------------------------


def summed(plan, kind, at_s):
    return sum(each.power_w(at_s) for each in plan.devices if each.kind == kind)


def test_production_exceeds_the_threshold_for_a_while():
    plan = plans("overproduction")[0]
    assert [summed(plan, "pv", at_s) for at_s in (119.0, 120.0, 419.0, 420.0)] == pytest.approx(
        [2450.0, 3450.0, 3450.0, 2450.0]
    )
    assert summed(plan, "load", 0.0) == pytest.approx(1134.5)


def test_consumption_exceeds_the_threshold_and_could_be_served():
    plan = plans("overconsumption", threshold_w=6000.0)[0]
    assert summed(plan, "load", 0.0) == pytest.approx(2 * 1134.5)
    assert summed(plan, "load", 200.0) == pytest.approx(6900.0)
    assert plan.extra[0]["capacity_w"] > 1.05 * 6900.0


# ---- urgent, growing -------------------------------------------------------------------------


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("power", [0.05, 0.2, 0.9])
def test_an_urgent_load_finds_all_production_promised(alone, power):
    parts = devices("urgent", alone=alone, power=power)
    sources_w = [each.power_w(0.0) for each in parts if each.kind == "pv"]
    low_w = sum(each.power_w(0.0) for each in parts if each.kind == "load")
    (urgent,) = [each for each in parts if each.priority == "high"]
    urgent_w = urgent.power_w(180.0)
    assert (urgent.power_w(179.0), urgent.power_w(480.0)) == (0.0, 0.0)
    assert urgent_w == pytest.approx(power * sum(sources_w))
    assert 1.05 * low_w < sum(sources_w) < 1.05 * low_w + urgent_w
    assert (max(sources_w) >= 1.05 * urgent_w) == alone
    assert min(sources_w) > 0


def test_growing_loads_outgrow_their_contracts_every_minute_and_then_the_production():
    parts = devices("growing")
    loads = [each for each in parts if each.kind == "load"]
    produced_w = sum(each.power_w(0.0) for each in parts if each.kind == "pv")
    assert sum(each.power_w(0.0) for each in loads) == pytest.approx(0.3 * produced_w)
    assert sum(each.power_w(1800.0) for each in loads) == pytest.approx(1.2 * produced_w)
    for load in loads:
        assert load.power_w(360.0) / load.power_w(300.0) == pytest.approx(1.08)


# ---- shiftable -------------------------------------------------------------------------------


def test_flexible_and_plain_machines_need_the_same_energy():
    flexible = [twin for plan in plans("shiftable") for twin in plan.extra if twin["kind"] == "shiftable"]
    plain = [
        device
        for device in devices("shiftable", flexible=False)
        if device.name in {twin["name"] for twin in flexible}
    ]
    assert len(plain) == len(flexible) == 5 * len(NODES)
    asked_wh = sum(twin["power_w"] * twin["run_s"] / 3600 for twin in flexible)
    assert sum(_energy_wh(each) for each in plain) == pytest.approx(asked_wh, rel=0.005)


def _energy_wh(device):
    return sum(device.power_w(60.0 * minute) for minute in range(24 * 60)) / 60


def test_machines_are_ready_in_the_dark_and_may_wait_until_noon():
    for plan in plans("shiftable"):
        (sun,) = [each for each in plan.devices if each.kind == "pv"]
        for twin in plan.extra:
            if twin["kind"] == "shiftable":
                ready_s = 3600 * ((twin["ready_hour"] - 17.0) % 24)
                assert sun.power_w(ready_s) < 600.0
                assert (twin["ready_hour"] + twin["within_s"] / 3600) % 24 == pytest.approx(12.0, abs=0.01)


def test_nothing_is_measured_only_where_data_have_a_gap(data):
    roof = plans("living_lab", data=data, hours=24.0)[0].devices[1]
    assert roof.power_w(0.0) == 0.0
    assert math.isnan(roof.power_w(12 * 3600.0))
