"""Plays the hour of a seed before the judge."""

from dataclasses import dataclass

from .draw import HOUR_S, Field
from .judge import Judge
from .stage import Stage

LOOK_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of a seed; readings and counters are those of all nodes."""

    seed: int
    violations: list[str]
    good: int
    undefined: int
    opened: int
    foreign_frames: int


def play(field: Field) -> Outcome:
    """One hour of virtual time."""
    judge = Judge(field)
    stage = Stage(field, judge.hear)
    try:
        judge.begin(stage)
        while stage.world.clock.now_s() < HOUR_S:
            stage.world.run(LOOK_S)
            judge.look()
        judge.settle()
        judge.end()
    except Exception as error:  # it would end a real node, or is a defect of the tool
        judge.violations.append(f"{stage.world.clock.now_s():.0f} s: {type(error).__name__}: {error}")
    finally:
        stage.world.close()
    stats = [line.stats()[0] for line in stage.lines.values()]
    return Outcome(
        field.seed,
        judge.violations,
        sum(each.good for each in judge.meters.values()),
        sum(each.undefined for each in judge.meters.values()),
        sum(each.line.opened for each in stage.lines.values()),
        sum(each["foreign_frames"] for each in stats),
    )
