"""How well the nodes of a simulated microgrid predicted their states: mean scores over all nodes."""

from collections.abc import Iterable
from typing import Any

from edge.api.reconcile import scores
from edge.learn.model import finish
from edge.learn.terms import HORIZONS_MIN
from edge.node import Node
from edge.terms import VARIABLES

_KEYS = ("accuracy", "persistence_accuracy", "majority_accuracy", "log_loss")
_GOSSIP = ("models_sent", "models_received", "merged", "adopted", "refused")
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


def gossiped(nodes: Iterable[Node]) -> dict[str, Any]:
    """By scope the sums over all nodes of what was exchanged, and the mean gain in nats."""
    found: dict[str, dict[str, Any]] = {}
    gains: dict[str, list[float]] = {}
    for node in nodes:
        for name, scope in node.learning.scopes.items() if node.learning else ():
            if scope.exchange is None:
                continue
            told, sums = scope.exchange.stats(), found.setdefault(name, dict.fromkeys(_GOSSIP, 0))
            counts = (told["sent"]["models"], told["received"]["models"], told["merged"], told["adopted"])
            for key, count in zip(_GOSSIP, (*counts, sum(told["refused"].values())), strict=True):
                sums[key] += count
            gain = scope.exchange.predictions.gain.overall
            gains.setdefault(name, []).extend([] if gain is None else [gain])
    for name, sums in found.items():
        sums["gain"] = round(sum(gains[name]) / len(gains[name]), 4) if gains[name] else None
    return found


def _add(sums: dict[str, float], report: dict[str, Any]) -> None:
    for variable in VARIABLES:
        for horizon in HORIZONS_MIN:
            cell = report[variable][str(horizon)]
            sums["n"] = sums.get("n", 0) + cell["n"]
            for key in _KEYS:
                sums[key] = sums.get(key, 0.0) + cell["n"] * (cell[key] or 0.0)


def _means(sums: dict[str, float]) -> dict[str, Any]:
    return {"n": int(sums["n"])} | {key: round(sums[key] / sums["n"], 4) for key in _KEYS}
