"""The memory that a configuration needs, before anything runs.

The arrays of the tuple space are counted to the byte. What Python, its libraries and the models take is
measured by `check` on the machine where it runs (edge/service/measure.py). What comes only while a node runs
was measured with `make bench` and `make memtest`.
"""

from array import array
from dataclasses import dataclass
from platform import python_version as version
from typing import Any

from ..net.frame import MAX_FRAME_BYTES
from ..space.tuplespace import TupleSpace
from ..terms import DAY_MIN, VARIABLES
from ..twins.learning_settings import LearningSettings, ScopeSettings
from .settings import NodeConfig

# Measured on x86-64 with CPython 3.11, while a node ran
THREAD_KB = 30  # used part of the stack and state of an idle thread
TLS_KB = 1350  # tables of OpenSSL and the contexts of two neighbours
HOME_ASSISTANT_KB = 130  # its code, a connection, what was sent last
PUSH_KB, AUTHORITIES_KB = 90, 900  # its code and a batch; with https the authorities of the system
TWIN_KB = 12  # a prosumer twin with its consumer, its supplier and its LSA
COUNTS_MB = {"markov": 1.5, "mixture": 2.0}  # of a model, when it has seen all its days
WEIGHTS_KB = 189  # shared weights of the networks of one scope, in float32
PACKED_COUNTS_KB = 9  # counts of a neighbour
PREDICTIONS_KB, MINUTES_KB = 86, 22  # that wait for the actual states: own and combined; of a neighbour
TRAINING_MB = 3.0  # at its peak; only one training runs at a time
_TRAINED_IN_STEPS = ("lstm", "lstm_thesis", "mixture")
_NAME_BYTES = 120  # an interned name and its place in the table
_THREADS = 3  # main thread, own broker, HTTP server
_FRAMES_IN_FLIGHT = 4
_MINUTE_BYTES = 4 * len(VARIABLES)
_SPARE = 9 / 8  # space for growth of a series, so that it is seldom moved


@dataclass(frozen=True, slots=True)
class Measured:
    """Memory of this interpreter: with all libraries of a node, and what learning adds when it is built."""

    libraries_mb: float
    learning_mb: float


@dataclass(frozen=True, slots=True)
class Line:
    """One item of the budget."""

    what: str
    detail: str
    kb: float


def budget(config: NodeConfig, measured: Measured) -> list[Line]:
    """The items of the budget."""
    limits = config.limits
    space = TupleSpace(config.name, limits.space())
    threads = _THREADS + len(config.neighbours) + len(config.buses) + limits.http_requests
    threads += config.home_assistant.wanted + bool(config.push.url)
    lines = [
        Line("interpreter", f"Python {version()}, libraries, code (measured)", measured.libraries_mb * 1024),
        Line("LSA slots", f"{limits.lsas} LSAs", _sizes(space, "lsa_") / 1024),
        Line("properties", f"{limits.properties} properties", _sizes(space, "p_") / 1024),
        Line("value heap", f"{space.heap.blocks} blocks", _sizes(space.heap, "") / 1024),
        Line(
            "names",
            f"{limits.names} names, {limits.nodes} nodes",
            _NAME_BYTES * (limits.names + limits.nodes) / 1024,
        ),
        Line("inbox", f"at most {limits.inbox_frames} waiting frames", limits.inbox_kb),
        Line("links", f"{len(config.neighbours)} neighbours", MAX_FRAME_BYTES / 1024 * _FRAMES_IN_FLIGHT),
        Line("twins", f"{len(config.twins)} twins", TWIN_KB * len(config.twins)),
        Line("threads", f"{threads} threads", THREAD_KB * threads),
    ]
    if any(each.tls for each in config.neighbours):
        lines.append(Line("TLS", "authority, certificate, sessions", TLS_KB))
    if config.home_assistant.wanted:
        lines.append(Line("outlet", "Home Assistant", HOME_ASSISTANT_KB))
    if config.push.url:
        of_system = config.push.url.startswith("https:") and not config.push.ca
        lines.append(Line("outlet", "push", PUSH_KB + of_system * AUTHORITIES_KB))
    if config.learning:
        lines += _learning(config.learning.scopes, measured.learning_mb)
        if config.learning.gossip.wanted and config.neighbours:
            lines.append(_gossip(config.learning, len(config.neighbours)))
    return lines


def _learning(scopes: tuple[ScopeSettings, ...], built_mb: float) -> list[Line]:
    """What learning adds; numpy and the runtime are loaded only with it."""
    models = [scope.model for scope in scopes]
    minutes = sum(scope.memory_days for scope in scopes) * DAY_MIN
    lines = [
        Line("learning", f"libraries, {', '.join(models)} (measured)", built_mb * 1024),
        Line("minutes", f"{minutes:,} in {len(scopes)} scopes", minutes * _MINUTE_BYTES * _SPARE / 1024),
    ]
    if any(model in COUNTS_MB for model in models):
        counts_mb = sum(COUNTS_MB.get(model, 0.0) for model in models)
        lines.append(Line("counts", "of models, after all their days", counts_mb * 1024))
    if any(model in _TRAINED_IN_STEPS for model in models):
        lines.append(Line("training", "one at a time, at its peak", TRAINING_MB * 1024))
    return lines


def _gossip(learning: LearningSettings, neighbours: int) -> Line:
    """What is held of neighbours and for them: the common start, what was sent, what served before."""
    kept = min(neighbours, learning.gossip.most_neighbours)
    scopes = learning.scopes
    kb = len(scopes) * (PREDICTIONS_KB + MINUTES_KB * learning.gossip.most_neighbours)
    if learning.gossip.models == "on":
        networks = sum(each.model in _TRAINED_IN_STEPS for each in scopes)
        kb += networks * WEIGHTS_KB * (3 + kept) + len(scopes) * kept * PACKED_COUNTS_KB
    return Line("gossip", f"models and predictions of up to {kept} neighbours", kb)


def table(lines: list[Line]) -> str:
    """The budget as text."""
    rows = [f"{line.what:14} {line.detail:44} {line.kb:10,.1f} kB" for line in lines]
    total_kb = sum(line.kb for line in lines)
    return "\n".join([*rows, f"{'total':14} {'':44} {total_kb:10,.1f} kB  ({total_kb / 1024:.1f} MB)"])


def _sizes(owner: Any, prefix: str) -> int:
    """Bytes of the arrays and lists of an object whose names begin with the prefix."""
    total = 0
    for name, value in vars(owner).items():
        if name.startswith(prefix) and isinstance(value, (array, bytearray)):
            total += len(value) * (value.itemsize if isinstance(value, array) else 1)
        elif name.startswith(prefix) and isinstance(value, list):
            total += 8 * len(value)
    return total
