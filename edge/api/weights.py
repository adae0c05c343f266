"""What each node counted in the last aggregations of a variable: of models and of predictions.

(thesis 5.5.7.) Weights of models are those of the last merge and hold for all slots of the day; what a merge
has changed in a slot are the counts of others that complete the own ones.
"""

from typing import TYPE_CHECKING, Annotated, TypedDict

from ..learn.terms import HORIZONS_MIN
from ..terms import VARIABLES
from .context import Context
from .models import Matrix, contents_of, scope_of
from .parameters import BadRequest

if TYPE_CHECKING:
    from ..node import Node


class NodeWeight(TypedDict):
    node: str
    own: Annotated[bool, "it is this node"]
    model_weight: Annotated[float | None, "at the last merge; null: it was not part of it"]
    prediction_weights: Annotated[list[float | None] | None, "now, by horizon; null: not part of it"]
    distance_w: Annotated[float | None, "of its power profile from the own one, mean of two hours"]
    model_age_min: Annotated[float | None, "since its last training; null without a model of it"]


class SlotChains(TypedDict):
    slot: int
    own: Annotated[Matrix, "minutes observed here: present state, state a minute later"]
    others: Annotated[Matrix | None, "of neighbours; null without any"]
    probabilities: Annotated[Matrix, "of the own ones, as they predict"]


class Weights(TypedDict):
    scope: str
    variable: str
    horizons_min: list[int]
    model_operator: Annotated[str | None, "of the last merge; null before the first one"]
    merged_at: Annotated[str | None, "when that was"]
    prediction_operators: Annotated[list[str], "by horizon"]
    nodes: Annotated[list[NodeWeight], "this one first"]
    persistence_weights: Annotated[list[float] | None, "what the nodes leave to persistence, by horizon"]
    chains: Annotated[list[SlotChains], "by context, of the slot that was asked for; empty for other models"]


def weights(context: Context, scope: str, variable: str, slot: int | None) -> Weights:
    """Answers /weights. Raises BadRequest."""
    node = context.node
    found = scope_of(node, scope)
    if found.exchange is None:
        raise BadRequest(f"scope = {scope}: there is no gossip in it", key="scope", value=scope)
    exchange, number = found.exchange, VARIABLES.index(variable)
    told = exchange.stats()
    ensemble = exchange.predictions.ensemble

    def by_horizon(source: str) -> list[float | None] | None:
        each = None if ensemble is None else ensemble.weights.get(source)
        if each is not None:
            return [round(float(weight), 4) for weight in each[number]]
        mean = exchange.predictions.weights.get(source)
        return None if mean is None else [round(float(mean[number]), 4)] * len(HORIZONS_MIN)

    left: list[float] | None = None
    if ensemble is not None:
        given = zip(*(each[number].tolist() for each in ensemble.weights.values()), strict=True)
        left = [round(max(0.0, 1.0 - sum(each)), 4) for each in given]
    contributors = told["contributors"]
    own = told["own_weight"]["models"]
    nodes: list[NodeWeight] = [
        {
            "node": node.config.name,
            "own": True,
            "model_weight": None if own is None else own[variable],
            "prediction_weights": by_horizon(""),
            "distance_w": None,
            "model_age_min": float(found.learner.age_min),
        }
    ]
    for name, each in contributors.items():
        models, distances = each["model_weight"], each["distance_w"]
        nodes.append(
            {
                "node": name,
                "own": False,
                "model_weight": None if models is None else models[variable],
                "prediction_weights": by_horizon(name),
                "distance_w": None if distances is None else distances[variable],
                "model_age_min": each["model_age_min"],
            }
        )
    last = told["last_merge"]
    asked = found.exchange.settings.prediction_operator_of(variable)
    return {
        "scope": scope,
        "variable": variable,
        "horizons_min": list(HORIZONS_MIN),
        "model_operator": last.get("operators", {}).get(variable),
        "merged_at": node.zone.text(last["minute"]) if "minute" in last else None,
        "prediction_operators": exchange.predictions.chosen.get(variable, [asked] * len(HORIZONS_MIN)),
        "nodes": nodes,
        "persistence_weights": left,
        "chains": [] if slot is None else _chains(node, scope, number, slot),
    }


def _chains(node: "Node", scope: str, variable: int, slot: int) -> list[SlotChains]:
    chains = contents_of(scope_of(node, scope), variable).chains
    if chains is None:
        return []
    foreign = chains.foreign
    return [
        {
            "slot": slot,
            "own": chains.counts[context, slot].tolist(),
            "others": None if foreign is None else foreign[context, slot].round(2).tolist(),
            "probabilities": chains.chances[context, slot].round(5).tolist(),
        }
        for context in range(chains.contexts)
    ]
