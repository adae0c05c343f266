"""The HTTP server: answers, refuses, and is not held up by anybody."""

import contextlib
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

import pytest
from asked_node import AskedNode

from edge.api import door
from edge.api.caller import names_of
from edge.api.dispatch import Api
from edge.api.long import Long, rows_in
from edge.api.parameters import BadRequest, Choice, Minute
from edge.api.route import Route
from edge.api.server import ApiError, ApiServer


@pytest.fixture
def gate():
    return threading.Event()


@pytest.fixture
def inside():
    return threading.Semaphore(0)


def health(source):
    return {"status": "ok"}


@pytest.fixture
def ended():
    return threading.Event()


@pytest.fixture
def server(gate, inside, ended):
    def ill(source):
        raise RuntimeError("no answer")

    def slow(source):
        inside.release()
        gate.wait(5)
        return "done"

    def said(source, *values):
        return values

    def long(source) -> Long[dict]:
        def rows():
            yield from range(50)
            inside.release()
            gate.wait(5)
            yield from range(50, 100)

        return Long(rows_in({"scope": "node"}, "rows", rows()))

    def endless(source) -> Long[dict]:
        def pieces():
            try:
                while True:
                    yield b" " * 1000
            finally:
                ended.set()

        return Long(pieces())

    def broken(source) -> Long[dict]:
        def pieces():
            raise BlockingIOError("locked")
            yield b""

        return Long(pieces())

    def picky(source):
        raise BadRequest("day = x: expected a day")

    routes = [
        Route("GET", "/health", health, ""),
        Route("GET", "/ill", ill, ""),
        Route("GET", "/slow", slow, ""),
        Route("GET", "/said", said, "", (Choice("scope", "", None, ("node",)), Minute("from", ""))),
        Route("GET", "/picky", picky, ""),
        Route("GET", "/long", long, "", on_node=False),
        Route("GET", "/endless", endless, "", on_node=False),
        Route("GET", "/broken", broken, "", on_node=False),
    ]
    server = ApiServer(
        "127.0.0.1", 0, Api(AskedNode(), routes=routes), 2, names_of("gym.example.org, b.example.")
    )
    server.start()
    yield server
    gate.set()
    server.stop()


