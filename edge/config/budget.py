"""What a configuration costs in memory, before anything runs (DESIGN 1, 4).

The arrays are counted to the byte; what Python and its libraries take is measured by `make bench` and
`make memtest`, and stands here as one figure for orientation.
"""

from array import array
from dataclasses import dataclass
from typing import Any

from ..net.frame import MAX_FRAME_BYTES
from ..space.tuplespace import TupleSpace
from ..terms import DAY_MIN, VARIABLES
from .check import NodeConfig

INTERPRETER_MB = 26.8  # CPython 3.11, paho, orjson, pyserial, http.server, our modules: RSS, x86-64
THREAD_KB = 30  # stack touched and thread state of an idle thread
TLS_KB = 1350  # measured: OpenSSL's own tables and two neighbours' contexts
LEARNING_MB = 19.7  # numpy, TFLite, SQLite, our modules; measured: RSS beyond a node without learning
MODEL_MB = {
    "lstm": 1.0,
    "lstm_thesis": 4.0,
    "markov": 1.5,
    "mixture": 3.0,
}  # of one scope: weights, interpreter, counts
TRAINING_MB = 3.0  # at its peak; only one at a time
TWIN_KB = 12  # measured: a prosumer twin with its consumer, supplier and LSA shadow
_LINE_BYTES = 4 * len(VARIABLES)  # of a minute
_SPARE = 9 / 8  # of a series, so that it seldom moves


@dataclass(frozen=True, slots=True)
class Line:
    """One item of the budget."""

    what: str
    detail: str
    kb: float


def budget(config: NodeConfig) -> list[Line]:
    """The items, largest structures by what decides their size."""
    limits = config.limits
    space = TupleSpace(config.name, limits.space())
    threads = 3 + len(config.neighbours) + len(config.buses) + limits.http_requests
    tls_kb = TLS_KB if any(each.broker.tls for each in config.neighbours) else 0
    return [
        Line("interpreter", "CPython, libraries, code (measured)", INTERPRETER_MB * 1024),
        Line("LSA slots", f"{limits.lsas} LSAs", _sizes(space, "lsa_") / 1024),
        Line("properties", f"{limits.properties} properties", _sizes(space, "p_") / 1024),
        Line("value heap", f"{space.heap.blocks} blocks", _sizes(space.heap, "") / 1024),
        Line(
            "names", f"{limits.names} names, {limits.nodes} nodes", 120 * (limits.names + limits.nodes) / 1024
        ),
        Line("inbox", f"at most {limits.inbox_frames} frames waiting", limits.inbox_kb),
        Line("links", f"{len(config.neighbours)} neighbours, one frame each", MAX_FRAME_BYTES / 1024 * 4),
        Line("TLS", "authority, certificate, sessions", tls_kb),
        Line("twins", f"{len(config.twins)} twins", TWIN_KB * len(config.twins)),
        Line("threads", f"{threads} threads", THREAD_KB * threads),
        *_learning(config),
    ]


def _learning(config: NodeConfig) -> list[Line]:
    """What learning adds; numpy and the runtime are loaded only then."""
    if config.learning is None:
        return []
    scopes = config.learning.scopes
    minutes = sum(scope.memory_days for scope in scopes) * DAY_MIN
    lines = [
        Line("learning", "numpy, TFLite, SQLite, code (measured)", LEARNING_MB * 1024),
        Line("minutes", f"{minutes:,} of {len(scopes)} scopes", minutes * _LINE_BYTES * _SPARE / 1024),
    ]
    models_mb = sum(MODEL_MB.get(scope.model, 0.0) for scope in scopes)
    lines.append(Line("models", ", ".join(scope.model for scope in scopes), models_mb * 1024))
    if any(scope.model in ("lstm", "lstm_thesis", "mixture") for scope in scopes):
        lines.append(Line("training", "one at a time, at its peak (measured)", TRAINING_MB * 1024))
    return lines


def table(lines: list[Line]) -> str:
    """The budget as text."""
    rows = [f"{line.what:14} {line.detail:36} {line.kb:10,.1f} kB" for line in lines]
    total_kb = sum(line.kb for line in lines)
    return "\n".join([*rows, f"{'total':14} {'':36} {total_kb:10,.1f} kB  ({total_kb / 1024:.1f} MB)"])


def _sizes(owner: Any, prefix: str) -> int:
    total = 0
    for name, value in vars(owner).items():
        if name.startswith(prefix) and isinstance(value, (array, bytearray)):
            total += len(value) * (value.itemsize if isinstance(value, array) else 1)
        elif name.startswith(prefix) and isinstance(value, list):
            total += 8 * len(value)
    return total
