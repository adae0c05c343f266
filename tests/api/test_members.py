"""A member sees and changes its own twins only, and the sums of all."""

import socket
import time

import orjson
import pytest
from changed_node import TOKENS, ChangedNode

from edge.api.access import MEMBER, Access, load_tokens
from edge.api.dispatch import Api, Asked
from edge.api.routes import ROUTES
from edge.api.snapshot import for_member, look
from edge.api.stream import Stream, Streams
from edge.config.settings import MemberSettings

ROOF = {"name": "roof", "kind": "pv", "power_w": 900.0}
HEATER = {"name": "heater", "kind": "load", "power_w": 400.0}
LAMP = {"name": "lamp", "kind": "load", "power_w": 60.0}
TOKEN = "m" * 20


@pytest.fixture(scope="module")
def gym():
    gym = ChangedNode([ROOF, HEATER, LAMP]).boot()
    tokens = {**TOKENS, f"{MEMBER}anna": TOKEN}
    gym.access = Access(tokens, "gym", members={"anna": frozenset({"gym.heater"})})
    gym.api = Api(gym, access=gym.access)
    gym.world.run(120)
    gym.node.history.write()
    yield gym
    gym.world.close()


def say(gym, method, path, body=None):
    caller = gym.access.caller("10.0.0.7", f"Bearer {TOKEN}")
    asked = Asked(caller, media="application/json", read=lambda: orjson.dumps(body))
    answer = gym.api.answer(method, f"/api/v1{path}", asked)
    gym.world.run(2)
    content = answer.content
    if answer.long:
        content = orjson.loads(b"".join(answer.pieces()))
    return answer.status, content


def names(value):
    """All twins that an answer names."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key in ("name", "twin", "supplier", "consumer", "partner") and isinstance(each, str):
                yield each
            yield from names(each)
    elif isinstance(value, list):
        for each in value:
            yield from names(each)


@pytest.mark.parametrize(
    "path", ["/twins", "/events", "/offers", "/energy", "/counters", "/snapshot", "/contracts"]
)
def test_a_member_sees_its_own_twins_and_their_partners(gym, path):
    status, content = say(gym, "GET", path)
    assert status == 200
    found = set(names(content))
    assert "gym.heater" in found or path in ("/offers", "/energy")
    assert "gym.lamp" not in found
    whole = gym.say("GET", path)[1]
    assert path in ("/offers", "/energy") or "gym.lamp" in set(names(whole))


def test_a_member_sees_the_sums_of_all(gym):
    total = say(gym, "GET", "/node")[1]["total"]
    assert total == gym.say("GET", "/node")[1]["total"]
    assert total["requested_w"] == pytest.approx(460)
    assert say(gym, "GET", "/snapshot")[1]["powers_w"] == gym.say("GET", "/snapshot")[1]["powers_w"]


def test_twins_of_others_do_not_even_exist_for_a_member(gym):
    status, found = say(gym, "GET", "/twins/lamp")
    assert (status, found["detail"]) == (404, "there is no twin lamp")
    assert say(gym, "GET", "/twins/nothing")[0] == 404
    assert say(gym, "GET", "/events?twin=gym.lamp")[1]["events"] == []
    for method, path in (
        ("PATCH", "/twins/lamp"),
        ("POST", "/twins/lamp/stop"),
        ("POST", "/twins/lamp/restart"),
    ):
        assert say(gym, method, path, {"power_w": 1.0})[0] == 404
    assert gym.say("GET", "/twins/lamp")[1]["power_w"] == 60.0


def test_a_member_changes_stops_and_starts_its_own_twin(gym):
    assert say(gym, "PATCH", "/twins/heater", {"power_w": 350.0})[1]["power_w"] == 350.0
    assert say(gym, "POST", "/twins/gym.heater/stop")[1]["stopped"]
    assert not say(gym, "POST", "/twins/heater/restart")[1]["stopped"]
    who = say(gym, "GET", "/events?kind=stopped")[1]["events"][0]["partner"]
    assert who == "token (member anna) at 10.0.0.7"
    assert say(gym, "PATCH", "/twins/heater", {"power_w": 400.0})[0] == 200


def test_all_else_is_refused_by_name_of_the_role(gym):
    open_ = {(route.method, route.path) for route in ROUTES if route.for_members or route.scope == ""}
    refused = [route for route in ROUTES if (route.method, route.path) not in open_]
    assert len(refused) > 10
    for route in refused:
        path = route.path.removeprefix("/api/v1").replace("{name}", "heater")
        answer = gym.api.answer(
            route.method,
            route.path.replace("{name}", "heater"),
            Asked(
                gym.access.caller("10.0.0.7", f"Bearer {TOKEN}"), media="application/json", read=lambda: b"{}"
            ),
        )
        assert answer.status == 403, path
        assert "members" in answer.content["detail"]


def test_the_session_says_whose_it_is(gym):
    found = say(gym, "GET", "/session")[1]
    assert (found["role"], found["twins"], found["scopes"]) == ("member", ["gym.heater"], ["read", "operate"])
    assert gym.say("GET", "/session", scope="read")[1]["role"] == "reader"
    value = gym.access.begin(f"{MEMBER}anna")
    assert gym.access.caller("10.0.0.7", cookies=f"edge_gym={value}").member == "anna"


def test_the_stream_of_a_member_has_only_its_twins(gym):
    streams = Streams(lambda seen, health: look(gym.api.context, seen, health), for_member=for_member)
    ends = [socket.socketpair() for _ in range(2)]
    sees = (None, gym.access.caller("10.0.0.7", f"Bearer {TOKEN}").sees)
    streams.start()
    try:
        for (_, there), each in zip(ends, sees, strict=True):
            assert streams.take(there, Stream(sees=each))
        told = [_until(here, b"event: snapshot") for here, _ in ends]
        assert [b"gym.lamp" in each for each in told] == [True, False]
        assert [b"event: health" in each for each in told] == [True, False]
        assert b"gym.heater" in told[1]
    finally:
        streams.stop()
        for here, _ in ends:
            here.close()
    assert (streams.counters.opened, streams.counters.clients) == (2, 0)
    assert streams.counters.sent_bytes >= sum(map(len, told))


def _until(here, words):
    data, until_s = b"", time.monotonic() + 20
    here.settimeout(20)
    while words not in data or not data.endswith(b"\n\n"):
        assert time.monotonic() < until_s
        data += here.recv(1 << 16)
    return data


def test_each_member_of_the_configuration_gets_a_token_and_the_others_stay(tmp_path):
    first = load_tokens(tmp_path)
    both = load_tokens(tmp_path, ["anna", "ben"])
    assert {key: both[key] for key in first} == first
    assert load_tokens(tmp_path, ["anna"])[f"{MEMBER}anna"] == both[f"{MEMBER}anna"]
    assert MemberSettings(name="anna", twins="heater, roof").twins_of("gym") == {"gym.heater", "gym.roof"}
