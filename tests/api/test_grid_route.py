"""The operator of the grid over HTTP: whom it limits, and until when."""

import pytest
from answer_schema import faults
from changed_node import ChangedNode

from edge.api.routes import ROUTES

UTILITY = {"name": "dso", "kind": "dso", "capacity_w": 9000.0, "most_import_w": 8000.0}


@pytest.fixture
def utility():
    node = ChangedNode([UTILITY]).boot()
    yield node
    node.world.close()


def test_a_member_is_limited_shown_and_released(utility):
    body = {"direction": "consume", "power_w": 4200.0, "lasts_s": 600.0}
    assert utility.say("PUT", "/grid/home", body, "operate")[0] == 200
    status, found = utility.say("GET", "/grid", scope="read")
    assert status == 200
    assert faults(found, next(each for each in ROUTES if each.path == "/api/v1/grid").answer) == []
    member = found["members"][0]
    assert (member["member"], member["net_w"], found["most_import_w"]) == ("home", None, 8000.0)
    limit = member["limits"][0]
    assert (limit["direction"], limit["power_w"], limit["cause"]) == ("consume", 4200.0, "operator")
    assert 0 < limit["left_s"] <= 600.0
    assert utility.say("DELETE", "/grid/home", scope="operate")[1]["members"] == []


def test_who_may_only_read_orders_nothing(utility):
    body = {"direction": "consume", "power_w": 4200.0}
    assert utility.say("PUT", "/grid/home", body, "read")[0] == 403


def test_a_node_without_an_operator_says_so():
    node = ChangedNode([{"name": "lamp", "kind": "load", "power_w": 10.0}]).boot()
    assert node.say("GET", "/grid")[1]["operator"] == ""
    assert node.say("DELETE", "/grid/home", scope="operate")[0] == 409
    node.world.close()
