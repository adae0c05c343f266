"""Which requests are refused because of who sends them: those of web pages.

A page of any site can let the browser of its visitor ask 127.0.0.1, and read the answer if the name of the
site points there for a moment (DNS rebinding). Such a request has that name as its `Host`. Answered are
requests for an address, for `localhost`, for a name without a dot or below `.local`, which no public name
server has, and for the names of the configuration. A request that says from which other site it comes
(`Origin`) is refused, too.
"""

import re
import socket
from collections.abc import Collection
from email.message import Message

_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)
_LOCAL = (".local", ".localhost", ".internal", ".home.arpa")


class Refused(ValueError):
    """The request is refused with `status`; the message says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def names_of(text: str) -> frozenset[str]:
    """The names of a list with commas."""
    return frozenset(name for each in text.split(",") if (name := each.strip().rstrip(".").lower()))


def path_of(target: str, headers: Message, version: str, names: Collection[str]) -> str:
    """The path and query that are asked for, at a host that is this node. Raises Refused."""
    hosts = headers.get_all("Host", [])
    if len(hosts) > 1 or (not hosts and version == "HTTP/1.1"):
        raise Refused(400, "a request needs one header Host")
    host = hosts[0].strip() if hosts else ""
    if absolute := _ABSOLUTE.match(target):
        host, target = absolute[2], target[absolute.end() :]
        target = target if target.startswith("/") else f"/{target}"
    if host and not _is_known(_name_of(host), names):
        raise Refused(421, f"{host[:60]} is not known as this node; [api] names can allow it")
    for origin in headers.get_all("Origin", []):
        if not (found := _ABSOLUTE.fullmatch(origin.strip())) or found[2].lower() != host.lower():
            raise Refused(403, f"requests from pages of {origin[:60]} are refused")
    return target


def has_body(headers: Message) -> bool:
    """Whether a body follows. Raises Refused for one whose length is doubtful."""
    lengths = {each.strip() for each in headers.get_all("Content-Length", [])}
    if len(lengths) > 1 or not all(each.isascii() and each.isdigit() for each in lengths):
        raise Refused(400, "Content-Length must be one whole number")
    return "Transfer-Encoding" in headers or any(each.strip("0") for each in lengths)


def _name_of(host: str) -> str:
    """Without port, zone and final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].partition("%")[0]
    return host.partition(":")[0].rstrip(".").lower()


def _is_known(name: str, names: Collection[str]) -> bool:
    if "." not in name and ":" not in name:
        return bool(name)
    return name in names or name.endswith(_LOCAL) or _is_address(name)


def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
        except (OSError, ValueError):
            continue
        return True
    return False
