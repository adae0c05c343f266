"""Predictions as they were made, with the limits of states that they refer to (thesis 5.1)."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..terms import SCOPES, VARIABLES
from .file import HistoryFile
from .migration import GOOD_MINUTE
from .minutes import ROWS
from .queue import Note

_MOST_BYTES = 4096  # of the probabilities of one prediction
_FORECASTER = "INSERT OR IGNORE INTO forecasters (scope, model, limits_w) VALUES (?, ?, ?)"
_OF = len(SCOPES)  # the id of a row is its minute and scope: rows are only appended
_PREDICTION = (
    "INSERT OR IGNORE INTO predicted (id, forecaster, probabilities) "
    "SELECT ?, id, ? FROM forecasters WHERE scope = ? AND model = ? AND limits_w = ?"
)
_WRITTEN = (
    f"SELECT id / {_OF} AS minute, forecaster, probabilities FROM predicted "
    f"WHERE id >= :first * {_OF} AND id < (:last + 1) * {_OF} AND id % {_OF} = :number"
)
_OF_EARLIER_RELEASES = (
    "SELECT minute, forecaster, probabilities FROM predictions "
    f"WHERE minute >= :first AND minute <= :last AND scope = :scope AND {GOOD_MINUTE}"
)
_PREDICTIONS = (
    "SELECT minute, model, limits_w, p.probabilities "
    f"FROM ({_OF_EARLIER_RELEASES} UNION ALL {_WRITTEN} ORDER BY minute LIMIT :most) AS p "
    "JOIN forecasters ON forecasters.id = p.forecaster ORDER BY minute"
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One prediction as it was made: by which model, with which limits of states (W), its probabilities."""

    minute: int
    model: str
    limits_w: tuple[tuple[float, ...], ...]
    probabilities: bytes


def prediction_notes(
    scope: str, minute: int, model: str, limits_w: Sequence[Sequence[float]], probabilities: bytes
) -> tuple[Note, Note]:
    """The entries for what a model predicted after a minute."""
    limits = json.dumps([[round(each, 3) for each in row] for row in limits_w], separators=(",", ":"))
    return (
        (_FORECASTER, (scope, model, limits)),
        (_PREDICTION, (_OF * minute + SCOPES.index(scope), _packed(probabilities), scope, model, limits)),
    )


def predictions(file: HistoryFile, scope: str, first: int, last: int) -> Iterator[list[Forecast]]:
    """What was predicted after the minutes `first` to `last`, oldest first, some at a time."""
    limits: dict[str, tuple[tuple[float, ...], ...]] = {}
    asked = {"last": last, "scope": scope, "number": SCOPES.index(scope), "most": ROWS}
    while rows := file.read(_PREDICTIONS, asked | {"first": first}):
        for text in {row[2] for row in rows} - limits.keys():
            limits[text] = _limits_of(text)
        good = file.good(rows, lambda row: bool(limits[row[2]]) and isinstance(row[3], bytes))
        if good:
            yield [
                Forecast(minute, model, limits[text], _unpacked(data)) for minute, model, text, data in good
            ]
        first = rows[-1][0] + 1


def _packed(data: bytes) -> bytes:
    """Compressed to an odd number of bytes if that is shorter: probabilities are half floats."""
    packed = zlib.compress(data, 9)
    packed += b"\0" * (1 - len(packed) % 2)
    return packed if len(packed) < len(data) else data


def _unpacked(data: bytes) -> bytes:
    """What `_packed` packed; anything else is as it is."""
    if len(data) % 2 == 0:
        return data
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, _MOST_BYTES)
    except zlib.error:
        return data
    return found if stream.eof else data


def _limits_of(text: Any) -> tuple[tuple[float, ...], ...]:
    """The limits that `prediction_notes` wrote; empty for anything else."""
    try:
        found = tuple(tuple(float(each) for each in row) for row in json.loads(text))
    except (TypeError, ValueError, RecursionError):
        return ()
    return found if len(found) == len(VARIABLES) else ()
