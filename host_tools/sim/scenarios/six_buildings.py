"""A day of measured buildings behind a grid connection that is too small in the evening, with two batteries.

One building, the second with photovoltaics, has a battery of its own; another battery is common. How much of
what is missing without batteries do they save, of what perfect foresight would save? Needs --data, a folder
of node files with at least a week before the day.
"""

import atexit
import csv
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.energy.battery import BatteryLimits
from edge.terms import VARIABLES
from host_tools.measured import measured
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series, grid_connection
from host_tools.microgrid.replay import DataError, files_of, parse_start
from host_tools.sim.ceiling import Site, least_missing_wh
from host_tools.sim.clock_axis import Begin
from host_tools.sim.scenario import Figure, Parameter, Scenario, ScenarioError, Setting
from host_tools.world.clock import VirtualClock

if TYPE_CHECKING:
    from edge.node import Node
    from host_tools.sim.outcome import Outcome

PLANS = ("off", "donations", "forecast", "always")
_DEFAULT_START = "2014-06-16T00:00"
_PAST_DAYS = 14
_MINUTE_S, _DAY_MIN = 60, 1440
_EFFICIENCY = 0.9
Column = npt.NDArray[np.float64]


@lru_cache(maxsize=2)
def _powers(data: Path, start: datetime, hours: float) -> tuple[tuple[str, Column, Column], ...]:
    """Name, load and production of each building by minute, from two weeks before the start."""
    first_s = int((start - timedelta(days=_PAST_DAYS)).timestamp())
    count = _PAST_DAYS * _DAY_MIN + round(60 * hours) + 2
    found: list[tuple[str, Column, Column]] = []
    for path in files_of(data):
        powers = {"load": np.zeros(count), "pv": np.zeros(count)}
        for row in measured(path, tell=lambda text: None):
            minute = (int(row.time_s) - first_s) // _MINUTE_S
            if 0 <= minute < count and row.kind in powers and row.power_w == row.power_w:
                powers[row.kind][minute] += row.power_w
        found.append((f"b{len(found) + 1}", powers["load"], powers["pv"]))
    return tuple(found)


def build(setting: Setting) -> list[BuildingPlan]:
    """A node for each building: its load, and its photovoltaics if it has any. Raises ScenarioError."""
    values = setting.values
    if setting.data is None:
        raise ScenarioError("six_buildings needs --data, a folder of measured buildings")
    if values["plan"] not in PLANS:
        raise ScenarioError(f"plan = {values['plan']!r}: must be one of {', '.join(PLANS)}")
    try:
        powers = _powers(setting.data, _start(setting), setting.hours)
    except DataError as error:
        raise ScenarioError(str(error)) from None
    if setting.nodes and len(setting.nodes) != len(powers):
        raise ScenarioError(f"nodes = {len(setting.nodes)}: {setting.data} contains {len(powers)} files")
    owner = _owner(powers)
    plans = [_building(*each, is_owner=i == owner) for i, each in enumerate(powers)]
    for plan, name in zip(plans, setting.nodes, strict=False):
        plan.name = name
    batteries = values["plan"] != "off"
    if batteries and owner is not None:
        plans[owner].devices[0].twin.update(
            battery_wh=values["own_wh"],
            battery_charge_w=values["own_wh"] / 2,
            battery_discharge_w=values["own_wh"] / 2,
            battery_efficiency=_EFFICIENCY,
        )
    plans[0].extra.append(grid_connection(values["grid_w"]))
    if batteries:
        plans[-1].extra.append(
            {
                "name": "storage",
                "kind": "storage",
                "connection": "own",
                "battery_wh": values["common_wh"],
                "battery_charge_w": values["common_wh"] / 2,
                "battery_discharge_w": values["common_wh"] / 2,
                "battery_efficiency": _EFFICIENCY,
                "storage_wait_s": values["wait_s"],
                "storage_plan": values["plan"],
                "storage_fill": values["fill"],
            }
        )
    if values["plan"] == "forecast":
        plans[-1].learning = {
            "cluster_model": "persistence",
            "cluster_max_power_w": 4 * values["grid_w"],
            "cluster_history": str(_past(powers, values["grid_w"])),
        }
    return plans


def _owner(powers: tuple[tuple[str, Column, Column], ...]) -> int | None:
    """The building with a battery of its own: the first with photovoltaics."""
    return next((i for i, (_, _, pv_w) in enumerate(powers) if pv_w.any()), None)


def _building(name: str, load_w: Column, pv_w: Column, is_owner: bool) -> BuildingPlan:
    """One with a battery of its own has one meter for both directions, others a meter for each device."""
    partial = {"accepts": "partial"}
    if is_owner:
        return BuildingPlan(name, [DevicePlan("home", "building", _course(load_w - pv_w), twin=partial)])
    plan = BuildingPlan(name, [DevicePlan("load", "load", _course(load_w), twin=partial)])
    if pv_w.any():
        plan.devices.append(DevicePlan("roof", "pv", _course(pv_w), twin={"donates": 1.0}))
    return plan


