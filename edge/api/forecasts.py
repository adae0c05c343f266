"""What a node shows of its learning: the state of its models, their predictions, and how good these were.

The newest predictions are read in the main thread; earlier ones come from the history, which is read in
the thread of the request. Times are shown as the node's civil time with its offset from UTC.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import orjson

from ..learn.terms import HORIZONS_MIN, LEADS_MIN, LEVELS
from ..terms import DAY_MIN, VARIABLES
from .context import Context
from .long import BLANK, Long, rows_in
from .parameters import BadRequest, Moment, Zone

if TYPE_CHECKING:
    from ..history.store import Store
    from ..learn.outlook import Forecast
    from ..node import Node
    from ..twins.prediction import Prediction
    from ..twins.scope import Scope

MOST_SCORED_DAYS = 100
_MOST_MINUTES = DAY_MIN  # of predictions in one answer

Limits = Annotated[list[list[float]], "upper limits of the first six states in W, by variable"]
Probabilities = Annotated[dict[str, dict[str, list[float]]], "of the seven states, by variable and horizon"]
Likeliest = Annotated[dict[str, dict[str, list[float]]], "[state 1 to 7, its probability], same order"]


class Training(TypedDict):
    steps: int
    accepted: bool
    loss_before: float | None
    loss_after: float | None


class ScopeState(TypedDict):
    model: str
    powers_w: Annotated[list[float] | None, "the six powers now"]
    limits_w: Limits
    ready: Annotated[bool, "the history was read; predictions follow"]
    working: Annotated[bool, "reads the history or trains"]
    minutes: Annotated[int, "that the model has seen"]
    last_minute: str | None
    trainings: int
    rejected: Annotated[int, "trainings that made the model worse, so that their result was not used"]
    last_training: Training | None
    merges: Annotated[int | None, "of models of neighbours; null without gossip"]
    gain: Annotated[
        float | None, "by how much the log loss is lower than that of the own model alone; null while unknown"
    ]
    faults: int
    trouble: Annotated[str, "the latest; empty when there was none"]


class Work(TypedDict):
    waits_for: Annotated[str, "why a training waits; empty when none does"]
    pieces: int
    cpu_s: float
    longest_piece_ms: Annotated[float, "CPU time"]


class HistoryFile(TypedDict):
    file: str
    bytes: int
    written: Annotated[int, "rows"]
    waiting: Annotated[int, "rows not written yet"]
    lost: Annotated[int, "rows that could not be kept"]
    thinned: Annotated[
        int, "updates of contracts and productions that were not written among the events, to spare the card"
    ]
    failures: int
    set_aside: Annotated[int, "damaged files that were replaced"]
    wrong_rows: Annotated[int, "rows with wrong values that were skipped"]


class _Learning(TypedDict, total=False):
    variables: list[str]
    nodes_summed: Annotated[int, "nodes that the cluster scope adds up"]
    trouble: Annotated[str, "of the weather file; empty when there is none"]
    work: Work


class Learning(_Learning):
    scopes: Annotated[dict[str, ScopeState], "by scope; empty without learning, and then the rest is missing"]
    history: HistoryFile


class Watts(TypedDict):
    at: Annotated[str, "minute after which it was made"]
    levels: Annotated[list[float], "of the quantiles"]
    quantiles_w: Annotated[
        dict[str, dict[str, list[int] | None]],
        "by variable and minutes ahead: of the power of that minute, from 120 on of the mean of the quarter "
        "of an hour that ends then; null where nothing is known",
    ]


class Newest(TypedDict):
    at: Annotated[str, "minute after which it was made"]
    model: str
    limits_w: Limits
    likeliest: Likeliest
    probabilities: Probabilities
    watts: Annotated[Watts | None, "the same in watts, with bands, for up to a day"]


class PastWatts(TypedDict):
    at: Annotated[str, "minute after which it was made"]
    quantiles_w: Annotated[list[list[list[int] | None]], "by variable and lead, at `levels`"]
    actual_w: Annotated[list[list[int | None]], "that were measured, by variable and lead"]


class WattsPeriod(TypedDict):
    scope: str
    variables: list[str]
    leads_min: list[int]
    levels: list[float]
    forecasts: list[PastWatts]


class Past(TypedDict):
    at: Annotated[str, "minute after which it was made"]
    model: str
    p: Annotated[list[list[list[int]]], "probabilities in thousandths, by variable, horizon and state"]
    actual: Annotated[list[list[int | None]], "state 1 to 7 that was measured, by variable and horizon"]


class Period(TypedDict):
    scope: str
    variables: list[str]
    horizons_min: list[int]
    predictions: list[Past]


class ModelScores(TypedDict):
    limits_w: Limits
    scores: Annotated[dict[str, dict[str, dict[str, Any]]], "by variable and horizon; see learning.md"]


Scores = TypedDict(
    "Scores",
    {
        "scope": str,
        "from": str,
        "to": str,
        "models": Annotated[dict[str, ModelScores], "by name"],
        "watts": Annotated[dict[str, dict[str, dict[str, Any]]], "by variable and minutes ahead"],
    },
)


def learning(context: Context) -> Learning:
    """Answers /learning."""
    service = context.service
    twin = context.node.learning
    file: Any = context.node.history.stats()
    if twin is None:
        return {"scopes": {}, "history": file}
    return {
        "variables": list(VARIABLES),
        "scopes": {
            name: _scope(scope, twin.running[name].powers_w, context.node.zone)
            for name, scope in twin.scopes.items()
        },
        "nodes_summed": twin.nodes_summed,
        "trouble": twin.trouble,
        "work": {
            "waits_for": service.waits_for if twin.has_work and twin.only_training else "",
            "pieces": service.pieces,
            "cpu_s": round(service.work_s, 3),
            "longest_piece_ms": round(1000 * service.longest_piece_s, 1),
        },
        "history": file,
    }


def predictions(
    context: Context, scope: str | None, begin: Moment | None, end: Moment | None
) -> dict[str, Newest | None] | Long[Period]:
    """Answers /predictions. Raises BadRequest."""
    if begin is None and end is None:
        return context.service.ask(lambda node: _newest(node, scope))
    zone = context.node.zone
    first, last = _span(begin, end, zone)
    return _period(history_of(context), scope or "node", first, last, zone)


def forecasts(context: Context, scope: str, begin: Moment | None, end: Moment | None) -> Long[WattsPeriod]:
    """Answers /forecasts. Raises BadRequest."""
    zone, history = context.node.zone, history_of(context)
    if begin is None and end is None:
        last = context.service.ask(lambda node: node.learning.minute if node.learning else None) or 0
        first = last - _MOST_MINUTES + 1
    else:
        first, last = _span(begin, end, zone)
    fields = {
        "scope": scope,
        "variables": list(VARIABLES),
        "leads_min": list(LEADS_MIN),
        "levels": list(LEVELS),
    }
    return Long(rows_in(fields, "forecasts", _past_watts(history, scope, first, last, zone)))


def scores(context: Context, scope: str, days: float) -> Long[Scores]:
    """Answers /scores. Raises BadRequest."""
    history = history_of(context)
    from . import reconcile, reconcile_watts

    last = context.service.ask(lambda node: node.learning.minute if node.learning else None) or 0
    first = last - round(days * DAY_MIN)
    zone = context.node.zone

    def pieces() -> Iterator[bytes]:
        models: Any = None
        watts: Any = None

        def work() -> Iterator[None]:
            nonlocal models, watts
            models = yield from reconcile.scores(history, scope, first, last, zone.offset_min)
            watts = yield from reconcile_watts.scores(history, scope, first, last)

        for _ in work():
            yield BLANK
        found: Scores = {
            "scope": scope,
            "from": zone.text(first),
            "to": zone.text(last),
            "models": models,
            "watts": watts,
        }
        yield orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)

    return Long(pieces())


# ---- inside --------------------------------------------------------------------------------------


def _scope(scope: "Scope", powers_w: tuple[float, ...] | None, zone: Zone) -> ScopeState:
    series, report = scope.learner.series, scope.report
    return {
        "model": scope.settings.model,
        "powers_w": [round(power_w, 1) for power_w in powers_w] if powers_w else None,
        "limits_w": _limits(scope),
        "ready": scope.ready,
        "working": scope.at_work,
        "minutes": len(series),
        "last_minute": None if series.last_minute is None else zone.text(series.last_minute),
        "trainings": scope.trainings,
        "rejected": scope.rejected,
        "last_training": None
        if report is None
        else {
            "steps": report.steps,
            "accepted": report.accepted,
            "loss_before": _finite(report.loss_before),
            "loss_after": _finite(report.loss_after),
        },
        "merges": None if scope.exchange is None else scope.exchange.merges,
        "gain": None if scope.exchange is None else scope.exchange.predictions.gain.overall,
        "faults": scope.faults,
        "trouble": scope.trouble,
    }


def _newest(node: "Node", asked: str | None) -> dict[str, Newest | None]:
    scopes = node.learning.scopes if node.learning else {}
    return {
        name: _prediction(scope, scope.prediction, node.zone) if scope.prediction else None
        for name, scope in scopes.items()
        if asked in (None, name)
    }


def _prediction(scope: "Scope", prediction: "Prediction", zone: Zone) -> Newest:
    rows = prediction.probabilities.tolist()
    return {
        "at": zone.text(prediction.minute),
        "model": scope.settings.model,
        "limits_w": _limits(scope),
        "likeliest": prediction.likeliest(),
        "probabilities": {
            variable: {
                str(horizon): [round(each, 4) for each in rows[v][h]]
                for h, horizon in enumerate(HORIZONS_MIN)
            }
            for v, variable in enumerate(VARIABLES)
        },
        "watts": _watts(scope.forecast, zone) if scope.forecast else None,
    }


def _watts(forecast: "Forecast", zone: Zone) -> Watts:
    from .reconcile_watts import in_watts

    return {
        "at": zone.text(forecast.minute),
        "levels": list(LEVELS),
        "quantiles_w": {
            variable: {
                str(lead_min): in_watts(forecast.powers_w[v, lead]) for lead, lead_min in enumerate(LEADS_MIN)
            }
            for v, variable in enumerate(VARIABLES)
        },
    }


def _span(begin: Moment | None, end: Moment | None, zone: Zone) -> tuple[int, int]:
    """The first and the last minute that were asked for. Raises BadRequest."""
    if begin is None or end is None:
        raise BadRequest(f"{'from' if begin is None else 'to'} is missing: expected both from and to")
    first, last = begin.utc(zone), end.utc(zone)
    if not 0 <= last - first < _MOST_MINUTES:
        period = f"from = {zone.text(first)}, to = {zone.text(last)}"
        raise BadRequest(f"{period}: expected `from` before `to`, and less than a day between them")
    return first, last


def _period(history: "Store", scope: str, first: int, last: int, zone: Zone) -> Long[Period]:
    fields = {"scope": scope, "variables": list(VARIABLES), "horizons_min": list(HORIZONS_MIN)}
    return Long(rows_in(fields, "predictions", _past(history, scope, first, last, zone)))


def _past(history: "Store", scope: str, first: int, last: int, zone: Zone) -> Iterator[Past]:
    from .reconcile import reconciled

    for batch in reconciled(history, scope, first, last):
        actual = batch.actual.astype(int) + 1
        for i, minute in enumerate(batch.minutes.tolist()):
            yield {
                "at": zone.text(minute),
                "model": batch.model,
                "p": (1000 * batch.probabilities[i]).round().astype(int).tolist(),
                "actual": [[each or None for each in row] for row in actual[i].tolist()],
            }


def _past_watts(history: "Store", scope: str, first: int, last: int, zone: Zone) -> Iterator[PastWatts]:
    from .reconcile_watts import in_watts, reconciled

    for batch in reconciled(history, scope, first, last):
        actual = batch.actual_w.tolist()
        for i, minute in enumerate(batch.minutes.tolist()):
            yield {
                "at": zone.text(minute),
                "quantiles_w": [[in_watts(each) for each in rows] for rows in batch.quantiles_w[i]],
                "actual_w": [[None if each != each else round(each) for each in row] for row in actual[i]],
            }


def history_of(context: Context) -> "Store":
    """The history, whose readers need numpy, which is there where the node learns. Raises BadRequest."""
    if context.node.learning is None:
        raise BadRequest("this node does not learn: [learning] names no model")
    return context.history


def _limits(scope: "Scope") -> list[list[float]]:
    return [[round(each, 3) for each in row] for row in scope.scale.limits_w.tolist()]


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
