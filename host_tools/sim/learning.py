"""How well the nodes of a simulated microgrid predicted their states: mean scores over all nodes."""

from collections.abc import Iterable
from typing import Any

from edge.api.reconcile import scores
from edge.learn.model import finish
from edge.learn.terms import HORIZONS_MIN
from edge.node import Node
from edge.terms import VARIABLES

_KEYS = ("accuracy", "persistence_accuracy", "majority_accuracy", "log_loss")
_EVER = 2**40  # minutes


def scored(nodes: Iterable[Node]) -> dict[str, Any] | None:
    """By scope the number of scored predictions and their mean scores; None if there are none."""
    sums: dict[str, dict[str, float]] = {}
    for node in nodes:
        for scope in node.learning.scopes if node.learning else ():
            store = node.history
            found = finish(scores(store, scope, 0, _EVER)) if store else {}
            for model in found.values():
                _add(sums.setdefault(scope, {}), model["scores"])
    return {scope: _means(each) for scope, each in sums.items() if each.get("n")} or None


def _add(sums: dict[str, float], report: dict[str, Any]) -> None:
    for variable in VARIABLES:
        for horizon in HORIZONS_MIN:
            cell = report[variable][str(horizon)]
            sums["n"] = sums.get("n", 0) + cell["n"]
            for key in _KEYS:
                sums[key] = sums.get(key, 0.0) + cell["n"] * (cell[key] or 0.0)


def _means(sums: dict[str, float]) -> dict[str, Any]:
    return {"n": int(sums["n"])} | {key: round(sums[key] / sums["n"], 4) for key in _KEYS}