def get(server, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
        return json.loads(response.read())


def refused(server, path, method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    return caught.value


def test_a_query_is_answered_as_json(server):
    assert get(server, "/health") == {"status": "ok"}


def test_parameters_reach_the_view(server):
    assert get(server, "/said?scope=node&from=1970-01-01T10%3A00") == ["node", 600]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/../etc/passwd", 404),
        ("/ill", 503),
        ("/picky", 400),
        ("/said?day=x", 400),
        ("/health?x=1", 400),
    ],
)
def test_errors_have_a_status_and_a_reason(server, path, status):
    error = refused(server, path)
    assert error.code == status
    assert json.loads(error.read())["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_told_which_are_allowed(server, method):
    error = refused(server, "/health", method)
    assert (error.code, error.headers["Allow"]) == (405, "GET, HEAD")
    assert method in json.loads(error.read())["detail"]


def test_a_method_that_http_does_not_know_is_refused_as_json(server):
    error = refused(server, "/health", "BREW")
    assert error.code == 501
    assert "BREW" in json.loads(error.read())["detail"]


@pytest.mark.parametrize("path", ["/health", "/nowhere"])
def test_head_has_the_headers_of_get_and_no_body(server, path):
    answers = []
    for method in ("GET", "HEAD"):
        with socket.create_connection(("127.0.0.1", server.port), 5) as client:
            client.sendall(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        answers.append((sorted(line for line in head.split(b"\r\n") if b"Date" not in line), body))
    assert answers[0][0] == answers[1][0]
    assert answers[0][1]
    assert answers[1][1] == b""


@pytest.mark.parametrize(
    "text", [b"", b"\x00\xff\n\n", b"POST /health HTTP/1.0\r\n\r\n", b"GET " + b"a" * 70_000]
)
def test_a_request_that_is_invalid_changes_nothing(server, text):
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(text)
    assert get(server, "/health") == {"status": "ok"}


def test_more_requests_than_allowed_are_turned_away_after_a_second(server, gate, inside):
    slow = [threading.Thread(target=get, args=(server, "/slow")) for _ in range(2)]
    for each in slow:
        each.start()
        assert inside.acquire(timeout=5)
    assert refused(server, "/said").code == 503
    assert get(server, "/health") == {"status": "ok"}  # has a place of its own
    gate.set()
    for each in slow:
        each.join()
    assert get(server, "/said") == [None, None]


def test_requests_of_a_browser_wait_for_a_place(server, gate, inside):
    """It asks for six things at a time, and there are two places."""
    answers = []
    asking = [threading.Thread(target=lambda: answers.append(get(server, "/slow"))) for _ in range(6)]
    for each in asking:
        each.start()
    for _ in range(2):
        assert inside.acquire(timeout=5)
    gate.set()
    for each in asking:
        each.join()
    assert answers == ["done"] * 6


def test_a_place_is_not_lost_when_a_thread_cannot_be_started(server, monkeypatch):
    def no_thread(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        for _ in range(3):  # more than there are places
            with pytest.raises(OSError):  # noqa: PT011 - refused or hung up on, as the kernel likes
                get(server, "/health")
    assert get(server, "/health") == {"status": "ok"}


def talk(server, text, wait_s=5):
    """The whole answer to a text."""
    with socket.create_connection(("127.0.0.1", server.port), wait_s) as client:
        client.sendall(text)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_clients_that_say_nothing_hold_no_place_and_are_sent_away(server, monkeypatch):
    monkeypatch.setattr(door, "HEAD_S", 0.5)
    with contextlib.ExitStack() as silent:
        clients = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(12)]
        for client in clients:
            silent.enter_context(client)
            client.sendall(b"GET /health HTTP/1.1\r\n")
        assert get(server, "/health") == {"status": "ok"}
        assert get(server, "/said") == [None, None]
        assert [client.recv(1) for client in clients] == [b""] * 12


def test_a_client_that_drips_is_sent_away_in_time_for_its_whole_request(server, monkeypatch):
    monkeypatch.setattr(door, "HEAD_S", 0.5)
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), 5) as client, contextlib.suppress(OSError):
        while time.monotonic() < began_s + 5:
            client.sendall(b"x")
            time.sleep(0.05)
    assert time.monotonic() - began_s < 2


