"""`python -m host_tools ha-test`: two real nodes and a real broker with a real Home Assistant core.

Every entity has to appear with a state, below the right device; counters never step back, whatever is started
again; the Energy dashboard finds no issue; a switch stops a twin, and starts it again.

Exit codes: 0 success, 1 a check failed, 2 Home Assistant cannot be installed here.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.config.check import load
from edge.homeassistant.discovery import NODE_VALUES, twin_values
from host_tools.broker import Broker, die_with_parent, free_port

from .install import NotInstalled, install, newest_python

OK, FAILED, NOT_INSTALLED = 0, 1, 2
_CORE = Path(__file__).with_name("core.py")
_APPEAR_S, _COUNT_S = 60.0, 330.0  # counters are shown every five minutes
_STATISTICS_S = 330.0  # Home Assistant makes them every five minutes
_NO_STATISTICS = "statistics_not_defined"
_LOST = "The connection was lost."  # said when the broker is started again
_UNKNOWN = (None, "unknown", "unavailable")
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


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `ha-test`."""
    parser = commands.add_parser(
        "ha-test",
        help="try two nodes with a real Home Assistant",
        epilog="Exit codes: 0 success, 1 a check failed, 2 Home Assistant cannot be installed here.",
    )
    parser.add_argument("--python", type=Path, help="interpreter for Home Assistant (default: the newest)")
    parser.add_argument("--out", type=Path, default=Path("build/ha"), metavar="DIR", help="output folder")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        program, version = install(options.out.absolute(), options.python or newest_python())
    except NotInstalled as error:
        print(f"not tried: {error}")
        return NOT_INSTALLED
    print(f"Home Assistant {version}")
    place = options.out.absolute() / "trial"
    shutil.rmtree(place, ignore_errors=True)
    try:
        with Site(place, program) as site:
            _try(site)
    except Failure as error:
        print(f"FAILED: {error}; logs are in {place}")
        return FAILED
    print("all checks passed")
    return OK


class Site:
    """The processes: a broker, to which both nodes publish, and Home Assistant."""

    def __init__(self, place: Path, program: Path) -> None:
        self.place = place
        place.mkdir(parents=True)
        ports = {name: free_port() for name in ("gym", "school")}
        self.brokers = {name: Broker(name, port, place) for name, port in ports.items()}
        self.nodes = {
            name: Node(place, name, other, ports, twins)
            for name, other, twins in (("gym", "school", _GYM), ("school", "gym", _SCHOOL))
        }
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
    """One node; it publishes to the broker of the gym."""

    def __init__(self, place: Path, name: str, other: str, ports: dict[str, int], twins: str) -> None:
        self.config = place / f"{name}.toml"
        broker = "" if name == "gym" else f'host = "127.0.0.1"\nport = {ports["gym"]}\n'
        self.config.write_text(
            f'[node]\nname = "{name}"\nstate_dir = "{place / name}"\n'
            f"[mqtt]\nport = {ports[name]}\n[api]\nport = 0\n"
            f'[home_assistant]\nscope = "operate"\nevery_s = 2\n{broker}'
            f'[[neighbour]]\nname = "{other}"\nhost = "127.0.0.1"\nport = {ports[other]}\n{twins}'
        )
        self._log = (place / f"{name}.log").open("ab")
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

    def __init__(self, place: Path, program: Path, broker: int) -> None:
        folder = place / "homeassistant"
        folder.mkdir()
        (folder / "configuration.yaml").write_text("# nothing: MQTT is set up as a user does it\n")
        self._command = [str(program), str(_CORE), str(folder), str(broker), str(free_port())]
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


