"""The section `[[twin]]` of a configuration."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from ..energy.daily_run import RunSettings
from ..energy.flows import PowerSource
from ..energy.messages import Priority
from ..energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from ..energy.rules import BATTERY_LEAST_WH, CATEGORY_MAX, STORAGE_RETRY_S, STORAGE_WAIT_S
from ..option import NAME, Matching, OneOf, Within
from .registry import DEVICES, GRIDS, RUNNING

GIVING = ("all", "altruist", "free_rider", "graded", "learning")
_GREEN, _GREY = 2, 3  # environmental impact of sun, wind and water, and of everything else
_TEXT = Matching(rf".{{0,{CATEGORY_MAX}}}", f"at most {CATEGORY_MAX} characters")


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
    bargain_rounds: Annotated[
        int,
        Within(0, 16),
        "rounds at most in which it negotiates the price of a contract; 0: it does not. A supplier begins "
        "with what it asks anyway",
    ] = 0
    bargain_price: Annotated[
        float,
        Within(0, 1e5),
        "price per kWh beyond which it agrees to nothing: below it as a supplier, above it as a consumer",
    ] = 0.0
    bargain_first: Annotated[float, Within(0, 1e5), "first price per kWh that it bids as a consumer"] = 0.0
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
    storage_fill: Annotated[
        float,
        Within(0, 1),
        "how much of its capacity kind `storage` fills from free power with `always`; the rest is left to "
        "donations",
    ] = 1.0
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
        """How many properties of its LSA are bids, of the common storage, a grid operator or a gate."""
        bids = int(self.bargain_rounds > 0 and self.consumes)
        own = {"storage": 2, "dso": 2, "holon": 1}
        return bids + own.get(self.kind, int(self.donates > 0))

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
