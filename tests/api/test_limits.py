"""External limits over HTTP."""

import pytest
from answer_schema import faults
from changed_node import ChangedNode

from edge.api.routes import ROUTES

TWINS = [
    {"name": "grid", "kind": "grid", "capacity_w": 9000.0},
    {"name": "kitchen", "kind": "load", "power_w": 1000.0},
    {"name": "wallbox", "kind": "load", "power_w": 3000.0, "flexible": "dimmed", "rated_w": 3000.0},
    {"name": "boiler", "kind": "load", "power_w": 2000.0, "flexible": "switched", "relay": "r1"},
]


@pytest.fixture
def gym():
    gym = regulated(TWINS)
    yield gym
    gym.world.close()


def regulated(twins):
    gym = ChangedNode(twins)
    gym.raw["regulator"] = {"max_consumed_w": 20_000.0, "reserve_percent": 0.0}
    gym.raw["bus"] = [{"name": "bus", "port": "virtual", "baud": 9600, "parity": "N"}]
    gym.raw["relay"] = [{"name": "r1", "bus": "bus", "address": 200, "coil": 0}]
    return gym.boot()


def test_a_limit_is_ordered_obeyed_shown_and_released(gym):
    status, found = gym.say("PUT", "/limits/ems", {"direction": "consume", "power_w": 4200.0}, "operate")
    assert status == 200
    assert [(each["source"], each["power_w"], each["scope"]) for each in found["ordered"]] == [
        ("api:ems", 4200.0, "connection")
    ]
    status, found = gym.say("GET", "/limits", scope="read")
    route = next(each for each in ROUTES if each.path == "/api/v1/limits")
    assert faults(found, route.answer) == []
    assert [each["power_w"] for each in found["in_force"]] == [4200.0]
    assert found["imported_w"] <= 4200.0
    assert {each["twin"] for each in found["held_back"]} == {"wallbox"}
    wallbox = gym.say("GET", "/twins/wallbox")[1]
    assert (wallbox["limit_w"], wallbox["reason"], wallbox["consumed_w"]) == (1200.0, "", 1200.0)
    health = gym.say("GET", "/health")[1]
    assert "limit_in_force" in [each.code for each in health["warnings"]]
    assert gym.say("DELETE", "/limits/ems", scope="operate")[0] == 200
    assert gym.say("GET", "/limits")[1]["in_force"] == []
    assert gym.say("GET", "/twins/wallbox")[1]["limit_w"] is None
    done = [(each["kind"], each["cause"]) for each in gym.say("GET", "/events?limit=50")[1]["events"]]
    assert ("ordered", "consume 4200 W") in done
    assert ("released", "") in done


def test_the_log_of_orders_is_there_as_json_and_csv(gym):
    gym.say("PUT", "/limits/ems", {"direction": "consume", "power_w": 4200.0})
    gym.say("DELETE", "/limits/ems")
    status, found = gym.say("GET", "/orders")
    assert status == 200
    route = next(each for each in ROUTES if each.path == "/api/v1/orders")
    assert faults(found, route.answer) == []
    limit = next(each for each in found if each["kind"] == "limit_consume")
    assert (limit["start_w"], limit["limit_w"], limit["source"]) == (6000.0, 4200.0, "api:ems")
    assert limit["finished_s"] is not None
    _, text = gym.say("GET", "/orders?format=csv")
    head, *rows = text.decode().split("\r\n")[:-1]
    assert head.startswith("number,created_s,finished_s,kind,subject,source,start_w,limit_w,after_w")
    assert len(rows) == len(found)


@pytest.mark.parametrize(
    "body",
    [
        {"direction": "consume"},
        {"direction": "up", "power_w": 1.0},
        {"direction": "consume", "power_w": -1.0},
        {"direction": "consume", "power_w": 1.0, "twins": "nobody"},
        {"direction": "consume", "power_w": 1.0, "circuit": "attic"},
        {"direction": "consume", "power_w": 1.0, "until_s": 1.0},
        {"direction": "consume", "power_w": 1.0, "watt": 3},
    ],
)
def test_what_is_not_valid_is_refused(gym, body):
    assert gym.say("PUT", "/limits/ems", body)[0] == 422
    assert gym.say("GET", "/limits")[1]["ordered"] == []


def test_who_may_only_read_orders_nothing(gym):
    body = {"direction": "consume", "power_w": 4200.0}
    assert gym.say("PUT", "/limits/ems", body, scope="read")[0] == 403
    assert gym.say("DELETE", "/limits/ems", scope="read")[0] == 403
    assert gym.say("POST", "/limits/ems/heartbeat", scope="operate")[0] == 200


def test_a_node_without_a_regulator_says_so():
    gym = ChangedNode(TWINS[:2]).boot()
    status, found = gym.say("PUT", "/limits/ems", {"direction": "consume", "power_w": 1.0})
    assert status == 409
    assert "[regulator]" in found["detail"]
    assert gym.say("GET", "/orders") == (200, [])
    gym.world.close()
