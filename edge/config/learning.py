"""The `[learning]` and `[[boundary]]` sections of a configuration, checked and made into settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..clock import civil_minutes
from ..twins.learning_settings import LearningSettings, ScopeSettings, read_options, rising

SCOPES = ("node", "cluster")
OFF = "none"
_PREDICTION_BYTES = 1024  # six variables, four horizons, seven probabilities as JSON
Row = dict[str, Any]


def check_learning(tables: dict[str, list[Row]], complain: Callable[[str, object, str], None]) -> None:
    """Complain of what the ranges of single keys cannot tell."""
    row = tables["learning"][0]
    for scope in SCOPES:
        key = f"{scope}_options"
        try:
            read_options(row[key])
        except ValueError as error:
            complain(f"learning.{key}", row[key], str(error))
    if row["timezone"]:
        try:
            civil_minutes(row["timezone"])
        except (OSError, ValueError, KeyError):
            complain("learning.timezone", row["timezone"], "no such time zone here")
    value_bytes = tables["limits"][0]["value_bytes"]
    if value_bytes < _PREDICTION_BYTES and any(row[f"{scope}_model"] != OFF for scope in SCOPES):
        complain("limits.value_bytes", value_bytes, f"{_PREDICTION_BYTES} needed for predictions")
    if row["history_days"] < row["memory_days"]:
        complain("learning.history_days", row["history_days"], f"at least memory_days = {row['memory_days']}")
    seen = set()
    for i, each in enumerate(tables["boundary"]):
        try:
            rising(each["limits_w"])
        except ValueError as error:
            complain(f"boundary[{i}].limits_w", each["limits_w"], str(error))
        if (each["scope"], each["variable"]) in seen:
            complain(f"boundary[{i}].variable", each["variable"], f"stands twice for {each['scope']}")
        seen.add((each["scope"], each["variable"]))


def learning_of(tables: dict[str, list[Row]]) -> LearningSettings | None:
    """What the learning twin is told; None when no scope has a model."""
    row = tables["learning"][0]
    scopes = tuple(_scope(scope, row, tables["boundary"]) for scope in SCOPES if row[f"{scope}_model"] != OFF)
    if not scopes:
        return None
    return LearningSettings(
        scopes,
        row["history_days"],
        row["predictions_days"],
        _file(row["weather"]),
        row["timezone"],
        row["pause_load"],
        row["pause_free_mb"],
    )


def _scope(scope: str, row: Row, boundaries: list[Row]) -> ScopeSettings:
    own_w = row["cluster_max_power_w"] if scope == "cluster" else 0.0
    return ScopeSettings(
        scope,
        row[f"{scope}_model"],
        read_options(row[f"{scope}_options"]),
        own_w or row["max_power_w"],
        {each["variable"]: rising(each["limits_w"]) for each in boundaries if each["scope"] == scope},
        row["boundaries"] == "fitted",
        row["train_every_min"],
        row["first_training_min"],
        row["memory_days"],
        _file(row[f"{scope}_history"]),
    )


def _file(path: str) -> Path | None:
    return Path(path) if path else None
