"""The HTTP server: answers, refuses, and is not held up by anybody."""

import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request

import pytest

from edge.api.server import ApiError, ApiServer, BadRequest


@pytest.fixture
def gate():
    return threading.Event()


@pytest.fixture
def inside():
    return threading.Semaphore(0)


@pytest.fixture
def server(gate, inside):
    def ill(_):
        raise RuntimeError("no answer")

    def slow(_):
        inside.release()
        gate.wait(5)
        return "done"

    def picky(asked):
        raise BadRequest(f"day = {asked['day']}: no day")

    queries = {
        "/health": lambda _: {"status": "ok"},
        "/ill": ill,
        "/slow": slow,
        "/said": dict,
        "/picky": picky,
    }
    server = ApiServer("127.0.0.1", 0, queries, 2)
    server.start()
    yield server
    gate.set()
    server.stop()


def get(server, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
        return json.loads(response.read())


def test_a_query_is_answered_as_json(server):
    assert get(server, "/health?x=1") == {"status": "ok"}


def test_parameters_reach_the_query(server):
    assert get(server, "/said?scope=node&from=2024-01-01T10%3A00&empty=") == {
        "scope": "node",
        "from": "2024-01-01T10:00",
    }


@pytest.mark.parametrize(
    ("path", "status"), [("/", 404), ("/../etc/passwd", 404), ("/ill", 503), ("/picky?day=x", 400)]
)
def test_errors_have_a_status_and_a_reason(server, path, status):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(server, path)
    assert caught.value.code == status
    assert json.loads(caught.value.read())["error"]


@pytest.mark.parametrize(
    "text", [b"", b"\x00\xff\n\n", b"POST /health HTTP/1.1\r\n\r\n", b"GET " + b"a" * 70_000]
)
def test_what_is_no_get_changes_nothing(server, text):
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(text)
    assert get(server, "/health") == {"status": "ok"}


def test_more_requests_than_allowed_are_turned_away(server, gate, inside):
    slow = [threading.Thread(target=get, args=(server, "/slow")) for _ in range(2)]
    for each in slow:
        each.start()
        assert inside.acquire(timeout=5)
    with pytest.raises(OSError):  # noqa: PT011 - refused or hung up on, as the kernel likes
        get(server, "/health")
    gate.set()
    for each in slow:
        each.join()
    for _ in range(100):  # their places are free a moment after their answers are out
        with contextlib.suppress(OSError):
            assert get(server, "/health") == {"status": "ok"}
            return
    pytest.fail("no place was given back")


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ApiError, match=f"port {port}"):
            ApiServer("127.0.0.1", port, {}, 1)
