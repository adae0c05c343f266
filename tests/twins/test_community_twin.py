"""The community twin in a microgrid: credits come about, are stated, and a lie about them gains nothing."""

from dataclasses import replace

import pytest

from edge.energy.rules import AWARDS, PROD, REQUEST

COMMUNITY = {"response": "exclude", "tolerance_wh": 0.1}


def add(world, name, twin, **community):
    peers = [each for each in ("sun", "home", "rider") if each != name]
    return world.add(name, peers, [twin], community={**COMMUNITY, **community})


def load(power_w=100.0, **more):
    return {"name": "t", "kind": "load", "power_w": power_w, **more}


def roof(power_w=300.0, **more):
    return {"name": "t", "kind": "pv", "power_w": power_w, "price": 0.2, **more}


def twin(node):
    return node.node.prosumers[0]


def community(node):
    return node.node.community


@pytest.fixture
def trio(world):
    """A roof that gives, a home that needs, and a roof that keeps what it has."""
    nodes = [
        add(world, "sun", roof(60.0)),
        add(world, "home", load(accepts="partial")),
        add(world, "rider", roof(giving="free_rider")),
    ]
    world.boot()
    world.run(200.0)
    return nodes


def test_who_gives_earns_credit_and_who_withholds_loses_it(trio):
    sun, home, rider = trio
    assert twin(home).consumer.supplied_w == pytest.approx(60.0 / 1.05, rel=0.06)
    assert community(sun).credits.of("sun.t") > 0.5
    assert community(rider).credits.of("rider.t") < -0.5
    assert community(rider).awards["rider.t"].supply_wh < 0
    assert community(home).credits.experienced("sun") > 0.5
    assert community(home).credits.experienced("rider") < -0.5


def test_production_is_told_to_all_and_awards_stay_at_home(trio):
    sun, home, _ = trio
    space = home.node.space
    assert space.read(space.find("sun.t"), PROD)
    assert not space.find("sun.community") or not space.read(space.find("sun.community"), AWARDS)
    own = sun.node.space
    assert b"sun.t" in own.read(own.find("sun.community"), AWARDS)


def test_a_request_states_the_credit_of_its_prosumer(world):
    home = add(world, "home", load(), newcomer_wh=3.0)
    world.boot()
    world.run(3.0)
    assert b'"credit":3.0' in home.node.space.read(home.node.space.find("home.t"), "REQ")


def test_whoever_claims_a_credit_that_nobody_experienced_is_treated_as_a_newcomer(world):
    sun = add(world, "sun", roof(300.0), response="price")
    rider = add(world, "rider", load(50.0), response="price")
    world.boot()
    rider.node.community.credits.award("rider.t", 1e6)
    world.run(10.0)
    (part,) = twin(rider).consumer.main.parts
    assert [slot.discount for slot in part.prices] == [0.0] * len(part.prices)
    assert [slot.rate for slot in part.prices] == [0.2] * len(part.prices)
    assert twin(sun).supplier.supplied_w == 50.0


def test_a_debtor_gets_nothing_until_the_hour_has_passed(world):
    sun = add(world, "sun", roof(300.0))
    rider = add(world, "rider", load(50.0))
    world.boot()
    sun.node.community.credits.experience("rider", -1.0)
    world.run(30.0)
    assert twin(rider).consumer.supplied_w == 0.0
    for _ in range(60):
        sun.node.community.credits.close_minute()
    world.run(5.0)
    assert twin(rider).consumer.supplied_w == 50.0


def test_without_the_section_there_is_no_twin_no_production_and_no_credit(world):
    sun = world.add("sun", ["home"], [roof()])
    home = world.add("home", ["sun"], [load()])
    world.boot()
    world.run(3.0)
    assert sun.node.community is None
    assert not home.node.space.read(home.node.space.find("sun.t"), PROD)
    assert twin(sun).supplier.settings.conditions is None


def test_invalid_messages_are_counted_and_change_nothing(trio):
    sun, _, _ = trio
    productions = dict(community(sun).productions)
    assert productions.keys() >= {"rider.t"}
    assert community(sun).refused_messages == 0
    assert replace(productions["rider.t"], left_w=0.0).used_w == productions["rider.t"].capacity_w


def test_credits_and_experience_survive_a_restart_and_a_crash(world, trio):
    sun, home, rider = trio
    before = community(sun).credits.of("sun.t")
    met = community(home).credits.experienced("sun")
    assert met > 0
    for node in (sun, home):
        node.stop()
        node.boot()
    assert community(sun).credits.of("sun.t") == pytest.approx(before, rel=0.15)
    assert community(home).credits.experienced("sun") == pytest.approx(met, rel=0.15)
    world.run(700.0)
    kept = community(rider).credits.of("rider.t")
    assert kept < 0
    rider.kill()
    rider.boot()
    assert community(rider).credits.of("rider.t") < -0.5, "what ten minutes before was written"


@pytest.mark.parametrize(("data", "served"), [("open", {"router"}), ("exact", {"router", "fridge"})])
def test_an_open_community_tells_what_devices_are_for_and_a_free_rider_looks_at_it(world, data, served):
    rules = {**COMMUNITY, "response": "none", "data": data}
    fridge = {"name": "fridge", "kind": "load", "power_w": 8.0, "category": "cooling"}
    router = {"name": "router", "kind": "load", "power_w": 8.0, "category": "ICT"}
    world.add("sun", ["home"], [roof(giving="free_rider")], community=rules)
    world.add("home", ["sun"], [fridge, router], community=rules)
    world.boot()
    world.run(20.0)
    twins = world.nodes["home"].node.prosumers
    assert {each.short_name for each in twins if each.consumer.satisfied} == served


def test_without_an_open_community_a_request_says_nothing_of_its_device(world):
    world.add("home", [], [load(category="ICT")], community={**COMMUNITY, "data": "exact"})
    world.boot()
    world.run(5.0)
    node = world.nodes["home"].node
    assert b"ICT" not in node.space.read(node.space.find("home.t"), REQUEST)
