"""Attacks on the HTTP server of a node by whoever can reach it."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

Attack = Callable[[int, Event], None]  # on a port, until the event is set


def headers(port: int, stop: Event) -> None:
    """Requests with 90 headers of 60 kB."""
    line = b"X-" + b"a" * 60_000 + b": 1\r\n"
    while not stop.wait(0.2):
        _send(port, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n", *[line] * 90, b"\r\n")


def many(port: int, stop: Event) -> None:
    """Fifty requests at a time."""
    request = b"GET /api/v1/contracts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    def ask() -> None:
        while not stop.wait(0.1):
            _send(port, request)

    _together(50, ask)


def slow(port: int, stop: Event) -> None:
    """Forty requests that never end."""

    def ask() -> None:
        while not stop.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                while not stop.wait(1.0):
                    client.sendall(b"X: ")

    _together(40, ask)


def day(port: int, stop: Event) -> None:
    """The predictions of a day, four times at once."""
    end = datetime.now(UTC)
    begin = end - timedelta(minutes=1435)
    _read_all(port, stop, f"/predictions?from={begin:%Y-%m-%dT%H:%M}&to={end:%Y-%m-%dT%H:%M}")


def scores(port: int, stop: Event) -> None:
    """The scores of a hundred days, four times at once."""
    _read_all(port, stop, "/scores?days=100")


def _read_all(port: int, stop: Event, path: str) -> None:
    request = f"GET /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    def ask() -> None:
        while not stop.wait(0.05):
            _send(port, request, timeout_s=60)

    _together(4, ask)


def _together(count: int, ask: Callable[[], None]) -> None:
    threads = [Thread(target=ask, daemon=True) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def _send(port: int, *pieces: bytes, timeout_s: float = 5) -> None:
    """Send a request and read the answer to its end."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as client:
            for piece in pieces:
                client.sendall(piece)
            while client.recv(65536):
                pass
    except OSError:
        time.sleep(0.05)
