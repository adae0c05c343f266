"""Learning in a separate process: memory after each step, and the CPU time of predictions and trainings.

Run as a module it measures one model and prints JSON. Each model needs a new process, since imports stay
loaded.
"""

import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from edge.terms import DAY_MIN

from .sheet import Part, Sheet

MODELS: dict[str, dict[str, Any]] = {
    "mixture": {"model": "mixture"},
    "lstm": {"model": "lstm"},
    "lstm 2x50": {"model": "lstm", "options": {"layers": 2, "cells": 50}},
    "lstm_thesis": {"model": "lstm_thesis"},
    "markov": {"model": "markov"},
}
PI3 = 10  # slowdown of a Pi 3 compared with this machine; an estimate, not measured
OTHERS_MB = "thesis (Keras service): hundreds; tflite-runtime with numpy 1.26 alone: 30; ai-edge-litert: 21"
_DAYS = 4  # of history, out of 30 possible
_TIMES = 200


def measure(names: tuple[str, ...] = tuple(MODELS)) -> dict[str, Any]:
    """The figures `learning` by model, each from its own process."""
    found = {}
    for name in names:
        command = [sys.executable, "-m", "host_tools.bench.learning", name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = json.loads(output)
    return found


def _memory_mb() -> tuple[float, float]:
    """Current and peak RSS."""
    with open("/proc/self/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    now_mb, greatest_mb = (int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
    return now_mb, greatest_mb


def invented_minute(minute: int, rng: random.Random) -> list[float]:
    """Invented powers with a daily pattern, in W."""
    hour = minute % DAY_MIN / 60
    requested = max(0.0, (8000 if 7 <= hour < 19 and minute % 15 < 7 else 2000) + rng.gauss(0, 800))
    produced = 9000 + 12_000 * max(0.0, math.sin((hour - 6) / 12 * math.pi))
    supplied = min(requested, produced)
    return [requested, produced, supplied, supplied, requested - supplied, produced - supplied]


class _Probe:
    """The two scopes of a node, and the memory after each step."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.steps_mb: dict[str, float] = {}
        import edge.__main__
        import edge.meter.bus
        import edge.net.mqtt
        import edge.service.runtime

        self._note("node without learning")
        from edge.learn import lean_numpy

        lean_numpy.prepare()
        import numpy as np

        self._note("numpy")
        import edge.learn.lstm.networks  # noqa: F401 - to measure its memory

        self._note("models and TFLite")
        from edge.learn.learner import Learner, LearnerSettings
        from edge.learn.states import StateScale
        from edge.terms import DAY_MIN
        from edge.twins.learning_settings import LearningSettings

        scale = StateScale.of_max_power(30_000.0)
        asked = LearningSettings()
        chosen = LearnerSettings(
            scale=scale,
            memory_min=asked.memory_days * DAY_MIN,
            train_every_min=asked.train_every_min,
            first_training_min=asked.first_training_min,
            **settings,
        )
        self._learners = [Learner(chosen, random.Random(n)) for n in range(2)]
        self._note("two scopes, 30 days each")
        rng, self._rows = random.Random(1), []
        for minute in range(_DAYS * DAY_MIN):
            powers = np.array(invented_minute(minute, rng), np.float32)
            for learner in self._learners:
                learner.observe(minute, powers)
            if minute < DAY_MIN:
                self._rows.append(powers)
        self._note("history")

    def _note(self, what: str) -> None:
        self.steps_mb[what] = _memory_mb()[0]

    def run(self) -> dict[str, Any]:
        """Measure one model."""
        first = self._training(0)
        self._training(1)
        updates = [self._training(number % 2) for number in range(6)]
        self._note("after trainings")
        self.steps_mb["at its peak"] = _memory_mb()[1]
        predictions = self._predictions()
        return {
            "steps_mb": self.steps_mb,
            "added_mb": self.steps_mb["at its peak"] - self.steps_mb["node without learning"],
            "predict_s": {
                "median": statistics.median(predictions),
                "p95": sorted(predictions)[-_TIMES // 20],
            },
            "first_cpu_s": first["cpu_s"],
            "update_cpu_s": statistics.median(each["cpu_s"] for each in updates),
            "slice_cpu_s": statistics.median(each["slice_s"] for each in updates),
            "slices": updates[0]["slices"],
        }

    def _training(self, scope: int) -> dict[str, Any]:
        slices, start = [], time.process_time()
        for _ in self._learners[scope].training():
            slices.append(time.process_time() - start)
            start = time.process_time()
        slices.append(time.process_time() - start)
        return {"cpu_s": sum(slices), "slice_s": max(slices), "slices": len(slices)}

    def _predictions(self) -> list[float]:
        """CPU time of the predictions of one minute in both scopes: all variables, all horizons; in s."""
        found = []
        for number in range(_TIMES):
            for learner in self._learners:
                learner.observe(_DAYS * DAY_MIN + number, self._rows[number])
            start = time.process_time()
            for learner in self._learners:
                learner.predict()
            found.append(time.process_time() - start)
        return found[1:]


def with_estimate(ms: float) -> str:
    """A time, and in brackets what it may be on a Pi 3."""
    return f"{ms:,.2f} ({ms * PI3:,.1f})" if ms < 100 else f"{ms:,.0f} ({ms * PI3:,.0f})"


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    steps = found["lstm"]["steps_mb"]
    rows = [(step, *(f"{row['steps_mb'][step]:.1f}" for row in found.values())) for step in steps]
    rows.append(("added", *(f"{row['added_mb']:.1f}" for row in found.values())))
    yield Sheet(
        "memory of a learning node, both scopes (RSS in MB, cumulative)",
        ("step", *found),
        rows,
        (f"for comparison, in MB: {OTHERS_MB}",),
    )
    rows = []
    for model, row in found.items():
        times_s = (
            row["predict_s"]["median"],
            2 * row["first_cpu_s"],
            2 * row["update_cpu_s"],
            row["slice_cpu_s"],
        )
        rows.append((model, *(with_estimate(1000 * each) for each in times_s), str(row["slices"])))
    yield Sheet(
        "learning, both scopes: CPU time in ms (in brackets: estimate for a Pi 3, x10)",
        (
            "model",
            "predictions per minute",
            "first training, 4 days",
            "update",
            "longest slice of an update",
            "slices",
        ),
        rows,
        ("thesis (Keras on a PC): the first training of a node takes more than a minute",),
    )


PART = Part("learning", lambda folder: measure(), _sheets)


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    print(json.dumps(_Probe(MODELS[sys.argv[1]]).run()))
