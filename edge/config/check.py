"""Loading a configuration: one TOML file, checked as a whole before anything starts.

Every mistake is reported with file, key, value and reason, and all of them at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..clock import Zone
from ..files import InvalidToml, read_toml
from ..meter.profile import ProfileError, load_profile
from ..meter.settings import BusSettings, ContactSettings, MeterSettings, RelaySettings
from ..net.settings import BrokerSettings, NeighbourSettings, TlsSettings
from ..option import Option, shown, shown_key
from ..trust.settings import TrustSettings
from ..twins.community_settings import CommunitySettings
from ..twins.envelope import longest_value
from ..twins.gossip_settings import GossipSettings
from ..twins.holon_settings import HolonSettings
from ..twins.learning_settings import NO_MODEL, BoundarySettings, LearningSettings
from ..twins.market_settings import MarketSettings, TraderSettings
from ..twins.registry import GRIDS, RUNNING, SERVICES
from ..twins.regulator_settings import INPUTS, RegulatorSettings
from ..twins.settings import TwinSettings
from .buses import complete_buses
from .community import with_profile
from .learning import Complain, check_learning
from .options import SECTIONS, Section, title
from .settings import (
    ApiSettings,
    HistorySettings,
    HomeAssistantSettings,
    LimitSettings,
    MemberSettings,
    NodeConfig,
    NodeSettings,
    PushSettings,
    ReachSettings,
)
from .sums import check_sums

_MOVED = {
    "learning.history_days": "moved to [history] days",
    "learning.timezone": "moved to [node] timezone",
    "learning.predictions_days": "moved to [history] predictions_days",
}
_ANY = "*"  # stands for the inputs of a meter whose profile is not known
Row = dict[str, Any]


class ConfigError(Exception):
    """The file cannot be used; one line for each mistake, and in `mistakes` key, value and reason of each."""

    def __init__(self, text: str, mistakes: Sequence[tuple[str, object, str]] = ()) -> None:
        super().__init__(text)
        self.mistakes = mistakes


def load(path: str | Path) -> NodeConfig:
    """Read and check a file. Raises ConfigError."""
    path = Path(path)
    try:
        raw = read_toml(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except InvalidToml as error:
        raise ConfigError(f"{path}: {error}") from None
    return build(raw, str(path))


def build(raw: Row, file: str) -> NodeConfig:
    """Check parsed TOML. Raises ConfigError."""
    mistakes: list[str] = []
    named: list[tuple[str, object, str]] = []
    refused: set[str] = set()  # keys; the checks of several keys say nothing more about them

    def complain(key: str, value: object, reason: str) -> None:
        given = "" if value is None else f" = {shown(value)}:"
        mistakes.append(f"{file}: {key}{given} {reason}")
        named.append((key, value, reason))

    def refuse(key: str, value: object, reason: str) -> None:
        refused.add(key)
        complain(key, value, reason)

    def complain_besides(key: str, value: object, reason: str) -> None:
        if key not in refused:
            complain(key, value, reason)

    raw = with_profile(raw, Path(file).parent, complain)
    for name in sorted(raw.keys() - SECTIONS.keys()):
        complain(f"[{shown_key(name)}]:", None, f"unknown section; the sections are {', '.join(SECTIONS)}")
    tables = {name: _tables(name, section, raw.get(name), refuse) for name, section in SECTIONS.items()}
    if tables["bus"]:
        complete_buses(raw["bus"], tables["bus"], tables["meter"], complain_besides)
    config = _assembled(tables, complain_besides)
    if mistakes:
        raise ConfigError("\n".join(mistakes), named)
    return config


def _reach(row: Row, complain: Complain) -> ReachSettings:
    reach = ReachSettings(**row)
    if reach.beats and not reach.requests:
        complain("reach.beats", reach.beats, "needs reach.requests: a request could not go farther")
    return reach


def _assembled(tables: dict[str, list[Row]], complain: Complain) -> NodeConfig:
    """The configuration, after the checks that concern more than one key."""
    limits = LimitSettings(**tables["limits"][0])
    history = HistorySettings(**tables["history"][0])
    tls = TlsSettings(**tables["tls"][0]) if tables["tls"] else None
    boundary = tuple(BoundarySettings(**row) for row in tables["boundary"])
    learning = LearningSettings(
        **tables["learning"][0], boundary=boundary, gossip=GossipSettings(**tables["gossip"][0])
    )
    config = NodeConfig(
        node=NodeSettings(**tables["node"][0]),
        limits=limits,
        reach=_reach(tables["reach"][0], complain),
        inbox=BrokerSettings(**tables["mqtt"][0]),
        api=ApiSettings(**tables["api"][0]),
        history=history,
        learning=learning if learning.wanted else None,
        neighbours=tuple(NeighbourSettings(**row, tls=tls) for row in tables["neighbour"]),
        buses=tuple(BusSettings(**row) for row in tables["bus"]),
        meters=tuple(MeterSettings(**row) for row in tables["meter"]),
        relays=tuple(RelaySettings(**row) for row in tables["relay"]),
        twins=tuple(
            TwinSettings(**row, promises=limits.promises, offers=limits.offers) for row in tables["twin"]
        ),
        contacts=tuple(ContactSettings(**row) for row in tables["contact"]),
        regulator=_regulator(tables, learning),
        community=CommunitySettings(**tables["community"][0]) if tables["community"] else None,
        holon=HolonSettings(**tables["holon"][0]) if tables["holon"] else None,
        market=MarketSettings(**tables["market"][0]) if tables["market"] else None,
        trader=TraderSettings(**tables["trader"][0]) if tables["trader"] else None,
        members=tuple(MemberSettings(**row) for row in tables["member"]),
        trust=TrustSettings(**tables["trust"][0]) if tables["trust"] else None,
        tls=tls,
        home_assistant=HomeAssistantSettings(**tables["home_assistant"][0]),
        push=PushSettings(**tables["push"][0]),
    )
    _check_names(tables, config, complain)
    _check_buses(config, complain)
    _check_twins(config, complain)
    _check_holon(config, complain)
    _check_market(config, complain)
    least = longest_value(limits.promises, limits.nodes)
    if limits.value_bytes < least:
        reason = f"must be at least {least} for limits.promises = {limits.promises}"
        reason += f" and limits.nodes = {limits.nodes}"
        complain("limits.value_bytes", limits.value_bytes, reason)
    _check_timezone(config.node.timezone, complain)
    _check_home_assistant(config.home_assistant, complain)
    check_learning(learning, limits, history, len(config.neighbours), complain)
    return config


def _regulator(tables: dict[str, list[Row]], learning: LearningSettings) -> RegulatorSettings | None:
    if not tables["regulator"]:
        return None
    grid = next((row for row in tables["twin"] if row["kind"] in GRIDS and row["input"]), None)
    return RegulatorSettings(
        **tables["regulator"][0],
        max_power_w=learning.max_power_w,
        cluster_power_w=learning.cluster_max_power_w or learning.max_power_w,
        grid_input=grid["input"] if grid else "",
        grid_sign=grid["sign"] if grid else 1,
    )


# ---- single keys ---------------------------------------------------------------------------------


def _tables(name: str, section: Section, raw: object, complain: Complain) -> list[Row]:
    """The values of every table of a section, by key."""
    if section.repeated:
        rows = [] if raw is None else raw
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            complain(name, raw, f"must be one or more tables {title(name)}")
            return []
        return [_values(section, f"{name}[{i}]", row, complain) for i, row in enumerate(rows)]
    if raw is None and section.optional:
        return []
    if raw is not None and not isinstance(raw, dict):
        complain(name, raw, f"must be a table {title(name)}")
        return [{option.key: _stand_in(option, None) for option in section.options}]
    return [_values(section, name, raw or {}, complain)]


def _values(section: Section, where: str, raw: Row, complain: Complain) -> Row:
    values = {}
    options = {option.key: option for option in section.options}
    for key in sorted(raw.keys() - options.keys()):
        reason = _MOVED.get(f"{where}.{key}", f"unknown key; the keys are {', '.join(options)}")
        complain(f"{where}.{shown_key(key)}", raw[key], reason)
    for key, option in options.items():
        if key in raw:
            refusal = option.refusal(raw[key])
            if refusal:
                complain(f"{where}.{key}", raw[key], refusal)
            values[key] = _stand_in(option, raw[key]) if refusal else option.value(raw[key])
        elif option.required:
            complain(f"{where}.{key}", None, f"is missing: {option.meaning}")
            values[key] = _stand_in(option, None)
        else:
            values[key] = option.default
    return values


def _stand_in(option: Option, raw: object) -> object:
    """A value in place of one that was refused, so that the other checks can go on."""
    if not option.required:
        return option.default
    return option.kind(raw) if isinstance(raw, str) and option.kind in (str, Path) else option.kind()


# ---- more than one key ---------------------------------------------------------------------------


def _check_timezone(timezone: str, complain: Complain) -> None:
    try:
        Zone(timezone)
    except (OSError, ValueError, KeyError):
        complain("node.timezone", timezone, "unknown time zone on this machine")


def _check_home_assistant(settings: HomeAssistantSettings, complain: Complain) -> None:
    for key in ("port", "username", "password_file", "ca"):
        if getattr(settings, key) and not settings.host:
            complain(
                f"home_assistant.{key}", getattr(settings, key), "is for another broker, so it needs `host`"
            )
    if settings.password_file and not settings.username:
        complain("home_assistant.password_file", settings.password_file, "needs `username`")


def _check_names(tables: dict[str, list[Row]], config: NodeConfig, complain: Complain) -> None:
    for section, rows in tables.items():
        names = [row["name"] for row in rows if "name" in row]
        for name in sorted({name for name in names if names.count(name) > 1}):
            complain(f"{section}.name", name, "duplicate name")
    for i, twin in enumerate(config.twins):
        if twin.name in SERVICES:
            complain(f"twin[{i}].name", twin.name, "is reserved for a twin of the node itself")
    for i, neighbour in enumerate(config.neighbours):
        if neighbour.name == config.name:
            complain(f"neighbour[{i}].name", config.name, "a node cannot be its own neighbour")
    for name in sorted({each.name for each in config.meters} & {each.name for each in config.relays}):
        complain("relay.name", name, "a meter has the same name")
    for name in sorted({each.name for each in config.meters} & {each.name for each in config.contacts}):
        complain("contact.name", name, "a meter has the same name")


def _check_buses(config: NodeConfig, complain: Complain) -> None:
    buses = {bus.name for bus in config.buses}
    devices: dict[str, Sequence[MeterSettings | RelaySettings]]
    devices = {"meter": config.meters, "relay": config.relays}
    for section, each_of in devices.items():
        for i, device in enumerate(each_of):
            if device.bus not in buses:
                complain(f"{section}[{i}].bus", device.bus, _unknown("bus", buses))
    taken: set[tuple[str, int]] = set()
    for i, meter in enumerate(config.meters):
        if (meter.bus, meter.address) in taken:
            complain(f"meter[{i}].address", meter.address, "another meter on this bus has the same address")
        taken.add((meter.bus, meter.address))


def _check_twins(config: NodeConfig, complain: Complain) -> None:
    inputs, batteries, unreadable = _inputs(config, complain)
    relays = {relay.name for relay in config.relays}
    for i, twin in enumerate(config.twins):
        for key in ("input", "production_input", "battery_input"):
            name = getattr(twin, key)
            if name and name not in inputs and name.partition(".")[0] not in unreadable:
                complain(f"twin[{i}].{key}", name, _unknown("meter input", inputs))
        meter = twin.battery_meter
        if meter and meter not in batteries and meter not in unreadable:
            complain(f"twin[{i}].battery_meter", meter, _unknown("meter of a battery", batteries))
        _check_twin(f"twin[{i}]", twin, relays, complain)
    for key in INPUTS if config.regulator else ():
        name = getattr(config.regulator, key)
        if name and name not in inputs and name.partition(".")[0] not in unreadable:
            complain(f"regulator.{key}", name, _unknown("meter input", inputs))
    check_sums(config.twins, complain)


def _check_market(config: NodeConfig, complain: Complain) -> None:
    market = config.market
    if market and market.feed_in_price >= market.import_price:
        complain("market.feed_in_price", market.feed_in_price, "must be below market.import_price")
    if config.trader is None:
        return
    if config.learning is None or config.learning.model_of("node") == NO_MODEL:
        complain("trader.market", config.trader.market, "needs [learning] node_model for its orders")
    for i, twin in enumerate(config.twins):
        if twin.is_grid:
            reason = "a node that trades has no grid connection: what that could give would be sold"
            complain(f"twin[{i}].kind", twin.kind, reason)


def _check_holon(config: NodeConfig, complain: Complain) -> None:
    holon = config.holon
    if holon is None:
        return
    if not any(twin.name == holon.twin and twin.kind == "holon" for twin in config.twins):
        complain("holon.twin", holon.twin, "there is no [[twin]] of kind `holon` with this name")
    for nodes in zip(*holon.pairs, strict=True):
        if len(set(nodes)) < len(nodes):
            complain("holon.order", holon.order, "a node is there twice")
    if holon.pairs and config.name not in [inside for inside, _ in holon.pairs]:
        complain("holon.order", holon.order, f"node {config.name} is not among the gates")


def _inputs(config: NodeConfig, complain: Complain) -> tuple[set[str], set[str], set[str]]:
    """The inputs of all meters, the meters of batteries that take orders, and the meters whose profile is
    invalid, so that theirs are unknown."""
    inputs, batteries = {f"{contact.name}.closed" for contact in config.contacts}, set()
    unreadable = set()
    for i, meter in enumerate(config.meters):
        try:
            profile = load_profile(meter.profile)
        except ProfileError as error:
            complain(f"meter[{i}].profile", meter.profile, str(error))
            unreadable.add(meter.name)
        else:
            inputs |= {f"{meter.name}.{name}" for name in profile.inputs}
            if profile.steering:
                batteries.add(meter.name)
    return inputs, batteries, unreadable


def _check_twin(where: str, twin: TwinSettings, relays: set[str], complain: Complain) -> None:
    if twin.relay and twin.relay not in relays:
        complain(f"{where}.relay", twin.relay, _unknown("relay", relays))
    if twin.flexible == "switched" and not twin.relay:
        complain(f"{where}.relay", None, "is required for a flexible load that is `switched`")
    if twin.is_grid and not twin.capacity_w:
        complain(f"{where}.capacity_w", twin.capacity_w, f"is required for kind `{twin.kind}`")
    if twin.kind == "both" and not (twin.input and twin.production_input):
        complain(f"{where}.production_input", twin.production_input, "kind `both` needs two inputs")
    if twin.kind == "house" and not (twin.input and (twin.production_input or twin.battery_input)):
        reason = "kind `house` needs the meter of the grid, and that of the photovoltaics or of the battery"
        complain(f"{where}.input", twin.input, reason)
    if twin.kind not in ("both", "house") and twin.production_input:
        complain(f"{where}.production_input", twin.production_input, "is only for kinds `both` and `house`")
    if twin.kind != "house" and twin.battery_input:
        complain(f"{where}.battery_input", twin.battery_input, "is only for kind `house`")
    if twin.kind in ("load", "pv") and twin.power_w < 0:
        complain(f"{where}.power_w", twin.power_w, f"must not be below 0 for kind `{twin.kind}`")
    if twin.kind in RUNNING and twin.power_w <= 0:
        complain(f"{where}.power_w", twin.power_w, f"must be above 0 for kind `{twin.kind}`")
    for key, schedule in (("prices", "schedule"), ("feed_in_prices", "feed_in_schedule")):
        if given := getattr(twin, key):
            try:
                getattr(twin, schedule)
            except ValueError as error:
                complain(f"{where}.{key}", given, str(error))
    for key in ("feed_in_prices", "most_import_w", "most_export_w"):
        if getattr(twin, key) and twin.kind != "dso":
            complain(f"{where}.{key}", getattr(twin, key), "is only for kind `dso`")
    if twin.relay_follows == "contract" and not (twin.kind == "load" and twin.relay and twin.power_w > 0):
        reason = "needs kind `load`, a relay, and in `power_w` what the device draws when it is on"
        complain(f"{where}.relay_follows", twin.relay_follows, reason)
    if twin.begin and twin.end and twin.end <= twin.begin:
        complain(f"{where}.end", twin.end, "must be after `begin`")
    if twin.kind in RUNNING and (twin.begin or twin.end):
        complain(f"{where}.begin", twin.begin, f"kind `{twin.kind}` begins by its `ready_hour`")
    _check_storage(where, twin, complain)


def _check_storage(where: str, twin: TwinSettings, complain: Complain) -> None:
    if twin.kind == "storage" and not twin.battery_wh:
        complain(f"{where}.battery_wh", twin.battery_wh, "is required for kind `storage`")
    if twin.battery_wh and twin.kind in (*GRIDS, "shiftable", "battery"):
        complain(f"{where}.battery_wh", twin.battery_wh, f"is not for kind `{twin.kind}`")
    if twin.battery_meter and twin.kind != "storage":
        complain(f"{where}.battery_meter", twin.battery_meter, "is only for kind `storage`")
    if twin.battery_reserve_wh > twin.battery_wh:
        complain(f"{where}.battery_reserve_wh", twin.battery_reserve_wh, "must not exceed battery_wh")
    if twin.donates and (twin.battery_wh or twin.kind not in ("pv", "building", "both")):
        reason = "is only for kinds `pv`, `building` and `both` without a battery of their own"
        complain(f"{where}.donates", twin.donates, reason)


def _unknown(what: str, known: set[str]) -> str:
    return f"unknown {what}; known: {', '.join(sorted(known)) or 'none'}"
