"""What a regulator asks of the twins of its node so that limits and thresholds hold (thesis 4.3.6).

Pure rules: they see the powers of the twins, and say what is left to whom.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .limits import Direction, Limit, Scope
from .orders import Candidate, Choice

_LEAST_W = 1.0  # a smaller excess is noise of a meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A twin as the regulator sees it: what its device draws and gives now (W), and what may be done with it.

    `flexible`: no, switched (by its relay) or dimmed (it obeys the power it is left). `external`: it stands
    for the grid. `two_way`: it may draw and give; what it is left then is about what it draws. `most_w`: what
    it is left now, inf without an order.
    """

    name: str
    drawn_w: float = 0.0
    given_w: float = 0.0
    priority: int = 0
    flexible: str = "no"
    rated_w: float = 0.0
    circuit: str = ""
    switchable: bool = True
    external: bool = False
    two_way: bool = False
    stopped: bool = False
    most_w: float = math.inf

    def dims(self, direction: Direction) -> bool:
        """Whether it can be left a part of its power in that direction."""
        return self.flexible == "dimmed" and not (self.two_way and direction is Direction.FEED_IN)

    def candidate(self, power_w: float) -> Candidate:
        """As one of those that may be stopped."""
        return Candidate(
            twin=self.name, power_w=power_w, priority=self.priority, flexible=self.flexible != "no"
        )


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to a twin, in W, and the power that this takes from it now."""

    twin: str
    power_w: float
    takes_w: float


def concerned(scope: Scope, devices: Sequence[Device]) -> list[Device]:
    """The twins behind what a limit limits; those that stand for the grid are not."""
    inside = [each for each in devices if not each.external]
    if scope.circuit:
        return [each for each in inside if each.circuit == scope.circuit]
    return [each for each in inside if each.name in scope.twins] if scope.twins else inside


def controllable(devices: Sequence[Device], above_w: float) -> int:
    """How many of them are controllable loads by § 14a EnWG: flexible, and rated above 4.2 kW."""
    return sum(each.flexible != "no" and each.rated_w > above_w for each in devices)


def flow_w(direction: Direction, scope: Scope, devices: Sequence[Device]) -> float:
    """What flows there in that direction by the twins' own meters, in W; a list of twins is not netted."""
    inside = [each for each in concerned(scope, devices) if not each.stopped]
    drawn_w = sum(min(each.drawn_w, each.most_w) for each in inside)
    given_w = sum(each.given_w for each in inside)
    if scope.twins:
        return drawn_w if direction is Direction.CONSUME else given_w
    return drawn_w - given_w if direction is Direction.CONSUME else given_w - drawn_w


def obey(limit: Limit, room_w: float, devices: Sequence[Device], choose: Choice) -> list[Left]:
    """Who must draw or give less so that a limit holds, which has room for `room_w` more, or is exceeded
    (below 0).

    Devices that can be dimmed shrink before others are switched off. Of consumption only flexible loads are
    taken. A flexible load that does not run now, but could not without exceeding the limit, is kept off.
    """
    inside = [each for each in concerned(limit.scope, devices) if not each.stopped]
    if limit.direction is Direction.FEED_IN:
        given_w = [_given_w(each, limit.scope) for each in inside]
        return list(_reduce(limit.direction, inside, given_w, -room_w, choose))
    flexible = [each for each in inside if each.flexible != "no"]
    powers_w = [min(each.drawn_w, each.most_w) for each in flexible]
    taken = list(_reduce(limit.direction, flexible, powers_w, -room_w, choose))
    room_w = max(0.0, room_w + sum(each.takes_w for each in taken))
    return _with_growth(flexible, taken, room_w)


def _given_w(device: Device, scope: Scope) -> float:
    """What a limited flow of feed-in loses with a device."""
    return device.given_w if scope.twins else device.given_w - device.drawn_w


def _reduce(
    direction: Direction,
    devices: Sequence[Device],
    powers_w: Sequence[float],
    over_w: float,
    choose: Choice,
) -> Iterator[Left]:
    if over_w <= 0.0:
        return
    running = [(each, power_w) for each, power_w in zip(devices, powers_w, strict=True) if power_w > 0.0]
    dimmed = [pair for pair in running if pair[0].dims(direction)]
    for device, power_w in sorted(dimmed, key=lambda pair: (pair[0].priority, -pair[1], pair[0].name)):
        if over_w <= 0.0:
            return
        cut_w = min(over_w, power_w)
        over_w -= cut_w
        yield Left(device.name, power_w - cut_w, cut_w)
    switched = [each for each in running if not each[0].dims(direction) and each[0].switchable]
    for found in choose([each.candidate(power_w) for each, power_w in switched], over_w):
        yield Left(found.twin, 0.0, found.power_w)


def _with_growth(flexible: Sequence[Device], taken: Sequence[Left], room_w: float) -> list[Left]:
    """Also what keeps those that draw less than they could from exceeding the limit later."""
    found = {each.twin: each for each in taken}
    for device in sorted(flexible, key=lambda each: (-each.priority, each.rated_w, each.name)):
        drawn_w = min(device.drawn_w, device.most_w)
        left = found.get(device.name)
        if left and device.flexible != "dimmed":
            continue
        more_w = min(device.rated_w, device.most_w) - drawn_w
        if left is None and more_w <= 0.0:
            continue
        if device.flexible == "dimmed":
            allowed_w = (left.power_w if left else drawn_w) + room_w
            if allowed_w < min(max(device.rated_w, drawn_w), device.most_w) - _LEAST_W:
                found[device.name] = Left(device.name, allowed_w, left.takes_w if left else 0.0)
                room_w = 0.0
            else:
                room_w -= max(0.0, more_w)
        elif drawn_w > 0.0:
            continue  # it runs, and cannot be dimmed
        elif more_w <= room_w:
            room_w -= more_w
        elif device.switchable:
            found[device.name] = Left(device.name, 0.0, 0.0)
    return list(found.values())
