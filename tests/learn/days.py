"""Days for tests: measured ones if the data are installed beside the project, generated ones if not."""

import csv
import gzip
import math
import random
from datetime import UTC, datetime

import numpy as np
from repository import REPOSITORY

from edge.learn.series import Series

MEASURED = REPOSITORY.parent / "shared" / "data" / "vergers_cluster_1min.csv.gz"
COLUMNS = ("requested_w", "produced_clean_w", "consumed_w", "provided_w", "missing_w", "available_clean_w")
MAX_POWER_W = 30_000.0


def made_up(days, seed=1):
    """A load with a pattern by day and quarter of an hour, sunshine, and noise: it can be learnt in part."""
    rng, series, drift = random.Random(seed), Series(days * 1440), 0.0
    for minute in range(20_000 * 1440, (20_000 + days) * 1440):
        hour = minute % 1440 / 60
        drift = 0.97 * drift + rng.gauss(0, 400)
        busy = 9000.0 if 7 <= hour < 19 and minute % 15 < 6 else 1500.0
        requested = max(0.0, busy + drift)
        produced = 9000.0 + 14_000 * max(0.0, math.sin((hour - 6) / 12 * math.pi))
        supplied = min(requested, produced)
        row = (requested, produced, supplied, supplied, requested - supplied, produced - supplied)
        series.append(minute, np.array(row, np.float32))
    return series


def living_lab(days):
    """The last days of the living lab of the thesis, or generated ones."""
    if not MEASURED.exists():
        return made_up(days)
    series = Series(days * 1440)
    with gzip.open(MEASURED, "rt") as file:
        for row in csv.DictReader(file):
            local = datetime.strptime(row["timestamp_local"][:16], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
            powers = np.array([float(row[column]) for column in COLUMNS], np.float32)
            series.append(int(local.timestamp()) // 60, powers)
    return series
