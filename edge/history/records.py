"""Records of meters: voltage, current and all else that each phase shows; and the master data of twins."""

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from .file import HistoryFile, Row
from .names import OF_NAME, Name, id_of
from .queue import Note

_LAYOUT = "INSERT OR IGNORE INTO layouts (names) VALUES (?)"
METERS = 2**20  # the id of a row is its minute, and the number of the name of the meter
_RECORD = (
    f"INSERT OR IGNORE INTO meter_records (id, layout, data) VALUES (?1 * {METERS} + {id_of(2)}, "
    "(SELECT id FROM layouts WHERE names = ?3), ?4)"
)
_METER = "(SELECT id FROM names WHERE name = :meter)"
_RECORDS = (
    "SELECT minute, layouts.names, data FROM ("
    "SELECT minute, layout, data FROM records "
    f"WHERE meter = {_METER} AND minute >= :first AND minute < :last UNION ALL "
    f"SELECT id / {METERS} AS minute, layout, data FROM meter_records "
    f"WHERE id >= :first * {METERS} AND id < :last * {METERS} AND id % {METERS} = {_METER}"
    ") AS r JOIN layouts ON layouts.id = r.layout ORDER BY minute LIMIT :most"
)
_AGENT = f"INSERT OR REPLACE INTO agents (name, at_ms, data) VALUES ({OF_NAME}, ?, ?)"
_AGENTS = (
    "SELECT names.name, max(at_ms), data FROM agents JOIN names ON names.id = agents.name "
    "WHERE at_ms <= ? GROUP BY agents.name ORDER BY names.name"
)


class Record(NamedTuple):
    """What a meter showed: quantities with their unit, and the phase as a prefix ("l1.current_a")."""

    minute: int
    values: dict[str, float]


class Agent(NamedTuple):
    """A twin and its master data, since Unix time."""

    name: str
    since_s: float
    data: dict[str, Any]


def record_notes(minute: int, meter: str, record: Mapping[str, float]) -> tuple[Note, Note]:
    """The entries for the record of a meter."""
    layout = ",".join(record)
    data = struct.pack(f"<{len(record)}f", *record.values())
    return (_LAYOUT, (layout,)), (_RECORD, (minute, Name(meter), layout, data))


def agent_note(at_ms: int, name: str, data: str) -> Note:
    """The entry for the master data of a twin, as JSON, from then on."""
    return _AGENT, (Name(name), at_ms, data)


def records(file: HistoryFile, meter: str, first: int, last: int, limit: int) -> list[Record]:
    """Those of the minutes `first` to before `last`, oldest first."""
    rows = file.good(
        file.read(_RECORDS, {"meter": meter, "first": first, "last": last, "most": limit}), _is_record
    )
    return [
        Record(minute, dict(zip(layout.split(","), _numbers(data), strict=True)))
        for minute, layout, data in rows
    ]


def agents(file: HistoryFile, at_s: float) -> list[Agent]:
    """The twins that were known at a moment, with their master data then."""
    rows = file.good(file.read(_AGENTS, (round(1000 * at_s),)), _is_agent)
    return [Agent(name, at_ms / 1000, json.loads(data)) for name, at_ms, data in rows]


def _numbers(data: bytes) -> list[float]:
    return [float(f"{each:.7g}") for each in struct.unpack(f"<{len(data) // 4}f", data)]


def _is_record(row: Row) -> bool:
    minute, layout, data = row
    whole = isinstance(minute, int) and isinstance(layout, str) and isinstance(data, bytes)
    return whole and len(data) == 4 * len(layout.split(","))


def _is_agent(row: Row) -> bool:
    name, at_ms, data = row
    if not (isinstance(name, str) and isinstance(at_ms, int)):
        return False
    try:
        return isinstance(json.loads(data), dict)
    except (TypeError, ValueError, RecursionError):
        return False
