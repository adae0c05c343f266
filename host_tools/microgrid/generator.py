"""Generated power for a microgrid without measured data: a school, its after-school house, a gym, a basement.

The four buildings of the thesis' living lab (thesis 4.5.1), with daily courses of our own making: base
load, opening hours, devices that switch, sun behind passing clouds. A seed gives the same run again.
"""

import math
import random
from bisect import bisect_right

from .plan import BuildingPlan, DevicePlan, PowerAt

_DAY_S = 86_400
_STEP_S = 30  # powers hold for half a minute
_Course = tuple[tuple[float, float], ...]  # (hour from which, fraction of the rated power)

_SCHOOL: _Course = ((0, 0.05), (7, 0.4), (8, 0.9), (12, 0.6), (13.5, 0.9), (16, 0.4), (18, 0.1))
_AFTERNOON: _Course = ((0, 0.05), (11.5, 0.7), (13.5, 0.3), (15.5, 0.9), (18.5, 0.1))
_EVENING: _Course = ((0, 0.05), (8, 0.6), (12, 0.4), (14, 0.7), (17, 0.9), (22, 0.05))
_ALWAYS: _Course = ((0, 0.8),)
_BUILDINGS: dict[str, tuple[tuple[str, str, float, _Course | None, str], ...]] = {
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
    """The four buildings, unconnected; `start_hour` is the time of day at which the run begins."""
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


def _power(key: str, rated_w: float, course: _Course | None, start_hour: float, speed: float) -> PowerAt:
    def power_w(elapsed_s: float) -> float:
        second = start_hour * 3600 + elapsed_s * speed
        hour = second % _DAY_S / 3600
        step = random.Random(f"{key}/{int(second // _STEP_S)}")
        if course is None:
            return rated_w * _sun(hour) * (1 - 0.25 * step.random())
        fraction = course[bisect_right([start for start, _ in course], hour) - 1][1]
        return max(0.0, rated_w * fraction * step.gauss(1.0, 0.08))

    return power_w


def _sun(hour: float) -> float:
    return max(0.0, math.sin(math.pi * (hour - 6) / 14)) if 6 < hour < 20 else 0.0
