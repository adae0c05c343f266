"""`python -m host_tools ha-test`: two real nodes and a real broker with a real Home Assistant core.

Every entity has to appear with a state, below the right device; counters never step back, whatever is started
again; the Energy dashboard finds no issue; a switch stops a twin, and starts it again.

Exit codes: 0 success, 1 a check failed, 2 Home Assistant cannot be installed here.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edge.config.check import load
from edge.homeassistant.discovery import NODE_VALUES, twin_values

from .install import NotInstalled, install, newest_python
from .sites import Core, Failure, ProvisionedSite, Site

OK, FAILED, NOT_INSTALLED = 0, 1, 2
_APPEAR_S, _COUNT_S = 60.0, 330.0  # counters are shown every five minutes
_STATISTICS_S = 330.0  # Home Assistant makes them every five minutes
_NO_STATISTICS = "statistics_not_defined"
_LOST = "The connection was lost."  # said when the broker is started again
_UNKNOWN = (None, "unknown", "unavailable")


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
        print("A node with the broker, the access list and the keys of `provision`:")
        with ProvisionedSite(place / "provisioned", program) as provisioned:
            _try_provisioned(provisioned)
        print("Two nodes that trade, at one broker:")
        with Site(place / "two", program) as site:
            _try(site)
    except Failure as error:
        print(f"FAILED: {error}; logs are in {place}")
        return FAILED
    print("all checks passed")
    return OK


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


def _try_provisioned(site: ProvisionedSite) -> None:
    wanted, watch = expected(site.node.config), Watch(site.core)
    default = {name for name, on in wanted.items() if on}
    watch.until(
        "all entities have a state",
        _COUNT_S,
        lambda found: default <= found.keys() and _known(found, default),
    )
    name = watch.entities()["edge.gym.lamps.switch"]["entity"]
    for service, state in (("turn_off", "off"), ("turn_on", "on")):
        site.core.ask("call", "switch", service, name)
        watch.until(f"a switch is turned {state}", _APPEAR_S, partial(_is, "edge.gym.lamps.switch", state))
    site.broker.stop()
    site.broker.start()
    watch.until(
        "all is there again after a restart of the broker", _COUNT_S, lambda found: _known(found, default)
    )
    _check_said(site.core)


def _is(name: str, state: str, found: dict[str, dict[str, Any]]) -> bool:
    return bool(found[name]["state"] == state)


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
    watch.until("every entity, enabled, has a state", _COUNT_S, lambda found: _known(found, set(wanted)))
    watch.until("the community delivers", _COUNT_S, _community_delivers)
    _check_sums(watch.entities())
    _check_energy(core, watch.entities())
    _check_switch(core, watch)
    _check_said(core)
    for what, again in _restarts(site):
        with again():
            pass
        watch.until(f"all is there again after {what}", _COUNT_S, lambda found: _known(found, set(wanted)))
        _check_sums(watch.entities())
        _check_said(core)


def _check_said(core: Core) -> None:
    said = [each for each in core.ask("said") if not each.endswith(_LOST)]
    if said:
        raise Failure("Home Assistant complains:\n  " + "\n  ".join(said))


def _known(found: dict[str, dict[str, Any]], names: set[str], but: str = "-") -> bool:
    return names <= found.keys() and all(
        found[name]["state"] not in _UNKNOWN for name in names if not name.endswith(but)
    )


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
