"""Predictions as they were made, with the limits of states that they refer to (thesis 5.1)."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..terms import VARIABLES
from .file import HistoryFile
from .migration import GOOD_MINUTE
from .minutes import ROWS
from .queue import Note

_MOST_BYTES = 4096  # of the probabilities of one prediction
_FORECASTER = "INSERT OR IGNORE INTO forecasters (scope, model, limits_w) VALUES (?, ?, ?)"
_PREDICTION = (
    "INSERT OR IGNORE INTO predictions (minute, scope, forecaster, probabilities) "
    "SELECT ?, scope, id, ? FROM forecasters WHERE scope = ? AND model = ? AND limits_w = ?"
)
_PREDICTIONS = (
    "SELECT minute, model, limits_w, probabilities FROM predictions "
    "JOIN forecasters ON forecasters.id = predictions.forecaster "
    f"WHERE minute >= ? AND minute <= ? AND predictions.scope = ? AND {GOOD_MINUTE} ORDER BY minute LIMIT ?"
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
        (_PREDICTION, (minute, _packed(probabilities), scope, model, limits)),
    )


def predictions(file: HistoryFile, scope: str, first: int, last: int) -> Iterator[list[Forecast]]:
    """What was predicted after the minutes `first` to `last`, oldest first, some at a time."""
    limits: dict[str, tuple[tuple[float, ...], ...]] = {}
    while rows := file.read(_PREDICTIONS, (first, last, scope, ROWS)):
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
