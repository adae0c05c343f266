"""Energy: what each twin drew and gave in a quarter-hour of UTC, in all and by partner.

A row without a partner is that of the device. It says how many seconds of the quarter-hour were known; when
it is read, the rest is filled with the mean of what is known, and the row says so.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from ..terms import Quality
from .file import HistoryFile, Row
from .names import OF_NAME, Name
from .queue import Note

QUARTER_MIN, HOUR_MIN = 15, 60
_MEASURED, _FILLED = 0.98, 1 / 3  # shares of the time that must be known
MOST_ROWS = 100_000  # that one question reads


class Energy(NamedTuple):
    """What a twin drew from and gave to a partner, in Wh; partner "": its device, with all partners and none.

    `minute`: the UTC minute in which the quarter-hour or the hour begins.
    """

    minute: int
    twin: str
    partner: str
    drawn_wh: float
    given_wh: float
    quality: Quality


_ENERGY = (
    "INSERT INTO energies (step, minute, twin, partner, drawn_mwh, given_mwh, known_s) "
    f"VALUES ({QUARTER_MIN}, ?, {OF_NAME}, {OF_NAME}, ?, ?, ?) "
    "ON CONFLICT (step, minute, twin, partner) DO UPDATE SET known_s = known_s + excluded.known_s, "
    "drawn_mwh = drawn_mwh + excluded.drawn_mwh, given_mwh = given_mwh + excluded.given_mwh"
)
_HOURLY = (
    "SELECT {step} AS step, minute / 60 * 60 AS minute, twin, partner, sum(drawn_mwh) AS drawn_mwh, "
    "sum(given_mwh) AS given_mwh, sum(known_s) AS known_s FROM energies WHERE step = 15 AND {where} "
    "GROUP BY minute / 60, twin, partner"
)
TO_HOURS = "INSERT OR IGNORE INTO energies " + _HOURLY.format(step=HOUR_MIN, where="minute < ?")
_ASKED = (  # in the innermost question: a year of all twins has millions of rows
    "minute >= :first AND minute < :last "
    "AND (:twin = '' OR twin = (SELECT id FROM names WHERE name = :twin)) "
    "AND (:partner IS NULL OR partner = 0 OR partner = (SELECT id FROM names WHERE name = :partner))"
)
_QUARTERS = f"SELECT * FROM energies WHERE step = 15 AND {_ASKED}"
_HOURS = f"SELECT * FROM energies WHERE step = 60 AND {_ASKED} UNION ALL " + _HOURLY.format(
    step=HOUR_MIN, where=_ASKED
)
_READ = (
    "SELECT minute, t.name, p.name, drawn_mwh, given_mwh, known_s FROM ({rows}) AS e "
    "JOIN names AS t ON t.id = e.twin JOIN names AS p ON p.id = e.partner "
    "ORDER BY minute, e.twin, e.partner LIMIT :most"
)


def energy_note(
    minute: int, twin: str, partner: str, drawn_wh: float, given_wh: float, known_s: float
) -> Note:
    """The entry for a quarter-hour, or for a part of one: parts add up."""
    mwh = round(1000 * drawn_wh), round(1000 * given_wh)
    return _ENERGY, (minute, Name(twin), Name(partner), *mwh, round(known_s))


def energies(
    file: HistoryFile, first: int, last: int, step: int, twin: str, partner: str | None
) -> Iterator[Energy]:
    """Those that begin in the minutes `first` to before `last`, oldest first; see `Store.energies`."""
    rows = _READ.format(rows=_HOURS if step == HOUR_MIN else _QUARTERS)
    values = {"first": first, "last": last, "twin": twin, "partner": partner, "most": MOST_ROWS}
    found = file.good(file.read(rows, values), _is_energy)
    for _, group in groupby(found, key=lambda row: row[:2]):  # the device comes first
        lines = list(group)
        quality, factor = _quality(lines[0][5] if lines[0][2] == "" else 0, 60 * step)
        for minute, name, other, drawn_mwh, given_mwh, _ in lines:
            if partner in (None, other):
                energy_wh = round(factor * drawn_mwh / 1000, 3), round(factor * given_mwh / 1000, 3)
                yield Energy(minute, name, other, *energy_wh, quality)


def _quality(known_s: int, whole_s: int) -> tuple[Quality, float]:
    """And the factor by which the known part is filled up to the whole."""
    if abs(known_s / whole_s - 1) <= 1 - _MEASURED:
        return Quality.MEASURED, 1.0
    if known_s >= _FILLED * whole_s:  # more than the whole when the date was set back
        return Quality.FILLED, whole_s / known_s
    return Quality.MISSING, 1.0


def _is_energy(row: Row) -> bool:
    minute, twin, partner, *numbers = row
    named = isinstance(twin, str) and isinstance(partner, str)
    return named and all(isinstance(each, int) for each in (minute, *numbers))
