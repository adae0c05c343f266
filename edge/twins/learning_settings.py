"""What the learning twin is told. Without numpy, so that a configuration can be read anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Boundaries = Mapping[str, tuple[float, ...]]  # by variable, five upper limits in W


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """Of one scope, node or cluster. `fitted`: states follow the quantiles of what was seen."""

    scope: str
    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    max_power_w: float = 3000.0
    boundaries: Boundaries = field(default_factory=dict)
    fitted: bool = False
    train_every_min: int = 20
    first_training_min: int = 180
    memory_days: int = 30
    history_file: Path | None = None


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """Of a node that learns: at least one scope."""

    scopes: tuple[ScopeSettings, ...]
    history_days: int = 100
    predictions_days: int = 30
    weather_file: Path | None = None
    timezone: str = ""
    pause_load: float = 3.0
    pause_free_mb: float = 16.0


def read_options(text: str) -> dict[str, object]:
    """Options of a model, "cells = 32; inputs = power time"; numbers are numbers. Raises ValueError."""
    options: dict[str, object] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise ValueError(f"{part!r}: name = value expected")
        options[name] = _number(value)
    return options


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def rising(limits_w: str) -> tuple[float, ...]:
    """Five limits of states in W, each above the one before. Raises ValueError."""
    limits = tuple(float(each) for each in limits_w.split())
    if any(low >= high for low, high in zip((0.001, *limits), limits, strict=False)):
        raise ValueError("each must be above the one before")
    return limits
