"""Files of the past for a model to start with: minutes of six powers, and weather with its forecast.

CSV with a header, plain or gzipped. Times are civil times of the node's zone, YYYY-MM-DDTHH:MM; the rest of a
timestamp is ignored. Lines of the hour that is twice in autumn are taken in their order; a time that a spring
night skips is left out. An empty field is unknown.
"""

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from ..clock import Zone
from ..learn.weather import WeatherTable
from ..terms import VARIABLES

_EPOCH = datetime(1970, 1, 1)
_MINUTE_LENGTH = 16  # of YYYY-MM-DDTHH:MM


class PastError(ValueError):
    """The file cannot be used; the message names file, line and field."""


def minutes_of(path: Path, zone: Zone) -> Iterator[tuple[int, list[float]]]:
    """Minute of UTC and six powers in W of each line. Raises PastError."""
    return _in_utc(_lines(path, [f"{each}_w" for each in VARIABLES]), zone)


def weather_of(path: Path, zone: Zone) -> WeatherTable:
    """Irradiance and temperature by minutes of UTC. Raises PastError."""
    rows = list(_in_utc(_lines(path, ["irradiance_w_m2", "temperature_c"]), zone))
    minutes = np.array([minute for minute, _ in rows], np.int64)
    values = np.array([value for _, value in rows], np.float32).reshape(-1, 2)
    try:
        return WeatherTable(minutes, values)
    except ValueError as error:
        raise PastError(f"{path}: {error}") from None


def _in_utc(lines: Iterator[tuple[int, list[float]]], zone: Zone) -> Iterator[tuple[int, list[float]]]:
    """The lines by minutes of UTC in place of civil ones."""
    last = -1
    for civil, values in lines:
        minute = zone.utc(civil, after=last)
        if minute is not None:
            yield minute, values
            last = minute


def _lines(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[float]]]:
    number = 1
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            missing = {"timestamp", *columns} - set(header)
            if missing:
                raise PastError(f"{path}: column {', '.join(sorted(missing))} is missing")
            time_at, *value_at = (header.index(name) for name in ("timestamp", *columns))
            for row in rows:
                number += 1
                values = [float(row[at]) if row[at] else float("nan") for at in value_at]
                yield _minute(row[time_at]), values
    except PastError:
        raise
    except (OSError, EOFError) as error:
        raise PastError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (ValueError, IndexError, csv.Error) as error:
        raise PastError(f"{path}, line {number}: {error}") from None


def _minute(text: str) -> int:
    since = datetime.fromisoformat(text[:_MINUTE_LENGTH]) - _EPOCH
    return since.days * 1440 + since.seconds // 60
