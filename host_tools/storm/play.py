"""Plays one storm: the invariants are checked after every event, the time bounds after the repair."""

from collections import Counter
from dataclasses import dataclass

from ..reach import section
from . import judge
from .harm import Harm
from .plan import LIE, Storm
from .stage import Stage
from .tally import Tally

_LOOKS = 4  # number of checks, one a second, in which a difference must appear to count


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a storm; times in simulated seconds. `violations`: those of the first failed check."""

    seed: int
    violations: tuple[str, ...]
    at_s: float
    events: int
    checks: int
    faults: Counter[str]
    settled_s: int  # time from the repair until all nodes agreed


class _Broken(Exception):
    """A rule is broken; the arguments are the violations."""


def play(storm: Storm) -> Outcome:
    """Play a storm; the same storm always has the same result."""
    run = _Run(storm)
    violations: tuple[str, ...] = ()
    try:
        run.trouble()
        run.harm()
        run.recovery()
    except _Broken as found:
        violations = found.args
    except Exception as error:  # an uncaught exception would end a real node
        violations = (f"{type(error).__name__}: {error}",)
    finally:
        run.stage.world.close()
    world = run.stage.world
    return Outcome(
        storm.seed, violations, world.clock.now_s(), world.events, run.checks, run.struck, run.settled_s
    )


def _measured(storm: Storm) -> Tally:
    """What is measured in an honest storm."""
    run = _Run(storm)
    try:
        run.trouble()
        run.stage.measure()
    finally:
        run.stage.world.close()
    return run.stage.tally


class _Run:
    """The state of a storm in progress."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.stage = Stage(storm)
        self.checks = 0
        self.struck: Counter[str] = Counter()
        self.settled_s = 0
        self._acted = 0
        self._lateness_s = _lateness_s(storm)
        self._bonds: dict[str, int] = {}  # contracts that a liar must not be able to end
        self._beats = section(storm.reach).get("beats", 0)
        self._view = judge.View(storm.liar, storm.groups(), self._beats)
        self._harm = Harm(self.stage.world, self.stage.tally, self._view, storm.steady)
        self._judged_s = 0.0

    def trouble(self) -> None:
        for fault in self.storm.faults:
            self._pass_until(fault.at_s)
            if self.storm.calm and not self._bonds:
                self._bonds = judge.bonds(self.stage.world, self._view)
            self.stage.strike(fault)
            self.struck[fault.kind] += 1
            self._check()
        self._pass_until(self.storm.trouble_s)

    def harm(self) -> None:
        """Judge what the liar has cost the others until now."""
        storm, stage = self.storm, self.stage
        if not any(fault.kind == LIE for fault in storm.faults) or not storm.liar:
            return
        stage.measure()
        honest = _measured(storm.without_liar()) if storm.steady else None
        sent_bytes = stage.tally.work[storm.liar].sent_bytes
        found = self._harm.at_end(honest, sent_bytes, storm.trouble_s)
        if honest and any(self._harm.starved(honest)):
            found += self._harm.starved(_measured(storm.truthful()))
        if found:
            raise _Broken(*found)

    def recovery(self) -> None:
        """Repair everything, and check that agreement and supply are restored in time."""
        self._bonds = {}
        self.stage.heal()
        world = self.stage.world
        view = self._view
        if not self.storm.leaves:
            view = judge.View(self.storm.liar, self.storm.truthful_groups(), self._beats)
        hungry: dict[str, float] = {}
        lasting: list[set[str]] = []
        before = judge.shown(world)
        for passed_s in range(1, judge.RECOVERY_S + 1):
            self._pass_until(world.clock.now_s() + 1.0)
            lasting = [*lasting[1 - _LOOKS :], judge.unsettled(world, before, view)]
            before = judge.shown(world)
            stays = set.intersection(*lasting)
            if stays:
                self.settled_s = passed_s
                if passed_s >= judge.CONVERGED_S + _LOOKS:
                    raise _Broken(*sorted(stays))
            unmet = any(line.startswith("reach") for line in lasting[-1])
            waiting = set() if unmet else judge.starving(world, view)
            hungry = {name: hungry.get(name, passed_s) for name in waiting}
            late = [name for name, since_s in hungry.items() if passed_s - since_s >= judge.SERVED_S]
            if late:
                raise _Broken(
                    *(f"service {name} is unserved although there is power for it" for name in late)
                )

    def _pass_until(self, moment_s: float) -> None:
        world = self.stage.world
        world.run(moment_s - world.clock.now_s(), self._check)

    def _check(self) -> None:
        exceeded = self.stage.limits.broken(self.stage.world.clock.now_s())
        if exceeded:
            raise _Broken(*exceeded)
        if self.stage.world.acted == self._acted:
            return  # no twin has changed
        self._acted = self.stage.world.acted
        self.checks += 1
        found = judge.alarms(self.stage.world, self._view) + self._haunted() + self._harmed()
        found += self.stage.books.broken()
        if self._bonds:
            held = judge.mains(self.stage.world, self._view)
            lost = [name for name, number in self._bonds.items() if held.get(name) != number]
            found += [
                f"I7-loyalty {name} lost its contract although nothing happened but lies" for name in lost
            ]
        if found:
            raise _Broken(*found)

    def _harmed(self) -> list[str]:
        """What the liar does to others at this moment, looked at once a second."""
        now_s = self.stage.world.clock.now_s()
        if not self.storm.liar or now_s < self._judged_s + 1.0 or now_s > self.storm.trouble_s:
            return []
        self._judged_s = now_s
        return self._harm.at_second()

    def _haunted(self) -> list[str]:
        """Traces of nodes that are off. Not checked with a liar, because it may replay their frames."""
        now_s = self.stage.world.clock.now_s()
        bound_s = judge.GONE_S + self._lateness_s
        gone = {name for name, died_s in self.stage.died_s.items() if now_s - died_s > bound_s}
        return judge.haunted(self.stage.world, gone, self._view) if gone and not self.storm.liar else []


def _lateness_s(storm: Storm) -> float:
    """The largest delay of a message: the delays of all links of a path."""
    delays_s = [float(fault.arguments[-1]) for fault in storm.faults if fault.kind == "quality"]
    return max(delays_s, default=0.0) * (len(storm.buildings) - 1)
