"""New loads raise the consumption above the threshold of the regulator (thesis 4.4.5.1).

The consumers of the overproduction scenario, then two more of equal power. A grid connection can serve all of
them: the threshold is exceeded, not the production. The regulator of the node stops one of the new loads.
"""

from host_tools.microgrid.plan import BuildingPlan, DevicePlan, grid_connection
from host_tools.sim.scenario import Scenario, Setting

from .overproduction import CONSUMED_W, METER_S, PARAMETERS, REFERENCE_W, consumers, regulator, step

_LOADS = ("oven", "boiler")
_ROOM = 1.2  # capacity of the grid connection relative to the peak


def build(setting: Setting) -> list[BuildingPlan]:
    """The four consumers, the loads and a grid connection at each node."""
    threshold_w = setting.values["threshold_w"]
    scale = threshold_w / REFERENCE_W
    peak_w = threshold_w * (1 + setting.values["excess"])
    load_w = (peak_w - scale * CONSUMED_W) / len(_LOADS)
    return [
        BuildingPlan(
            node,
            consumers(scale) + [DevicePlan(name, "load", step(setting, i, load_w)) for name in _LOADS],
            extra=[grid_connection(_ROOM * peak_w)],
            regulator=regulator(setting.values, 1e9, threshold_w),
        )
        for i, node in enumerate(setting.nodes)
    ]


SCENARIO = Scenario(
    name="overconsumption",
    title="new loads raise the consumption above the threshold",
    hours=0.25,
    nodes="chain:2",
    parameters=PARAMETERS,
    build=build,
    meter_s=METER_S,
)
