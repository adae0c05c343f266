"""Learning for the nodes of a generated microgrid, with generated past days as training data.

The past is invented: daily patterns with noise, so that there is something to learn without shipping data.
"""

import csv
import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edge.terms import VARIABLES

TRAINED = ("lstm", "lstm_thesis", "mixture")  # the other models count, and predict from the first minutes
FEW_STEPS = "first_steps = 16; least_steps = 16"  # a first training that needs the memory but not the time
SHIPPED = "start = house"  # networks that are trained already
ANY_LOAD = 1000.0  # training does not wait for a quiet machine
_HOURS_OF_NEED = (7.5, 12.5, 19.0)


def lessons(model: str, max_power_w: float, **more: Any) -> dict[str, Any]:
    """A `[learning]` section with this model in both scopes."""
    return {"node_model": model, "cluster_model": model, "max_power_w": max_power_w, **more}


def gossip(**more: Any) -> dict[str, Any]:
    """A `[gossip]` section: models and predictions are exchanged."""
    return {"models": "on", "predictions": "on", **more}


def write_past(path: Path, days: float, end: datetime, max_power_w: float, seed: int) -> None:
    """Write the minutes of past days until `end` to a file for `node_history` and `cluster_history`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", *(f"{each}_w" for each in VARIABLES)])
        begin = end - timedelta(days=days)
        for at, powers_w in _minutes(begin, end, max_power_w, random.Random(seed)):
            writer.writerow([f"{at:%Y-%m-%dT%H:%M}", *(f"{each:.1f}" for each in powers_w)])


def _minutes(
    begin: datetime, end: datetime, max_power_w: float, rng: random.Random
) -> Iterator[tuple[datetime, tuple[float, ...]]]:
    at, cloud, use = begin, 0.5, 0.1
    while at < end:
        hour = at.hour + at.minute / 60
        rhythm = sum(math.exp(-((hour - each) ** 2) / 2) for each in _HOURS_OF_NEED)
        cloud = min(1.0, max(0.0, cloud + rng.gauss(0.0, 0.02)))
        use = min(1.0, max(0.02, use + 0.1 * (0.1 + 0.5 * rhythm - use) + rng.gauss(0.0, 0.02)))
        sun = max(0.0, math.cos((hour - 12.5) * math.pi / 12)) * (1 - 0.8 * cloud)
        requested_w, produced_w = use * max_power_w, sun * max_power_w
        used_w = min(requested_w, produced_w)
        yield at, (requested_w, produced_w, used_w, used_w, requested_w - used_w, produced_w - used_w)
        at += timedelta(minutes=1)
