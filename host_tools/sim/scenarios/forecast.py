"""The learning twin predicts that production will exceed the threshold, and the regulator moves activities.

The run of the thesis (4.5.2.2): from 21:51 on four sources give 2 650 W, and every evening at 22:52 they are
joined by another one, so that the threshold of 3 000 W is exceeded for an hour. The node knows the evenings
of the last days from a file, and has a model that counts. Its regulator stops the small sources ten minutes
before, until fifty minutes after the predicted moment.
"""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.terms import VARIABLES
from host_tools.microgrid.plan import BuildingPlan, DevicePlan, Series
from host_tools.sim.scenario import Parameter, Scenario, Setting
from host_tools.world.clock import VirtualClock

THRESHOLD_W = 3000.0
_SOURCES_W = (2000.0, 150.0, 300.0, 200.0)
_LOAD_W = 900.0
_HOUR = 22 + 52 / 60  # when the last source joins
_LASTS_S = 3540.0


def build(setting: Setting) -> list[BuildingPlan]:
    """The node of the thesis, once for each node."""
    values = setting.values
    joins_s = 3600 * (_HOUR - values["start_hour"])
    plans = []
    for node in setting.nodes:
        devices = [
            DevicePlan(f"source_{n + 1}", "pv", Series([0.0], [power_w]))
            for n, power_w in enumerate(_SOURCES_W)
        ]
        more = Series([0.0, joins_s, joins_s + _LASTS_S], [0.0, values["more_w"], 0.0])
        devices.append(DevicePlan("evening", "pv", more))
        devices.append(DevicePlan("load", "load", Series([0.0], [_LOAD_W])))
        risk = values["risk"]
        plans.append(
            BuildingPlan(
                node,
                devices,
                learning={"node_model": values["model"], "max_power_w": THRESHOLD_W},
                regulator={"max_produced_w": THRESHOLD_W, "risk": risk},
                past=_past(values["days"], values["start_hour"], values["more_w"]),
            )
        )
    return plans


def _past(days: int, start_hour: float, more_w: float) -> Callable[[Path], None]:
    """Writes the minutes of the days before: as in the run, without a regulator."""

    def write(path: Path) -> None:
        end = datetime.fromtimestamp(VirtualClock().wall_s(), UTC) + timedelta(hours=start_hour)
        with path.open("w", newline="", encoding="ascii") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["timestamp", *(f"{each}_w" for each in VARIABLES)])
            for minute in range(1440 * days, 0, -1):
                at = end - timedelta(minutes=minute)
                since_s = 3600 * (at.hour + at.minute / 60 - _HOUR)
                produced_w = sum(_SOURCES_W) + (more_w if 0 <= since_s < _LASTS_S else 0.0)
                powers_w = (_LOAD_W, produced_w, _LOAD_W, _LOAD_W, 0.0, produced_w - _LOAD_W)
                writer.writerow([f"{at:%Y-%m-%dT%H:%MZ}", *(f"{each:.1f}" for each in powers_w)])

    return write


SCENARIO = Scenario(
    name="forecast",
    title="a predicted excess is avoided: activities are moved",
    hours=2.6,
    nodes="chain:1",
    parameters=(
        Parameter("start_hour", 21.5, 0.0, 22.5, "hour of the day at which the run begins"),
        Parameter("more_w", 700.0, 0.0, 1e5, "what joins every evening at 22:52, W"),
        Parameter("days", 7, 1, 30, "days that the node knows"),
        Parameter("risk", 0.5, 0.0, 1.0, "probability from which activities are moved; 0: never"),
        Parameter("model", "markov", meaning="model of the node"),
    ),
    build=build,
    meter_s=5.0,
)
