"""The market of the next day over HTTP: what a node trades, and the market where it is held."""

import pytest
from answer_schema import faults
from changed_node import ChangedNode

from edge.api.routes import ROUTES

(ROUTE,) = (each for each in ROUTES if each.path == "/api/v1/market")
LAMP = {"name": "lamp", "kind": "load", "power_w": 10.0}


def booted(**sections):
    node = ChangedNode([LAMP])
    node.raw |= sections
    return node.boot()


@pytest.fixture
def utility():
    node = booted(market={"import_price": 0.30, "feed_in_price": 0.08})
    yield node
    node.world.close()


def test_the_node_of_the_market_tells_its_days_and_all_bills(utility):
    day_min = int(utility.world.clock.wall_s() // 86_400 - 1) * 1440
    for member in ("gym", "school"):
        utility.node.history.note_market_day(day_min, member, 400, 100, 30, 20, 0.05, -0.01, 2)
    utility.node.history.write()
    status, found = utility.say("GET", "/market", scope="operate")
    assert status == 200
    assert faults(found, ROUTE.answer) == []
    assert (found["here"], found["market"], found["days"]) == (True, "", [])
    assert [each["member"] for each in found["bills"]] == ["gym", "school"]
    assert found["bills"][0]["paid_balancing"] == -0.01


def test_who_may_only_read_sees_no_bills(utility):
    assert utility.say("GET", "/market", scope="read")[0] == 403


def test_a_node_without_a_market_says_so():
    node = booted()
    status, found = node.say("GET", "/market", scope="operate")
    assert (status, faults(found, ROUTE.answer)) == (200, [])
    assert (found["here"], found["market"], found["present"], found["bills"]) == (False, "", False, [])
    node.world.close()
