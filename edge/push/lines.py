"""Rows of the history as lines of the Influx protocol.

A line is `measurement,tag=value field=value time`, the time in nanoseconds. The same row gives the same line
each time, so a database that gets it twice holds it once.
"""

from collections.abc import Iterable, Sequence

from ..history.energies import Energy
from ..terms import VARIABLES

_NS_PER_MIN = 60 * 10**9
_FIELDS = [f"{each}_w" for each in VARIABLES]
_SPECIAL = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\=", "\\": "_", "\n": "_", "\r": "_"})


def minute_line(node: str, scope: str, minute: int, powers_w: Sequence[float | None]) -> str:
    """The six mean powers of a minute; "" if none is known."""
    fields = _fields(zip(_FIELDS, powers_w, strict=True))
    return f"microgrid_power,node={_tag(node)},scope={_tag(scope)} {fields} {_time(minute)}" if fields else ""


def energy_line(node: str, energy: Energy) -> str:
    """What a twin drew and gave in a quarter-hour, in all or with a partner."""
    twin = energy.twin.partition(".")[2] or energy.twin
    tags = f"node={_tag(node)},twin={_tag(twin)},quality={_tag(energy.quality)}"
    if energy.partner:
        tags += f",partner={_tag(energy.partner)}"
    fields = _fields((("drawn_wh", energy.drawn_wh), ("given_wh", energy.given_wh)))
    return f"microgrid_energy,{tags} {fields} {_time(energy.minute)}"


def _fields(pairs: Iterable[tuple[str, float | None]]) -> str:
    return ",".join(f"{key}={float(value)!r}" for key, value in pairs if value is not None)


def _tag(text: str) -> str:
    return text.translate(_SPECIAL)


def _time(minute: int) -> int:
    return minute * _NS_PER_MIN
