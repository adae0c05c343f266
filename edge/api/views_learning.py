"""What a node shows of its learning: its state, what it foretells, how good that was.

The state and the newest predictions are asked of the main thread; the past is read from the history by
the thread of who asks. Times are those of the node's civil clock.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..learn.terms import HORIZONS_MIN
from ..service.runtime import Runtime
from ..terms import DAY_MIN, VARIABLES
from .server import BadRequest

if TYPE_CHECKING:
    from ..twins.scope import Prediction, Scope

_EPOCH = datetime(1970, 1, 1)
_MOST_DAYS = 100
_MOST_ROWS = DAY_MIN
Parameters = Mapping[str, str]


def learning(runtime: Runtime) -> dict[str, Any]:
    """How learning is: by scope the model, what it knows, its trainings; the history; what work waits for."""
    node = runtime.node
    twin, history = node.learning, node.history
    if twin is None or history is None:
        return {"scopes": {}}
    return {
        "variables": VARIABLES,
        "scopes": {name: _scope(scope, twin.running[name].powers_w) for name, scope in twin.scopes.items()},
        "nodes_summed": twin.nodes_summed,
        "trouble": twin.trouble,
        "work": {
            "waits_for": runtime.waits_for if twin.has_work and twin.only_training else "",
            "pieces": runtime.pieces,
            "cpu_s": round(runtime.work_s, 3),
            "longest_piece_ms": round(1000 * runtime.longest_piece_s, 1),
        },
        "history": history.stats(),
    }


def newest(runtime: Runtime) -> dict[str, Any]:
    """What is foretold now: by scope the probabilities of the seven states, by variable and horizon."""
    twin = runtime.node.learning
    found = {}
    for name, scope in twin.scopes.items() if twin else ():
        found[name] = _prediction(scope, scope.prediction) if scope.prediction else None
    return found


def predictions(runtime: Runtime, asked: Parameters) -> Any:
    """`scope`, `from` and `to` (YYYY-MM-DDTHH:MM, at most a day apart): what was foretold, and what came;
    without them the newest."""
    if not asked:
        return runtime.ask(lambda _: newest(runtime))
    from .hindsight import reconciled

    first, last = (_minute(asked, key) for key in ("from", "to"))
    if not 0 <= last - first < _MOST_ROWS:
        raise BadRequest(f"from = {asked['from']}, to = {asked['to']}: at most a day, forwards")
    store, scope = _history(runtime), _scope_name(asked)
    rows = []
    for batch in reconciled(store, scope, first, last):
        came = batch.came.astype(int) + 1
        for i, minute in enumerate(batch.minutes.tolist()):
            thousandths = (1000 * batch.probabilities[i]).round().astype(int).tolist()
            rows.append(
                {
                    "at": _time(minute),
                    "model": batch.model,
                    "p": thousandths,
                    "came": [[each or None for each in row] for row in came[i].tolist()],
                }
            )
    return {"scope": scope, "variables": VARIABLES, "horizons_min": HORIZONS_MIN, "predictions": rows}


def scores(runtime: Runtime, asked: Parameters) -> Any:
    """`scope` and `days` (default 7): how good each model was, beside persistence and the usual state."""
    from . import hindsight

    try:
        days = float(asked.get("days", "7"))
    except ValueError:
        days = math.nan
    if not 0 < days <= _MOST_DAYS:
        raise BadRequest(f"days = {asked['days']}: a number up to {_MOST_DAYS} expected")
    store, scope = _history(runtime), _scope_name(asked)
    last = runtime.ask(lambda node: node.learning.minute if node.learning else None) or 0
    first = last - round(days * DAY_MIN)
    return {
        "scope": scope,
        "from": _time(first),
        "to": _time(last),
        "models": hindsight.scores(store, scope, first, last),
    }


# ---- inside --------------------------------------------------------------------------------------


def _scope(scope: "Scope", powers_w: tuple[float, ...] | None) -> dict[str, Any]:
    series, report = scope.learner.series, scope.report
    return {
        "model": scope.settings.model,
        "powers_w": [round(power_w, 1) for power_w in powers_w] if powers_w else None,
        "limits_w": [[round(each, 3) for each in row] for row in scope.scale.limits_w.tolist()],
        "ready": scope.ready,
        "working": scope.at_work,
        "minutes": len(series),
        "last_minute": None if series.last_minute is None else _time(series.last_minute),
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
        "faults": scope.faults,
        "trouble": scope.trouble,
    }


def _prediction(scope: "Scope", prediction: "Prediction") -> dict[str, Any]:
    rows = prediction.probabilities.tolist()
    return {
        "at": _time(prediction.minute),
        "model": scope.settings.model,
        "limits_w": [[round(each, 3) for each in row] for row in scope.scale.limits_w.tolist()],
        "likeliest": prediction.likeliest(),
        "probabilities": {
            variable: {
                str(horizon): [round(each, 4) for each in rows[v][h]]
                for h, horizon in enumerate(HORIZONS_MIN)
            }
            for v, variable in enumerate(VARIABLES)
        },
    }


def _history(runtime: Runtime) -> Any:
    if runtime.node.history is None:
        raise BadRequest("this node does not learn: [learning] names no model")
    return runtime.node.history


def _scope_name(asked: Parameters) -> str:
    scope = asked.get("scope", "node")
    if scope not in ("node", "cluster"):
        raise BadRequest(f"scope = {scope}: node or cluster expected")
    return scope


def _minute(asked: Parameters, key: str) -> int:
    try:
        since = datetime.fromisoformat(asked[key]) - _EPOCH
    except (KeyError, ValueError, TypeError):
        raise BadRequest(f"{key} = {asked.get(key)}: YYYY-MM-DDTHH:MM expected") from None
    return since // timedelta(minutes=1)


def _time(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).isoformat(timespec="minutes")


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