def _course(power_w: Column) -> Series:
    day_w = power_w[_PAST_DAYS * _DAY_MIN :]
    return Series([float(_MINUTE_S * i) for i in range(len(day_w))], day_w.tolist())


def _past(powers: tuple[tuple[str, Column, Column], ...], grid_w: float) -> Path:
    """The six powers of the microgrid in the minutes before the run, on the calendar of the simulation."""
    folder = Path(tempfile.mkdtemp(prefix="past-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    owner = _owner(powers)
    count = _PAST_DAYS * _DAY_MIN
    requested_w, produced_w = np.zeros(count), np.full(count, grid_w)
    for i, (_, load_w, pv_w) in enumerate(powers):
        net_w = (load_w - pv_w)[:count]
        requested_w += np.maximum(0.0, net_w) if i == owner else load_w[:count]
        produced_w += np.maximum(0.0, -net_w) if i == owner else pv_w[:count]
    used_w = np.minimum(requested_w, produced_w)
    columns = (requested_w, produced_w, used_w, used_w, requested_w - used_w, produced_w - used_w)
    begin = datetime.fromtimestamp(VirtualClock().wall_s(), UTC) - timedelta(days=_PAST_DAYS)
    path = folder / "cluster.csv"
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", *(f"{each}_w" for each in VARIABLES)])
        for i, row in enumerate(np.stack(columns, axis=1).round(1).tolist()):
            writer.writerow([f"{begin + timedelta(minutes=i):%Y-%m-%dT%H:%MZ}", *row])
    return path


def _start(setting: Setting) -> datetime:
    return parse_start(setting.start or _DEFAULT_START)


def site_of(setting: Setting) -> Site:
    """What the linear programme needs to know of a run."""
    assert setting.data is not None
    values, begin = setting.values, _PAST_DAYS * _DAY_MIN
    minutes = slice(begin, begin + round(60 * setting.hours))
    powers = _powers(setting.data, _start(setting), setting.hours)
    owner = _owner(powers)
    nets_w = [(load_w - pv_w)[minutes] for _, load_w, pv_w in powers]
    nothing_w = np.zeros_like(nets_w[0])
    own_w = nothing_w if owner is None else nets_w[owner]

    def battery(capacity_wh: float) -> BatteryLimits | None:
        power_w = capacity_wh / 2
        if not capacity_wh:
            return None
        return BatteryLimits(
            capacity_wh=capacity_wh, charge_w=power_w, discharge_w=power_w, efficiency=_EFFICIENCY
        )

    return Site(
        others_w=sum(nets_w, start=nothing_w) - own_w,
        own_w=own_w,
        grid_w=values["grid_w"],
        common=battery(values["common_wh"]),
        own=battery(values["own_wh"]),
    )


def figures(setting: Setting, outcome: "Outcome", nodes: "Sequence[Node]") -> list[Figure]:
    """The share of the gain that perfect foresight would have."""
    site = site_of(setting)
    lacks_wh, least_wh = float(site.lacks_w.sum()) / 60, least_missing_wh(site)
    missing_wh = outcome.recorder.log.missing_wh
    bought_wh = sum(each.get("bought_wh", 0.0) for each in outcome.batteries.values())
    gain_wh = lacks_wh - least_wh
    found = [
        Figure("missing without batteries, at least", "Wh", lacks_wh),
        Figure("missing", "Wh", missing_wh, least_wh),
        Figure("bought for the storage", "Wh", bought_wh),
    ]
    if gain_wh > 0:
        found.append(
            Figure("share of the possible gain", "%", 100 * (lacks_wh - missing_wh) / gain_wh, 100.0)
        )
    return found


SCENARIO = Scenario(
    name="six_buildings",
    title="a day of measured buildings (--data), a small grid connection, an own and a common battery",
    hours=24.0,
    nodes="data",
    meter_s=60.0,
    parameters=(
        Parameter("plan", "forecast", meaning=f"one of {', '.join(PLANS)}"),
        Parameter("fill", 1.0, 0.0, 1.0, "with always: how much of the common battery free power fills"),
        Parameter("grid_w", 12_000.0, 0.0, 1e7, "capacity of the grid connection at the first node, W"),
        Parameter("common_wh", 30_000.0, 0.0, 1e7, "capacity of the common battery, Wh"),
        Parameter("own_wh", 5_000.0, 0.0, 1e7, "that of the first building with photovoltaics, Wh"),
        Parameter("wait_s", 1.0, 0.0, 60.0, "age of a request before the common storage answers"),
    ),
    build=build,
    figures=figures,
    begin=lambda setting: Begin.date(_start(setting)),
)
