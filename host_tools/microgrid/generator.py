"""Generated power for a microgrid without measured data: a school, an after-school house, a gym, a garage.

The four buildings of the living lab (thesis 4.5.1) with invented daily profiles: base load, opening hours,
switching devices, sun and passing clouds. The same seed gives the same run.
"""

import math
import random
from bisect import bisect_right

from .plan import BuildingPlan, DevicePlan, PowerAt

_DAY_S = 86_400
_STEP_S = 30  # powers change every half minute
_Profile = tuple[tuple[float, float], ...]  # (start hour, fraction of the rated power)

_SCHOOL: _Profile = ((0, 0.05), (7, 0.4), (8, 0.9), (12, 0.6), (13.5, 0.9), (16, 0.4), (18, 0.1))
_AFTERNOON: _Profile = ((0, 0.05), (11.5, 0.7), (13.5, 0.3), (15.5, 0.9), (18.5, 0.1))
_EVENING: _Profile = ((0, 0.05), (8, 0.6), (12, 0.4), (14, 0.7), (17, 0.9), (22, 0.05))
_ALWAYS: _Profile = ((0, 0.8),)
_BUILDINGS: dict[str, tuple[tuple[str, str, float, _Profile | None, str], ...]] = {
    "primary": (
        ("pv_roof", "pv", 6_000, None, "sdm630"),
        ("lighting", "load", 1_400, _SCHOOL, "sdm120"),
        ("kitchen", "load", 2_500, _AFTERNOON, "sdm630"),
        ("ventilation", "load", 700, _SCHOOL, "sdm120"),
    ),
    "afterschool": (
        ("lighting", "load", 500, _AFTERNOON, "sdm120"),
        ("sockets", "load", 400, _AFTERNOON, "sdm120"),
        ("refrigerator", "load", 150, _ALWAYS, "sdm120"),
    ),
    "gym": (
        ("pv_roof", "pv", 4_000, None, "sdm630"),
        ("lighting", "load", 1_200, _EVENING, "sdm120"),
        ("water_heater", "load", 2_000, _EVENING, "sdm630"),
        ("ventilation", "load", 600, _EVENING, "sdm120"),
    ),
    "underground": (
        ("lighting", "load", 300, _ALWAYS, "sdm120"),
        ("pumps", "load", 900, _ALWAYS, "sdm630"),
        ("lift", "load", 1_500, _SCHOOL, "sdm120"),
    ),
}
BUILDINGS = tuple(_BUILDINGS)


def generated(seed: int, start_hour: float, speed: float) -> list[BuildingPlan]:
    """The four buildings, not yet connected; the run begins at `start_hour`."""
    return [
        BuildingPlan(
            building,
            [
                DevicePlan(
                    name,
                    kind,
                    _power(f"{seed}/{building}/{name}", rated_w, course, start_hour, speed),
                    profile,
                )
                for name, kind, rated_w, course, profile in devices
            ],
        )
        for building, devices in _BUILDINGS.items()
    ]


def _power(key: str, rated_w: float, profile: _Profile | None, start_hour: float, speed: float) -> PowerAt:
    def power_w(elapsed_s: float) -> float:
        second = start_hour * 3600 + elapsed_s * speed
        hour = second % _DAY_S / 3600
        step = random.Random(f"{key}/{int(second // _STEP_S)}")
        if profile is None:
            return rated_w * sun(hour) * (1 - 0.25 * step.random())
        fraction = profile[bisect_right([start for start, _ in profile], hour) - 1][1]
        return max(0.0, rated_w * fraction * step.gauss(1.0, 0.08))

    return power_w


def sun(hour: float) -> float:
    """The height of the sun at an hour of the day, 0 .. 1."""
    return max(0.0, math.sin(math.pi * (hour - 6) / 14)) if 6 < hour < 20 else 0.0