def test_more_silent_clients_than_the_door_remembers_do_not_keep_others_out(server):
    with contextlib.ExitStack() as silent:
        for _ in range(100):
            silent.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
        assert get(server, "/health") == {"status": "ok"}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET /health HTTP/1.0\r\nX: " + b"a" * 9000 + b"\r\n\r\n", b"431"),
        (b"GET /health HTTP/1.0\r\n" + b"A: b\r\n" * 41 + b"\r\n", b"431"),
        (b"GET /health HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", b"413"),
        (b"GET /health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"413"),
        (b"POST /health HTTP/1.0\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30_000, b"405"),
        (b"GET /health HTTP/1.0\r\nContent-Length: 0\r\n\r\n", b"200"),
        (b"GET /health HTTP/1.0\n" + b"A: b\n" * 40 + b"\n", b"200"),
    ],
)
def test_the_sizes_of_a_request_are_bounded(server, text, status):
    answer = talk(server, text)
    assert answer.split()[1] == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("10.0.0.7", 200),
        ("[::1]:8080", 200),
        ("[fe80::1%25eth0]", 200),
        ("localhost", 200),
        ("gym", 200),  # a container, a search domain
        ("Gym.local.:8080", 200),
        ("gym.example.org:8080", 200),  # of the configuration
        ("B.EXAMPLE", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("gym.example.org.evil.example", 421),
        ("evil.example#.local", 200),  # no browser sends it
        ("evillocal.example", 421),
        ("user@evil.example", 421),
        ("127.0.0.1, evil.example", 421),
        ("[evil.example]", 421),
    ],
)
def test_a_request_for_a_foreign_host_is_refused_since_it_comes_from_a_web_page(server, host, status):
    in_header = talk(server, f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert int(in_header.split()[1]) == status
    if "#" not in host:
        absolute = f"GET http://{host}/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        assert int(talk(server, absolute.replace(", ", ",").encode()).split()[1]) == status
    assert json.loads(in_header.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 400),
        ("Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n", 400),
        ("Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n", 200),
        ("Host: gym:8080\r\nOrigin: http://GYM:8080\r\n", 200),
        ("Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n", 403),
        ("Host: 127.0.0.1:8080\r\nOrigin: http://127.0.0.1:9090\r\n", 403),
        ("Host: 127.0.0.1\r\nOrigin: null\r\n", 403),
        ("Host: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nOrigin: null\r\n", 403),
        ("nonsense\r\nHost: evil.example\r\n", 400),
        ("Host: 127.0.0.1\r\nContent-Length : 5\r\n", 400),
        ("Host: 127.0.0.1\r\nContent-Length: 0\r\nContent-Length: 5\r\n", 400),
        ("Host: 127.0.0.1\r\nContent-Length: -1\r\n", 400),
        ("Host: 127.0.0.1\r\nContent-Length: five\r\n", 400),
        ("Host: 127.0.0.1\r\nContent-Length: 00\r\nContent-Length: 00\r\n", 200),
        ("Host: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n", 413),
    ],
)
def test_headers_that_are_missing_double_or_of_another_origin_are_refused(server, headers, status):
    answer = talk(server, f"GET /health HTTP/1.1\r\n{headers}\r\n".encode())
    assert int(answer.split()[1]) == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET /health HTTP/9.9\r\nHost: gym\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"\x00\x01 nonsense \xff\r\n\r\n", 400),
        (b"\r\n\r\nGET /health HTTP/1.0\r\n\r\n", 200),
        (b"GET /health%00 HTTP/1.0\r\n\r\n", 404),
        (b"GET /health?%00=%1b HTTP/1.0\r\n\r\n", 400),
        (b"GET http://gym HTTP/1.0\r\n\r\n", 404),
        (b"GET /health HTTP/1.0\r\n\r\n" * 100, 200),
    ],
)
def test_all_that_is_sent_is_answered_with_a_status_and_json(server, text, status):
    answer = talk(server, text)
    assert int(answer.split()[1]) == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])


