"""The wheel in an empty virtual environment: what a user gets who runs `pip install microgrid-edge`.

Everything runs from an empty folder and without PYTHONPATH, so that nothing of the checkout is found.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge import __version__

from .build import PackageError, output, step

_START_TIMEOUT_S, _READY_S, _STOP_TIMEOUT_S = 60.0, 60.0, 20.0
_NODE = """\
[node]
name = "attic"
state_dir = "state"

[mqtt]
port = {broker_port}

[api]
port = {api_port}
"""
_LEARNING = """
[learning]
node_model = "lstm"
node_options = "start = house"
"""


def trial(wheel: Path) -> None:
    """Install the wheel without and with its extra, and use it. Raises PackageError for the first failure."""
    with tempfile.TemporaryDirectory(prefix="package-test-") as scratch:
        environment, folder = Path(scratch) / "venv", Path(scratch) / "empty"
        folder.mkdir()
        user = _User(environment, folder)
        with step("make an empty virtual environment"):
            output([sys.executable, "-m", "venv", str(environment)], folder)
        with step("install the wheel"):
            user.install(str(wheel))
        with step("commands"):
            _check_commands(user)
        with step("start a node without learning"), user.node(_NODE):
            pass
        with step("install the wheel with [learn]"):
            user.install(f"{wheel}[learn]")
        with step("check a learning node"):
            user.configure(_NODE + _LEARNING)
            user.run("microgrid-edge", "check", "--config", "node.toml")
        with step("start a learning node with start = house"), user.node(_NODE + _LEARNING) as url:
            _expect("model", _ready_model(url), "lstm")  # without its model it would not have started


def _ready_model(url: str) -> str:
    """The model of the node, once it has loaded its past. Raises PackageError."""
    deadline_s = time.monotonic() + _READY_S
    while True:
        node = json_of(f"{url}/api/v1/learning")["scopes"]["node"]
        if node["ready"]:
            return str(node["model"])
        if time.monotonic() > deadline_s:
            raise PackageError(f"the model {node['model']} is not ready after {_READY_S:g} s")
        time.sleep(0.2)


def _check_commands(user: "_User") -> None:
    wanted = f"microgrid-edge {__version__}\n"
    _expect("microgrid-edge --version", user.run("microgrid-edge", "--version"), wanted)
    _expect("python -m edge --version", user.run("python", "-m", "edge", "--version"), wanted)
    if "[learning]" not in user.run("python", "-m", "edge", "options"):
        raise PackageError("python -m edge options: does not list [learning]")
    code = (
        "import importlib.util as u; print([n for n in ('host_tools', 'numpy', 'tests') if u.find_spec(n)])"
    )
    _expect("modules that are not for a node", user.run("python", "-c", code), "[]\n")


class _User:
    """A virtual environment, and the folder that a user works in."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self._bin, self._folder = environment / "bin", folder
        self._env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def install(self, what: str) -> None:
        """`pip install`."""
        self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what)

    def run(self, program: str, *arguments: str) -> str:
        """Standard output of a program of the environment."""
        return output([str(self._bin / program), *arguments], self._folder, self._env)

    def configure(self, template: str) -> int:
        """Write node.toml with free ports. Returns that of the API; no broker listens on the other."""
        api_port, broker_port = _free_ports(2)
        text = template.format(api_port=api_port, broker_port=broker_port)
        (self._folder / "node.toml").write_text(text)
        return api_port

    @contextmanager
    def node(self, template: str) -> Iterator[str]:
        """A running node that has reported its version; yields the address of its API, then stops it."""
        url = f"http://127.0.0.1:{self.configure(template)}"
        log = self._folder / "node.log"
        command = [str(self._bin / "microgrid-edge"), "run", "--config", "node.toml"]
        with log.open("w") as errors:
            process = subprocess.Popen(command, cwd=self._folder, env=self._env, stderr=errors)
        try:
            health = _wait_for_health(process, url, log)
            _expect("version in /health", health.get("version"), __version__)
            yield url
            process.send_signal(signal.SIGTERM)
            _expect("exit code of the node", process.wait(_STOP_TIMEOUT_S), 0)
        except subprocess.TimeoutExpired:
            raise PackageError(f"the node did not stop within {_STOP_TIMEOUT_S:.0f} s") from None
        finally:
            process.kill()
            process.wait()


def _wait_for_health(process: "subprocess.Popen[bytes]", url: str, log: Path) -> dict[str, Any]:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            return json_of(f"{url}/health")
        except OSError:
            time.sleep(0.1)
    ended = "does not answer" if process.poll() is None else f"ended with exit code {process.returncode}"
    raise PackageError("\n".join([f"the node {ended}", *log.read_text().splitlines()[-5:]]))


def json_of(url: str) -> dict[str, Any]:
    """What a route answers."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return dict(json.load(response))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise PackageError(f"{what}: {found!r} instead of {wanted!r}")
