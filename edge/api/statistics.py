"""Statistics of predictions, by day, variable, horizon and hour, merged and filtered (thesis 5.5.5)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import orjson

from ..learn.terms import HORIZONS_MIN
from ..terms import DAY_MIN, VARIABLES
from .context import Context
from .forecasts import history_of
from .long import BLANK, Long
from .parameters import BadRequest, Moment, Text, Zone

if TYPE_CHECKING:
    from ..learn.statistics import Group

MOST_DAYS, _MOST_SINGLE_DAYS = 100, 7
_KINDS = "days|variables|horizons|hours"
MERGE = Text(
    "merge",
    "what is put together",
    "days",
    rf"(?:{_KINDS}|none)(?:,(?:{_KINDS})){{0,3}}",
    "days, variables, horizons and hours, with commas between them, or none",
)
Share = float | None
States = list[float]


class Statistic(TypedDict):
    model: str
    day: Annotated[str | None, "of the targets, by the civil time of the node; null: all"]
    variable: Annotated[str | None, "null: all"]
    horizon_min: Annotated[int | None, "null: all"]
    hour: Annotated[int | None, "of the day, of the targets; null: all"]
    n: Annotated[int, "predictions"]
    accuracy: Annotated[Share, "how often the likeliest state happened"]
    persistence_accuracy: Annotated[Share, "of the prediction that nothing changes"]
    majority_accuracy: Annotated[Share, "of the most frequent state until then"]
    skill: Annotated[Share, "the share of the errors of persistence that is avoided"]
    log_loss: Share
    brier: Share
    state_difference: Annotated[
        Share, "mean of the differences: half of |probability - 1 or 0| over the states, by prediction"
    ]
    vector_difference: Annotated[
        Share,
        "difference of the means: half of |mean probability - share of the time| over the states, by hour",
    ]
    shannon_entropy: Annotated[Share, "of the states that happened in an hour, in bits"]
    gini: Annotated[Share, "of the same"]
    promised: Annotated[States, "mean of the probabilities of state 1 to 7"]
    happened: Annotated[States, "how often each state happened"]


Statistics = TypedDict(
    "Statistics",
    {
        "scope": str,
        "from": str,
        "to": str,
        "rows": Annotated[list[Statistic], "groups with at least `least` predictions"],
        "totals": Annotated[list[Statistic], "of all that count, by model"],
    },
)


def statistics(
    context: Context,
    scope: str,
    begin: Moment | None,
    end: Moment | None,
    variable: str | None,
    horizon: str | None,
    first_hour: int,
    last_hour: int,
    merge: str,
    least: int,
    trivial: str,
) -> Long[Statistics]:
    """Answers /statistics. Raises BadRequest."""
    history, zone = history_of(context), context.node.zone
    from ..learn.statistics import Asked
    from ..learn.statistics import Statistics as Sums
    from . import reconcile

    last = end.utc(zone) if end is not None else int(context.node.wall_s() // 60)
    first = begin.utc(zone) if begin is not None else last - 7 * DAY_MIN
    merged = merge.split(",")
    most = MOST_DAYS if "days" in merged else _MOST_SINGLE_DAYS
    if not 0 <= last - first <= most * DAY_MIN:
        single = "" if "days" in merged else " when days are not merged"
        period = f"from = {zone.text(first)}, to = {zone.text(last)}"
        raise BadRequest(
            f"{period}: expected `from` before `to`, and at most {most} days between them{single}"
        )
    span = range(first_hour, last_hour + 1)
    hours = span if span else [*range(first_hour, 24), *range(last_hour + 1)]  # through midnight
    sums = Sums(
        Asked(
            range(len(VARIABLES)) if variable is None else [VARIABLES.index(variable)],
            range(len(HORIZONS_MIN)) if horizon is None else [HORIZONS_MIN.index(int(horizon))],
            hours,
            trivial == "yes",
            merged,
        )
    )

    def pieces() -> Iterator[bytes]:
        for _ in reconcile.judged(history, scope, first, last, zone.offset_min, sums.add):
            yield BLANK
        found: dict[str, Any] = {
            "scope": scope,
            "from": zone.text(first),
            "to": zone.text(last),
            "rows": [_row(group, shown, zone) for group, shown in sums.rows(least)],
            "totals": [_row(group, shown, zone) for group, shown in sums.totals()],
        }
        yield orjson.dumps(found)

    return Long(pieces())


def _row(group: "Group", shown: dict[str, Any], zone: Zone) -> dict[str, Any]:
    from ..learn.statistics import named

    day = None if group.day is None else zone.text(group.day * DAY_MIN + DAY_MIN // 2)[:10]
    return {**named(group), "day": day, **shown}
