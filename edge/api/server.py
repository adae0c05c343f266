"""The HTTP server of a node: JSON answers, on loopback unless configured otherwise.

`http.server` of the standard library costs 0.7 MB here because paho has paid for most of it; microdot
and its like would bring asyncio (measured on x86-64, CPython 3.11, RSS after import).
"""

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket
from typing import Any

import orjson

from .routes import Answer, Api

log = logging.getLogger("edge.api")
_SLOW_CLIENT_S = 5.0


class ApiError(OSError):
    """The server cannot listen."""


class ApiServer:
    """Answers requests in at most `most` threads; a request beyond them is closed unanswered."""

    def __init__(self, host: str, port: int, api: Api, most: int) -> None:
        """Raises ApiError when the address cannot be listened on."""
        handler = type("Handler", (_Handler,), {"api": api})
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
        """Stop answering and close the port."""
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
        try:
            threading.Thread(target=self._serve, args=(request, client_address), daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give
            self._places.release()
            self.shutdown_request(request)
            log.warning("a request was turned away: %s", error)

    def _serve(self, request: socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client has gone
        finally:
            self.shutdown_request(request)
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    api: Api
    timeout = _SLOW_CLIENT_S
    server_version = "edge"
    sys_version = ""

    def do_GET(self) -> None:
        self._send(self.api.answer(self.command, self.path))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - names of http.server

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that could not be read, or has a method that HTTP does not know."""
        self._send(Answer(code, {"error": message or self.responses[code][0]}))

    def _send(self, answer: Answer) -> None:
        body = orjson.dumps(answer.content, option=orjson.OPT_NON_STR_KEYS)
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if answer.allow:
            self.send_header("Allow", answer.allow)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass  # the log is for what goes wrong
