"""The bodies of requests: bounded and checked before any work, whatever arrives."""

import socket

import orjson
import pytest
from asked_node import AskedNode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.api.changes import TWIN
from edge.api.configuration import CHECKED
from edge.api.dispatch import Api, Asked
from edge.api.route import Route
from edge.api.routes import ROUTES
from edge.api.server import ApiServer


class Worked:
    count = 0


def take(context, body) -> dict:
    Worked.count += 1
    return body


ROUTE = Route("POST", "/take", take, "", body=TWIN, on_node=False)


@pytest.fixture
def server():
    server = ApiServer("127.0.0.1", 0, Api(AskedNode(), routes=[ROUTE]), 4)
    server.start()
    yield server
    server.stop()


def post(server, body, *headers, length=None):
    lines = ["POST /take HTTP/1.1", "Host: gym", *headers]
    if length != "none":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)
        if length is not None:
            client.shutdown(socket.SHUT_WR)
        data = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, content = data.rpartition(b"\r\n\r\n")
    return int(head.rpartition(b"HTTP/1.0 ")[2].split()[0]), orjson.loads(content)


JSON = "Content-Type: application/json"
LAMP = {"name": "lamp", "kind": "load"}


def test_a_body_that_is_valid_reaches_the_view(server):
    assert post(server, orjson.dumps(LAMP), JSON) == (200, LAMP)
    assert post(server, orjson.dumps(LAMP), "content-type: Application/JSON; charset=utf-8")[0] == 200
    assert post(server, orjson.dumps(LAMP), JSON, "Expect: 100-continue")[0] == 200


@pytest.mark.parametrize(
    ("body", "headers", "length", "status"),
    [
        (b"{}", (), None, 415),
        (b"{}", ("Content-Type: text/plain",), None, 415),
        (b"{", (JSON,), None, 400),
        (b"", (JSON,), None, 400),
        (b"\xff", (JSON,), None, 400),
        (b"[" * 10_000, (JSON,), None, 400),
        (b"[]", (JSON,), None, 422),
        (b"null", (JSON,), None, 422),
        (b'{"name": "a", "kind": NaN}', (JSON,), None, 400),
        (b'{"name": "a", "kind": "load", "power_w": 1e999}', (JSON,), None, 400),
        (b'{"name": "a", "kind": "load", "power_w": true}', (JSON,), None, 422),
        (b" " * 16_385, (JSON,), None, 413),
        (b"{}", (JSON,), 10**30, 413),
        (b"{}", (JSON,), 3, 400),
        (b"2\r\n{}\r\n0\r\n\r\n", (JSON, "Transfer-Encoding: chunked"), "none", 411),
    ],
)
def test_what_is_not_valid_is_refused_before_any_work(server, body, headers, length, status):
    before = Worked.count
    found, content = post(server, body, *headers, length=length)
    assert (found, content["status"]) == (status, status)
    assert content["detail"]
    assert Worked.count == before


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from([each.key for each in TWIN]) | st.text(max_size=5), ANY, max_size=6)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(BODIES)
def test_any_object_is_taken_or_refused_by_key(body):
    try:
        data = orjson.dumps(body)
    except TypeError:  # a number beyond 64 bits, a lone surrogate
        return
    answer = Api(AskedNode(), routes=[ROUTE]).answer(
        "POST", "/take", Asked(media="application/json", read=lambda: data)
    )
    if answer.status != 200:
        assert answer.status == 422
        keys = {each["key"] for each in answer.content["errors"]}
        assert keys <= {key[:60] for key in body} | {"name", "kind"}
        orjson.dumps(answer.content)


def test_routes_that_change_something_need_more_than_reading():
    changing = [each for each in ROUTES if each.method != "GET" and not each.path.endswith("/session")]
    assert len(changing) == 14 + len(CHECKED)
    assert {each.scope for each in changing} == {"operate", "configure"}
