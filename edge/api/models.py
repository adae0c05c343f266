"""What a model has learnt of one variable: matrices of chains with counts and days, weights of networks.

(thesis 5.5.4.) A scope and a variable at a time, row by row, so that it never stands in memory as text.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import orjson

from ..terms import DAY_MIN
from .context import Context
from .long import Long
from .parameters import BadRequest, Zone

if TYPE_CHECKING:
    from ..learn.contents import Chains, Contents, Layer, Network
    from ..node import Node
    from ..twins.scope import Scope

SLOTS = 19  # of the day: the night until 6, then each hour
_DIGITS = 5
Matrix = list[list[float]]


class DayCounts(TypedDict):
    day: Annotated[str, "by the civil time of the node"]
    counts: Annotated[list[Matrix], "by context"]


class SlotMatrices(TypedDict):
    slot: Annotated[int, "0: from 0 to 6, then 1 for each hour, until 18: from 23 to 24"]
    context: Annotated[int, "weekday or weekend, or class of irradiance; 0 if there is one for all"]
    counts: Annotated[Matrix, "present state, state a minute later: minutes observed here"]
    foreign: Annotated[Matrix | None, "the same from neighbours; null without any"]
    probabilities: Annotated[Matrix, "as they predict; where little was seen, completed by the whole day"]


class ChainsAnswer(TypedDict):
    contexts: int
    window_days: Annotated[int, "older days are forgotten"]
    days: Annotated[list[str], "that count, oldest first"]
    slots: list[SlotMatrices]
    by_day: Annotated[list[DayCounts], "counts of single days, of the slot that was asked for"]


class LayerAnswer(TypedDict):
    name: str
    kind: Annotated[str, "lstm (gates in the order input, forget, cell, output) or dense"]
    w: Annotated[Matrix, "of the inputs: a row for each input"]
    u: Annotated[Matrix | None, "of the cells a minute before; null: none"]
    b: Annotated[list[float] | None, "bias; null: none"]


class NetworkAnswer(TypedDict):
    inputs: Annotated[list[str], "blocks of inputs"]
    trained: bool
    layers: list[LayerAnswer]


class ModelAnswer(TypedDict):
    scope: str
    variable: str
    model: str
    limits_w: Annotated[list[float], "upper limits of the first six states in W"]
    minutes: Annotated[int, "in the history of the model"]
    last_minute: str | None
    experts: Annotated[
        dict[str, list[float]] | None, "of a mixture: their weights by horizon; null for other models"
    ]
    shares: Annotated[list[float] | None, "of the seven states, of a model that knows only those"]
    chains: ChainsAnswer | None
    networks: list[NetworkAnswer]


def models(context: Context, scope: str, variable: str, slot: int | None) -> Long[ModelAnswer]:
    """Answers /models. Raises BadRequest."""
    from ..terms import VARIABLES

    number = VARIABLES.index(variable)

    def look(node: "Node") -> "tuple[dict[str, Any], Contents]":
        found = scope_of(node, scope)
        series = found.learner.series
        fields = {
            "scope": scope,
            "variable": variable,
            "model": found.learner.model.name,
            "limits_w": [round(float(each), 3) for each in found.scale.limits_w[number, 1:]],
            "minutes": len(series),
            "last_minute": None if series.last_minute is None else node.zone.text(series.last_minute),
        }
        return fields, contents_of(found, number, slot)

    fields, contents = context.service.ask(look)
    return Long(_pieces(fields, contents, slot, context.node.zone))


def scope_of(node: "Node", scope: str) -> "Scope":
    """The learning of a scope. Raises BadRequest."""
    twin = node.learning
    if twin is None or scope not in twin.scopes:
        raise BadRequest(f"scope = {scope}: this node has no model of it", key="scope", value=scope)
    return twin.scopes[scope]


def contents_of(scope: "Scope", variable: int, slot: int | None = None) -> "Contents":
    """What its model has learnt; empty for a model that has nothing to show."""
    from ..learn.contents import Contents, ShowsContents

    model = scope.learner.model
    return model.contents(variable, slot) if isinstance(model, ShowsContents) else Contents()


def _pieces(fields: dict[str, Any], contents: "Contents", slot: int | None, zone: Zone) -> Iterator[bytes]:
    experts = contents.experts
    fields |= {
        "experts": None if experts is None else {name: _numbers(each) for name, each in experts.items()},
        "shares": None if contents.shares is None else _numbers(contents.shares),
    }
    yield orjson.dumps(fields)[:-1] + b',"chains":'
    if contents.chains is None:
        yield b"null"
    else:
        yield from _chains(contents.chains, slot, zone)
    yield b',"networks":['
    for number, network in enumerate(contents.networks):
        yield b"," if number else b""
        yield from _network(network)
    yield b"]}"


def _chains(chains: "Chains", slot: int | None, zone: Zone) -> Iterator[bytes]:
    head = {
        "contexts": chains.contexts,
        "window_days": chains.window_days,
        "days": [_day(each, zone) for each in chains.days],
    }
    yield orjson.dumps(head)[:-1] + b',"slots":['
    places = [(at, context) for at in range(chains.counts.shape[1]) for context in range(chains.contexts)]
    shown = [place for place in places if slot in (None, place[0])]
    for number, (at, context) in enumerate(shown):
        foreign = chains.foreign
        matrices: SlotMatrices = {
            "slot": at,
            "context": context,
            "counts": chains.counts[context, at].tolist(),
            "foreign": None if foreign is None else foreign[context, at].round(2).tolist(),
            "probabilities": _numbers(chains.chances[context, at]),
        }
        yield (b"," if number else b"") + orjson.dumps(matrices)
    yield b'],"by_day":['
    for number, each in enumerate(chains.by_day):
        day: DayCounts = {"day": _day(each.day, zone), "counts": each.counts.tolist()}
        yield (b"," if number else b"") + orjson.dumps(day)
    yield b"]}"


def _network(network: "Network") -> Iterator[bytes]:
    head = {"inputs": list(network.inputs), "trained": network.trained}
    yield orjson.dumps(head)[:-1] + b',"layers":['
    for number, layer in enumerate(network.layers):
        yield b"," if number else b""
        yield from _layer(layer)
    yield b"]}"


def _layer(layer: "Layer") -> Iterator[bytes]:
    yield orjson.dumps({"name": layer.name, "kind": layer.kind})[:-1]
    for key in ("w", "u"):
        yield f',"{key}":'.encode()
        matrix = getattr(layer, key)
        if matrix is None:
            yield b"null"
            continue
        for number, row in enumerate(matrix):
            yield (b"," if number else b"[") + orjson.dumps(_numbers(row))
        yield b"]"
    yield b',"b":' + orjson.dumps(None if layer.b is None else _numbers(layer.b)) + b"}"


def _numbers(values: Any) -> Any:
    return values.astype(float).round(_DIGITS).tolist()


def _day(day: int, zone: Zone) -> str:
    return zone.text(day * DAY_MIN + DAY_MIN // 2)[:10]
