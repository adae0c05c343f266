"""The twin of a grid operator: members obey its limits, miss its heartbeat, and are paid what it says."""

import pytest

from edge.energy.limits import Direction

UTILITY = {
    "name": "dso",
    "kind": "dso",
    "capacity_w": 50_000.0,
    "prices": "00:00 0.30",
    "feed_in_prices": "00:00 0.08; 12:00 0.05",
}
WALLBOX = {"name": "wallbox", "kind": "load", "power_w": 11_000.0, "flexible": "dimmed", "rated_w": 11_000.0}
ROOF = {"name": "roof", "kind": "pv", "power_w": 7_200.0}
OBEYS = {
    "controller": "dso:utility.dso",
    "failsafe_consume_w": 5_000.0,
    "reserve_percent": 0.0,
    "max_consumed_w": 1e6,
    "back_s": 10.0,
}


@pytest.fixture
def town(world):
    """An operator and a home that obeys it."""
    world.add("utility", ["home"], [UTILITY])
    world.add("home", ["utility"], [WALLBOX], regulator=OBEYS)
    return world.boot()


def operator(world):
    return world.nodes["utility"].node.prosumers[0]


def drawn_w(world):
    return world.nodes["home"].node.prosumers[0].consumer.supplied_w


def until(world, condition, most_s=400):
    for _ in range(most_s):
        if condition():
            return
        world.run(1)
    raise AssertionError("it did not become true")


def limit(world, power_w, **more):
    world.nodes["utility"].touch(
        lambda node: operator(world).limit("home", Direction.CONSUME, power_w, **more)
    )


def test_a_member_is_supplied_until_it_is_limited_and_after_that_again(town):
    until(town, lambda: drawn_w(town) == 11_000.0)
    limit(town, 6_000.0, lasts_s=120.0)
    until(town, lambda: drawn_w(town) == 6_000.0)
    regulator = town.nodes["home"].node.regulator
    assert [each.source for each in regulator.held.values()] == ["dso:utility.dso"]
    until(town, lambda: drawn_w(town) == 11_000.0)
    assert not regulator.held


def test_without_the_operator_the_failsafe_limit_holds_until_it_is_back(town):
    until(town, lambda: drawn_w(town) == 11_000.0)
    regulator = town.nodes["home"].node.regulator
    town.nodes["utility"].kill()
    until(town, lambda: regulator.limits.failsafe.holds)
    assert next(iter(regulator.held.values())).power_w == 5_000.0
    town.nodes["utility"].boot()
    until(town, lambda: not regulator.limits.failsafe.holds)
    until(town, lambda: drawn_w(town) == 11_000.0)


def test_an_order_by_hand_outlasts_a_restart_of_the_operator(town):
    until(town, lambda: drawn_w(town) == 11_000.0)
    limit(town, 6_000.0)
    until(town, lambda: drawn_w(town) == 6_000.0)
    town.run(30)
    town.nodes["utility"].stop()
    town.nodes["utility"].boot()
    until(town, operator(town).operator.orders)
    town.nodes["utility"].touch(lambda node: operator(town).release("home"))
    until(town, lambda: drawn_w(town) == 11_000.0)


def test_who_is_no_operator_is_not_obeyed(world):
    world.add("utility", ["home"], [UTILITY])
    world.add("home", ["utility"], [WALLBOX], regulator=OBEYS | {"controller": "dso:other.dso"})
    world.boot()
    world.run(5)
    limit(world, 6_000.0)
    world.run(20)
    assert {each.source for each in world.nodes["home"].node.regulator.held.values()} == {"failsafe"}


def test_what_no_contract_takes_is_paid_by_its_tariff(world):
    world.add("utility", ["home"], [UTILITY])
    world.add("home", ["utility"], [ROOF], community={"grid_operator": "utility.dso"})
    world.boot().run(100)
    account = world.nodes["home"].node.community.accounts["home.roof"]
    assert account.fed_in_wh == pytest.approx(7_200 * 100 / 3600, rel=0.05)
    assert account.earned == pytest.approx(account.fed_in_wh / 1000 * 0.08, rel=0.05)


def test_an_overload_limits_the_members_by_their_totals(world):
    world.add("utility", ["home"], [UTILITY | {"most_import_w": 8_000.0}])
    learns = {"node_model": "persistence"}
    world.add("home", ["utility"], [WALLBOX], learning=learns, regulator=OBEYS)
    world.boot()
    until(world, lambda: drawn_w(world) == 8_000.0)
    assert operator(world).operator.overloads
