"""Households that are short of power, in a community with one of two profiles (thesis 7.6).

The same homes, devices and seeds as in `degraded`; only the profile differs:
`--compare profile=none,solidarity,market`.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.files import read_toml
from host_tools.microgrid.plan import BuildingPlan
from host_tools.sim.scenario import Parameter, ScenarioError, Setting

from .degraded import SCENARIO as DEGRADED

COMMUNITIES = Path(__file__).parents[3] / "deploy" / "communities"
_NONE = "none"
_RATES = (0.1, 0.3)  # of the sources, per kWh


def build(setting: Setting) -> list[BuildingPlan]:
    """The homes of `degraded`, with the profile."""
    plans = DEGRADED.build(setting)
    community = _profile(setting.values["profile"])
    rng = random.Random(f"{setting.seed}/profiles")
    for plan in plans:
        plan.community = dict(community)
        for twin in (*(device.twin for device in plan.devices), *plan.extra):
            twin["price"] = round(rng.uniform(*_RATES), 3)
    return plans


def _profile(name: str) -> dict[str, Any]:
    if name == _NONE:
        return {}
    file = COMMUNITIES / f"{name}.toml"
    try:
        return read_toml(file)
    except (OSError, ValueError) as error:
        known = ", ".join(sorted(each.stem for each in COMMUNITIES.glob("*.toml")))
        raise ScenarioError(f"profile = {name!r}: {error}; there are {known} and {_NONE}") from None


SCENARIO = replace(
    DEGRADED,
    name="profiles",
    title="households short of power, in communities with different profiles",
    parameters=(
        *DEGRADED.parameters,
        Parameter("profile", "solidarity", meaning="a file of deploy/communities, or none"),
    ),
    build=build,
)
