"""Every key of a node's configuration: its type, default, range and meaning.

One table serves three readers: the loader that checks a file, `python -m edge options` that prints
it, and whoever reads this page.
"""

from dataclasses import dataclass
from typing import Any

from ..energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from ..learn.registry import MODELS
from ..terms import NODE_NAME, VARIABLES

REQUIRED = object()
KINDS = ("load", "pv", "building", "both", "grid", "shiftable")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,30}"
_FIVE_NUMBERS = r"\s*([0-9.]+\s+){4}[0-9.]+\s*"


@dataclass(frozen=True, slots=True)
class Option:
    """One key. `least` and `most` bound numbers, `pattern` and `choices` bound texts."""

    key: str
    type: type
    default: Any
    meaning: str
    least: float | None = None
    most: float | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What is allowed, for people."""
        if self.choices:
            return " | ".join(self.choices)
        if self.least is not None or self.most is not None:
            return f"{self.least:,} .. {self.most:,}"
        return self.pattern


def _number(key: str, default: Any, least: float, most: float, meaning: str) -> Option:
    kind = int if isinstance(least, int) and not isinstance(default, float) else float
    return Option(key, kind, default, meaning, least, most)


def _text(key: str, default: Any, meaning: str, pattern: str = "", choices: tuple[str, ...] = ()) -> Option:
    return Option(key, str, default, meaning, pattern=pattern, choices=choices)


def _port(key: str, default: int, meaning: str) -> Option:
    return _number(key, default, 1, 65535, meaning)


OPTIONS: dict[str, tuple[Option, ...]] = {
    "node": (
        _text("name", REQUIRED, "name of this node, unique in its microgrid", NODE_NAME),
        _text("state_dir", REQUIRED, "folder for what must survive a restart"),
        _number("seed", 0, 0, 2**53, "of the random generator; 0: from the system"),
        _text("log_level", "info", "what is logged", choices=("debug", "info", "warning", "error")),
    ),
    "limits": (
        _number("lsas", 256, 8, 16384, "LSAs in the tuple space, local and remote"),
        _number("properties", 1024, 16, 65000, "properties of all LSAs"),
        _number("heap_kb", 128, 4, 4000, "bytes of property values, in kB"),
        _number("names", 640, 64, 65000, "different names of agents and addressees"),
        _number("nodes", 32, 2, 1024, "nodes of the microgrid that are remembered"),
        _number("value_bytes", 8704, 256, 16384, "longest property value; 106 for each promise and refusal"),
        _number("inbox_frames", 256, 8, 65536, "frames received and not yet read; the oldest is dropped"),
        _number("inbox_kb", 512, 64, 16384, "kB of them"),
        _number("promises", 64, 1, 128, "consumers that one twin supplies at the same time"),
        _number("offers", 7, 1, 7, "offers that one twin has outstanding; 5 when it consumes too"),
        _number("reaction_ms", 20, 1, 1000, "least time between two reactions"),
        _number("http_requests", 4, 1, 32, "HTTP requests answered at the same time"),
    ),
    "mqtt": (
        _text("host", "127.0.0.1", "this node's own broker"),
        _port("port", 1883, "its port"),
        _number("keepalive_s", 10, 5, 3600, "after which silence a link counts as dead"),
    ),
    "api": (
        _text("host", "127.0.0.1", "address the HTTP server binds to"),
        _number("port", 8080, 0, 65535, "its port; 0: no HTTP server"),
    ),
    "tls": (
        _text("ca", REQUIRED, "file: certificate of the cluster's own authority (PEM)"),
        _text("certificate", REQUIRED, "file: certificate of this node"),
        _text("key", REQUIRED, "file: its private key"),
        _text("crl", "", "file: certificates the authority has revoked; empty: none"),
    ),
    "learning": (
        _text("node_model", "none", "what foretells this node's own powers", choices=("none", *MODELS)),
        _text("cluster_model", "none", "what foretells those of the microgrid", choices=("none", *MODELS)),
        _text("node_options", "", "of the model: name = value; name = value"),
        _text("cluster_options", "", "of the model: name = value; name = value"),
        _number("max_power_w", 3000.0, 1.0, 1e9, "MAX_POWER of the thesis: states are its fifths"),
        _number("cluster_max_power_w", 0.0, 0.0, 1e9, "the same of the microgrid; 0: max_power_w"),
        _text(
            "boundaries",
            "thesis",
            "of states: fifths of max_power_w, or quantiles of what was seen",
            choices=("thesis", "fitted"),
        ),
        _number("train_every_min", 20, 1, 1440, "minutes between two trainings"),
        _number("first_training_min", 180, 10, 43_200, "minutes that are known before the first"),
        _number("memory_days", 30, 1, 100, "days that trainings draw from, in memory: 39 kB a day and scope"),
        _number("history_days", 100, 1, 3660, "days of minutes on disk"),
        _number("predictions_days", 30, 1, 3660, "days of predictions on disk"),
        _text("node_history", "", "CSV file of past minutes to begin with: timestamp and six powers"),
        _text("cluster_history", "", "the same of the microgrid"),
        _text("weather", "", "CSV file: timestamp, irradiance_w_m2, temperature_c, past and foretold"),
        _text("timezone", "", "of the civil clock, such as Europe/Zurich; empty: the system's"),
        _number("pause_load", 3.0, 0.1, 1000.0, "load of each core above which training waits"),
        _number("pause_free_mb", 16.0, 0.0, 1e6, "memory left, page cache aside, below which it waits"),
    ),
    "boundary": (
        _text("scope", REQUIRED, "whose states", choices=("node", "cluster")),
        _text("variable", REQUIRED, "which of the six variables", choices=VARIABLES),
        _text(
            "limits_w",
            REQUIRED,
            "upper limits of states 2 to 6, such as 500 1000 1500 2000 2500",
            _FIVE_NUMBERS,
        ),
    ),
    "neighbour": (
        _text("name", REQUIRED, "a node this one sends to", NODE_NAME),
        _text("host", REQUIRED, "its broker"),
        _number("port", 0, 0, 65535, "the port of its broker; 0: 8883 with [tls], else 1883"),
        _number("keepalive_s", 10, 5, 3600, "after which silence the link counts as dead"),
    ),
    "bus": (
        _text("name", REQUIRED, "of a serial line", _NAME),
        _text("port", REQUIRED, "its device file, such as /dev/ttyUSB0"),
        _number("baud", 9600, 1200, 115200, "bits per second"),
        _text("parity", "N", "none, even, odd", choices=("N", "E", "O")),
        _number("stop_bits", 1, 1, 2, "stop bits"),
        _number("timeout_s", 0.5, 0.05, 5.0, "how long an answer may take"),
    ),
    "meter": (
        _text("name", REQUIRED, "of a meter", _NAME),
        _text("bus", REQUIRED, "the bus it is on", _NAME),
        _number("address", REQUIRED, 1, 247, "its Modbus address"),
        _text("profile", REQUIRED, "its register map: a shipped name, or a file"),
        _number("power_period_s", 10.0, 0.05, 3600.0, "how often power is read"),
        _number("record_period_s", 60.0, 0.5, 3600.0, "how often the full record is read"),
    ),
    "relay": (
        _text("name", REQUIRED, "of a relay", _NAME),
        _text("bus", REQUIRED, "the bus it is on", _NAME),
        _number("address", REQUIRED, 1, 247, "its Modbus address"),
        _number("coil", REQUIRED, 0, 65535, "its coil"),
    ),
    "twin": (
        _text("name", REQUIRED, "of a prosumer twin", _NAME),
        _text("kind", REQUIRED, "what the device is", choices=KINDS),
        _text("input", "", "meter input, such as m1.total; of `both` the consumption"),
        _text("production_input", "", "meter input of the production, of `both`"),
        _number("sign", 1, -1, 1, "-1 where the meter counts the other way"),
        _number("power_w", 0.0, -1e7, 1e7, "constant power of a device without a meter"),
        _number("capacity_w", 0.0, 0.0, 1e7, "what a grid connection can supply"),
        _text("relay", "", "relay that cuts the device off"),
        _text("priority", "low", "of its requests", choices=("low", "medium", "high")),
        _text(
            "accepts",
            "whole",
            "whether a part of its need is better than nothing",
            choices=("whole", "partial"),
        ),
        _number("tolerance_s", 0.0, 0.0, 86400.0, "how long an unserved request is kept up; 0: until served"),
        _number("price", 0.0, 0.0, 1e6, "of its production per kWh, in the unit of the community"),
        _number("impact", 0, 0, 9, "environmental impact of its production; 0: 2 for pv, 3 for the rest"),
        _text("producer_policy", "prioritisation", "whom it serves first", choices=tuple(PRODUCER_POLICIES)),
        _text(
            "consumer_policy",
            "least_distance",
            "which offers it takes first",
            choices=tuple(CONSUMER_POLICIES),
        ),
        _number("run_s", 3600.0, 1.0, 86400.0, "how long a `shiftable` load runs, once a day"),
        _number("within_s", 28800.0, 0.0, 86400.0, "how long it may wait for its start"),
        _number("ready_hour", 0.0, 0.0, 24.0, "from which hour of the day on, UTC"),
        _number("meter_grace_s", 30.0, 1.0, 3600.0, "how long contracts outlive an undefined reading"),
        _number("contract_s", 3600.0, 20.0, 86400.0, "how long a contract runs at most"),
        _number("disabled_s", 300.0, 1.0, 86400.0, "how long a stop order holds"),
    ),
}
SINGLE = ("node", "limits", "mqtt", "api", "tls", "learning")
OPTIONAL = ("tls",)  # without such a table its keys have no value at all


def table() -> str:
    """All options as text."""
    lines = []
    for section, options in OPTIONS.items():
        lines.append(f"[{section}]" if section in SINGLE else f"[[{section}]]")
        for option in options:
            default = "required" if option.default is REQUIRED else repr(option.default)
            lines.append(f"  {option.key:17} {default:17} {option.range:28} {option.meaning}")
        lines.append("")
    return "\n".join(lines)
