"""What gossip of the default model costs: bytes and CPU time of each way to write it, and the memory kept.

Run as a module it measures in its own process and prints JSON. The networks begin with a shipped model and
are updated every 20 minutes on invented days; the counts are those of the same days.
"""

import json
import os
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from edge.terms import DAY_MIN, VARIABLES

from .learning import invented_minute, with_estimate
from .sheet import Part, Sheet

LIMITS_BYTES = {"networks": 13_000, "counts": 12_000}  # of a period
_START = "house"
_DAYS, _UPDATES, _EVERY_MIN = 2, 6, 20
_LEVEL = 6


def measure() -> dict[str, Any]:
    """The figures `gossip`, from a process of its own."""
    command = [sys.executable, "-m", "host_tools.bench.gossip"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


class _Probe:
    """A sender, which learns, and a receiver."""

    def __init__(self) -> None:
        import numpy as np

        from edge.learn.gossip import Incoming, Outgoing
        from edge.learn.learner import Learner, LearnerSettings
        from edge.learn.states import StateScale

        settings = LearnerSettings(
            scale=StateScale.of_max_power(30_000.0),
            model="mixture",
            memory_min=8 * DAY_MIN,
            train_every_min=_EVERY_MIN,
            first_training_min=DAY_MIN,
            options={"start": _START},
        )
        self._np, self._rng = np, random.Random(1)
        self._learner, self._minute = Learner(settings, random.Random(1)), 0
        self._observe(_DAYS * DAY_MIN)
        self._parts = self._learner.model.parts
        self._outgoing, self._incoming = Outgoing("sender"), Incoming(8)
        self._outgoing.common_start(self._parts)
        self._start = self._incoming.common_start(self._parts)
        self._rows: dict[str, list[tuple[float, float, float]]] = {}

    def _observe(self, minutes: int) -> None:
        for _ in range(minutes):
            powers = self._np.array(invented_minute(self._minute, self._rng), self._np.float32)
            self._learner.observe(self._minute, powers)
            self._minute += 1

    def run(self) -> dict[str, Any]:
        """Some periods; the means of all but the first."""
        from edge.learn.model import finish

        for _ in range(_UPDATES):
            self._observe(_EVERY_MIN)
            finish(self._learner.training())
            self._period()
        rows = {
            name: dict(zip(("bytes", "write_s", "read_s"), self._np.mean(each[1:], 0).tolist(), strict=True))
            for name, each in self._rows.items()
        }
        share = self._incoming.shares["sender"]
        held = sum(each.nbytes for each in share.weights.values())
        kept = {"weights": held, "counts": sum(len(each.data) for each in share.counts.values())}
        return {"rows": rows, "kept_bytes": kept, "limits_bytes": LIMITS_BYTES}

    def _period(self) -> None:
        np, variables = self._np, range(len(VARIABLES))
        trunks = [self._parts(variable)["trunk"].values for variable in variables]
        self._rival("networks: float32 + zlib", [each.tobytes() for each in trunks])
        codes = [np.rint(each / np.abs(each).max() * 127).astype(np.int8) for each in trunks]
        self._rival("networks: int8, whole", [each.tobytes() for each in codes])
        budget = LIMITS_BYTES["networks"]
        self._ours("networks: differences, closed loop", lambda: self._outgoing.weights(self._parts, budget))
        counts = [self._parts(variable)["counts"].values for variable in variables]
        self._rival("counts: float32 + zlib", [each.tobytes() for each in counts], share=1 / len(VARIABLES))
        self._ours("counts: logarithms, one variable", lambda: self._outgoing.counts(self._parts))

    def _rival(self, name: str, values: list[bytes], share: float = 1.0) -> None:
        packed, write_s = _timed(lambda: [zlib.compress(each, _LEVEL) for each in values])
        _, read_s = _timed(lambda: [zlib.decompress(each) for each in packed])
        figures = sum(map(len, packed)) * share, write_s * share, read_s * share
        self._rows.setdefault(name, []).append(figures)

    def _ours(self, name: str, pieces: Callable[[], tuple[Any, ...]]) -> None:
        from edge.learn.gossip import Message

        ones = self._np.ones(len(VARIABLES))

        def written() -> bytes:
            message = Message(
                age_min=0, neighbours=2, samples=ones, losses=ones, max_power_w=30_000.0, pieces=pieces()
            )
            return message.packed()

        data, write_s = _timed(written)
        receive = self._incoming.receive
        _, read_s = _timed(lambda: receive("sender", data, self._parts, self._minute, self._start))
        self._rows.setdefault(name, []).append((len(data), write_s, read_s))


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    rows = []
    for name, row in found["rows"].items():
        times = [with_estimate(1000 * row[key]) for key in ("write_s", "read_s")]
        rows.append((name, f"{row['bytes']:,.0f}", *times))
    kept, limits = found["kept_bytes"], found["limits_bytes"]
    yield Sheet(
        "gossip of the default model, all variables: one period (in brackets: estimate for a Pi 3, x10)",
        ("what is sent, and how", "bytes", "write ms", "read ms"),
        rows,
        (
            f"limits: {limits['networks']:,} bytes for networks, {limits['counts']:,} for counts; kept for "
            f"each neighbour: {kept['weights']:,} bytes of weights, {kept['counts']:,} of counts",
            "thesis (compact Markov model, sent every second): 52,600 bytes",
        ),
    )


PART = Part("gossip", lambda folder: measure(), _sheets)


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    print(json.dumps(_Probe().run()))
