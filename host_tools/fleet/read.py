"""Reads and checks `deploy/`: fleet.toml, and one file per node in nodes/.

fleet.toml has its own tables (`[cluster]`, `[operator]`, `[hosts]`, `[network]`, `[[holon]]`). Any other
table is a section of the node configuration and applies to all nodes. A node's own keys take precedence, and
its `[[...]]` tables replace the shared ones. Paths come from the layout; `state_dir` in a node's file is only
used when it is run by hand.
"""

import tomllib
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from edge.config.check import ConfigError, build
from edge.config.options import SECTIONS
from edge.config.settings import NodeConfig
from edge.files import read_text
from edge.net.broker_lists import HOME_ASSISTANT

from .errors import FleetError
from .gates import TABLE, Gates, read_gates
from .layout import Layout
from .microgrids import check_orders, check_ports, check_twins, warnings
from .network import Network
from .shared import OWN_TABLES, Operator, Shared, check_shared

_OF_FIRST = {name for name, section in SECTIONS.items() if section.repeated} | {"learning", "gossip"}


@dataclass(frozen=True)
class NodePlan:
    """One node. `raw`: its complete configuration; `senders`: the nodes that list it as a neighbour.

    `network`: its static address, if it has one; `layout`: where its files are; `port`: on which others reach
    its broker.
    """

    name: str
    file: Path
    hosts: tuple[str, ...]
    raw: dict[str, Any]
    config: NodeConfig
    layout: Layout
    port: int
    network: Network | None = None
    senders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fleet:
    """A cluster and its nodes, by name. `warnings`: what is allowed, and hardly meant."""

    cluster: str
    validity_days: int
    operator: Operator
    nodes: dict[str, NodePlan]
    gates: Gates
    warnings: tuple[str, ...] = ()

    @property
    def machines(self) -> dict[str, list[NodePlan]]:
        """The nodes of each machine, by the name of the lowest one, which comes first."""
        found: dict[str, list[NodePlan]] = {}
        for node in sorted(self.nodes.values(), key=lambda each: self.gates.level(each.name)):
            found.setdefault(self.gates.machine(node.name), []).append(node)
        return dict(sorted(found.items()))


def read_fleet(folder: Path, layout: Layout | None = None) -> Fleet:
    """Read `folder`/fleet.toml and `folder`/nodes/*.toml. Raises FleetError with all errors."""
    mistakes: list[str] = []
    shared_file = folder / "fleet.toml"
    shared_raw = _parsed(shared_file, mistakes)
    if mistakes:
        raise FleetError("\n".join(mistakes))
    shared = check_shared(shared_raw, shared_file, mistakes)
    defaults = {section: value for section, value in shared_raw.items() if section not in OWN_TABLES}
    _check_defaults(defaults, shared_file, mistakes)
    files = sorted((folder / "nodes").glob("*.toml"))
    if not files:
        mistakes.append(f"{folder / 'nodes'}: no nodes; each node needs a file NAME.toml")
    names = {file.stem for file in files}
    for table, given in (("hosts", shared.hosts), ("network", shared.networks)):
        for name in given.keys() - names:
            mistakes.append(f"{shared_file}: {table}.{name} = {given[name]!r}: unknown node")

    def complain(key: str, value: object, reason: str) -> None:
        mistakes.append(f"{shared_file}: {key} = {value!r}: {reason}")

    gates = read_gates(shared_raw.get(TABLE, []), names, complain)
    for table, given in (("hosts", shared.hosts), ("network", shared.networks)):
        for name in (each for each in given if gates.level(each)):
            complain(f"{table}.{name}", given[name], f"this node is on the machine of {gates.machine(name)}")
    if mistakes:
        raise FleetError("\n".join(mistakes))
    reader = _Reader(defaults, shared, layout or Layout(), gates)
    plans = [reader.node(file, mistakes) for file in files]
    nodes = {plan.name: plan for plan in plans if plan}
    for plan in nodes.values():
        _check_neighbours(plan, nodes, names, mistakes)
        check_twins(plan, gates, mistakes)
    if nodes.keys() == names:
        check_orders(gates, nodes, complain)
    nodes = {name: replace(plan, senders=_senders(name, nodes)) for name, plan in nodes.items()}
    warned = tuple(f"{shared_file}: {each}" for each in warnings(gates))
    fleet = Fleet(shared.cluster, shared.validity_days, shared.operator, nodes, gates, warned)
    for machine in fleet.machines.values():
        check_ports(machine, mistakes)
    if mistakes:
        raise FleetError("\n".join(mistakes))
    return fleet


def _parsed(file: Path, mistakes: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(file))
    except OSError as error:
        mistakes.append(f"{file}: cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{file}: is not valid TOML: {error}")
    return {}


def _check_defaults(defaults: dict[str, Any], file: Path, mistakes: list[str]) -> None:
    """Check the shared sections by themselves, so that their errors are not reported for every node."""
    given = defaults.get("node", {})
    if isinstance(given, dict):
        for key in {"name", "state_dir"} & given.keys():
            mistakes.append(f"{file}: node.{key} = {given[key]!r}: must be set for each node separately")
        given = {**given, "name": "any", "state_dir": "any"}
    _refuse_keys(defaults, file, mistakes)
    _built({**defaults, "node": given}, file, mistakes)


