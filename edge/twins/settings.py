"""The sections `[[twin]]`, `[learning]` and `[[boundary]]` of a configuration.

Without numpy, so that a configuration can be read on any node.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from ..energy.daily_run import RunSettings
from ..energy.flows import PowerSource
from ..energy.messages import Priority
from ..energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from ..energy.rules import BATTERY_LEAST_WH, CATEGORY_MAX, STORAGE_RETRY_S, STORAGE_WAIT_S
from ..learn.registry import MODELS
from ..option import NAME, Matching, OneOf, Within
from ..terms import DAY_MIN, SCOPES, VARIABLES
from .download import is_address
from .gossip_settings import GossipSettings
from .registry import DEVICES, GRIDS, RUNNING

NO_MODEL = "none"
GIVING = ("all", "altruist", "free_rider", "graded", "learning")
_NO_GOSSIP = GossipSettings()
_GREEN, _GREY = 2, 3  # environmental impact of sun, wind and water, and of everything else
_MODEL = OneOf(NO_MODEL, *MODELS)
_NUMBER = r"([0-9]{1,10}\.?[0-9]{0,10}|\.[0-9]{1,10})"
_TEXT = Matching(rf".{{0,{CATEGORY_MAX}}}", f"at most {CATEGORY_MAX} characters")
_FIVE_NUMBERS = Matching(rf"\s*({_NUMBER}\s+){{4}}{_NUMBER}\s*", "five numbers with spaces between them")


class CivilTime:
    """A date and time by the clock on the wall, or an empty text."""

    words = "a date and time such as 2026-12-01T08:00"

    def allows(self, value: str) -> bool:
        """Whether there is such a date."""
        try:
            return value == "" or (len(value) == 16 and bool(datetime.fromisoformat(value)))
        except ValueError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSettings:
    """A digital twin: one device that consumes, produces, or does both."""

    name: Annotated[str, NAME, "name of the twin"]
    kind: Annotated[
        str,
        OneOf(*DEVICES),
        "kind of device: load, photovoltaics, battery, a building behind one meter, both (a device with one "
        "meter input for each direction), house (its load is derived from the meters around it), grid "
        "connection, dso (the same with its operator, who also limits members and pays for what they feed "
        "in), shiftable load (runs when there is power), deferrable load (when power is cheapest), "
        "storage (the common battery of the microgrid, at most one), holon (what passes to and from another "
        "microgrid at a gate, see `[holon]`)",
    ]
    input: Annotated[
        str,
        "meter input, such as m1.total; with `both` that of the consumption, with `house` that of the grid",
    ] = ""
    sign: Annotated[
        int,
        OneOf(1, -1),
        "sign of `input`: -1 if the meter counts in the other direction. With 1 positive means drawn, with "
        "`pv` produced, with `grid` imported",
    ] = 1
    production_input: Annotated[str, "meter input of the production, with `both` and `house`"] = ""
    production_sign: Annotated[
        int, OneOf(1, -1), "sign of `production_input`: with 1 positive means produced"
    ] = 1
    battery_input: Annotated[str, "meter input of the battery, with `house`"] = ""
    battery_sign: Annotated[
        int, OneOf(1, -1), "sign of `battery_input`: with 1 positive means that the battery charges"
    ] = 1
    connection: Annotated[
        str,
        OneOf("shared", "own"),
        "`shared`: behind the meter of the building or house of this node, if there is one; `own`: that "
        "meter does not see it",
    ] = "shared"
    power_w: Annotated[float, Within(-1e7, 1e7), "constant power of a device without a meter"] = 0.0
    capacity_w: Annotated[
        float,
        Within(0, 1e7),
        "most that a grid connection can supply; with `holon` most that it passes to its microgrid, 0: all",
    ] = 0.0
    relay: Annotated[str, "relay that cuts the device off"] = ""
    flexible: Annotated[
        str,
        OneOf("no", "switched", "dimmed"),
        "whether external limits may reduce it: `no` for household load, `switched` by its relay, `dimmed` "
        "if the device obeys the `limit_w` that the node shows",
    ] = "no"
    rated_w: Annotated[
        float,
        Within(0, 1e7),
        "rated power of a flexible device; 0: not known. Above 4200 it is guaranteed power",
    ] = 0.0
    circuit: Annotated[str, "circuit of the building it is connected to, which a limit can name"] = ""
    relay_follows: Annotated[
        str,
        OneOf("orders", "contract"),
        "`orders`: the relay opens on stop orders only; `contract`: it is closed while a `load` is supplied",
    ] = "orders"
    relay_least_on_s: Annotated[
        float, Within(0, 3600), "how long a relay that follows the contract stays closed at least"
    ] = 60.0
    relay_least_off_s: Annotated[float, Within(0, 3600), "how long it stays open at least"] = 60.0
    begin: Annotated[
        str, CivilTime(), "date from which it requests or produces, by `[node] timezone`; empty: always"
    ] = ""
    end: Annotated[str, CivilTime(), "date until which it requests or produces; empty: always"] = ""
    category: Annotated[
        str, _TEXT, 'category of the device, such as heating or ICT; told with `[community] data = "open"`'
    ] = ""
    place: Annotated[str, _TEXT, "where the device is"] = ""
    panel: Annotated[str, _TEXT, "electrical panel that it is connected to"] = ""
    sensor: Annotated[str, _TEXT, "number or name of its sensor"] = ""
    people: Annotated[
        int, Within(0, 10000), "people in its household, for the quotas of the community; 0: not known"
    ] = 0
    floor_area_m2: Annotated[float, Within(0, 1e6), "floor area of its household; 0: not known"] = 0.0
    priority: Annotated[Priority, "priority of its requests"] = Priority.LOW
    accepts: Annotated[
        str, OneOf("whole", "partial"), "whether it accepts a contract for a part of its need"
    ] = "whole"
    tolerance_s: Annotated[
        float, Within(0, 86400), "how long it repeats a request that nobody serves; 0: no limit"
    ] = 0.0
    price: Annotated[
        float,
        Within(0, 1e6),
        "price of its production per kWh, in the currency of the community; with `holon` a fee beside what "
        "was paid in the other microgrid",
    ] = 0.0
    prices: Annotated[
        str, "prices by time of day in place of `price`, by `[node] timezone`: 06:00 0.30; 22:00 0.18"
    ] = ""
    prices_from: Annotated[
        str,
        "CSV or JSON file, or http address, of day-ahead prices per MWh; `prices` hold where it has none",
    ] = ""
    price_factor: Annotated[float, Within(0, 100), "factor of a day-ahead price, as for tax"] = 1.0
    price_markup: Annotated[
        float, Within(-1e5, 1e5), "what is added to a day-ahead price, per kWh, as for fees"
    ] = 0.0
    pricing: Annotated[
        str, OneOf("fixed", "dynamic"), "whether its prices rise when little is left: up to ten times"
    ] = "fixed"
    feed_in_prices: Annotated[
        str, "of kind `dso`: what it pays for energy that no contract takes, as `prices`; empty: nothing"
    ] = ""
    most_import_w: Annotated[
        float, Within(0, 1e9), "of kind `dso`: most that all members may draw together; 0: no limit"
    ] = 0.0
    most_export_w: Annotated[
        float, Within(0, 1e9), "of kind `dso`: most that all members may feed in together; 0: no limit"
    ] = 0.0
    impact: Annotated[
        int, Within(0, 9), "environmental impact of its production; 0: 2 for pv, 3 for other kinds"
    ] = 0
    giving: Annotated[str, OneOf(*GIVING), "how generous it is to other members"] = "all"
    producer_policy: Annotated[str, OneOf(*PRODUCER_POLICIES), "which requests it serves first"] = (
        "prioritisation"
    )
    consumer_policy: Annotated[str, OneOf(*CONSUMER_POLICIES), "which offers it accepts first"] = (
        "least_distance"
    )
    run_s: Annotated[
        float, Within(1, 86400), "how long a `shiftable` or `deferrable` load runs, once a day"
    ] = 3600.0
    within_s: Annotated[float, Within(0, 86400), "how long it may wait to start"] = 28800.0
    ready_hour: Annotated[
        float, Within(0, 24), "hour of the day, by `[node] timezone`, from which it is ready"
    ] = 0.0
    meter_grace_s: Annotated[float, Within(1, 3600), "how long contracts survive without readings"] = 30.0
    contract_s: Annotated[float, Within(20, 86400), "longest duration of a contract"] = 3600.0
    disabled_s: Annotated[float, Within(1, 86400), "how long the twin stays off after a stop order"] = 300.0
    battery_wh: Annotated[
        float, Within(0, 1e9), "capacity of its own battery, or of kind `storage`; 0: it has none"
    ] = 0.0
    battery_meter: Annotated[
        str, "meter of a real battery, which kind `storage` reads and steers; empty: a simulated one"
    ] = ""
    battery_charge_w: Annotated[float, Within(0, 1e7), "highest power that charges the battery"] = 1e7
    battery_discharge_w: Annotated[float, Within(0, 1e7), "highest power that the battery gives"] = 1e7
    battery_efficiency: Annotated[
        float, Within(0.1, 1), "share of the energy taken in that the battery gives back"
    ] = 1.0
    battery_reserve_wh: Annotated[
        float, Within(0, 1e9), "energy that the battery keeps for needs of high priority"
    ] = 0.0
    battery_least_wh: Annotated[
        float, Within(0, 1e9), "with less energy in it, an own battery does not step in"
    ] = BATTERY_LEAST_WH
    donates: Annotated[
        float, Within(0, 1), "share of its unused energy that it gives to the common storage"
    ] = 0.0
    donates_to: Annotated[str, "the storage that it gives to, as node.twin; empty: the first by name"] = ""
    storage_wait_s: Annotated[
        float, Within(0, 3600), "how old a request must be before kind `storage` answers it"
    ] = STORAGE_WAIT_S
    storage_retry_s: Annotated[
        float,
        Within(0, 86400),
        "how long kind `storage` supplies before it lets others try again, which may cost the consumer "
        "`storage_wait_s`; 0: as long as the contract lasts",
    ] = STORAGE_RETRY_S
    holon_wait_s: Annotated[
        float,
        Within(0, 60),
        "how old a request must be before kind `holon` asks for it in the other microgrid",
    ] = 0.6
    storage_plan: Annotated[
        str,
        OneOf("donations", "forecast", "always"),
        "how kind `storage` is charged: by donations alone; also from free power, before a shortage that the "
        "learning twin of its node predicts for the microgrid; or from free power whenever there is some",
    ] = "donations"
    promises: int  # limits.promises of the node
    offers: int  # limits.offers of the node

    @property
    def consumes(self) -> bool:
        """Whether it may need power."""
        return DEVICES[self.kind].consumes or (self.kind == "storage" and self.storage_plan != "donations")

    @property
    def supplies(self) -> bool:
        """Whether it may have power for others."""
        return DEVICES[self.kind].supplies

    @property
    def twin_class(self) -> str:
        """Module and class of its twin."""
        if self.kind == "storage":
            return DEVICES[self.kind].twin if self.storage_plan == "donations" else "planning:PlanningTwin"
        if self.battery_wh:
            return "storing:StoringTwin"
        return "donor:DonorTwin" if self.donates else DEVICES[self.kind].twin

    @property
    def other_properties(self) -> int:
        """How many properties of its LSA are about the common storage, or are those of a grid operator."""
        return 2 if self.kind in ("storage", "dso") else int(self.donates > 0)

    @property
    def is_green(self) -> bool:
        """Whether its production comes from sun, wind or water."""
        return self.environmental_impact <= _GREEN

    @property
    def schedule(self) -> tuple[tuple[int, float], ...]:
        """Its prices by second of the day. Raises ValueError."""
        from ..energy.tariff import read_schedule

        return read_schedule(self.prices) or ((0, self.price),)

    @property
    def feed_in_schedule(self) -> tuple[tuple[int, float], ...]:
        """What a grid operator pays by second of the day; empty: nothing. Raises ValueError."""
        from ..energy.tariff import read_schedule

        return read_schedule(self.feed_in_prices)

    @property
    def has_tariff(self) -> bool:
        """Whether it tells all what it has left, and at which prices."""
        return bool(self.prices or self.prices_from) or self.pricing == "dynamic"

    @property
    def is_grid(self) -> bool:
        """Whether it is a connection to the public grid, of which the meter shows what flows."""
        return self.kind in GRIDS

    @property
    def source(self) -> PowerSource:
        """Where its supply comes from."""
        return DEVICES[self.kind].source

    @property
    def inputs(self) -> dict[str, int]:
        """The sign of each meter input that it follows."""
        signs = {
            self.input: self.sign,
            self.production_input: self.production_sign,
            self.battery_input: self.battery_sign,
        }
        return {name: sign for name, sign in signs.items() if name}

    @property
    def partial(self) -> bool:
        """Whether a part of its need is better than nothing."""
        return self.accepts == "partial" or self.kind in ("storage", "holon")

    @property
    def environmental_impact(self) -> int:
        """The impact of its offers, low is green."""
        return self.impact or (_GREEN if self.kind == "pv" else _GREY)

    @property
    def run(self) -> RunSettings | None:
        """The daily run of a shiftable or deferrable load; None for other kinds."""
        if self.kind not in RUNNING:
            return None
        return RunSettings(
            power_w=self.power_w, run_s=self.run_s, within_s=self.within_s, ready_hour=self.ready_hour
        )


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
