"""A virtual world for each test; a file may have one of its own. And a stand-in for a service of others."""

import http.server
import threading

import pytest

from host_tools.world import World


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


@pytest.fixture
def server():
    """A stand-in for a service: it answers what its attribute `answer` says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            site.asked.append(self.path)
            status, body = site.answer
            self.send_response(status)
            self.end_headers()
            for part in body if isinstance(body, list) else [body]:
                self.wfile.write(part.encode())
                self.wfile.flush()

        def log_message(self, *_):
            pass

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.daemon_threads = True
    site.asked, site.answer = [], (200, "")
    site.address = f"http://127.0.0.1:{site.server_port}/forecast?key=secret"
    thread = threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield site
    site.shutdown()
    site.server_close()
