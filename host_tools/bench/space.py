"""Tuple space and reactions: operations per second, and whether the cost depends on the changes only."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from edge.space.agent import Agent, Bond
from edge.space.engine import Engine
from edge.space.tuplespace import Limits, TupleSpace

from . import java
from .sheet import Part, Sheet

SIZES = (100, 1_000, 10_000)
_CHANGED = 10
_WATCHERS = 10
_PAIRWISE_UP_TO = 1_000
_VALUE = json.dumps({"id": 12345, "w": 120.5, "prio": 1, "waited_s": 2.5}).encode()


class _Watcher(Agent):
    wants = ("REQ",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.seen = 0

    def bonded(self, bond: Bond) -> None:
        self.seen += 1


class _DictLsa:
    """For comparison: an LSA as one would write it without a memory budget."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = 0
        self.properties: dict[tuple[str, str], bytes] = {}


def _limits(n: int) -> Limits:
    return Limits(lsas=n + 100, properties=2 * n + 200, heap_bytes=128 * (n + 100), names=2 * n + 400)


def _operations(n: int) -> dict[str, float]:
    tracemalloc.start()
    space = TupleSpace("bench", _limits(n))
    handles = [space.inject(f"bench.{i}", "prosumer") for i in range(n)]
    for handle in handles:
        space.put(handle, "REQ", "", _VALUE)
    used_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    rival = {}
    before_bytes, _ = tracemalloc.get_traced_memory()
    for i in range(n):
        lsa = rival[f"bench.{i}"] = _DictLsa(f"bench.{i}")
        lsa.properties["REQ", ""] = bytes(bytearray(_VALUE))
    rival_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    tracemalloc.stop()
    values = [_VALUE.replace(b"12345", b"%05d" % i) for i in range(100)]

    def put(i: int) -> None:
        space.put(handles[i % n], "REQ", "", values[i % 100])

    def read(i: int) -> None:
        space.read(handles[i % n], "REQ")

    def inject_remove(i: int) -> None:
        space.remove(space.inject("bench.new"), quiet=True)
        space.bury(space.departed.pop())

    def dict_put(i: int) -> None:
        lsa = rival[f"bench.{i % n}"]
        lsa.version += 1
        lsa.properties["REQ", ""] = values[i % 100]

    return {
        "put_per_s": _rate(put),
        "read_per_s": _rate(read),
        "inject_remove_per_s": _rate(inject_remove),
        "bytes_per_lsa": used_bytes / n,
        "dict_put_per_s": _rate(dict_put),
        "dict_bytes_per_lsa": rival_bytes / n,
    }


def _rate(operation: Callable[[int], None], seconds: float = 0.3) -> float:
    done, until_s = 0, time.process_time() + seconds
    while time.process_time() < until_s:
        for i in range(done, done + 500):
            operation(i)
        done += 500
    return done / (time.process_time() - until_s + seconds)


def _reaction(n: int) -> dict[str, float]:
    space = TupleSpace("bench", _limits(n))
    engine = Engine(space)
    for i in range(_WATCHERS):
        engine.add(_Watcher(f"bench.watcher{i}"))
    handles = [space.inject(f"bench.{i}", "prosumer") for i in range(n)]
    for handle in handles:
        space.put(handle, "REQ", "", _VALUE)
    engine.react()
    figures = {"ten_changed_s": _median_s(lambda k: _change_and_react(engine, handles, k), 200)}
    if n <= _PAIRWISE_UP_TO:
        figures["pairwise_s"] = _median_s(lambda k: _pairwise(engine, handles), 3)
    return figures


def _change_and_react(engine: Engine, handles: list[int], k: int) -> None:
    for i in range(_CHANGED):
        engine.space.put(handles[(k * 7919 + i * 101) % len(handles)], "REQ", "", b"%d" % (k * 10 + i))
    engine.react()


def _pairwise(engine: Engine, handles: list[int]) -> None:
    """Bonding as in the Java reference: every LSA is compared with every other."""
    space = engine.space
    slots = [space.slot(handle) for handle in handles]
    label = space.labels.find("REQ")
    for client in slots:
        for target in slots:
            if client != target and space.p_label[space.lsa_first[target]] == label:
                pass  # the cost of the handler is not counted, in favour of the reference


def _median_s(work: Callable[[int], None], times: int) -> float:
    taken = []
    for k in range(times):
        began_s = time.perf_counter()
        work(k)
        taken.append(time.perf_counter() - began_s)
    return sorted(taken)[len(taken) // 2]


_SHOWN = (
    ("put_per_s", "put"),
    ("read_per_s", "read"),
    ("inject_remove_per_s", "inject"),
    ("bytes_per_lsa", "B/LSA"),
    ("dict_put_per_s", "dict put"),
    ("dict_bytes_per_lsa", "dict B"),
)


def _space_sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        "tuple space and a dictionary of objects (operations per second of CPU time)",
        ("LSAs", *(heading for _, heading in _SHOWN)),
        [(n, *(f"{row[key]:,.0f}" for key, _ in _SHOWN)) for n, row in found.items()],
    )


def _reaction_sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    rows = []
    for n, row in found.items():
        pairwise = f"{1000 * row['pairwise_s']:,.1f}" if "pairwise_s" in row else "-"
        rows.append((n, f"{1000 * row['ten_changed_s']:.2f}", pairwise))
    yield Sheet(
        f"one reaction after {_CHANGED} LSAs changed, with {_WATCHERS} observing agents",
        ("LSAs", "ms", "all pairs, ms"),
        rows,
        (f"Java node: all laws take {java.LAWS[100]}, once a second",),
    )


SPACE = Part("space", lambda folder: {str(n): _operations(n) for n in SIZES}, _space_sheets)
REACTION = Part("reaction", lambda folder: {str(n): _reaction(n) for n in SIZES}, _reaction_sheets)
