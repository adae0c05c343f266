"""Energy of a period: what each twin drew and gave in each quarter-hour or hour, in all and by partner."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypedDict

from ..terms import DAY_MIN
from .answer import CSV
from .context import Context
from .long import Long, csv_lines, rows_in
from .parameters import BadRequest, Moment

if TYPE_CHECKING:
    from ..history.energies import Energy
    from ..history.store import Store

MOST_STEPS = 3000  # a month of quarter-hours
_READ_STEPS = 24  # at a time
_QUALITIES = ("measured", "filled", "missing")
_NAMES = ("time", "twin", "partner", "drawn_wh", "given_wh", "quality")
Partner = Annotated[str, 'a twin; "": the device, with all partners and none']
Quality = Annotated[
    str,
    "measured; filled: up to two thirds were not known and are taken to be like the rest; missing: less was "
    "known, and the energy is that part",
]


class EnergyRow(TypedDict):
    start_s: Annotated[int, "Unix time at which the step begins"]
    twin: str
    partner: Partner
    drawn_wh: Annotated[float, "that the twin drew from the partner"]
    given_wh: Annotated[float, "that it gave"]
    quality: Quality


class EnergySum(TypedDict):
    twin: str
    partner: Partner
    drawn_wh: float
    given_wh: float
    quality: Annotated[str, "the worst of its rows"]


class EnergyPeriod(TypedDict):
    from_s: Annotated[int, "Unix time"]
    to_s: int
    step: Annotated[int, "minutes"]
    energies: Annotated[list[EnergyRow], "oldest first; what is 0 is left out"]
    partners: Annotated[list[EnergySum], "sums of the period by twin and partner"]


def energy(
    context: Context,
    twin: str | None,
    partner: str | None,
    begin: Moment | None,
    end: Moment | None,
    step_text: str,
    form: str,
) -> Long[EnergyPeriod]:
    """Answers /energy. Raises BadRequest."""
    node, step = context.node, int(step_text)
    last = end.utc(node.zone) if end is not None else int(node.wall_s() // 60) + 1
    first = begin.utc(node.zone) if begin is not None else last - DAY_MIN
    first, last = first - first % step, last + -last % step
    if not 0 < last - first <= MOST_STEPS * step:
        period = f"from = {node.zone.text(first)}, to = {node.zone.text(last)}"
        raise BadRequest(
            f"{period}: expected `from` before `to`, and at most {MOST_STEPS} steps between them"
        )
    sees = context.caller.sees
    rows_found = _energies(context.history, first, last, step, twin or "", partner)
    found = (each for each in rows_found if sees(each.twin))
    if form == "csv":
        rows = ((f"{_time(each.minute):%Y-%m-%dT%H:%MZ}", *each[1:]) for each in found)
        return Long(csv_lines(_NAMES, rows), CSV)
    sums: dict[tuple[str, str], EnergySum] = {}
    fields = {"from_s": 60 * first, "to_s": 60 * last, "step": step}
    rows_shown = (_counted(each, sums) for each in found)
    return Long(rows_in(fields, "energies", rows_shown, lambda: {"partners": _rounded(sums)}))


def _energies(
    history: "Store", first: int, last: int, step: int, twin: str, partner: str | None
) -> "Iterator[Energy]":
    """Some steps at a time, so that they never stand in memory as a whole."""
    for start in range(first, last, _READ_STEPS * step):
        yield from history.energies(start, min(last, start + _READ_STEPS * step), step, twin, partner)


def _counted(row: "Energy", sums: dict[tuple[str, str], EnergySum]) -> EnergyRow:
    key = row.twin, row.partner
    total = sums.setdefault(
        key,
        {
            "twin": row.twin,
            "partner": row.partner,
            "drawn_wh": 0.0,
            "given_wh": 0.0,
            "quality": _QUALITIES[0],
        },
    )
    total["drawn_wh"] += row.drawn_wh
    total["given_wh"] += row.given_wh
    total["quality"] = max(total["quality"], str(row.quality), key=_QUALITIES.index)
    return {
        "start_s": 60 * row.minute,
        "twin": row.twin,
        "partner": row.partner,
        "drawn_wh": row.drawn_wh,
        "given_wh": row.given_wh,
        "quality": str(row.quality),
    }


def _rounded(sums: dict[tuple[str, str], EnergySum]) -> list[EnergySum]:
    for each in sums.values():
        each["drawn_wh"], each["given_wh"] = round(each["drawn_wh"], 3), round(each["given_wh"], 3)
    return [sums[key] for key in sorted(sums)]


def _time(minute: int) -> datetime:
    return datetime.fromtimestamp(60 * minute, UTC)
