"""The stream: what clients are told, what those that come back get, and what happens to slow ones."""

import json
import socket
import time

import pytest
from asked_node import AskedNode

from edge.api import stream as module
from edge.api.dispatch import Api
from edge.api.route import Route
from edge.api.server import ApiServer
from edge.api.stream import News, Streams, stream


class Told:
    """A node whose news are set by hand."""

    def __init__(self):
        self.snapshot, self.events, self.health = {"w": 1}, [], {"status": "ok"}
        self.looks = 0
        self.fails = False

    def __call__(self, seen, with_health):
        self.looks += 1
        if self.fails:
            raise TimeoutError
        return News(
            dict(self.snapshot),
            1.8e9 + self.looks,
            self.events[seen:],
            len(self.events),
            self.health if with_health else None,
        )


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(module, "HEALTH_S", 0.02)
    return Told()


@pytest.fixture
def streams(told):
    return Streams(told, most=3)


@pytest.fixture
def server(streams):
    routes = [Route("GET", "/stream", stream, "", on_node=False, media="text/event-stream")]
    server = ApiServer("127.0.0.1", 0, Api(AskedNode(), routes=routes), 2, streams=streams)
    server.start()
    yield server
    server.stop()


class Page:
    """A client that reads the stream."""

    def __init__(self, server, last_id=""):
        self.socket = socket.create_connection(("127.0.0.1", server.port), 5)
        more = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.socket.sendall(f"GET /stream HTTP/1.1\r\nHost: gym\r\n{more}\r\n".encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(": ")
            self.headers[name] = value

    def message(self):
        """The next one, as fields; comments have the field "comment"."""
        found = {}
        while line := self._file.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ") if not line.startswith(":") else ("comment", "", line[1:])
            found[name] = value
        return found

    def next(self, kind):
        """The next message of a kind, and its id."""
        for _ in range(1000):
            found = self.message()
            if found.get("event") == kind:
                return json.loads(found["data"]), found.get("id")
        raise AssertionError(kind)

    def close(self):
        self._file.close()
        self.socket.close()


@pytest.fixture
def page(server):
    page = Page(server)
    yield page
    page.close()


def test_a_page_is_told_the_state_at_once(page):
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/event-stream"
    assert page.headers["Cache-Control"] == "no-cache"
    snapshot, number = page.next("snapshot")
    assert snapshot["w"] == 1
    assert snapshot["at_s"] > 1.8e9
    assert number


def test_a_snapshot_is_sent_only_when_something_but_its_time_has_changed(page, told):
    first, _ = page.next("snapshot")
    looks = told.looks
    while told.looks < looks + 10:
        time.sleep(0.01)
    told.snapshot["w"] = 2
    second, _ = page.next("snapshot")
    assert (first["w"], second["w"]) == (1, 2)
    assert second["at_s"] >= first["at_s"] + 9


def test_health_is_told_when_it_changes(page, told):
    assert page.next("health")[0] == {"status": "ok"}
    told.health = {"status": "degraded"}
    assert page.next("health")[0] == {"status": "degraded"}


def test_a_page_that_comes_back_gets_the_events_it_has_missed(server, told):
    page = Page(server)
    told.events.append({"n": 1})
    _, last = page.next("event")
    page.close()
    told.events += [{"n": 2}, {"n": 3}]
    again = Page(server, last)
    assert [again.next("event")[0]["n"] for _ in range(2)] == [2, 3]
    again.close()


@pytest.mark.parametrize("last", ["1", "0000-1", "-", "x-y", "9" * 500, "a-" + "9" * 40])
def test_an_id_of_an_earlier_start_repeats_nothing(server, told, last):
    told.events.append({"n": 1})
    first = Page(server)
    first.next("event")
    again = Page(server, last)
    told.events.append({"n": 2})
    assert again.next("event")[0] == {"n": 2}
    first.close()
    again.close()


def test_nobody_is_asked_while_nobody_listens(server, told, streams):
    page = Page(server)
    page.next("snapshot")
    page.close()
    while streams.clients:
        time.sleep(0.01)
    looks = told.looks
    time.sleep(0.2)
    assert told.looks <= looks + 1


def test_there_is_a_heartbeat_in_a_calm_night(monkeypatch, server):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.05)
    page = Page(server)
    while "comment" not in page.message():
        pass
    page.close()


def test_a_node_that_does_not_answer_ends_no_stream(page, told):
    page.next("snapshot")
    told.fails = True
    time.sleep(0.1)
    told.fails, told.snapshot = False, {"w": 3}
    assert page.next("snapshot")[0]["w"] == 3


def test_there_are_only_so_many_streams(server, streams):
    pages = [Page(server) for _ in range(3)]
    for page in pages:
        page.next("snapshot")
    refused = Page(server)
    assert refused.status == 503
    for page in (*pages, refused):
        page.close()
    while streams.clients:
        time.sleep(0.01)
    again = Page(server)
    assert again.status == 200
    again.close()


def test_a_slow_client_is_dropped_and_counted_and_the_others_go_on(server, told, streams):
    slow = socket.create_connection(("127.0.0.1", server.port), 5)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"GET /stream HTTP/1.1\r\nHost: gym\r\n\r\n")
    page = Page(server)
    page.next("snapshot")
    until_s = time.monotonic() + 20
    sent = 0
    while not streams.dropped and time.monotonic() < until_s:
        told.events.append({"n": sent, "text": "x" * 30_000})
        sent += 1
        assert page.next("event")[0]["n"] == sent - 1
    assert streams.dropped == 1
    assert streams.clients == 1
    slow.close()
    page.close()


def test_a_slow_client_gets_the_newest_snapshot_only(server, told, streams):
    slow = Page(server)
    big = "x" * 2_000_000  # more than the kernel keeps
    told.snapshot = {"w": 2, "text": big}
    time.sleep(0.2)
    for i in range(3, 30):
        told.snapshot = {"w": i, "text": big}
        time.sleep(0.03)
    told.snapshot = {"w": "end"}
    seen = []
    while not seen or seen[-1] != "end":
        seen.append(slow.next("snapshot")[0]["w"])
    assert len(seen) < 10
    assert streams.dropped == 0
    slow.close()
