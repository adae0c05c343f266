"""What a node shows of its gossip: what was sent, received, merged and refused, who contributes, the gain."""

from typing import Annotated, Any, TypedDict

from .context import Context

ByVariable = dict[str, float | None]


class Kinds(TypedDict):
    models: int
    predictions: int


class Bytes(TypedDict):
    per_hour: Annotated[int, "most bytes of models in an hour, to all neighbours together"]
    last_hour: Annotated[int, "of them used in the last 60 minutes"]
    sent: Annotated[int, "since the start"]
    received: Annotated[int, "of models, since the start"]
    by_hour: Annotated[dict[str, int], "used in each hour of the clock, by its number since 1970"]


class Exchanged(TypedDict):
    here: Annotated[bool, "false: its learning twin has left; what was merged of it stays"]
    heard_min_ago: int
    model_age_min: Annotated[float | None, "since its last training; null without a model of it"]
    model: Annotated[str | None, "the name of its model"]
    missing: Annotated[list[str], "variables whose weights are lost, and are asked for"]
    distance_w: Annotated[ByVariable | None, "of the power profiles, mean of two hours"]
    model_weight: Annotated[ByVariable | None, "at the last merge"]
    prediction_weight: Annotated[ByVariable | None, "now, mean of the horizons"]


class OwnWeight(TypedDict):
    models: ByVariable | None
    predictions: ByVariable | None


class LastMerge(TypedDict, total=False):
    operators: Annotated[dict[str, str], "of each variable"]
    minute: Annotated[int, "since 1970; missing before the first merge"]
    adopted: Annotated[list[str], "variables whose merged networks passed the gate"]
    returned: Annotated[list[str], "variables whose networks from before an earlier merge serve again"]
    left_out: Annotated[dict[str, int], "variables of a neighbour that were clearly worse here"]


class ScopeGossip(TypedDict):
    sent: Kinds
    received: Kinds
    settled: Annotated[int, "minutes whose prediction was agreed on with neighbours, with `consensus`"]
    merged: Annotated[int, "merges"]
    adopted: Annotated[int, "merges after which merged networks serve for at least one variable"]
    refused: Annotated[dict[str, int], "messages, by reason"]
    refused_why: Annotated[dict[str, str], "why the last message of a neighbour was refused"]
    waited_for_budget: Annotated[int, "minutes in which a model was due and the hour's bytes were used up"]
    bytes: Bytes
    contributors: dict[str, Exchanged]
    own_weight: OwnWeight
    last_merge: LastMerge
    prediction_operators: Annotated[dict[str, list[str]], "with `auto`: in use, by variable and horizon"]
    gain: Annotated[
        dict[str, dict[str, Any]],
        "log loss and accuracy of the published predictions beside those of the own model alone: `all`, and "
        "by variable and horizon; recent days weigh more",
    ]
    memory_bytes: Annotated[int, "weights and counts held of neighbours, and for them"]


class Gossip(TypedDict):
    scopes: Annotated[dict[str, ScopeGossip], "by scope; empty without gossip"]


def gossip(context: Context) -> Gossip:
    """Answers /gossip."""
    twin = context.node.learning
    scopes = {} if twin is None else twin.scopes
    found: dict[str, Any] = {
        name: scope.exchange.stats() for name, scope in scopes.items() if scope.exchange is not None
    }
    return {"scopes": found}
