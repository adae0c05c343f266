"""The HTTP server of a node: a few GET endpoints with JSON answers, on loopback unless told otherwise.

`http.server` of the standard library costs 0.7 MB here because paho has paid for most of it; microdot
and its like would bring asyncio (measured on x86-64, CPython 3.11, RSS after import).
"""

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket
from typing import Any
from urllib.parse import parse_qsl

import orjson

Query = Callable[[Mapping[str, str]], Any]  # of the parameters after the question mark
_SLOW_CLIENT_S = 5.0


class ApiError(OSError):
    """The server cannot listen."""


class BadRequest(ValueError):
    """The parameters of a request cannot be used; the message says which and why."""


class ApiServer:
    """Answers `GET path?name=value` with what the query of that path gives, in at most `most` threads."""

    def __init__(self, host: str, port: int, queries: Mapping[str, Query], most: int) -> None:
        """Raises ApiError when the address cannot be listened on."""
        handler = type("Handler", (_Handler,), {"queries": queries})
        try:
            self._server = _Server((host, port), handler, most)
        except OSError as error:
            raise ApiError(f"api: cannot listen on {host} port {port}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="api", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(HTTPServer):
    request_queue_size = 16

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], most: int) -> None:
        self._places = threading.BoundedSemaphore(most)
        super().__init__(address, handler)

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        threading.Thread(target=self._serve, args=(request, client_address), daemon=True).start()

    def _serve(self, request: socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client has gone
        finally:
            self.shutdown_request(request)
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    queries: Mapping[str, Query] = {}
    timeout = _SLOW_CLIENT_S
    server_version = "edge"
    sys_version = ""

    def do_GET(self) -> None:
        path, _, parameters = self.path.partition("?")
        query = self.queries.get(path)
        if query is None:
            self._answer(404, {"error": f"no such path; there are {', '.join(self.queries)}"})
            return
        try:
            answer = query(dict(parse_qsl(parameters)))
        except BadRequest as error:
            self._answer(400, {"error": str(error)})
        except Exception as error:  # a client must learn that the node is ill
            self._answer(503, {"error": f"{type(error).__name__}: {error}"})
        else:
            self._answer(200, answer)

    def _answer(self, status: int, content: Any) -> None:
        body = orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass  # requests are no news
