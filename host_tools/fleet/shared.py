"""The cluster's own tables in fleet.toml: its name, operator, host names, addresses."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from edge.terms import NODE_NAME

from . import gates
from .network import Complain, Network, networks

_NAME = re.compile(NODE_NAME)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_PORTS = (1, 65535)
_DAYS = (365, 10_950)
_KEYS: dict[str, dict[str, Any]] = {  # with defaults; None: required
    "cluster": {"name": None, "hosts": ["{name}.local"], "port": 8883, "validity_days": 3650},
    "operator": {"user": "operator", "public_keys": None},
}
OWN_TABLES = (*_KEYS, "hosts", "network", gates.TABLE)


@dataclass(frozen=True)
class Operator:
    """The user who may log in to the nodes by ssh, and the files with the public keys."""

    user: str
    public_keys: tuple[Path, ...]


@dataclass(frozen=True)
class Shared:
    """The shared settings. `host_patterns` contain {name}; `hosts` and `networks` are exceptions by node."""

    cluster: str
    port: int
    validity_days: int
    operator: Operator
    host_patterns: tuple[str, ...]
    hosts: dict[str, tuple[str, ...]]
    networks: dict[str, Network]

    def hosts_of(self, node: str) -> tuple[str, ...]:
        """The names and addresses of a node, which are also in its certificate."""
        return self.hosts.get(node) or tuple(each.replace("{name}", node) for each in self.host_patterns)


def check_shared(raw: dict[str, Any], file: Path, mistakes: list[str]) -> Shared:
    """Check the fleet's own tables. Errors are added to `mistakes`; the result is then not usable."""

    def complain(key: str, value: object, reason: str) -> None:
        mistakes.append(f"{file}: {key} = {value!r}: {reason}")

    cluster, operator = (_table(raw, section, complain) for section in _KEYS)
    for where, name in (("cluster.name", cluster["name"]), ("operator.user", operator["user"])):
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            complain(where, name, f"must match {_NAME.pattern}")
    _number("cluster.port", cluster["port"], _PORTS, complain)
    _number("cluster.validity_days", cluster["validity_days"], _DAYS, complain)
    patterns = _texts("cluster.hosts", cluster["hosts"], complain)
    for pattern in patterns:
        if "{name}" not in pattern or not _is_host(pattern.replace("{name}", "node")):
            complain(
                "cluster.hosts", pattern, "must be a host name that contains {name}, such as {name}.local"
            )
    keys = _texts("operator.public_keys", operator["public_keys"], complain)
    files = tuple(file.parent / Path(key).expanduser() for key in keys)
    hosts = _hosts(raw.get("hosts", {}), complain)
    return Shared(
        cluster["name"],
        cluster["port"],
        cluster["validity_days"],
        Operator(operator["user"], files),
        patterns,
        hosts,
        networks(raw.get("network", {}), complain),
    )


def _table(raw: dict[str, Any], section: str, complain: Complain) -> dict[str, Any]:
    known, given = _KEYS[section], raw.get(section, {})
    if not isinstance(given, dict):
        complain(section, given, f"must be a table [{section}]")
        given = {}
    for key in given.keys() - known.keys():
        complain(f"{section}.{key}", given[key], f"unknown key; the keys are {', '.join(known)}")
    for key in known:
        if known[key] is None and key not in given:
            complain(f"{section}.{key}", None, "is required")
    return {key: given.get(key, default) for key, default in known.items()}


def _number(where: str, value: object, limits: tuple[int, int], complain: Complain) -> None:
    if type(value) is not int or not limits[0] <= value <= limits[1]:
        complain(where, value, f"must be between {limits[0]:,} and {limits[1]:,}")


def _texts(where: str, value: object, complain: Complain) -> tuple[str, ...]:
    if value is None:  # missing, already reported
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        complain(where, value, "must be a list of strings")
        return ()
    return tuple(value)


def _hosts(given: object, complain: Complain) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict):
        complain("hosts", given, "must be a table [hosts]")
        return {}
    hosts = {name: _texts(f"hosts.{name}", value, complain) for name, value in given.items()}
    for name, texts in hosts.items():
        for host in texts:
            if not _is_host(host):
                complain(f"hosts.{name}", host, "must be a host name or an address")
    return hosts


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return bool(_HOST.fullmatch(text))
    return True
