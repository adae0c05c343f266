"""Files for a model: past minutes of six powers, weather with its forecast, powers that others forecast.

CSV with a header, by the rules of `edge/csv_file.py`: a time without an offset is civil time of the node's
zone, an empty field is unknown. Times come out as Unix seconds.
"""

import math
from array import array
from collections.abc import Callable, Iterator
from datetime import tzinfo
from pathlib import Path

from ..csv_file import Column, CsvError, Rules, header_of, power_column, read
from ..terms import VARIABLES

PastError = CsvError
POWERS = tuple(power_column(f"{each}_w") for each in VARIABLES)
WEATHER = Column("irradiance_w_m2", 0.0, 2000.0, -20.0), Column("temperature_c", -90.0, 70.0)
_MOST_MINUTES = 2_200_000  # four years
_MOST_WEATHER_ROWS = 50_000  # 16 bytes each stay in memory: five years of hours, a month of minutes
_MOST_FORECAST_ROWS = 10_000  # 32 bytes each: a month and more of quarters of an hour
_MOST_ROW_BYTES = 200


def minutes_of(
    path: Path, zone: tzinfo | None, tell: Callable[[str], None] = lambda text: None
) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Unix time and six powers in W of each line, NaN where unknown. Raises PastError."""
    rules = Rules(
        columns=POWERS,
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
        columns=WEATHER,
        zone=zone,
        most_rows=_MOST_WEATHER_ROWS,
        most_bytes=_MOST_WEATHER_ROWS * _MOST_ROW_BYTES,
        tell=tell,
    )
    return _rows(path, rules)


def forecast_of(
    path: Path, zone: tzinfo | None, tell: Callable[[str], None] = lambda text: None
) -> "tuple[array[int], array[float]]":
    """Unix times, and for each of them six powers in one row, NaN where unknown. Raises PastError.

    A forecast may have some of the powers only, but not none.
    """
    header = header_of(path)
    columns = tuple(each for each in POWERS if each.name in header)
    if not columns:
        raise PastError(f"{path}, line 1: none of the columns {', '.join(each.name for each in POWERS)}")
    rules = Rules(
        columns=columns,
        zone=zone,
        most_rows=_MOST_FORECAST_ROWS,
        most_bytes=_MOST_FORECAST_ROWS * _MOST_ROW_BYTES,
        tell=tell,
    )
    times_s, given = _rows(path, rules)
    places = [columns.index(each) if each in columns else None for each in POWERS]
    values, width = array("f"), len(columns)
    for at in range(0, len(given), width):
        values.extend(math.nan if place is None else given[at + place] for place in places)
    return times_s, values


def _rows(path: Path, rules: Rules) -> "tuple[array[int], array[float]]":
    times_s, values = array("q"), array("f")
    for row in read(path, rules):
        times_s.append(row.time_s)
        values.extend(row.values)
    return times_s, values
