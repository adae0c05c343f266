"""Configuration of a node: one TOML file, checked whole before anything starts.

Every mistake names file, key and value, and all of them are reported at once.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..energy.messages import Priority
from ..energy.planner import RunSettings
from ..energy.supplier import table_bytes
from ..meter.profile import ProfileError, load_profile
from ..meter.settings import BusSettings, MeterSettings, RelaySettings
from ..net.mqtt import BrokerSettings, NeighbourSettings, TlsSettings
from ..space.tuplespace import Limits
from ..twins.device import DeviceSettings
from ..twins.learning_settings import LearningSettings
from ..twins.prosumer import ProsumerSettings
from .learning import check_learning, learning_of
from .options import OPTIONAL, OPTIONS, REQUIRED, SINGLE, Option

_PLAIN_PORT, _TLS_PORT = 1883, 8883
_GREEN, _GREY = 2, 3  # environmental impact (behaviour.md j.3)


class ConfigError(Exception):
    """The file cannot be used; one line a mistake."""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Sizes that are decided at boot."""

    lsas: int
    properties: int
    heap_kb: int
    names: int
    nodes: int
    value_bytes: int
    inbox_frames: int
    inbox_kb: int
    promises: int
    offers: int
    reaction_ms: int
    http_requests: int

    def space(self) -> Limits:
        """Those of the tuple space."""
        return Limits(
            lsas=self.lsas,
            properties=self.properties,
            heap_bytes=self.heap_kb * 1024,
            names=self.names,
            nodes=self.nodes,
            value_bytes=self.value_bytes,
        )


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All a node is told."""

    name: str
    state_dir: Path
    seed: int
    log_level: str
    limits: LimitSettings
    inbox: BrokerSettings
    api_host: str
    api_port: int
    neighbours: tuple[NeighbourSettings, ...]
    buses: tuple[BusSettings, ...]
    meters: tuple[MeterSettings, ...]
    relays: tuple[RelaySettings, ...]
    twins: tuple[tuple[ProsumerSettings, DeviceSettings], ...]
    learning: LearningSettings | None
    timezone: str
    history_days: int
    predictions_days: int

    def population(self) -> list[tuple[str, Any]]:
        """Kind and settings of each twin, in the order in which they start."""
        found: list[tuple[str, Any]] = [(each[1].kind, each) for each in self.twins]
        if self.learning:
            found.append(("learning", self.learning))
        return [*found, ("recorder", None)]


def load(path: str | Path) -> NodeConfig:
    """Read and check a file. Raises ConfigError."""
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None
    return build(raw, str(path))


def build(raw: dict[str, Any], file: str) -> NodeConfig:
    """Check parsed TOML. Raises ConfigError."""
    mistakes: list[str] = []

    def complain(key: str, value: object, reason: str) -> None:
        mistakes.append(f"{file}: {key} = {value!r}: {reason}")

    for section in raw.keys() - OPTIONS.keys():
        complain(section, "...", f"no such section; there are {', '.join(OPTIONS)}")
    tables = {section: _tables(section, raw.get(section), complain) for section in OPTIONS}
    if not mistakes:
        _check_references(tables, complain)
        check_learning(tables, complain)
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    try:
        return _assemble(tables)
    except ValueError as error:  # what only the rooms themselves can judge
        raise ConfigError(f"{file}: {error}") from None


def _assemble(tables: dict[str, list[dict[str, Any]]]) -> NodeConfig:
    node, mqtt, api = tables["node"][0], tables["mqtt"][0], tables["api"][0]
    limits = LimitSettings(**tables["limits"][0])
    tls = _tls(tables["tls"][0]) if tables["tls"] else None
    return NodeConfig(
        name=node["name"],
        state_dir=Path(node["state_dir"]),
        seed=node["seed"],
        log_level=node["log_level"],
        limits=limits,
        inbox=BrokerSettings(**mqtt),
        api_host=api["host"],
        api_port=api["port"],
        neighbours=tuple(_neighbour(each, tls) for each in tables["neighbour"]),
        buses=tuple(BusSettings(**each) for each in tables["bus"]),
        meters=tuple(MeterSettings(**each) for each in tables["meter"]),
        relays=tuple(RelaySettings(**each) for each in tables["relay"]),
        twins=tuple(_twin(each, limits) for each in tables["twin"]),
        learning=learning_of(tables),
        timezone=tables["learning"][0]["timezone"],
        history_days=tables["learning"][0]["history_days"],
        predictions_days=tables["learning"][0]["predictions_days"],
    )


Complain = Callable[[str, object, str], None]


def _tables(section: str, raw: object, complain: Complain) -> list[dict[str, Any]]:
    if section in SINGLE:
        if raw is None and section in OPTIONAL:
            return []
        if raw is not None and not isinstance(raw, dict):
            complain(section, raw, f"a table [{section}] is expected")
            return []
        return [_values(section, section, raw or {}, complain)]
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        complain(section, raw, f"tables [[{section}]] are expected")
        return []
    return [_values(section, f"{section}[{i}]", each, complain) for i, each in enumerate(raw)]


def _values(section: str, where: str, raw: dict[str, Any], complain: Complain) -> dict[str, Any]:
    values = {}
    known = {option.key: option for option in OPTIONS[section]}
    for key in raw.keys() - known.keys():
        complain(f"{where}.{key}", raw[key], f"no such key; there are {', '.join(known)}")
    for key, option in known.items():
        if key in raw:
            values[key] = _value(option, f"{where}.{key}", raw[key], complain)
        elif option.default is REQUIRED:
            complain(f"{where}.{key}", None, f"is required: {option.meaning}")
        else:
            values[key] = option.default
    return values


def _value(option: Option, where: str, raw: Any, complain: Complain) -> Any:
    value: Any = float(raw) if option.type is float and type(raw) is int else raw
    if not isinstance(value, option.type) or isinstance(value, bool):
        complain(where, value, f"{option.type.__name__} expected")
        return value
    text = str(value)
    if option.choices and text not in option.choices:
        complain(where, value, f"one of {', '.join(option.choices)} expected")
    elif option.pattern and not re.fullmatch(option.pattern, text):
        complain(where, value, f"must match {option.pattern}")
    elif option.default is REQUIRED and not text:
        complain(where, value, "must not be empty")
    elif (
        option.least is not None
        and option.most is not None
        and not option.least <= float(text) <= option.most
    ):
        complain(where, value, f"must lie in {option.range}")
    return value


def _check_references(tables: dict[str, list[dict[str, Any]]], complain: Complain) -> None:
    for section, rows in tables.items():
        names = [row["name"] for row in rows if "name" in row]
        for name in {name for name in names if names.count(name) > 1}:
            complain(f"{section}.name", name, "stands twice")
    limits = tables["limits"][0]
    if limits["value_bytes"] < table_bytes(limits["promises"]):
        needed = table_bytes(limits["promises"])
        complain("limits.value_bytes", limits["value_bytes"], f"{needed} needed for limits.promises")
    own = tables["node"][0]["name"]
    for i, row in enumerate(tables["neighbour"]):
        if row["name"] == own:
            complain(f"neighbour[{i}].name", own, "a node is not its own neighbour")
    for name in {row["name"] for row in tables["meter"]} & {row["name"] for row in tables["relay"]}:
        complain("relay.name", name, "a meter is called so")
    for i, row in enumerate(tables["meter"]):
        if any(
            (row["bus"], row["address"]) == (other["bus"], other["address"]) for other in tables["meter"][:i]
        ):
            complain(f"meter[{i}].address", row["address"], "another meter of that bus has it")
    buses = {row["name"] for row in tables["bus"]}
    for section in ("meter", "relay"):
        for i, row in enumerate(tables[section]):
            if row["bus"] not in buses:
                complain(f"{section}[{i}].bus", row["bus"], f"no such bus; there are {sorted(buses)}")
    inputs = _inputs(tables["meter"], complain)
    relays = {row["name"] for row in tables["relay"]}
    for i, row in enumerate(tables["twin"]):
        _check_twin(f"twin[{i}]", row, inputs, relays, complain)


def _inputs(meters: list[dict[str, Any]], complain: Complain) -> set[str]:
    inputs = set()
    for i, row in enumerate(meters):
        try:
            profile = load_profile(row["profile"])
        except ProfileError as error:
            complain(f"meter[{i}].profile", row["profile"], str(error))
        else:
            inputs |= {f"{row['name']}.{name}" for name in profile.inputs}
    return inputs


def _check_twin(
    where: str, row: dict[str, Any], inputs: set[str], relays: set[str], complain: Complain
) -> None:
    for key in ("input", "production_input"):
        if row[key] and row[key] not in inputs:
            complain(f"{where}.{key}", row[key], f"no such meter input; there are {sorted(inputs)}")
    if row["relay"] and row["relay"] not in relays:
        complain(f"{where}.relay", row["relay"], f"no such relay; there are {sorted(relays)}")
    if row["kind"] == "grid" and not row["capacity_w"]:
        complain(f"{where}.capacity_w", row["capacity_w"], "a grid connection needs a capacity")
    if row["kind"] == "both" and not (row["input"] and row["production_input"]):
        complain(f"{where}.production_input", row["production_input"], "`both` needs two inputs")
    if row["kind"] == "shiftable" and row["power_w"] <= 0:
        complain(f"{where}.power_w", row["power_w"], "a shiftable load needs its power")
    if row["sign"] == 0:
        complain(f"{where}.sign", 0, "1 or -1 expected")


def _tls(row: dict[str, Any]) -> TlsSettings:
    return TlsSettings(row["ca"], row["certificate"], row["key"], row["crl"] or None)


def _neighbour(row: dict[str, Any], tls: TlsSettings | None) -> NeighbourSettings:
    port = row["port"] or (_TLS_PORT if tls else _PLAIN_PORT)
    return NeighbourSettings(row["name"], BrokerSettings(row["host"], port, row["keepalive_s"], tls))


def _twin(row: dict[str, Any], limits: LimitSettings) -> tuple[ProsumerSettings, DeviceSettings]:
    kind = row["kind"]
    prosumer = ProsumerSettings(
        name=row["name"],
        consumes=kind in ("load", "building", "both", "shiftable"),
        supplies=kind in ("pv", "building", "both", "grid"),
        priority=Priority[row["priority"].upper()],
        partial=row["accepts"] == "partial",
        tolerance_s=row["tolerance_s"],
        price=row["price"],
        impact=row["impact"] or (_GREEN if kind == "pv" else _GREY),
        producer_policy=row["producer_policy"],
        consumer_policy=row["consumer_policy"],
        promises_max=limits.promises,
        offers_max=limits.offers,
        contract_s=row["contract_s"],
        disabled_s=row["disabled_s"],
    )
    device = DeviceSettings(
        kind=kind,
        input=row["input"],
        production_input=row["production_input"],
        sign=row["sign"],
        power_w=row["power_w"],
        capacity_w=row["capacity_w"],
        relay=row["relay"],
        grace_s=row["meter_grace_s"],
        run=RunSettings(row["power_w"], row["run_s"], row["within_s"], row["ready_hour"])
        if kind == "shiftable"
        else None,
    )
    return prosumer, device
