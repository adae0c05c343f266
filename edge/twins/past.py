"""Files of the past for a model to start with: minutes of six powers, and weather with its forecast.

CSV with a header, by the rules of `edge/csv_file.py`: a time without an offset is civil time of the node's
zone, an empty field is unknown. Times come out as Unix seconds.
"""

from array import array
from collections.abc import Callable, Iterator
from datetime import tzinfo
from pathlib import Path

from ..csv_file import Column, CsvError, Rules, power_column, read
from ..terms import VARIABLES

PastError = CsvError
_POWERS = tuple(power_column(f"{each}_w") for each in VARIABLES)
_WEATHER = Column("irradiance_w_m2", 0.0, 2000.0, -20.0), Column("temperature_c", -90.0, 70.0)
_MOST_MINUTES = 2_200_000  # four years
_MOST_WEATHER_ROWS = 50_000  # 16 bytes each stay in memory: five years of hours, a month of minutes
_MOST_ROW_BYTES = 200


def minutes_of(
    path: Path, zone: tzinfo | None, tell: Callable[[str], None] = lambda text: None
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Unix time and six powers in W of each line, NaN where unknown. Raises PastError."""
    rules = Rules(
        columns=_POWERS,
        zone=zone,
        most_rows=_MOST_MINUTES,
        most_bytes=_MOST_MINUTES * _MOST_ROW_BYTES,
        tell=tell,
    )
    for row in read(path, rules):
        yield row.time_s, row.values


def weather_of(
    path: Path, zone: tzinfo | None, tell: Callable[[str], None] = lambda text: None
) -> "tuple[array[int], array[float]]":
    """Unix times, and for each of them irradiance and temperature, in one row. Raises PastError."""
    rules = Rules(
        columns=_WEATHER,
        zone=zone,
        most_rows=_MOST_WEATHER_ROWS,
        most_bytes=_MOST_WEATHER_ROWS * _MOST_ROW_BYTES,
        tell=tell,
    )
    times_s, values = array("q"), array("f")
    for row in read(path, rules):
        times_s.append(row.time_s)
        values.extend(row.values)
    return times_s, values
