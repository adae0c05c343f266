"""The sections `[mqtt]`, `[[neighbour]]` and `[tls]` of a configuration."""

import re
import socket
from dataclasses import dataclass
from typing import Annotated, Any

from ..option import NAME_OF_NODE, Within

PLAIN_PORT, TLS_PORT = 1883, 8883  # registered for MQTT


class HostName:
    """What the resolver can be asked for; found out here rather than in the network thread."""

    words = "a host name or an address, without a port"

    def allows(self, value: Any) -> bool:
        if not re.fullmatch(r"[^\s/@\[\]]+", value) or value.count(":") == 1:  # an IPv6 address has more
            return False
        if re.fullmatch(r"[0-9.]+", value):
            return _is_ipv4(value)
        try:
            return bool(value.encode("idna"))
        except UnicodeError:
            return False


def _is_ipv4(value: str) -> bool:
    try:
        return bool(socket.inet_pton(socket.AF_INET, value))
    except OSError:
        return False


_OWN_SHARE = 0.75  # of the frames that a neighbour takes
_Keepalive = Annotated[int, Within(5, 3600), "seconds of silence after which the link counts as dead"]
_KEEPALIVE_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Identity of this node for links with TLS. Without this section links are not encrypted."""

    ca: Annotated[str, "file with the certificate of the cluster's own authority (PEM)"]
    certificate: Annotated[str, "file with the certificate of this node"]
    key: Annotated[str, "file with the private key of this node"]
    crl: Annotated[str, "file with the revoked certificates; empty: none are revoked"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """The node's own MQTT broker, to which its neighbours send."""

    host: Annotated[str, HostName(), "address of the broker"] = "127.0.0.1"
    port: Annotated[int, Within(1, 65535), "port of the broker"] = PLAIN_PORT
    keepalive_s: _Keepalive = _KEEPALIVE_S
    tls: TlsSettings | None = None
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourSettings:
    """A direct neighbour, to whose broker this node sends."""

    name: Annotated[str, NAME_OF_NODE, "name of the neighbour node"]
    host: Annotated[str, HostName(), "address of its broker"]
    port: Annotated[int, Within(0, 65535), "port of its broker; 0: 8883 with [tls], otherwise 1883"] = 0
    keepalive_s: _Keepalive = _KEEPALIVE_S
    tls: TlsSettings | None = None  # as in [tls]

    @property
    def broker(self) -> BrokerSettings:
        """Its broker, as a client sees it."""
        port = self.port or (TLS_PORT if self.tls else PLAIN_PORT)
        return BrokerSettings(host=self.host, port=port, keepalive_s=self.keepalive_s, tls=self.tls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a neighbour, or an origin, may do lastingly: a part of the section `[limits]`."""

    frames_per_s: Annotated[
        int,
        Within(5, 10_000),
        "frames of a neighbour that are taken lastingly; 20 times as many at once. This node sends three "
        "quarters of that at most, so the key must be the same at all nodes",
    ] = 30
    frames_kb_per_s: Annotated[
        int, Within(4, 10_000), "the same in kB: beyond it, frames are dropped before they are decoded"
    ] = 24
    answers_kb_per_min: Annotated[
        int,
        Within(1, 10_000),
        "answers to a neighbour that asks for what it lacks, beside 3 bytes for each that it sends; up to "
        "twice what the tuple space can hold is saved for its restart",
    ] = 8
    work_percent: Annotated[
        int, Within(1, 100), "processor time for the frames of a neighbour, of one core, likewise"
    ] = 10
    changes_per_s: Annotated[
        int, Within(1, 10_000), "changes of any one node that are taken lastingly; 20 times as many at once"
    ] = 10

    @property
    def react_every_s(self) -> float:
        """The time between two reactions of a node that is busy for long.

        Each sends at most one frame to a neighbour, as does each tick; so an honest node stays below what its
        neighbours take of it, if they have the same limit.
        """
        return 1 / (_OWN_SHARE * self.frames_per_s)
