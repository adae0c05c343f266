"""What gossip adds to the anonymous memory of a node: two scopes of the default model, two neighbours.

Run as a module, `neighbours FILE` writes what two neighbours say in an hour, and `with FILE` or
`without FILE` measures one process and prints JSON. Each needs a process of its own, since memory that was
used once is kept. The powers are invented; a first training has few steps, since these need the time and not
the memory.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.terms import DAY_MIN

from .learning import invented_minute
from .sheet import Part, Sheet

MOST_ADDED_MB = 3.0
_HOUR_MIN, _TRAIN_AT_MIN = 60, 50
_STEPS = {"first_steps": 16, "least_steps": 16}
_NEIGHBOURS = ("north", "south")


def measure() -> dict[str, Any]:
    """The figures `gossip_memory`: MB without and with gossip, and what it adds at the peak."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said.jsonl"
        _process("neighbours", said)
        found = {name: json.loads(_process(name, said)) for name in ("without", "with")}
    added = {step: found["with"][step] - found["without"][step] for step in found["without"]}
    return {**found, "added": added, "limit_mb": MOST_ADDED_MB}


def _process(what: str, said: Path) -> str:
    command = [sys.executable, "-m", "host_tools.bench.gossip_memory", what, str(said)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class _Node:
    """One scope of a node that has known a day, and its exchange, if it has one."""

    def __init__(self, seed: int, gossip: bool) -> None:
        import numpy as np

        from edge.learn.gossip import Exchange, ExchangeSettings
        from edge.learn.learner import Learner, LearnerSettings
        from edge.learn.states import StateScale

        settings = LearnerSettings(
            scale=StateScale.of_max_power(30_000.0),
            model="mixture",
            memory_min=30 * DAY_MIN,
            train_every_min=20,
            first_training_min=DAY_MIN,
            options=dict(_STEPS),
        )
        self._np, self._rng = np, random.Random(seed)
        self.learner = Learner(settings, random.Random(1))
        often = ExchangeSettings(model_every_min=5)
        self.exchange = Exchange("node", self.learner, often, random.Random(seed)) if gossip else None
        for minute in range(DAY_MIN):
            self.observe(minute)
        if self.exchange:
            self.exchange.restored()

    def observe(self, minute: int) -> None:
        """Learn an invented minute."""
        powers = self._np.array(invented_minute(minute, self._rng), self._np.float32)
        self.learner.observe(minute, powers)
        if self.exchange and minute >= DAY_MIN:
            self.exchange.observe(minute, powers)


def _said() -> Iterator[tuple[int, str, str, str]]:
    """What two neighbours say: minute, name, kind and bytes in hexadecimal digits."""
    from edge.learn.model import finish

    for number, name in enumerate(_NEIGHBOURS):
        node = _Node(10 + number, gossip=True)
        assert node.exchange
        finish(node.learner.training())
        for minute in range(DAY_MIN, DAY_MIN + _HOUR_MIN):
            node.observe(minute)
            prediction = node.learner.predict()
            assert prediction is not None
            for kind, data in (
                ("model", node.exchange.outgoing(minute, 2)),
                ("prediction", node.exchange.told(minute, prediction)),
            ):
                if data:
                    yield minute, name, kind, data.hex()


def _measured(gossip: bool, file: Path) -> dict[str, float]:
    """An hour of a node: trainings, messages of neighbours and merges. In MB."""
    said: dict[int, list[tuple[str, str, bytes]]] = {}
    for line in file.read_text().splitlines():
        minute, name, kind, digits = json.loads(line)
        said.setdefault(minute, []).append((name, kind, bytes.fromhex(digits)))
    scopes = [_Node(seed, gossip) for seed in (1, 2)]
    found = {"after a day": _anonymous_mb(), "peak of the first training": _peak(scopes)}
    peak = 0.0
    for minute in range(DAY_MIN, DAY_MIN + _HOUR_MIN):
        for node in scopes:
            node.observe(minute)
            prediction = node.learner.predict()
            if node.exchange and prediction is not None:
                for name, kind, data in said.get(minute - 1, ()):
                    exchange = node.exchange
                    receive = exchange.receive_model if kind == "model" else exchange.receive_prediction
                    receive(name, data, minute)
                node.exchange.predict(minute, prediction)
                node.exchange.told(minute, prediction)
                node.exchange.outgoing(minute, 2)
                if node.exchange.due:
                    for _ in node.exchange.merging():
                        peak = max(peak, _anonymous_mb())
        peak = max(peak, _anonymous_mb())
        if minute == DAY_MIN + _TRAIN_AT_MIN:
            peak = max(peak, _peak(scopes))
    if gossip and not all(node.exchange and node.exchange.merges for node in scopes):
        raise RuntimeError("nothing was merged")
    return found | {"peak of the hour after it": peak, "at its end": _anonymous_mb()}


def _peak(scopes: list[_Node]) -> float:
    """The greatest memory while both scopes are trained, one after the other, as a node does."""
    return max(_anonymous_mb() for node in scopes for _ in node.learner.training())


def _anonymous_mb() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024


def _main(what: str, file: Path) -> None:
    from edge.learn import heap, lean_numpy

    lean_numpy.prepare()
    heap.tune()
    if what == "neighbours":
        file.write_text("".join(json.dumps(line) + "\n" for line in _said()))
    else:
        print(json.dumps(_measured(what == "with", file)))


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    columns = ("without", "with", "added")
    yield Sheet(
        f"anonymous memory of two scopes, two neighbours, MB (gossip may add {found['limit_mb']:g})",
        ("", "without", "with gossip", "added"),
        [(step, *(f"{found[each][step]:.1f}" for each in columns)) for step in found["added"]],
    )


PART = Part("gossip_memory", lambda folder: measure(), _sheets)


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    _main(sys.argv[1], Path(sys.argv[2]))
