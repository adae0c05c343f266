"""The sections that concern the whole node, and the configuration that all sections together make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ..meter.settings import BusSettings, ContactSettings, MeterSettings, RelaySettings
from ..net.settings import BrokerSettings, HostName, NeighbourSettings, Rates, TlsSettings
from ..option import NAME, NAME_OF_NODE, Matching, OneOf, Within
from ..space.tuplespace import Limits
from ..trust.settings import TrustSettings
from ..twins.community_settings import CommunitySettings
from ..twins.holon_settings import HolonSettings
from ..twins.learning_settings import LearningSettings
from ..twins.market_settings import MarketSettings, TraderSettings
from ..twins.registry import SERVICES
from ..twins.regulator_settings import RegulatorSettings
from ..twins.settings import TwinSettings


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
        float,
        Within(1, 1e7),
        "most power that another node may request at a time, and hold of all suppliers of this one together",
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
        """The limits of the tuple space: its sizes that are settings have the same names here."""
        sizes = {name: getattr(self, name) for name in Limits.__slots__ if hasattr(self, name)}
        return Limits(heap_bytes=self.heap_kb * 1024, **sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachSettings:
    """How far messages go; the same at all nodes of a microgrid. See the page scale."""

    requests: Annotated[
        int,
        Within(0, 64),
        "hops that a request goes at first; it goes farther while it is unserved, and offers, contracts and "
        "answers go only to those whom they concern. 0: everything goes everywhere, at once",
    ] = 0
    beats: Annotated[
        int,
        Within(0, 64),
        "hops that heartbeats go, and what each twin shows to all; 0: everywhere. It needs `requests`",
    ] = 0


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
    logins: Annotated[str, "file with the hashes of login links that work once; `provision` writes it"] = ""
    powers: Annotated[
        str,
        OneOf("measured", "played"),
        "played: simulated or from a recording, and the dashboard says so",
    ] = "measured"


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
    write_min: Annotated[
        int,
        Within(1, 15),
        "minutes that are written at once, which a power cut may lose; with 1 a card of a busy node is "
        "written twice as much",
    ] = 5
    records_min: Annotated[
        int,
        Within(0, 1440),
        "a record of voltage, current and so on of each meter all so many minutes; 0: none",
    ] = 5


_ADDRESS = Matching(r"[^\s/@\[\]]*", "a host name or an address, without a port")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAssistantSettings:
    """What Home Assistant is shown over MQTT, and what it may do. Off by default: the access list of the
    node's own broker opens only where this is wanted."""

    scope: Annotated[
        str,
        OneOf("none", "read", "operate"),
        "none: nothing is published; read: power and energy; operate: it may also stop and start twins",
    ] = "none"
    host: Annotated[str, _ADDRESS, "address of another broker; empty: the node's own"] = ""
    port: Annotated[int, Within(0, 65535), "its port; 0: 8883 with `ca`, otherwise 1883"] = 0
    username: Annotated[str, "name of the node at that broker; empty: none"] = ""
    password_file: Annotated[str, "file with its password"] = ""
    ca: Annotated[str, "file with the authority of that broker (PEM); empty: no TLS"] = ""
    prefix: Annotated[
        str, Matching(r"[A-Za-z0-9_-]{1,32}", "1 to 32 letters, digits, _ and -"), "its discovery prefix"
    ] = "homeassistant"
    every_s: Annotated[int, Within(2, 300), "seconds between two looks at the powers; changes are sent"] = 10
    page: Annotated[
        str,
        Matching(r"(?:https?://[^\s]{1,200})?", "an address that begins with http:// or https://"),
        "address of the dashboard, to which Home Assistant links; empty: none",
    ] = ""

    @property
    def wanted(self) -> bool:
        """Whether anything is published."""
        return self.scope != "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """Where the history is sent as lines of the Influx protocol, and how."""

    url: Annotated[
        str,
        Matching(
            r"(?:https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[!-~]{0,500})?)?",
            "an address such as http://host:8086/write?db=energy",
        ),
        "address that takes the lines, with path and query; empty: nothing is sent",
    ] = ""
    token_file: Annotated[
        str, "file with the token for `Authorization: Token ...`; one with a scheme is sent as it is"
    ] = ""
    ca: Annotated[str, "file with the authority of an https server (PEM); empty: those of the system"] = ""
    batch: Annotated[int, Within(10, 5000), "about how many lines one request has at most"] = 500
    every_s: Annotated[int, Within(5, 3600), "seconds between two looks for new rows"] = 60
    longest_wait_s: Annotated[int, Within(5, 86400), "most seconds between two attempts that fail"] = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings:
    """A person who sees and changes only some twins of the node, and the sums of all. The node makes a token
    for each; `microgrid-edge token --member NAME` prints it."""

    name: Annotated[str, NAME, "name of the member"]
    twins: Annotated[
        str,
        Matching(rf" *{NAME.pattern} *(?:, *{NAME.pattern} *)*", "names of twins, separated by commas"),
        "names of its twins, separated by commas",
    ]

    def twins_of(self, node: str) -> frozenset[str]:
        """Its twins, with their node."""
        return frozenset(f"{node}.{each.strip()}" for each in self.twins.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """A whole configuration, checked. `learning` is None when no scope has a model."""

    node: NodeSettings
    limits: LimitSettings
    reach: ReachSettings
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
    community: CommunitySettings | None = None
    holon: HolonSettings | None = None
    market: MarketSettings | None = None
    trader: TraderSettings | None = None
    members: tuple[MemberSettings, ...] = ()
    trust: TrustSettings | None = None
    tls: TlsSettings | None = None
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    push: PushSettings = PushSettings()

    def population(self) -> Iterator[tuple[str, Any]]:
        """Kind and settings of each twin of the node, in the order in which they start."""
        yield from ((twin.kind, twin) for twin in self.twins)
        for kind, service in SERVICES.items():
            settings = getattr(self, kind, None)
            if settings or service.always:
                yield kind, settings

    def context(self) -> dict[str, Any]:
        """What the history keeps of it: with whom, with what and how the node works, and no secrets."""
        learning = self.learning.scopes if self.learning else ()
        return {
            "name": self.name,
            "timezone": self.node.timezone,
            "neighbours": [each.name for each in self.neighbours],
            "meters": {each.name: each.profile for each in self.meters},
            "twins": {each.name: each.kind for each in self.twins},
            "learning": {each.scope: each.model for each in learning},
        }

    @property
    def tally(self) -> ReachSettings | None:
        """Its reach, if totals have to be told from neighbour to neighbour."""
        return self.reach if self.reach.beats else None

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.node.name

    @property
    def state_dir(self) -> Path:
        """The folder for everything that must survive a restart."""
        return self.node.state_dir
