"""Plays the hour of a seed: the real MeterBus on a rough line, in virtual time, before the judge."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from edge.meter import BusSettings, MeterBus, MeterSettings, load_profile
from host_tools.meter.installation import SHARES
from host_tools.world import VirtualClock

from .draw import HOUR_S, Field, Trial
from .judge import Judge
from .line import Habits, RoughLine

LOOK_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of a seed."""

    seed: int
    violations: list[str]
    good: int
    undefined: int
    opened: int
    foreign_frames: int


def play(field: Field) -> Outcome:
    """One hour of virtual time."""
    logging.getLogger("edge.meter").setLevel(logging.CRITICAL + 1)
    clock = VirtualClock()
    line = RoughLine(field.meters, _power_w, clock, random.Random(f"line/{field.seed}"))
    meters = [
        MeterSettings(
            name=f"m{address}", bus="b", address=address, profile=profile, power_period_s=field.period_s
        )
        for address, profile in field.meters.items()
    ]
    truth: dict[str, Callable[[float], float]] = {}
    for address, profile in field.meters.items():
        loaded = load_profile(profile)
        for input_ in loaded.inputs:
            share = SHARES[loaded.phases].get(input_, 1.0) if input_ != "total" else 1.0
            truth[f"m{address}.{input_}"] = _truth(address, share)
    judge = Judge(truth, field.period_s)
    bus = MeterBus(BusSettings(name="b", port="rough"), meters, [], clock, judge.hear, line.open)
    now: list[Trial] = []
    while clock.now_s() < HOUR_S:
        until_s = clock.now_s() + LOOK_S
        now = _change(field, line, clock.now_s(), now)
        while clock.now_s() < until_s:
            wait_s = bus.step()
            clock.advance_to(min(until_s, clock.now_s() + wait_s))
        judge.look(clock.now_s(), bus.stats())
    calm_s = max((each.to_s for each in field.trials), default=0.0)
    seen = any(
        each.kind == "second_master" and not each.stray and each.to_s - each.from_s > 4 * each.value + 30
        for each in field.trials
    ) and not any(each.kind in ("cut", "unplugged", "stalled") for each in field.trials)
    stats = bus.stats()
    judge.end(clock.now_s(), calm_s, stats, seen)
    foreign = stats["foreign_frames"]
    assert isinstance(foreign, int)
    return Outcome(field.seed, judge.violations, judge.good, judge.undefined, line.opened, foreign)


def _change(field: Field, line: RoughLine, now_s: float, before: list[Trial]) -> list[Trial]:
    """Bring the habits of the line up to date; a stalled adapter stays so until its port is opened."""
    now = [each for each in field.trials if each.from_s <= now_s < each.to_s]
    if now != before:
        stalled = line.habits.stalled and any(each.kind == "stalled" for each in before)
        line.habits = Habits(stalled=stalled)
        for trial in now:
            if trial.kind != "stalled" or trial not in before:
                trial.apply(line.habits)
        line.plugged = all(each.kind != "unplugged" for each in now)
    return now


def _power_w(address: int, now_s: float) -> float:
    """What a meter measures: slow enough that the moment within a poll does not matter."""
    return 1000.0 + 100.0 * address + now_s / 100


def _truth(address: int, share: float) -> Callable[[float], float]:
    return lambda at_s: share * _power_w(address, at_s)
