"""A database for lines of the Influx protocol, on loopback, that fails in the ways that servers do."""

import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LINE = re.compile(r"(?P<series>[^ ]+(?:\\ [^ ]+)*) (?P<fields>[^ ]+) (?P<at>\d+)")


class Database:
    """`faults`: of the next requests, in turn; `points`: values by series and time."""

    def __init__(self, token="", tls=None):
        self.points, self.copies, self.faults, self.requests = {}, 0, [], []
        self._token = token
        database = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                database.take(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = (
            f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}/api/v2/write?org=o&bucket=b"
        )
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.requests.append((request.path, dict(request.headers), body))
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "away":  # before it has read anything
            request.close_connection = True
            return
        if self._token and request.headers["Authorization"] != self._token:
            self.answer(request, 401, b"unauthorized")
            return
        if fault in ("none", "lost", "chatty"):
            for line in body.decode().splitlines():
                self.store(line)
        if fault == "lost":  # the acknowledgement
            request.close_connection = True
        elif fault == "garbage":
            request.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
            request.close_connection = True
        elif fault in ("400", "413", "500", "503"):
            self.answer(request, int(fault), b'{"message":"it does not work\\u0007"}\n')
        elif fault == "429":
            self.answer(request, 429, b"slowly", ("Retry-After", "120"))
        elif fault == "moved":
            self.answer(request, 302, b"", ("Location", "http://127.0.0.1:1/"))
        elif fault == "chatty":
            self.answer(request, 200, bytes(100_000))
        else:
            self.answer(request, 204, b"")

    def answer(self, request, status, body, *headers):
        request.send_response(status)
        for header in headers:
            request.send_header(*header)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.close_connection = True
        with suppress(OSError):  # the client has heard enough
            request.wfile.write(body)

    def store(self, line):
        found = LINE.fullmatch(line)
        assert found, line
        fields = {}
        for pair in found["fields"].split(","):
            key, _, value = pair.partition("=")
            fields[key] = float(value)
        key = found["series"], int(found["at"])
        if key in self.points:
            self.copies += 1
            assert self.points[key] == fields, "another value for the same point"
        self.points[key] = fields

    def close(self):
        self._server.shutdown()
        self._server.server_close()
