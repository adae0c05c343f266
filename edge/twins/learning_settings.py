"""The sections `[learning]` and `[[boundary]]` of a configuration.

Without numpy, so that a configuration can be read on any node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..learn.registry import MODELS
from ..option import Matching, OneOf, Within
from ..terms import DAY_MIN, SCOPES, VARIABLES
from .download import is_address
from .gossip_settings import GossipSettings

NO_MODEL = "none"
_NO_GOSSIP = GossipSettings()
_MODEL = OneOf(NO_MODEL, *MODELS)
_NUMBER = r"([0-9]{1,10}\.?[0-9]{0,10}|\.[0-9]{1,10})"
_FIVE_NUMBERS = Matching(rf"\s*({_NUMBER}\s+){{4}}{_NUMBER}\s*", "five numbers with spaces between them")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundarySettings:
    """Limits of the states of one variable, in place of fifths of `max_power_w`."""

    scope: Annotated[str, OneOf(*SCOPES), "the node or the whole microgrid"]
    variable: Annotated[str, OneOf(*VARIABLES), "one of the six variables"]
    limits_w: Annotated[str, _FIVE_NUMBERS, "upper limits of states 2 to 6, such as 500 1000 1500 2000 2500"]

    @property
    def limits(self) -> tuple[float, ...]:
        """Five limits in W, each above the one before. Raises ValueError."""
        limits = tuple(float(each) for each in self.limits_w.split())
        if any(low >= high for low, high in zip((0.001, *limits), limits, strict=False)):
            raise ValueError("each limit must be above the one before")
        return limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSettings:
    """What the learning of one scope needs. `fitted`: limits of states are quantiles of the past."""

    scope: str
    model: str
    options: Mapping[str, object]
    max_power_w: float
    boundaries: Mapping[str, tuple[float, ...]]  # by variable, five upper limits in W
    fitted: bool
    train_every_min: int
    first_training_min: int
    memory_days: int
    history_file: Path | None
    forecast: str  # file or address of what others forecast

    @property
    def forecast_file(self) -> Path | None:
        """The file of `forecast`; None if it is an address."""
        return _file(self.forecast)


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningSettings:
    """The learning twin. It is there when at least one of the two scopes has a model."""

    node_model: Annotated[str, _MODEL, "model that predicts the powers of this node"] = NO_MODEL
    cluster_model: Annotated[str, _MODEL, "model that predicts the powers of the whole microgrid"] = NO_MODEL
    node_options: Annotated[str, "options of the node's model: name = value; name = value"] = ""
    cluster_options: Annotated[str, "options of the microgrid's model: name = value; name = value"] = ""
    max_power_w: Annotated[
        float, Within(1, 1e9), "MAX_POWER of the thesis, of which the states are fifths"
    ] = 3000.0
    cluster_max_power_w: Annotated[float, Within(0, 1e9), "the same for the microgrid; 0: as max_power_w"] = (
        0.0
    )
    boundaries: Annotated[
        str, OneOf("thesis", "fitted"), "limits of states: fifths of max_power_w, or quantiles of the past"
    ] = "thesis"
    train_every_min: Annotated[int, Within(1, DAY_MIN), "minutes between two trainings"] = 20
    first_training_min: Annotated[int, Within(10, 43200), "minutes of history before the first one"] = 180
    memory_days: Annotated[
        int, Within(1, 100), "days of minutes in memory for trainings: 39 kB for each day and scope"
    ] = 30
    node_history: Annotated[str, "CSV file of past minutes to start with: timestamp and the six powers"] = ""
    cluster_history: Annotated[str, "the same for the microgrid"] = ""
    weather: Annotated[
        str, "CSV file or http address: timestamp, irradiance_w_m2, temperature_c, of the past and forecast"
    ] = ""
    node_forecast: Annotated[
        str, "CSV file or http address of powers that others forecast: timestamp, some of the six powers"
    ] = ""
    cluster_forecast: Annotated[str, "the same for the microgrid"] = ""
    pause_load: Annotated[float, Within(0.1, 1000), "load per core above which training waits"] = 3.0
    pause_free_mb: Annotated[
        float, Within(0, 1e6), "free memory, without the page cache, below which training waits"
    ] = 16.0
    boundary: tuple[BoundarySettings, ...] = ()
    gossip: GossipSettings = _NO_GOSSIP

    @property
    def wanted(self) -> bool:
        """Whether there is anything to learn."""
        return any(self.model_of(scope) != NO_MODEL for scope in SCOPES)

    @property
    def weather_file(self) -> Path | None:
        """The file of `weather`; None if it is an address."""
        return _file(self.weather)

    @property
    def scopes(self) -> tuple[ScopeSettings, ...]:
        """The scopes that have a model. Raises ValueError for options or limits that cannot be read."""
        return tuple(self._scope(scope) for scope in SCOPES if self.model_of(scope) != NO_MODEL)

    def model_of(self, scope: str) -> str:
        """The name of the model of a scope."""
        return self.cluster_model if scope == "cluster" else self.node_model

    def options_of(self, scope: str) -> dict[str, object]:
        """The options of the model of a scope. Raises ValueError."""
        return read_options(self.cluster_options if scope == "cluster" else self.node_options)

    def _scope(self, scope: str) -> ScopeSettings:
        of_cluster = scope == "cluster"
        return ScopeSettings(
            scope=scope,
            model=self.model_of(scope),
            options=self.options_of(scope),
            max_power_w=(self.cluster_max_power_w if of_cluster else 0.0) or self.max_power_w,
            boundaries={each.variable: each.limits for each in self.boundary if each.scope == scope},
            fitted=self.boundaries == "fitted",
            train_every_min=self.train_every_min,
            first_training_min=self.first_training_min,
            memory_days=self.memory_days,
            history_file=_file(self.cluster_history if of_cluster else self.node_history),
            forecast=self.cluster_forecast if of_cluster else self.node_forecast,
        )


def read_options(text: str) -> dict[str, object]:
    """Options of a model, "cells = 32; inputs = power time"; numbers are numbers. Raises ValueError."""
    options: dict[str, object] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name.isidentifier() and equals and value):
            raise ValueError(f"`{part}` must have the form name = value")
        options[name] = _number(value)
    return options


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def _file(place: str) -> Path | None:
    return Path(place) if place and not is_address(place) else None
