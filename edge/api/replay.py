"""Predictions made again after past minutes, with what the model knows today (thesis 5.5.6).

A copy of the model and of what forecasts have learnt is made at each request, and is told the minutes before
each moment from the history. It has learnt them long ago, so it learns nothing. What neighbours have given is
not part of it: their counts, and their predictions of that time.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..learn.terms import HORIZONS_MIN, LEADS_MIN, LEVELS
from ..terms import DAY_MIN, VARIABLES
from .context import Context, Unavailable
from .forecasts import Limits, history_of
from .long import BLANK, Long, rows_in
from .parameters import BadRequest, Moment, Zone

if TYPE_CHECKING:
    from ..history.store import Store
    from ..learn.learner import Learner
    from ..learn.model import Model
    from ..learn.scores import Scores
    from ..learn.terms import Array
    from ..node import Node

MOST_MOMENTS = 288  # of one answer
QUARTER_MIN = 15
_LOOKS_BACK_MIN = 60
_PAST_DAYS = 29  # that forecasts in watts compare with


class Replayed(TypedDict):
    at: Annotated[str, "minute after which it is made"]
    p: Annotated[list[list[list[int]]], "probabilities in thousandths, by variable, horizon and state"]
    actual: Annotated[list[list[int | None]], "state 1 to 7 that was measured, by variable and horizon"]
    made: Annotated[
        list[list[list[int]]] | None, "what was predicted then, as `p`; null: nothing is kept of that minute"
    ]
    quantiles_w: Annotated[
        list[list[list[int] | None]] | None,
        "in watts, by variable and lead, at `levels`, after the quarter-hour that was over; null unless "
        "asked for",
    ]
    actual_w: Annotated[list[list[int | None]] | None, "that were measured, by variable and lead"]


class ReplayScore(TypedDict):
    n: int
    accuracy: float | None
    persistence_accuracy: float | None
    state_difference: float | None
    vector_difference: float | None
    shannon_entropy: float | None
    gini: float | None


class Replay(TypedDict):
    scope: str
    model: str
    limits_w: Limits
    variables: list[str]
    horizons_min: list[int]
    leads_min: list[int]
    levels: list[float]
    predictions: Annotated[list[Replayed], "moments at which too little was known are left out"]
    scores: Annotated[dict[str, dict[str, ReplayScore]], "of all of them, by variable and horizon"]


def replay(
    context: Context,
    scope: str,
    at: Moment | None,
    begin: Moment | None,
    end: Moment | None,
    step_text: str,
    watts: str,
) -> Long[Replay]:
    """Answers /replay. Raises BadRequest, Unavailable."""
    history, zone = history_of(context), context.node.zone
    minutes = _moments(zone, at, begin, end, int(step_text))
    last = context.service.ask(lambda node: _newest(node, scope))
    if minutes[-1] > last:
        raise BadRequest(
            f"{zone.text(minutes[-1])}: expected a minute that is over; the newest is {zone.text(last)}"
        )
    replaying = _Replaying(
        history, zone, scope, _copy(context, scope, watts == "yes"), minutes, watts == "yes"
    )
    return Long(replaying.pieces())


def _moments(zone: Zone, at: Moment | None, begin: Moment | None, end: Moment | None, step: int) -> list[int]:
    if at is not None:
        if begin is not None or end is not None:
            raise BadRequest("at: expected either at, or from and to")
        return [at.utc(zone)]
    if begin is None or end is None:
        raise BadRequest("expected at for one moment, or from and to for several")
    found = list(range(begin.utc(zone), end.utc(zone) + 1, step)[: MOST_MOMENTS + 1])
    if not 0 < len(found) <= MOST_MOMENTS:
        raise BadRequest(f"expected `from` before `to`, and at most {MOST_MOMENTS} moments between them")
    return found


def _newest(node: "Node", scope: str) -> int:
    """The newest minute of a scope. Raises BadRequest, Unavailable."""
    twin = node.learning
    if twin is None or scope not in twin.scopes:
        raise BadRequest(f"scope = {scope}: this node has no model of it", key="scope", value=scope)
    found = twin.scopes[scope]
    if not found.ready or found.learner.series.last_minute is None:
        raise Unavailable("the history is being read, ask again later")
    return found.learner.series.last_minute


def _copy(context: Context, scope: str, watts: bool) -> "Learner":
    """A learner that knows what the one of the scope knows now, and has no minutes."""
    from ..learn.learner import Learner

    def saved(node: "Node") -> tuple[Any, bytes, bytes]:
        learner = node.learning.scopes[scope].learner  # type: ignore[union-attr]  # `_newest` has looked
        return learner.settings, learner.model.save(), learner.outlook.save()

    settings, model, outlook = context.service.ask(saved)
    memory_min = (_PAST_DAYS + 2) * DAY_MIN if watts else 2 * DAY_MIN
    learner = Learner(replace(settings, memory_min=memory_min), random.Random(0))
    learner.model.load(model)
    learner.outlook.load(outlook)
    return learner


def looks_back_min(model: "Model") -> int:
    """How many minutes a model has to be told before it predicts as if it had seen all of them."""
    return max(_LOOKS_BACK_MIN, getattr(model, "looks_back_min", 0))


class _Replaying:
    """One answer while it is made."""

    def __init__(
        self, history: "Store", zone: Zone, scope: str, learner: "Learner", minutes: list[int], watts: bool
    ) -> None:
        self._history, self._zone, self._scope = history, zone, scope
        self._learner, self._minutes, self._watts = learner, minutes, watts
        self._warm = minutes[0] - looks_back_min(learner.model)
        self._first = minutes[0] - _PAST_DAYS * DAY_MIN if watts else self._warm

    def pieces(self) -> Iterator[bytes]:
        """The JSON text."""
        from ..learn.heap import trim
        from ..learn.scores import Scores
        from .reconcile import measured

        last = self._minutes[-1] + (LEADS_MIN[-1] if self._watts else HORIZONS_MIN[-1])
        loading = measured(self._history, self._scope, self._first, last)
        while True:
            try:
                next(loading)
            except StopIteration as done:
                powers_w: Array = done.value
                break
            yield BLANK
        learner, scores = self._learner, Scores()
        fields = {
            "scope": self._scope,
            "model": learner.model.name,
            "limits_w": [
                [round(each, 3) for each in row] for row in learner.settings.scale.limits_w.tolist()
            ],
            "variables": list(VARIABLES),
            "horizons_min": list(HORIZONS_MIN),
            "leads_min": list(LEADS_MIN),
            "levels": list(LEVELS),
        }
        rows = self._rows(powers_w, scores)
        yield from rows_in(fields, "predictions", rows, lambda: {"scores": _shown(scores)})
        trim()

    def _rows(self, powers_w: "Array", scores: "Scores") -> Iterator[Replayed]:
        import numpy as np

        from ..learn.outlook import is_whole
        from .reconcile_watts import after

        learner, wanted = self._learner, set(self._minutes)
        scale, calendar = learner.settings.scale, learner.settings.calendar
        quarters = {each - (each + 1) % QUARTER_MIN for each in wanted}  # that are over at these moments
        watts: tuple[Any, Any] = None, None
        for minute in range(self._first, self._minutes[-1] + 1):
            now_w = powers_w[minute - self._first]
            learner.series.append(minute, now_w)
            if minute >= self._warm and not np.isnan(now_w).all():
                learner.model.observe(minute, now_w)
            if self._watts and minute in quarters and is_whole(minute):
                watts = after(powers_w, minute - self._first, learner.forecast_now())
            if minute not in wanted or (made := learner.predict()) is None:
                continue
            ahead_w = powers_w[minute - self._first + np.array(HORIZONS_MIN)]
            now, actual = scale.of(now_w[None]), scale.of(ahead_w).T[None]
            scores.add(made[None], now, actual, calendar.civil_minutes(np.array([minute])))
            yield {
                "at": self._zone.text(minute),
                "p": (1000 * made).round().astype(int).tolist(),
                "actual": [[each + 1 or None for each in row] for row in actual[0].astype(int).tolist()],
                "made": self._made(minute),
                "quantiles_w": watts[0],
                "actual_w": watts[1],
            }

    def _made(self, minute: int) -> list[list[list[int]]] | None:
        """What was predicted then."""
        from .reconcile import reconciled

        for batch in reconciled(self._history, self._scope, minute, minute):
            found: list[list[list[int]]] = (1000 * batch.probabilities[0]).round().astype(int).tolist()
            return found
        return None


def _shown(scores: "Scores") -> dict[str, dict[str, Any]]:
    return {
        variable: {
            horizon: {key: each[key] for key in ReplayScore.__annotations__} for horizon, each in of.items()
        }
        for variable, of in scores.report().items()
    }
