"""A server that answers like a node, with generated data: for states of the dashboard that are hard to reach.

It serves the files of the dashboard with the headers of a node and the paths of /api/v1 that the pages ask
for. `twins` and `nodes` say how much there is; `faults` makes it answer late, wrongly or not at all.
"""

import gzip
import json
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .pack import served
from .world import World

STATIC = Path(__file__).parents[2] / "edge" / "api" / "static"
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
TOKEN = "a-token-of-the-test"


@dataclass
class Faults:
    """What the server does wrong on purpose."""

    silent: bool = False  # the stream says nothing, no heartbeat either
    broken: bool = False  # every answer of the API is 503
    locked: bool = False  # reading needs a token
    refused: str = ""  # the detail of the problem that every change gets


class StandIn:
    """The server, in threads of this process."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        files = (path for path in STATIC.iterdir() if path.suffix in TYPES)
        self.files = served({path.name: path.read_bytes() for path in files})
        self.faults = Faults()
        self.signed_in = False
        self.member = False
        self.streams = 0
        self._cut = threading.Event()
        self.stopping = threading.Event()
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.bytes_sent = 0
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "StandIn":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def cut(self) -> None:
        """End the streams that are open."""
        self._cut.set()
        self._cut = threading.Event()

    @property
    def cutting(self) -> threading.Event:
        """Is set when the streams that are open now shall end."""
        return self._cut

    @property
    def scopes(self) -> list[str]:
        if self.signed_in:
            return ["read", "operate", "configure"]
        return [] if self.faults.locked else ["read"]


class _Handler(BaseHTTPRequestHandler):
    owner: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path, _, _ = self.path.partition("?")
        if path == "/":
            self._file("index.html")
        elif path.startswith("/assets/"):
            self._file(path.removeprefix("/assets/"))
        else:
            self._api("GET")

    def do_POST(self) -> None:
        self._api("POST")

    def do_PATCH(self) -> None:
        self._api("PATCH")

    def do_PUT(self) -> None:
        self._api("PUT")

    def do_DELETE(self) -> None:
        self._api("DELETE")

    def _file(self, name: str) -> None:
        if name not in self.owner.files:
            self._send(404, {"title": "Not Found"})
        else:
            self._send(200, self.owner.files[name], TYPES[Path(name).suffix])

    def _api(self, method: str) -> None:
        owner, world = self.owner, self.owner.world
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/api/v1")
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}") if size else {}
        world.requests.append(f"{method} {path}")
        if owner.faults.broken:
            return self._problem(503, "the node is being restarted")
        if path == "/session":
            return self._session(method, body)
        if "read" not in owner.scopes:
            return self._problem(401, "a token is needed")
        if method != "GET":
            return self._change(method, path, body)
        if path == "/stream":
            return self._stream()
        if query.get("format") == "csv":
            return self._send(200, b"time,requested_w\r\n", "text/csv")
        answers: dict[str, Callable[[], Any]] = {
            "/snapshot": world.snapshot,
            "/health": world.health,
            "/node": world.overview,
            "/meters": world.meters,
            "/microgrid": world.microgrid,
            "/learning": world.learning,
            "/scores": world.scores,
            "/series": lambda: world.series(query),
            "/events": lambda: world.events(query),
            "/predictions": lambda: world.predictions(query),
            "/energy": lambda: world.energy(query),
            "/offers": lambda: world.offers(query),
            "/forecasts": lambda: world.forecasts(query),
            "/gossip": world.gossip,
            "/models": lambda: world.models(query),
            "/statistics": lambda: world.statistics(query),
            "/replay": lambda: world.replay(query),
            "/configuration": world.configuration,
            "/community": world.community,
            "/accounts": world.accounts,
            "/limits": world.limits,
            "/orders": lambda: world.orders(query),
            "/statement": lambda: world.statement(query),
            "/space": lambda: world.space(query),
        }
        if path not in answers:
            return self._problem(404, f"there is no {path}")
        return self._send(200, answers[path]())

    def _session(self, method: str, body: dict[str, Any]) -> None:
        owner = self.owner
        if method == "POST":
            if body.get("token") != TOKEN:
                self._problem(401, "the token is not valid")
                return
            owner.signed_in = True
        elif method == "DELETE":
            owner.signed_in = False
        by = "session" if owner.signed_in else ""
        self._send(
            200,
            {
                "scopes": owner.scopes,
                "role": "member" if owner.member else "operator" if by else "reader",
                "twins": [f"{owner.world.node}.kitchen"] if owner.member else None,
                "by": by,
                "node": owner.world.node,
                "version": "0.6.0",
                "release": "",
                "demo": False,
            },
        )

    def _change(self, method: str, path: str, body: dict[str, Any]) -> None:
        owner, world = self.owner, self.owner.world
        if not owner.signed_in:
            return self._problem(403, "this needs a token with the scope operate")
        if owner.faults.refused:
            return self._problem(422, owner.faults.refused, errors=[{"key": "power_w"}])
        words = [unquote(each) for each in path.strip("/").split("/")]
        name = words[1] if len(words) > 1 else ""
        match (method, words[0], words[2:]):
            case ("POST", "twins", []):
                world.added[body["name"]] = body
            case ("POST", "twins", ["stop"]):
                world.stopped.add(name)
            case ("POST", "twins", ["restart"]):
                world.stopped.discard(name)
            case ("PATCH", "twins", []):
                world.changed[name] = {**world.changed.get(name, {}), **body}
            case ("DELETE", "twins", []):
                world.added.pop(name, None)
            case ("DELETE", "neighbours", []):
                world.cut.add(words[1])
            case ("PATCH", "configuration", []):
                world.settings[words[1]] = {**world.settings.get(words[1], {}), **body}
            case ("PUT", "limits", []):
                world.order(words[1], body)
            case ("DELETE", "limits", []):
                world.release(words[1])
            case ("PUT", "neighbours", []):
                world.cut.discard(words[1])
            case _:
                return self._problem(404, f"there is no {path}")
        return self._send(200, {"name": name or body.get("name")})

    def _stream(self) -> None:
        owner = self.owner
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        number, cut = 0, owner.cutting
        owner.streams += 1
        try:
            while not owner.stopping.is_set() and not cut.is_set():
                if not owner.faults.silent:
                    number += 1
                    data = json.dumps(owner.world.snapshot())
                    self.wfile.write(f"id: {number}\nevent: snapshot\ndata: {data}\n\n: alive\n\n".encode())
                    self.wfile.flush()
                for _ in range(10):
                    if self._has_left() or cut.wait(0.1):
                        return
        except OSError:
            pass  # the page has closed it
        finally:
            owner.streams -= 1

    def _has_left(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def _problem(self, status: int, detail: str, **more: Any) -> None:
        self._send(
            status,
            {"type": "about:blank", "title": "refused", "status": status, "detail": detail, **more},
            "application/problem+json",
        )

    def _send(self, status: int, content: Any, media: str = "application/json") -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        packed = gzip.compress(data, 9) if len(data) > 400 else data
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        if packed is not data:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(packed)))
        try:
            self.end_headers()
            self.wfile.write(packed)
            self.owner.bytes_sent += len(packed)
        except OSError:
            self.close_connection = True  # the page has gone
