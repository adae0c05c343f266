"""A static address of a node: `[network.NAME]` in fleet.toml becomes its node.network, for systemd-networkd.

Without it a node asks the DHCP server. Either way it answers to NAME.local (multicast DNS).
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import Any

Complain = Callable[[str, object, str], None]
FILE = "node.network"
_KEYS = ("address", "gateway", "dns", "ntp")


@dataclass(frozen=True)
class Network:
    """`address` with its prefix, as in 192.168.1.20/24; an empty `gateway` or list is left out."""

    address: str
    gateway: str = ""
    dns: tuple[str, ...] = ()
    ntp: tuple[str, ...] = ()

    def configuration(self) -> str:
        """The content of node.network."""
        lines = [
            "# Made by `python -m host_tools provision`: make changes in deploy/fleet.toml.",
            "[Match]",
            "Type=ether",
            "",
            "[Network]",
            f"Address={self.address}",
            *([f"Gateway={self.gateway}"] if self.gateway else []),
            *(f"DNS={each}" for each in self.dns),
            *(f"NTP={each}" for each in self.ntp),
            "LLMNR=no",
            "MulticastDNS=yes",
            "LLDP=no",
        ]
        return "\n".join(lines) + "\n"


def networks(given: object, complain: Complain) -> dict[str, Network]:
    """The static addresses by node. Errors are passed to `complain`."""
    if not isinstance(given, dict):
        complain("network", given, "must contain tables [network.NAME]")
        return {}
    return {name: _network(f"network.{name}", table, complain) for name, table in given.items()}


def _network(where: str, table: object, complain: Complain) -> Network:
    if not isinstance(table, dict):
        complain(where, table, f"must be a table [{where}]")
        return Network("")
    for key in table.keys() - set(_KEYS):
        complain(f"{where}.{key}", table[key], f"unknown key; the keys are {', '.join(_KEYS)}")
    address, gateway = table.get("address"), table.get("gateway", "")
    if not _is_interface(address):
        complain(f"{where}.address", address, 'must be an address with its prefix, such as "192.168.1.20/24"')
        address = ""
    if gateway and not _is_address(gateway):
        complain(f"{where}.gateway", gateway, "must be an address")
    elif gateway and address and ip_address(gateway) not in ip_interface(address).network:
        complain(f"{where}.gateway", gateway, f"is not in the network of {address}")
    lists = {key: _addresses(f"{where}.{key}", table.get(key, []), complain) for key in ("dns", "ntp")}
    return Network(str(address), str(gateway), **lists)


def _addresses(where: str, value: Any, complain: Complain) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_is_address(each) for each in value):
        complain(where, value, "must be a list of addresses")
        return ()
    return tuple(value)


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ip_address(value))
    except ValueError:
        return False


def _is_interface(value: object) -> bool:
    try:
        return isinstance(value, str) and "/" in value and bool(ip_interface(value))
    except ValueError:
        return False