def _refuse_keys(raw: dict[str, Any], file: Path, mistakes: list[str]) -> None:
    for table in {"tls", "trust", TABLE} & raw.keys():
        mistakes.append(f"{file}: {table} = '...': this table is written by `provision`")


@dataclass(frozen=True)
class _Reader:
    """Makes the plan of a node from its file and what the fleet shares."""

    defaults: dict[str, Any]
    shared: Shared
    layout: Layout
    gates: Gates

    def node(self, file: Path, mistakes: list[str]) -> NodePlan | None:
        """None after a mistake."""
        before = len(mistakes)
        own = _parsed(file, mistakes)
        if len(mistakes) > before:
            return None
        _refuse_keys(own, file, mistakes)
        raw = _merged(self._defaults_of(file.stem), own)
        self.gates.complete(file.stem, raw)
        checked = _built(raw, file, mistakes)
        if checked is None:
            return None
        _check_place(checked, file, mistakes)
        if len(mistakes) > before:
            return None
        name = checked.name
        layout = self.layout.of(name) if self.gates.level(name) else self.layout
        raw["node"] = {**raw["node"], "state_dir": str(layout.state)}
        raw["neighbour"] = [{"port": self._port(row["name"]), **row} for row in raw.get("neighbour", [])]
        raw["tls"], raw["trust"] = layout.tls(), layout.trust()
        if not is_loopback(checked.api.host):
            raw["api"] = {**raw["api"], "logins": str(layout.logins)}
        config = _built(raw, file, mistakes)
        if config is None:
            return None
        machine = self.gates.machine(name)
        hosts, network = self.shared.hosts_of(machine), self.shared.networks.get(name)
        return NodePlan(name, file, hosts, raw, config, layout, self._port(name), network)

    def _defaults_of(self, node: str) -> dict[str, Any]:
        """What the fleet shares with it. Devices are those of the first node of a machine, and only that one
        learns: two would need more memory than the service has."""
        level = self.gates.level(node)
        return {key: value for key, value in self.defaults.items() if not level or key not in _OF_FIRST}

    def _port(self, node: str) -> int:
        """On which others reach its broker: that of the cluster; for the next node of a machine the next."""
        return self.shared.port + self.gates.level(node)


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **own}
    for section in (name for name, each in SECTIONS.items() if not each.repeated):
        both = defaults.get(section), own.get(section)
        if isinstance(both[0], dict) and isinstance(both[1], dict):
            merged[section] = {**both[0], **both[1]}
    return merged


def _built(raw: dict[str, Any], file: Path, mistakes: list[str]) -> NodeConfig | None:
    try:
        return build(raw, str(file))
    except ConfigError as error:
        mistakes += str(error).splitlines()
        return None


def _check_place(config: NodeConfig, file: Path, mistakes: list[str]) -> None:
    """Check the assumptions of the image and of the broker's configuration."""

    def complain(key: str, value: object, reason: str) -> None:
        mistakes.append(f"{file}: {key} = {str(value)!r}: {reason}")

    if config.name != file.stem:
        complain("node.name", config.name, f"must be {file.stem}, as in the file name")
    if config.name == HOME_ASSISTANT:
        complain("node.name", config.name, "is the name of Home Assistant at the brokers")
    if not is_loopback(config.inbox.host):
        reason = "must be a loopback address such as 127.0.0.1, as it is not encrypted"
        complain("mqtt.host", config.inbox.host, reason)
    if not (is_loopback(config.api.host) or _is_address(config.api.host)):
        reason = "must be a loopback address such as 127.0.0.1, or 0.0.0.0 for the LAN, with TLS"
        complain("api.host", config.api.host, reason)
    elif not is_loopback(config.api.host) and config.api.reads != "local":
        reason = "whoever reaches the LAN could read it; leave it out, and give people tokens"
        complain("api.reads", config.api.reads, reason)
    if config.api.logins:
        complain("api.logins", config.api.logins, "this key is written by `provision`")


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only programs on the node itself reach this address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_neighbours(
    plan: NodePlan, nodes: dict[str, NodePlan], names: set[str], mistakes: list[str]
) -> None:
    """Each neighbour must be a node of the fleet that lists this one, too; its certificate has its host."""
    for i, neighbour in enumerate(plan.config.neighbours):
        where = f"{plan.file}: neighbour[{i}]"
        host = neighbour.broker.host
        if neighbour.name not in names:
            mistakes.append(f"{where}.name = {neighbour.name!r}: unknown node; the nodes are {sorted(names)}")
            continue
        other = nodes.get(neighbour.name)
        if other is None:  # its own mistakes are reported
            continue
        if host not in other.hosts:
            known = ", ".join(other.hosts)
            mistakes.append(f"{where}.host = {host!r}: the certificate of {neighbour.name} is for {known}")
        if plan.name not in (each.name for each in other.config.neighbours):
            mistakes.append(
                f"{where}.name = {neighbour.name!r}: the link is one-sided: {neighbour.name} does not list "
                f"{plan.name} as a neighbour, and contracts need both directions"
            )


def _senders(name: str, nodes: dict[str, NodePlan]) -> tuple[str, ...]:
    return tuple(
        sorted(
            plan.name for plan in nodes.values() if any(each.name == name for each in plan.config.neighbours)
        )
    )
