"""Measured buildings: one node for each file, one meter and twin for each device in it (thesis 4.4.5.4).

Without data it uses the generated living lab, the four buildings of the thesis. By default the nodes form a
chain; the grid connection is at the first of them.
"""

from datetime import datetime
from functools import lru_cache
from pathlib import Path

from host_tools.microgrid.generator import BUILDINGS, generated
from host_tools.microgrid.plan import BuildingPlan, grid_connection
from host_tools.microgrid.replay import DataError, files_of, parse_start, replayed, sunny_morning
from host_tools.sim.clock_axis import Begin
from host_tools.sim.scenario import Parameter, Scenario, ScenarioError, Setting

_GENERATED = f"the generated living lab has {len(BUILDINGS)} buildings"
_MARGIN_S = 60.0  # data kept beyond the end of the run


def build(setting: Setting) -> list[BuildingPlan]:
    """One building for each file, or the four generated ones. Raises ScenarioError."""
    try:
        files = files_of(setting.data) if setting.data else []
        source = f"{setting.data} contains {len(files)} files" if files else _GENERATED
        if setting.nodes and len(setting.nodes) != (len(files) or len(BUILDINGS)):
            raise ScenarioError(f"nodes = {len(setting.nodes)}: {source}")
        plans = _measured(setting, files) if files else _generated(setting)
    except DataError as error:
        raise ScenarioError(str(error)) from None
    for plan, name in zip(plans, setting.nodes, strict=False):  # without names they keep their own
        plan.name = name
    if setting.values["grid_w"] > 0:
        plans[0].extra.append(grid_connection(setting.values["grid_w"]))
    return plans


def begin(setting: Setting) -> Begin:
    """The date and time in the data, or the hour of the generated day."""
    if setting.data:
        return Begin.date(_start_in(setting.data, setting.start))
    start = parse_start(setting.start) if setting.start else None
    return Begin.hour(_hour(start))


def _measured(setting: Setting, files: list[Path]) -> list[BuildingPlan]:
    assert setting.data is not None
    start = _start_in(setting.data, setting.start)
    return replayed(files, start, 3600 * setting.hours + _MARGIN_S, 1.0)


@lru_cache(maxsize=1)  # to find a sunny morning means to read all files
def _start_in(data: Path, start: str | None) -> datetime:
    return parse_start(start) if start else sunny_morning(files_of(data))


def _generated(setting: Setting) -> list[BuildingPlan]:
    start = parse_start(setting.start) if setting.start else None
    return generated(setting.seed, _hour(start), 1.0)


def _hour(start: datetime | None) -> float:
    return start.hour + start.minute / 60 if start else 0.0


SCENARIO = Scenario(
    name="living_lab",
    title="measured buildings (--data), or the generated school, after-school, gym and basement",
    hours=24.0,
    nodes="data",
    parameters=(
        Parameter("grid_w", 9_360.0, 0.0, 1e7, "capacity of the grid connection at the first node, W"),
    ),
    build=build,
    begin=begin,
)
