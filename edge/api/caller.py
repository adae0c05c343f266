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

from .answer import Problem
from .request import Refused, Request

_ABSOLUTE = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE)
_SLASHES = re.compile(r"\A//+")  # of an address that ends with one, and a path after it
_LOCAL = (".local", ".localhost", ".internal", ".home.arpa")


def names_of(text: str) -> frozenset[str]:
    """The names of a list with commas."""
    return frozenset(name for each in text.split(",") if (name := each.strip().rstrip(".").lower()))


def path_of(request: Request, names: Collection[str]) -> str:
    """The path and query that are asked for, at a host that is this node. Raises Refused."""
    hosts = request.values("host")
    if len(hosts) > 1 or (not hosts and request.needs_host):
        raise Refused(400, "a request needs one header Host")
    host, target = hosts[0] if hosts else "", request.target
    if absolute := _ABSOLUTE.match(target):
        host, target = absolute[2], target[absolute.end() :]
        target = target if target.startswith("/") else f"/{target}"
    if host and not is_known(_name_of(host), names):
        raise Refused(421, f"{host[:60]} is not known as this node; [api] names can allow it")
    for origin in request.values("origin"):
        if not (found := _ABSOLUTE.fullmatch(origin)) or found[2].lower() != host.lower():
            raise Refused(403, f"requests from pages of {origin[:60]} are refused")
    return _SLASHES.sub("/", target)


def has_body(request: Request) -> bool:
    """Whether a body follows. Raises Refused for one whose length is doubtful."""
    lengths = set(request.values("content-length"))
    if len(lengths) > 1 or not all(each.isascii() and each.isdigit() for each in lengths):
        raise Refused(400, "Content-Length must be one whole number")
    return bool(request.values("transfer-encoding")) or any(each.strip("0") for each in lengths)


def body_length(request: Request) -> int:
    """The length of its body. Raises Problem for one without a length."""
    if request.values("transfer-encoding"):
        raise Problem(411, "a body needs a Content-Length")
    digits = next(iter(request.values("content-length")), "0").lstrip("0")
    return int(digits[:9] or "0")  # nine are too many already


def _name_of(host: str) -> str:
    """Without port, zone and final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0].partition("%")[0]
    return host.partition(":")[0].rstrip(".").lower()


def is_known(name: str, names: Collection[str]) -> bool:
    """Whether a request may have this name or address as its `Host`; `names`: those of the configuration."""
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
