"""The sections that concern the whole node, and the configuration that all sections together make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ..meter.settings import BusSettings, ContactSettings, MeterSettings, RelaySettings
from ..net.settings import BrokerSettings, HostName, NeighbourSettings, Rates, TlsSettings
from ..option import NAME_OF_NODE, Matching, OneOf, Within
from ..space.tuplespace import Limits
from ..trust.settings import TrustSettings
from ..twins.registry import SERVICES
from ..twins.regulator_settings import RegulatorSettings
from ..twins.settings import LearningSettings, TwinSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """The node itself."""

    name: Annotated[str, NAME_OF_NODE, "name of this node, unique in its microgrid"]
    state_dir: Annotated[Path, "folder for everything that must survive a restart"]
    seed: Annotated[int, Within(0, 2**53), "seed of the random generator; 0: chosen by the system"] = 0
    log_level: Annotated[
        str, OneOf("debug", "info", "warning", "error"), "least severe messages in the log"
    ] = "info"
    timezone: Annotated[str, "time zone, such as Europe/Zurich; empty: that of the system"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings(Rates):
    """Sizes that are fixed when the node starts, and with them its memory."""

    lsas: Annotated[int, Within(8, 16384), "LSAs in the tuple space, local and remote"] = 1024
    properties: Annotated[int, Within(16, 65000), "properties of all LSAs"] = 2048
    heap_kb: Annotated[int, Within(4, 4000), "memory for the values of properties, in kB"] = 320
    names: Annotated[int, Within(64, 65000), "different names of agents and addressees"] = 1600
    nodes: Annotated[int, Within(2, 1024), "nodes of the microgrid that are remembered"] = 128
    value_bytes: Annotated[
        int, Within(256, 16384), "longest value of a property; it must hold the answers to all promises"
    ] = 10240
    inbox_frames: Annotated[
        int, Within(8, 65536), "received frames that may wait; beyond it the oldest is dropped"
    ] = 256
    inbox_kb: Annotated[int, Within(64, 16384), "size of the frames that may wait, in kB"] = 512
    promises: Annotated[int, Within(1, 128), "consumers that one twin supplies at the same time"] = 64
    offers: Annotated[int, Within(1, 7), "open offers of one twin; at most 5 if it also consumes"] = 7
    member_w: Annotated[
        float, Within(1, 1e7), "most power that another node may request and hold, all its twins together"
    ] = 50_000.0
    urgent_share: Annotated[
        float,
        Within(0, 1),
        "share of the capacity of a supplier up to which another node may interrupt supplies for its "
        "requests of high priority",
    ] = 0.25
    own_percent: Annotated[
        int, Within(0, 90), "part of all room in the tuple space that is kept for the node's own twins"
    ] = 25
    labels_per_node: Annotated[
        int, Within(0, 255), "labels that another node may use and this release does not know"
    ] = 4
    reaction_ms: Annotated[int, Within(1, 1000), "shortest time between two reactions"] = 20
    http_requests: Annotated[int, Within(1, 32), "HTTP requests answered at the same time"] = 4

    def space(self) -> Limits:
        """The limits of the tuple space."""
        return Limits(
            lsas=self.lsas,
            properties=self.properties,
            heap_bytes=self.heap_kb * 1024,
            names=self.names,
            nodes=self.nodes,
            value_bytes=self.value_bytes,
            own_percent=self.own_percent,
            labels_per_node=self.labels_per_node,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The HTTP server of the node."""

    host: Annotated[str, HostName(), "address at which the HTTP server listens"] = "127.0.0.1"
    port: Annotated[int, Within(0, 65535), "port of the HTTP server; 0: no HTTP server"] = 8080
    reads: Annotated[
        str,
        OneOf("local", "everybody"),
        "who may read without a token: clients on this machine, or everybody. Changes need one always",
    ] = "local"
    names: Annotated[
        str,
        Matching(r" *(?:[A-Za-z0-9._-]+ *(?:, *[A-Za-z0-9._-]+ *)*)?", "names of hosts, separated by commas"),
        "names with a dot that requests may have as `Host`; addresses and `.local` are always allowed",
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """What is kept on disk, and for how long."""

    days: Annotated[int, Within(1, 3660), "days of minutes"] = 100
    predictions_days: Annotated[int, Within(1, 3660), "days of predictions"] = 30
    quarters_days: Annotated[
        int, Within(1, 36600), "days of quarter-hours of powers and energy; hours are kept for ever"
    ] = 730
    most_mb: Annotated[
        int, Within(16, 65536), "size of the history, above which the oldest days are deleted early"
    ] = 512
    records_min: Annotated[
        int,
        Within(0, 1440),
        "a record of voltage, current and so on of each meter all so many minutes; 0: none",
    ] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """A whole configuration, checked. `learning` is None when no scope has a model."""

    node: NodeSettings
    limits: LimitSettings
    inbox: BrokerSettings
    api: ApiSettings
    history: HistorySettings
    learning: LearningSettings | None
    neighbours: tuple[NeighbourSettings, ...]
    buses: tuple[BusSettings, ...]
    meters: tuple[MeterSettings, ...]
    relays: tuple[RelaySettings, ...]
    twins: tuple[TwinSettings, ...]
    contacts: tuple[ContactSettings, ...] = ()
    regulator: RegulatorSettings | None = None
    trust: TrustSettings | None = None
    tls: TlsSettings | None = None

    def population(self) -> Iterator[tuple[str, Any]]:
        """Kind and settings of each twin of the node, in the order in which they start."""
        yield from ((twin.kind, twin) for twin in self.twins)
        for kind, service in SERVICES.items():
            settings = getattr(self, kind, None)
            if settings or service.always:
                yield kind, settings

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.node.name

    @property
    def state_dir(self) -> Path:
        """The folder for everything that must survive a restart."""
        return self.node.state_dir
