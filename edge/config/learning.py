"""Checks of `[learning]`, `[[boundary]]` and `[history]` that concern more than one key, or files."""

import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from ..clock import zone_of
from ..terms import SCOPES
from ..twins.learning_settings import NO_MODEL, LearningSettings
from ..twins.model_options import mistakes as option_mistakes
from .settings import HistorySettings, LimitSettings, NodeConfig

Complain = Callable[[str, object, str], None]  # key, value, reason
_HEAP_SHARE = 0.8  # that models may take for some seconds
_PREDICTION_BYTES = 1024  # six variables, four horizons, seven probabilities as JSON


def check_learning(
    learning: LearningSettings,
    limits: LimitSettings,
    history: HistorySettings,
    neighbours: int,
    complain: Complain,
) -> None:
    """Complain about what the ranges of single keys cannot tell."""
    for scope in SCOPES:
        key, model = f"{scope}_options", learning.model_of(scope)
        try:
            options = learning.options_of(scope)
        except ValueError as error:
            complain(f"learning.{key}", getattr(learning, key), str(error))
        else:
            for mistake in option_mistakes(model, options) if model != NO_MODEL else ():
                complain(f"learning.{key}", getattr(learning, key), mistake)
    if learning.wanted and limits.value_bytes < _PREDICTION_BYTES:
        reason = f"must be at least {_PREDICTION_BYTES} for predictions"
        complain("limits.value_bytes", limits.value_bytes, reason)
    if learning.wanted:
        _check_gossip(learning, limits, neighbours, complain)
    if learning.wanted and history.days < learning.memory_days:
        reason = f"must be at least learning.memory_days = {learning.memory_days}"
        complain("history.days", history.days, reason)
    _check_boundaries(learning, complain)


def _check_gossip(
    learning: LearningSettings, limits: LimitSettings, neighbours: int, complain: Complain
) -> None:
    gossip = learning.gossip
    scopes = sum(learning.model_of(scope) != NO_MODEL for scope in SCOPES)
    messages = scopes * (
        1 + min(neighbours, gossip.most_neighbours)
    )  # own ones, and those of neighbours until they are read
    if gossip.models == "on" and messages * gossip.message_bytes > _HEAP_SHARE * 1024 * limits.heap_kb:
        least = math.ceil(messages * gossip.message_bytes / 1024 / _HEAP_SHARE)
        reason = f"must be at least {least} for gossip with {neighbours} neighbours"
        complain("limits.heap_kb", limits.heap_kb, reason)
    if gossip.models == "on" and gossip.message_bytes > limits.value_bytes:
        reason = f"must be at most limits.value_bytes = {limits.value_bytes}"
        complain("gossip.message_bytes", gossip.message_bytes, reason)
    for key in ("operators", "prediction_operators"):
        try:
            _ = getattr(gossip, f"{key[:-1]}_by_variable")
        except ValueError as error:
            complain(f"gossip.{key}", getattr(gossip, key), str(error))


def _check_boundaries(learning: LearningSettings, complain: Complain) -> None:
    seen = set()
    for i, each in enumerate(learning.boundary):
        try:
            _ = each.limits
        except ValueError as error:
            complain(f"boundary[{i}].limits_w", each.limits_w, str(error))
        if (each.scope, each.variable) in seen:
            complain(f"boundary[{i}].variable", each.variable, f"duplicate for scope {each.scope}")
        seen.add((each.scope, each.variable))


def check_past(config: NodeConfig) -> Iterator[str]:
    """Read the files of past minutes and of weather to their end, and tell which cannot be used.

    A node starts without them; so this is for people who check a configuration.
    """
    from ..twins.past import (
        PastError,
        forecast_of,
        minutes_of,
        weather_of,
    )  # csv and gzip, which a node need not load

    if config.learning is None:
        return
    if find_spec("numpy") is None:
        yield "[learning]: numpy is missing, install the extra `learn`"
    zone = zone_of(config.node.timezone)
    try:
        if config.learning.weather_file:
            weather_of(config.learning.weather_file, zone)
    except PastError as error:
        yield f"learning.weather: {error}"
    for scope in config.learning.scopes:
        try:
            if scope.history_file:
                for _ in minutes_of(scope.history_file, zone):
                    pass
        except PastError as error:
            yield f"learning.{scope.scope}_history: {error}"
        try:
            if scope.forecast_file:
                forecast_of(scope.forecast_file, zone)
        except PastError as error:
            yield f"learning.{scope.scope}_forecast: {error}"