class Watch:
    """The counters seen so far: none may step back."""

    def __init__(self, core: Core) -> None:
        self._core, self._highest = core, dict[str, float]()

    def entities(self) -> dict[str, dict[str, Any]]:
        """All entities by unique id. Raises Failure for a counter that stepped back."""
        found = {each["unique_id"]: each for each in self._core.ask("entities")}
        for name, each in found.items():
            if name.endswith("_kwh") and each["state"] not in _UNKNOWN:
                value = float(each["state"])
                if value < self._highest.get(name, 0.0):
                    raise Failure(f"{each['entity']} stepped back from {self._highest[name]} to {value}")
                self._highest[name] = value
        return found

    def until(self, what: str, within_s: float, met: Callable[[dict[str, dict[str, Any]]], object]) -> None:
        """Wait for a condition. Raises Failure."""
        began_s = time.monotonic()
        while not met(found := self.entities()):
            if time.monotonic() > began_s + within_s:
                missing = [f"{name} = {each['state']}" for name, each in sorted(found.items())]
                raise Failure(f"not within {within_s:g} s: {what}\n  " + "\n  ".join(missing))
            time.sleep(0.5)
        print(f"  {time.monotonic() - began_s:5.1f} s  {what}", flush=True)


def expected(config: Path) -> dict[str, bool]:
    """The unique id of each entity of a node, and whether it is enabled."""
    loaded = load(config)
    node = f"edge.{loaded.name}"
    found = {f"{node}.{value.key}": value.enabled for value in NODE_VALUES} | {f"{node}.problem": True}
    for twin in loaded.twins:
        found |= {f"{node}.{twin.name}.{value.key}": value.enabled for value in twin_values(twin)}
        found[f"{node}.{twin.name}.switch"] = True
    return found


def _try(site: Site) -> None:
    core, watch = site.core, Watch(site.core)
    wanted = {name: on for node in site.nodes.values() for name, on in expected(node.config).items()}
    default = {name for name, on in wanted.items() if on}
    watch.until(
        f"{len(wanted)} entities are known, {len(default)} of them enabled",
        _APPEAR_S,
        lambda found: {name: each["enabled"] for name, each in found.items()} == wanted,
    )
    watch.until("all powers have a state", _APPEAR_S, lambda found: _known(found, default, "_kwh"))
    _check_devices(watch.entities())
    watch.until("all counters have a state", _COUNT_S, lambda found: _known(found, default))
    core.ask("enable")
    watch.until("every entity, enabled by hand, has a state", _COUNT_S, lambda found: _known(found, wanted))
    watch.until("the community delivers", _COUNT_S, _community_delivers)
    _check_sums(watch.entities())
    _check_energy(core, watch.entities())
    _check_switch(core, watch)
    _check_said(core)
    for what, again in _restarts(site):
        with again():
            pass
        watch.until(f"all is there again after {what}", _COUNT_S, lambda found: _known(found, wanted))
        _check_sums(watch.entities())
        _check_said(core)


def _check_said(core: Core) -> None:
    said = [each for each in core.ask("said") if not each.endswith(_LOST)]
    if said:
        raise Failure("Home Assistant complains:\n  " + "\n  ".join(said))


def _known(found: dict[str, dict[str, Any]], names: "set[str] | dict[str, bool]", but: str = "-") -> bool:
    return all(found[name]["state"] not in _UNKNOWN for name in names if not name.endswith(but))


def _check_devices(found: dict[str, dict[str, Any]]) -> None:
    for name, each in found.items():
        _, node, *twin = name.split(".")
        device, via = (f"{node} {twin[0]}", node) if len(twin) == 2 else (node, None)
        if (each["device"], each["via"]) != (device, via):
            raise Failure(f"{name} belongs to {each['device']} via {each['via']}")
    powers = {
        "edge.school.consumption_w": 1500.0,
        "edge.school.production_w": 320.0,
        "edge.gym.plant.power_w": 2500.0,
        "edge.school.accu.power_w": -20.0,
    }
    for name, power_w in powers.items():
        if float(found[name]["state"]) != power_w or found[name]["unit"] != "W":
            raise Failure(f"{name} is {found[name]['state']} {found[name]['unit']}, not {power_w} W")
    print("         devices and powers are right")


