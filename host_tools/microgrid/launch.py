"""Starts and stops the processes of a microgrid: brokers, simulated meters and nodes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.api.access import load_tokens
from edge.files import lock_folder
from host_tools.broker import Broker, die_with_parent, fixed_port, free_port
from host_tools.fleet.errors import FleetError
from host_tools.fleet.files import SECRET, write
from host_tools.fleet.trust_authority import AUTHORITY, IDENTITY, KEY, REVOKED, TrustAuthority
from host_tools.meter.terminal import SimulatedMeter
from host_tools.setup.find_broker import BrokerProgram

from .place import Loopback, Place
from .plan import BuildingPlan

# As in edge.service: one thread for numpy, one heap for all threads of a node (saves 1.5 MB), and tracebacks
# without columns (0.2 MB).
NODE_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONNODEBUGRANGES": "1"}
START_TIMEOUT_S = 30.0
_EACH_S = 2.0  # more for each node
_STOP_TIMEOUT_S = 5.0
_KEYS = ".keys"  # no node has such a name
_CLUSTER, _KEY_DAYS = "local", 3650
_COIL = 0  # of the relay of a device: a coil of its meter
FIXED_API_PORT, FIXED_BROKER_PORT = 8081, 18831  # of the first node; the next node has the next port


class LaunchError(Exception):
    """The microgrid does not start; the message contains the end of the log."""


class Building:
    """The processes of one node."""

    def __init__(
        self,
        plan: BuildingPlan,
        directory: Path,
        pace: "Pace",
        api_port: int,
        broker_port: int,
        place: Place | None = None,
        program: BrokerProgram | None = None,
    ) -> None:
        """`place`: where its processes run, on loopback by default; `program`: its broker. Raises
        BrokerError."""
        self.plan = plan
        self.place = place or Loopback()
        self.name = plan.name
        self.directory = directory
        self.api_port = api_port
        self.broker = Broker(plan.name, broker_port, directory, program=program)
        self.meter: SimulatedMeter | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.machine = self  # the building whose process runs this node, too
        self._pace = pace
        self._log = directory / "node.log"
        self._trust: dict[str, str] = {}

    @property
    def config(self) -> Path:
        """The node's configuration."""
        return self.directory / "node.toml"

    @property
    def url(self) -> str:
        """The address of the node's HTTP server."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def login(self) -> str:
        """The address of its dashboard; what follows `#` stays in the browser. Raises OSError."""
        return f"{self.url}/#token={load_tokens(self.directory / 'state')['configure']}"

    def give_keys(self, authority: TrustAuthority) -> None:
        """Write the keys and the identity of the node. Raises FleetError, OSError."""
        identity = authority.identity(self.name, _KEY_DAYS)
        keys = self.directory / "keys"
        write(keys / KEY, identity.key, SECRET)
        write(keys / IDENTITY, identity.certificate)
        write(keys / AUTHORITY, authority.public)
        write(keys / REVOKED, authority.revoked)
        files = {"key": KEY, "certificate": IDENTITY, "authority": AUTHORITY, "revocations": REVOKED}
        self._trust = {key: str(keys / name) for key, name in files.items()}

    def start_meter(self) -> None:
        """Start the simulated meters; address n is the n-th device of the plan."""
        if self.plan.devices:
            powers = [device.power_w for device in self.plan.devices]
            profiles = {i + 1: device.profile for i, device in enumerate(self.plan.devices)}
            pace = self._pace
            switched = {i + 1 for i, device in enumerate(self.plan.devices) if device.twin.get("relay")}

            def power_w(address: int, now_s: float) -> float:
                """What a relay has switched off draws nothing."""
                if address in switched and not meter.line.slaves[address].coils[_COIL]:
                    return 0.0
                return powers[address - 1](pace.elapsed_s(now_s))

            meter = SimulatedMeter(profiles, power_w)
            for address in switched:
                meter.line.slaves[address].coils[_COIL] = True
            self.meter = meter.start()

    def start_broker(self) -> None:
        """Start the broker. Raises BrokerError."""
        with self.place.entered():
            self.broker.start()

    def configure(self, doors: dict[str, tuple[str, int]], limits: dict[str, int]) -> None:
        """Write the node's configuration; `doors` are the addresses and ports of all brokers."""
        raw: dict[str, Any] = {
            "node": {"name": self.name, "state_dir": str(self.directory / "state"), "seed": self._pace.seed},
            "limits": limits,
            "learning": self.plan.learning,
            "gossip": self.plan.gossip,
            "mqtt": {"port": self.broker.port},
            "api": {"port": self.api_port, "powers": "played"},
            **({"trust": self._trust} if self._trust else {}),
            **({"community": self.plan.community} if self.plan.community else {}),
            **self.plan.sections,
            **({"push": self.plan.push} if self.plan.push else {}),
            **({"regulator": self.plan.regulator} if self.plan.regulator else {}),
            "neighbour": [
                {"name": name, "host": doors[name][0], "port": doors[name][1]}
                for name in self.plan.neighbours
            ],
            "bus": [{"name": "rs485", "port": self.meter.port}] if self.meter else [],
            "meter": [
                {
                    "name": f"m{i + 1}",
                    "bus": "rs485",
                    "address": i + 1,
                    "profile": device.profile,
                    "power_period_s": self._pace.power_period_s,
                    "record_period_s": self._pace.record_period_s,
                }
                for i, device in enumerate(self.plan.devices)
            ],
            "relay": [
                {"name": device.twin["relay"], "bus": "rs485", "address": i + 1, "coil": _COIL}
                for i, device in enumerate(self.plan.devices)
                if device.twin.get("relay")
            ],
            "twin": self.plan.twins(self._pace.power_period_s),
        }
        self.config.write_text(to_toml(raw))

    def start_node(self, command: list[str] | None = None) -> None:
        """Start the node process, with `command` as a wrapper. It ends with this process."""
        with self._log.open("ab") as log, self.place.entered():
            self.process = subprocess.Popen(
                [*(command or []), sys.executable, "-m", "edge", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | NODE_ENVIRONMENT,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )

    def ask(self, path: str, timeout_s: float = 3.0) -> Any:
        """GET `path` of the node's HTTP interface. Raises OSError."""
        with (
            self.place.entered(),
            urllib.request.urlopen(f"{self.url}/api/v1{path}", timeout=timeout_s) as response,
        ):
            return json.loads(response.read())

    def wait_until_up(self, deadline_s: float) -> None:
        """Wait until the node answers. Raises LaunchError."""
        while True:
            process = self.machine.process
            if process is None or process.poll() is not None:
                raise LaunchError(f"node {self.name} ended during start:\n{self.machine.log_tail()}")
            try:
                self.ask("/node")
                return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline_s:
                    reason = f"node {self.name} does not answer"
                    raise LaunchError(f"{reason}:\n{self.machine.log_tail()}") from None
                time.sleep(0.1)

    def log_tail(self, lines: int = 12) -> str:
        """The end of the node's log."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def signal_node(self, number: signal.Signals) -> None:
        """Send a signal to the node process if it is running."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def wait_for_end(self) -> int | None:
        """The node's exit code after it was asked to stop; None if it had to be killed."""
        if self.process is None:
            return None
        try:
            return self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


class Pace:
    """The speed of a run and the time at which it started."""

    def __init__(self, speed: float = 1.0, seed: int = 1, power_period_s: float | None = None) -> None:
        self.speed = speed
        self.seed = seed
        self.power_period_s = power_period_s or max(0.2, 10.0 / speed)
        self.record_period_s = max(1.0, 60.0 / speed)
        self.started_s = time.monotonic()

    def elapsed_s(self, now_s: float) -> float:
        """Seconds since the start of the run at a time of the monotonic clock."""
        return max(0.0, now_s - self.started_s)


class Microgrid:
    """All buildings; a context manager that stops every process it started."""

    def __init__(
        self,
        plans: list[BuildingPlan],
        directory: Path,
        pace: Pace,
        limits: dict[str, int] | None = None,
        fixed_ports: bool = False,
        trust: bool = True,
        places: Mapping[str, Place] | None = None,
        program: BrokerProgram | None = None,
    ) -> None:
        """`fixed_ports`: the same ports in every run, where nobody else uses them; `trust`: nodes have keys,
        which are made in the first run; `places`: a network of its own for each node, with the same ports;
        `program`: of the brokers. Raises BrokerError, LaunchError.
        """
        self.pace = pace
        self._limits = limits or {}
        self.buildings = []
        directory.mkdir(parents=True, exist_ok=True)
        try:
            self._lock: int | None = lock_folder(directory)
        except BlockingIOError:
            reason = "another microgrid runs in this folder; stop it first, or give another one (--out)"
            raise LaunchError(f"{directory}: {reason}") from None
        for i, plan in enumerate(plans):
            shutil.rmtree(directory / plan.name, ignore_errors=True)  # state of an earlier run
            (directory / plan.name).mkdir(parents=True)
            if places:
                ports = (FIXED_API_PORT, FIXED_BROKER_PORT)
            elif fixed_ports:
                ports = (fixed_port(FIXED_API_PORT + i), fixed_port(FIXED_BROKER_PORT + i))
            else:
                ports = (free_port(), free_port())
            place = places[plan.name] if places else None
            self.buildings.append(Building(plan, directory / plan.name, pace, *ports, place, program))
        by_name = {each.name: each for each in self.buildings}
        for building in self.buildings:
            building.machine = by_name[building.plan.machine or building.name]
        if trust:
            self._give_keys(directory / _KEYS)

    def _give_keys(self, place: Path) -> None:
        try:
            authority = TrustAuthority(place, _CLUSTER, datetime.now(UTC))
            for building in self.buildings:
                building.give_keys(authority)
        except FleetError as error:
            raise LaunchError(f"{error}\nremove {place} for new keys") from None

    def __enter__(self) -> "Microgrid":
        try:
            self.prepare()
            for building in self._machines():
                building.start_node()
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def prepare(self) -> None:
        """Start everything except the nodes: brokers, meters, configurations."""
        doors = {each.name: (each.place.address, each.broker.port) for each in self.buildings}
        for building in self.buildings:
            building.start_broker()
            building.start_meter()
            building.configure(doors, self._limits)
        self.pace.started_s = time.monotonic()

    def wait_until_up(self) -> None:
        """Wait until all nodes answer. Raises LaunchError."""
        deadline_s = time.monotonic() + START_TIMEOUT_S + _EACH_S * len(self.buildings)
        for building in self.buildings:
            building.wait_until_up(deadline_s)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> dict[str, int | None]:
        """Stop nodes, then meters, then brokers; returns the exit codes of processes by node."""
        for building in self.buildings:
            building.signal_node(signal.SIGTERM)
        codes = {building.name: building.wait_for_end() for building in self._machines()}
        for building in self.buildings:
            if building.meter:
                building.meter.stop()
                building.meter = None
            building.broker.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        return codes

    def _machines(self) -> list[Building]:
        """Those with a process of their own."""
        return [each for each in self.buildings if each.machine is each]


def to_toml(raw: dict[str, Any]) -> str:
    """TOML of tables and arrays of tables, one level deep, as in a node's configuration."""
    lines = []
    for section, content in raw.items():
        rows, head = (content, f"[[{section}]]") if isinstance(content, list) else ([content], f"[{section}]")
        for row in rows:
            lines.append(head)
            lines += [f"{key} = {json.dumps(value)}" for key, value in row.items()]
            lines.append("")
    return "\n".join(lines)
