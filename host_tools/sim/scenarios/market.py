"""Members that trade on a market of the next day by their forecasts (thesis 8.2.3).

The members are measured houses, offices and campus buildings of the study `host_tools market --data`, each
with the two weeks before as its past; every second one has a roof. Without a folder of data they are made up:
a load with a morning and an evening, and a roof under changing clouds. The run begins at midnight: orders
for the second day close at `gate_hour`, and the bills are made after that day, so it takes 48 h and a bit.
"""

import csv
import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.csv_file import CsvError
from edge.energy.day_market import STEPS
from edge.node import Node
from edge.terms import VARIABLES
from edge.twins.market import TRADER, MarketTwin
from host_tools.microgrid.generator import sun
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series, grid_connection
from host_tools.sim.scenario import Figure, Parameter, Scenario, ScenarioError, Setting
from host_tools.world.clock import VirtualClock

if TYPE_CHECKING:
    from host_tools.sim.outcome import Outcome

_QUARTER_S, _DAY_S = 900, 86_400
_PAST_DAYS, _ALL_DAYS = 14, 17
Powers = npt.NDArray[np.float64]  # by quarter-hour, in W


def build(setting: Setting) -> list[BuildingPlan]:
    """The market and the connection to the grid at the first node, a member at each other one."""
    values, names = setting.values, _names(setting)
    utility = BuildingPlan(
        names[0],
        [],
        extra=[grid_connection(values["grid_w"])],
        sections={
            "market": {
                "import_price": values["import_price"],
                "feed_in_price": values["feed_in_price"],
                "gate_hour": values["gate_hour"],
                "settle_hours": 1.0,
            }
        },
    )
    members = _members(setting)
    own = zip(names[1:], members, strict=True)
    return [utility, *(_member(name, names[0], *powers_w) for name, powers_w in own)]


def _names(setting: Setting) -> tuple[str, ...]:
    """Those of the topology that was asked for; without one the nodes form a chain."""
    count = setting.values["members"]
    return setting.nodes or ("utility", *(f"member_{i:02}" for i in range(1, count + 1)))


def _members(setting: Setting) -> list[tuple[Powers, Powers]]:
    """What each member draws and gives in 17 days; the last three are played."""
    count = len(_names(setting)) - 1
    if setting.data is None:
        return [_made_up(f"{setting.seed}/market/{i}", i % 2 == 1) for i in range(count)]
    from host_tools.market.members import members

    try:
        found = members(setting.data, count, setting.seed, Path("build/market/quarters"))
    except CsvError as error:
        raise ScenarioError(str(error)) from None
    span = slice(0, _ALL_DAYS * STEPS)
    return [(np.nan_to_num(one.drawn_w[span]), np.nan_to_num(one.given_w[span])) for one in found]


def _made_up(seed: str, has_roof: bool) -> tuple[Powers, Powers]:
    rng = random.Random(seed)
    base_w, shift_h, peak_w = rng.uniform(100, 300), rng.uniform(-1, 1), rng.uniform(2000, 6000)
    drawn, given = [], []
    for day in range(_ALL_DAYS):
        clear = random.Random(f"{seed.rpartition('/')[0]}/{day}").uniform(0.3, 1.0)  # one sky for all
        for step in range(STEPS):
            hour = (step + 0.5) / 4
            shape = sum(math.exp(-(((hour - shift_h - at) / 1.5) ** 2)) for at in (7.5, 19.0))
            drawn.append(base_w * (1 + 2.5 * shape) * rng.uniform(0.7, 1.3))
            given.append(peak_w * sun(hour) * clear * rng.uniform(0.85, 1.0) if has_roof else 0.0)
    return np.array(drawn), np.array(given)


def _member(name: str, market: str, drawn_w: Powers, given_w: Powers) -> BuildingPlan:
    first = _PAST_DAYS * STEPS
    times_s = [float(_QUARTER_S * i) for i in range((_ALL_DAYS - _PAST_DAYS) * STEPS)]
    devices = [DevicePlan("load", "load", Series(times_s, drawn_w[first:].round(1).tolist()))]
    if given_w.any():
        devices.append(DevicePlan("roof", "pv", Series(times_s, given_w[first:].round(1).tolist())))
    return BuildingPlan(
        name,
        devices,
        learning={"node_model": "persistence", "train_every_min": 1440},
        past=_past(drawn_w[:first], given_w[:first]),
        sections={"trader": {"market": market}},
    )


