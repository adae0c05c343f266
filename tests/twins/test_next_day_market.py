"""The market of the next day between nodes: orders, awards, contracts for later spans, bills, restarts."""

import numpy as np
import pytest

from edge.energy.day_market import STEPS
from edge.energy.day_messages import METER, ORDERS, Question

DAY_S, DAY_MIN = 86_400, 1440
MARKET = {"import_price": 0.30, "feed_in_price": 0.08, "gate_hour": 1.0, "settle_hours": 1.0}
POWERS_W = {"roof": (0.0, 800.0), "home": (500.0, 0.0)}  # drawn and given, all day


@pytest.fixture
def town(world):
    """A market, and two members that know two days in which nothing changed, ten minutes before the gate."""
    world.clock.wall_offset_s += -world.clock.wall_s() % DAY_S + 3000
    world.add("utility", ["roof", "home"], [], sections={"market": MARKET})
    for name, kind, power_w in (("roof", "pv", 800.0), ("home", "load", 500.0)):
        world.add(
            name,
            ["utility"],
            [{"name": "device", "kind": kind, "power_w": power_w}],
            learning={"node_model": "persistence"},
            sections={"trader": {"market": "utility", "lead_min": 6}},
        )
    world.boot()
    for name, powers_w in POWERS_W.items():
        scope = twin(world, name, "learning").scopes["node"]
        until(world, lambda scope=scope: scope.ready)
        first = int(world.clock.wall_s()) // 60 - 2 * DAY_MIN
        line = np.array([*powers_w, 0, 0, 0, 0], np.float32)
        for minute in range(first, first + 2 * DAY_MIN):
            scope.learner.series.append(minute, line)
    return world


def twin(world, node, kind):
    return next(each for each in world.nodes[node].node.twins if each.kind == kind)


def until(world, condition, most_s=1800, step_s=5):
    for _ in range(0, most_s, step_s):
        if condition():
            return
        world.run(step_s)
    raise AssertionError("it did not become true")


def tomorrow(world):
    return int(world.clock.wall_s() // DAY_S) + 1


def has_ordered(world, name):
    day = twin(world, name, "trader").days.get(tomorrow(world))
    return day is not None and day.ordered


def all_awarded(world):
    days = [twin(world, name, "trader").days.get(tomorrow(world)) for name in POWERS_W]
    return all(day is not None and day.awarded for day in days)


def check_awards(world):
    roof, home = (twin(world, name, "trader").days[tomorrow(world)] for name in POWERS_W)
    assert home.position_wh == [125] * STEPS
    assert roof.position_wh == [-125] * STEPS
    assert home.partners[5] == [("roof", 125)]


def restart(world, name):
    world.nodes[name].kill()
    world.run(3)
    world.nodes[name].boot()


def test_members_order_by_their_forecasts_and_awards_are_contracts_for_later_spans(town):
    until(town, lambda: all_awarded(town))
    check_awards(town)
    home = twin(town, "home", "trader")
    assert all(0.08 <= price <= 0.30 for price in home.days[tomorrow(town)].prices)
    contracts = list(home.contracts)
    assert len(contracts) == STEPS
    first = contracts[0]
    assert (first.begins_s, first.seller, first.buyer) == (tomorrow(town) * DAY_S, "roof", "home")
    assert first.power_w == 500.0


def test_a_restart_of_anybody_loses_no_order_and_no_award(town):
    until(town, lambda: all(has_ordered(town, name) for name in POWERS_W))
    for name in ("utility", "home"):
        restart(town, name)
    until(town, lambda: all_awarded(town))
    check_awards(town)
    for name in ("utility", "home"):
        restart(town, name)
    assert twin(town, "home", "trader").days[tomorrow(town)].awarded
    place = twin(town, "utility", "market").place
    assert place.days[tomorrow(town)].cleared
    check_awards(town)


def test_without_the_market_nothing_is_ordered_and_twins_trade_as_always(town):
    town.nodes["utility"].stop()
    home = twin(town, "home", "trader")
    until(town, lambda: home.call is None)
    town.run(900)
    assert not any(day.ordered for day in home.days.values())
    assert [code for code, _ in home.troubles()] == ["market_absent"]
    town.nodes["utility"].boot()
    until(town, lambda: home.call is not None)
    assert not list(home.troubles())


def test_a_member_that_vanished_is_in_the_market_with_what_it_ordered(town):
    until(town, lambda: all(has_ordered(town, name) for name in POWERS_W))
    town.nodes["roof"].kill()
    home = twin(town, "home", "trader")
    until(town, lambda: tomorrow(town) in home.days and home.days[tomorrow(town)].awarded)
    assert home.days[tomorrow(town)].position_wh == [125] * STEPS


def test_what_comes_late_early_or_from_another_twin_is_refused_and_counted(town):
    until(town, lambda: all_awarded(town))
    market, home = twin(town, "utility", "market"), twin(town, "home", "trader")

    def ask(deed, rows):
        number = home._number = home._number + 1
        question = Question(number, deed, tomorrow(town), 0, rows)
        town.nodes["home"].touch(lambda node: setattr(home, "_question", question))
        home.stir()
        until(town, lambda: home._question is None)

    ask(ORDERS, [[[3000, 10]]])
    assert market.place.refused["late"] == 1
    ask(METER, [1] * STEPS)
    assert market.place.refused["early"] == 1
    assert market.refused_messages == 0


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_members_and_market_come_to_the_same_bills_after_a_whole_day(town):
    """What is fed in beyond its position is paid; the member computes that from its own books."""
    until(town, lambda: all_awarded(town))
    day = tomorrow(town)
    place = twin(town, "utility", "market").place
    until(town, lambda: day in place.days and place.days[day].balancing, 50 * 3600, 60)
    until(town, lambda: not any(day in twin(town, name, "trader").days for name in POWERS_W))
    books = {}
    for name in ("utility", *POWERS_W):
        history = town.nodes[name].node.history
        history.write()
        first = day * DAY_MIN
        books[name] = {row.member: row for row in history.market_days(first, first + 1)}
    assert set(books["utility"]) == set(POWERS_W)
    for name in POWERS_W:
        assert books[name] == {name: books["utility"][name]}
        assert books[name][name].unknown_steps == 0
    assert (books["roof"]["roof"].sold_wh, books["roof"]["roof"].less_wh) == (96 * 125, 96 * 75)
    assert books["home"]["home"].more_wh == books["home"]["home"].less_wh == 0
    paid = sum(
        book[name].paid_market + book[name].paid_balancing for name, book in books.items() if name in book
    )
    assert paid == pytest.approx(-96 * 0.075 * 0.08)  # as the grid pays for what both have left