def _community_delivers(found: dict[str, dict[str, Any]]) -> bool:
    names = "edge.school.from_community_kwh", "edge.gym.to_community_kwh"
    return all(found[name]["state"] not in _UNKNOWN and float(found[name]["state"]) > 0 for name in names)


def _check_sums(found: dict[str, dict[str, Any]]) -> None:
    """To the last digit."""
    for node in ("gym", "school"):
        wh = {
            key: round(1000 * float(found[f"edge.{node}.{key}_kwh"]["state"]))
            for key in ("import", "from_community", "residual", "export", "to_community", "fed_in")
        }
        if wh["import"] != wh["from_community"] + wh["residual"]:
            raise Failure(f"import of {node} is not community and residual: {wh}")
        if wh["export"] != wh["to_community"] + wh["fed_in"]:
            raise Failure(f"export of {node} is not community and the rest: {wh}")


def _check_energy(core: Core, found: dict[str, dict[str, Any]]) -> None:
    def of(name: str) -> str:
        return str(found[f"edge.{name}_kwh"]["entity"])

    def flow(kind: str, name: str) -> dict[str, Any]:
        cost = "cost" if kind == "from" else "compensation"
        return {
            f"stat_energy_{kind}": of(name),
            f"stat_{cost}": None,
            "entity_energy_price": None,
            "number_energy_price": 0.2,
        }

    preferences = {
        "energy_sources": [
            {
                "type": "grid",
                "flow_from": [flow("from", "school.residual"), flow("from", "school.from_community")],
                "flow_to": [flow("to", "school.export")],
                "cost_adjustment_day": 0.0,
            },
            {
                "type": "solar",
                "stat_energy_from": of("school.roof.given"),
                "config_entry_solar_forecast": None,
            },
            {
                "type": "battery",
                "stat_energy_from": of("school.accu.given"),
                "stat_energy_to": of("school.accu.drawn"),
            },
        ],
        "device_consumption": [{"stat_consumption": of("school.heater.drawn")}],
    }
    began_s = time.monotonic()
    while issues := list(_issues(core.ask("validate", preferences))):
        if time.monotonic() > began_s + _STATISTICS_S or any(_NO_STATISTICS not in each for each in issues):
            raise Failure("the Energy dashboard finds issues:\n  " + "\n  ".join(issues))
        time.sleep(5.0)
    print(f"  {time.monotonic() - began_s:5.1f} s  the Energy dashboard finds no issue", flush=True)


def _issues(validation: dict[str, Any]) -> Iterator[str]:
    for source in validation["energy_sources"] + validation["device_consumption"]:
        yield from (json.dumps(each) for each in source)


def _check_switch(core: Core, watch: Watch) -> None:
    name = watch.entities()["edge.school.heater.switch"]["entity"]
    core.ask("call", "switch", "turn_off", name)
    watch.until("turned off, it has no contract", _APPEAR_S, lambda found: not _served(found, "off"))
    core.ask("call", "switch", "turn_on", name)
    watch.until("turned on, it has one", _APPEAR_S, lambda found: _served(found, "on"))


def _served(found: dict[str, dict[str, Any]], switch: str) -> bool:
    """Whether the heater has a contract, once its switch is so."""
    if found["edge.school.heater.switch"]["state"] != switch:
        return switch == "off"  # not yet what is waited for
    return float(found["edge.school.heater.received_w"]["state"]) > 0


def _restarts(site: Site) -> Iterator[tuple[str, Callable[[], Any]]]:
    @contextmanager
    def restart(each: Any, **how: Any) -> Iterator[None]:
        each.stop(**how)
        yield
        each.start()

    yield "a restart of Home Assistant", lambda: restart(site.core)
    yield "a restart of the broker", lambda: restart(site.brokers["gym"])
    yield "a restart of a node", lambda: restart(site.nodes["school"])
    yield "a power cut of a node", lambda: restart(site.nodes["gym"], kill=True)
