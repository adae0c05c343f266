"""Small releases that start at once: their program reports ready and answers /health, or does not."""

import functools
import hashlib
import json
import platform
import subprocess

PROGRAM = """
import json, os, signal, socket, sys, tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
if {dies}:
    sys.exit(int({dies}))
config = tomllib.load(open(sys.argv[sys.argv.index("--config") + 1], "rb"))
release = os.environ["EDGE_RELEASE"]
health = dict(release=release, troubles=[], faults={faults}, python_path=os.environ["PYTHONPATH"],
              fallback=os.environ["EDGE_FALLBACK"])

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(health).encode())
    def log_message(self, *words):
        pass

class Server(HTTPServer):
    allow_reuse_address = True

server = Server(("127.0.0.1", config["api"]["port"]), Handler)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
notify = os.environ["NOTIFY_SOCKET"]
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", "\\0" + notify[1:])
server.serve_forever()
"""


@functools.cache
def node_python():
    """The version of Python that a node stand-in runs on."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.check_output(["/usr/bin/python3", "-c", code], text=True).strip()


def fake_release(folder, name, dies=False, faults=0, arch=None, python=None, number=1, signers=()):
    """Make `folder`/`name`; returns its path. `dies`: its exit code, if it ends at once."""
    release = folder / name
    (release / "lib" / "edge").mkdir(parents=True)
    (release / "lib" / "edge" / "__init__.py").write_text("")
    program = PROGRAM.replace("{dies}", str(dies)).replace("{faults}", str(faults))
    (release / "lib" / "edge" / "__main__.py").write_text(program)
    files = [path for path in release.rglob("*") if path.is_file()]
    manifest = {
        "id": name,
        "version": "1",
        "arch": arch or platform.machine(),
        "python": python or node_python(),
        "number": number,
        "sizes": {str(p.relative_to(release)): p.stat().st_size for p in files},
        "files": {str(p.relative_to(release)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    } | ({"signers": list(signers)} if signers else {})
    (release / "release.json").write_text(json.dumps(manifest))
    return release


def signed(manifest, key):
    """A manifest (bytes) and its signature, as a node expects it."""
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", "microgrid-edge", "-f", str(key)]
    return manifest + subprocess.run(command, input=manifest, capture_output=True, check=True).stdout