_PLAIN = "GET /health HTTP/1.1\r\nHost: gym\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (_PLAIN + "X: a\r\n b\r\n", 400),  # a line that continues the one above
        (_PLAIN + "X: a\r\n\tb\r\n", 400),
        (_PLAIN + "X: a\rY: b\r\n", 400),  # CR alone
        (_PLAIN + "X: a\r\r\n", 400),
        (_PLAIN + "X : a\r\n", 400),
        (_PLAIN + " X: a\r\n", 400),
        (_PLAIN + ": a\r\n", 400),
        (_PLAIN + "X\r\n", 400),
        (_PLAIN + "X Y: a\r\n", 400),
        (_PLAIN + "X: a\0b\r\n", 400),
        (_PLAIN + "X: \x1b[2J\r\n", 400),
        (_PLAIN + "\xe4: a\r\n", 400),
        (_PLAIN + "X: \xe4\r\n", 200),
        (_PLAIN + "X:\r\n", 200),
        (_PLAIN + "X: \t a, b: c \t\r\n", 200),
        (_PLAIN + "hOST: gym\r\n", 400),
        (_PLAIN + "Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (_PLAIN + "Content-Length: 5, 5\r\n", 400),
        (_PLAIN + "Content-Length: +5\r\n", 400),
        (_PLAIN + "Content-Length: 5 5\r\n", 400),
        (_PLAIN + "Content-Length: \xb2\r\n", 400),
        (_PLAIN + "Content-Length:\r\n", 400),
        (_PLAIN + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 413),
        (_PLAIN + "tRANSFER-eNCODING: x\r\n", 413),
        (_PLAIN + "A: b\r\n" * 40, 431),
        ("GET /health\r\n", 400),  # HTTP/0.9
        ("GET /health HTTP/0.9\r\n", 505),
        ("PRI * HTTP/2.0\r\n", 505),
        ("GET /health HTTP/1.10\r\n", 400),
        ("GET /health HTTP/1\r\n", 400),
        ("GET /health http/1.0\r\n", 400),
        ("GET /health HTTP/1.0 \r\n", 400),
        ("GET  /health HTTP/1.0\r\n", 400),
        ("GET\t/health HTTP/1.0\r\n", 400),
        (" GET /health HTTP/1.0\r\n", 400),
        ("GET /he alth HTTP/1.0\r\n", 400),
        ("GET /health\0 HTTP/1.0\r\n", 400),
        ("GET /h\xe4lth HTTP/1.0\r\n", 400),
        ("GET HTTP/1.0\r\n", 400),
        ("G(T /health HTTP/1.0\r\n", 400),
        ("get /health HTTP/1.0\r\n", 501),
        ("CONNECT gym:80 HTTP/1.0\r\n", 501),
        ("GET health HTTP/1.0\r\n", 404),
        ("GET * HTTP/1.0\r\n", 404),
        ("GET //health HTTP/1.0\r\n", 200),
        ("GET http://gym/health HTTP/1.0\r\n", 200),
        ("GET HTTP://evil.example/health HTTP/1.0\r\n", 421),
        ("GET ftp://gym/health HTTP/1.0\r\n", 404),
        ("GET /health HTTP/1.2\r\n", 400),  # without Host
        ("GET /" + "a" * 8000 + " HTTP/1.0\r\n", 404),
        ("GET /" + "a" * 70_000 + " HTTP/1.0\r\n", 431),
        ("   \r\n", 400),
    ],
)
def test_a_head_that_could_be_understood_in_two_ways_is_refused(server, head, status):
    try:
        answer = talk(server, head.encode("latin-1") + b"\r\n")
    except ConnectionError:
        assert len(head) > 8192  # the answer was lost, as more was sent than is read
    else:
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 %d " % status)
        assert int(re.search(rb"\r\nContent-Length: (\d+)", head)[1]) == len(body)
        assert (status == 200) != ("detail" in json.loads(body))
    assert get(server, "/health") == {"status": "ok"}


def test_an_answer_has_a_status_with_its_phrase_and_four_headers(server):
    head = talk(server, b"GET /nowhere HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")[0].decode()
    first, *headers = head.split("\r\n")
    assert first == "HTTP/1.0 404 Not Found"
    named = dict(header.split(": ", 1) for header in headers)
    assert named.keys() == {"Server", "Date", "Content-Type", "Content-Length"}
    sent = parsedate_to_datetime(named["Date"])
    assert abs(sent.timestamp() - time.time()) < 5


def test_a_long_answer_is_sent_in_pieces_and_there_is_one_at_a_time(server, inside, gate):
    reading = threading.Thread(target=lambda: parts.append(get(server, "/long")))
    parts = []
    reading.start()
    assert inside.acquire(timeout=5)
    error = refused(server, "/long")
    assert error.code == 503
    assert "another long answer" in json.loads(error.read())["detail"]
    gate.set()
    reading.join()
    assert parts == [{"scope": "node", "rows": list(range(100))}]
    assert get(server, "/long")["scope"] == "node"


def test_a_long_answer_ends_when_its_client_goes(server, gate, ended):
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        client.sendall(b"GET /endless HTTP/1.0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.0 200")
    assert ended.wait(5)
    gate.set()
    for _ in range(100):
        with contextlib.suppress(OSError):
            assert get(server, "/long")["scope"] == "node"
            return
    pytest.fail("its turn was not given back")


def test_an_error_at_the_start_of_a_long_answer_has_a_status(server):
    assert refused(server, "/broken").code == 503


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ApiError, match=f"port {port}"):
            ApiServer("127.0.0.1", port, Api(AskedNode()), 1)
