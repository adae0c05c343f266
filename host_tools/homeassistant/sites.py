"""The processes of the trial: brokers, nodes, and Home Assistant."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from getpass import getuser
from pathlib import Path
from typing import Any

from host_tools.broker import Broker, die_with_parent, free_port
from host_tools.setup.find_broker import find_broker

_CORE = Path(__file__).with_name("core.py")
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKuzehm97wfW0M4p3CxmE1PC20Fzm0LZZV6ZFYIW9spm trial\n"
_GYM = """
[[twin]]
name = "plant"
kind = "pv"
power_w = 2500.0

[[twin]]
name = "lamps"
kind = "load"
power_w = 100.0

[[twin]]
name = "mains"
kind = "grid"
capacity_w = 5000.0
price = 0.3
"""
_SCHOOL = """
[[twin]]
name = "roof"
kind = "pv"
power_w = 300.0

[[twin]]
name = "heater"
kind = "load"
power_w = 1500.0

[[twin]]
name = "accu"
kind = "battery"
power_w = -20.0
"""


class Failure(Exception):
    """A check failed."""


class Site:
    """The processes: a broker, to which both nodes publish, and Home Assistant."""

    def __init__(self, place: Path, program: Path) -> None:
        self.place = place
        place.mkdir(parents=True)
        ports = {name: free_port() for name in ("gym", "school")}
        self.brokers = {name: Broker(name, port, place) for name, port in ports.items()}
        self.nodes = {}
        for name, other, twins in (("gym", "school", _GYM), ("school", "gym", _SCHOOL)):
            config = place / f"{name}.toml"
            config.write_text(_configuration(place, name, other, ports, twins))
            self.nodes[name] = Node(config, place / f"{name}.log")
        self.core = Core(place, program, ports["gym"])

    def __enter__(self) -> "Site":
        parts: tuple[Any, ...] = (*self.brokers.values(), *self.nodes.values(), self.core)
        for each in parts:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        parts: tuple[Any, ...] = (self.core, *self.nodes.values(), *self.brokers.values())
        for each in parts:
            with suppress(OSError, ValueError, Failure):
                each.stop()


class Node:
    """The process of a node."""

    def __init__(self, config: Path, log: Path) -> None:
        self.config = config
        self._log = log.open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "--config", str(self.config)],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
        )

    def stop(self, kill: bool = False) -> None:
        """Stop it, as a power cut would with `kill`."""
        if self._process:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(20)


class Core:
    """Home Assistant in a process of its own."""

    def __init__(self, place: Path, program: Path, broker: int, secure: Sequence[object] = ()) -> None:
        """`secure`: for TLS, that port and the folder of keys."""
        folder = place / "homeassistant"
        folder.mkdir()
        (folder / "configuration.yaml").write_text("# nothing: MQTT is set up as a user does it\n")
        self._command = [str(each) for each in (program, _CORE, folder, broker, free_port(), *secure)]
        self._log = (place / "homeassistant.log").open("ab")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it is up."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
        )
        self._answer()

    def ask(self, *command: Any) -> Any:
        """Its answer to a command. Raises Failure when it has ended."""
        assert self._process
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        """Stop it regularly."""
        if self._process:
            self.ask("stop")
            self._process.wait(30)
            self._process = None

    def _answer(self) -> Any:
        assert self._process
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise Failure("Home Assistant has ended")


def _configuration(place: Path, name: str, other: str, ports: dict[str, int], twins: str) -> str:
    """Both publish to the broker of the gym."""
    broker = "" if name == "gym" else f'host = "127.0.0.1"\nport = {ports["gym"]}\n'
    return (
        f'[node]\nname = "{name}"\nstate_dir = "{place / name}"\n'
        f"[mqtt]\nport = {ports[name]}\n[api]\nport = 0\n"
        f'[home_assistant]\nscope = "operate"\nevery_s = 2\n{broker}'
        f'[[neighbour]]\nname = "{other}"\nhost = "127.0.0.1"\nport = {ports[other]}\n{twins}'
    )


class ProvisionedSite:
    """A node as `provision` makes it, with its broker, access lists and TLS; Home Assistant with its key."""

    def __init__(self, place: Path, program: Path) -> None:
        deploy, out, data = place / "deploy", place / "out", place / "root" / "data"
        (deploy / "nodes").mkdir(parents=True)
        inside, outside = free_port(), free_port()
        (deploy / "operator.pub").write_text(_KEY)
        (deploy / "fleet.toml").write_text(
            '[cluster]\nname = "trial"\n[operator]\npublic_keys = ["operator.pub"]\n'
            '[hosts]\ngym = ["127.0.0.1"]\n'
        )
        (deploy / "nodes" / "gym.toml").write_text(
            f'[node]\nname = "gym"\nstate_dir = "/data/edge/state"\n'
            f"[mqtt]\nport = {inside}\n[api]\nport = 0\n"
            f'[home_assistant]\nscope = "operate"\nevery_s = 2\n{_GYM}'
        )
        given = ("--deploy", deploy, "--keys", place / "keys", "--out", out, "--root", place / "root")
        command = [sys.executable, "-m", "host_tools", "provision", "gym", *map(str, given)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(out / "gym", data / "edge")
        shutil.copytree(out / "gym" / "keys", data / "mosquitto" / "keys")
        rules = (data / "edge" / "config" / "mosquitto.conf").read_text()
        rules = rules.replace("listener 8883\n", f"listener {outside} 127.0.0.1\n")
        rules = rules.replace("user mosquitto\n", f"user {getuser()}\n")
        program_of_broker = replace(find_broker(), configuration=lambda *_: rules)
        self.broker = Broker("gym", inside, place, program=program_of_broker)
        self.node = Node(data / "edge" / "config" / "node.toml", place / "gym.log")
        self.core = Core(place, program, inside, (outside, out / "home-assistant"))

    def __enter__(self) -> "ProvisionedSite":
        parts: tuple[Any, ...] = (self.broker, self.node, self.core)
        for each in parts:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        parts: tuple[Any, ...] = (self.core, self.node, self.broker)
        for each in parts:
            with suppress(OSError, ValueError, Failure):
                each.stop()