def _past(drawn_w: Powers, given_w: Powers) -> Callable[[Path], None]:
    """Writes the minutes before the run."""

    def write(path: Path) -> None:
        end = int(VirtualClock().wall_s()) // 60
        with path.open("w", newline="", encoding="ascii") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["timestamp", *(f"{each}_w" for each in VARIABLES)])
            for i, minute in enumerate(range(end - 15 * len(drawn_w), end)):
                at = datetime.fromtimestamp(60 * minute, UTC)
                powers_w = f"{drawn_w[i // 15]:.1f}", f"{given_w[i // 15]:.1f}"
                writer.writerow([f"{at:%Y-%m-%dT%H:%MZ}", *powers_w, *powers_w, "0.0", "0.0"])

    return write


def figures(setting: Setting, outcome: "Outcome", nodes: Sequence[Node]) -> list[Figure]:
    """What the market of the second day brought, beside perfect foresight: each deviation at the tariffs of
    the grid, one by one."""
    values, place = setting.values, None
    short, long = values["import_price"] / 1000, values["feed_in_price"] / 1000
    for twin in (twin for node in nodes for twin in node.twins):
        place = twin.place if isinstance(twin, MarketTwin) else place
    settled = sorted(number for number, day in place.days.items() if day.balancing) if place else []
    if not settled or place is None:
        return [Figure("days settled", "", 0)]
    day = place.days[settled[0]]
    welfare = best = 0.0
    traded_wh = deviations_wh = unknown = 0
    for step in range(STEPS):
        rows = [
            (sheet.position_wh[step], need)
            for sheet in day.sheets.values()
            if sheet.needs_wh and (need := sheet.needs_wh[step]) is not None
        ]
        unknown += len(day.sheets) - len(rows)
        needs = [need for _, need in rows]
        welfare += sum(_alone(need, short, long) for need in needs)
        welfare -= sum(_alone(need - position, short, long) for position, need in rows)
        bought = sum(max(0, need) for need in needs)
        best += (short - long) * min(bought, sum(max(0, -need) for need in needs))
        traded_wh += sum(max(0, position) for position, _ in rows)
        deviations_wh += sum(abs(need - position) for position, need in rows)
    bills = [row for node in nodes for row in node.history.market_days(0, 10**9) if _own(node, row.member)]
    return [
        Figure("days settled", "", len(settled)),
        Figure("members with orders", "", len(day.sheets), len(nodes) - 1),
        Figure("welfare of the first day", "currency", round(welfare, 4), round(best, 4)),
        Figure(" share of perfect foresight", "%", round(100 * welfare / best, 1) if best else None, 100.0),
        Figure("traded", "kWh", round(traded_wh / 1000, 2)),
        Figure("deviations", "kWh", round(deviations_wh / 1000, 2)),
        Figure("quarter-hours not measured", "", unknown, 0),
        Figure("members with a bill of their own", "", len({row.member for row in bills}), len(day.sheets)),
        Figure("orders and questions refused", "", sum(place.refused.values()), 0),
    ]


def _alone(need_wh: int, short: float, long: float) -> float:
    return short * max(0, need_wh) + long * min(0, need_wh)


def _own(node: Node, member: str) -> bool:
    return member == node.config.name and any(twin.kind == TRADER for twin in node.twins)


SCENARIO = Scenario(
    name="market",
    title="members trade on a market of the next day by their forecasts",
    hours=49.0,
    nodes="data",
    meter_s=60.0,
    parameters=(
        Parameter("members", 8, 2, 16, "members, unless --nodes gives a topology"),
        Parameter("gate_hour", 11.0, 0.0, 24.0, "hour at which orders for the next day close"),
        Parameter("import_price", 0.30, 0.0, 1e4, "tariff of the grid per kWh"),
        Parameter("feed_in_price", 0.08, 0.0, 1e4, "what it pays per kWh"),
        Parameter("grid_w", 50_000.0, 0.0, 1e6, "capacity of the grid connection at the first node, W"),
    ),
    build=build,
    figures=figures,
)
