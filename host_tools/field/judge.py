"""The judge of an hour in the field: what must be true of every node at every look.

1. No wrong value counts as good: what a device draws or gives is what its meter last showed. Without a good
   reading it is unknown: it draws nothing, gives nothing, and no total is made of it.
2. Silence is never called ok: health names the device, or the neighbour, in the time stated below, and goes
   on to name it for as long as it lasts. What counts is what really passed a link, not what was done to it.
3. Contracts keep their rules, and a node knows nobody of whom nothing arrives.
4. Recovery: in the time stated below after the last fault all is well again.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, cast

from edge.api.context import Context
from edge.api.health import health
from edge.api.node import overview
from edge.api.troubles import Trouble, troubles
from edge.meter.reading import Reading
from edge.node import Node
from edge.recent import Recent
from edge.twins.prosumer import ProsumerTwin

from ..invariants import broken
from ..storm.judge import shown, starving, unsettled
from .draw import ON_BROKERS, ON_LINKS, Field, Trial
from .meter_judge import MeterJudge
from .stage import Stage

LINK_NAMED_S = 45.0  # until both ends of a link that carries nothing in one direction say so
FLICKER_S = 10.0  # how long they may fall silent about it
RESUMED_S = 15.0
UNLISTED_S = 20.0
LAPSED_S = 40.0  # until a twin that is lost again and again is named
SIGN_S = 75.0
LINK_WELL_S = 45.0  # after the last fault of a link
STALE_S = 600.0  # until a link that only needs a new connection has got one
GONE_S = 20.0  # until a node has forgotten others of which nothing arrives
HOP_S = 10.0  # more, for each node between them
MARGIN = 0.011  # a need follows its meter in steps of 1 %
SLACK_S = 5.0  # of the grace of a meter
WELL_S = 890.0  # until nothing is shown any more: a second master is remembered for ten minutes
_LINK_CODES = {"neighbour_unreachable", "neighbour_silent", "neighbour_deaf"}
_WAIT_S = 12.0  # longest time unserved although there is power


class _Service:
    """A process around a node in which nothing is wrong."""

    failures, dropped, recent = 0, dict[str, int](), Recent()
    longest_reaction_s = 0.0

    def __init__(self, node: Node) -> None:
        self.node = node


def _context(node: Node) -> Context:
    return Context(cast(Any, _Service(node)))


class Judge:
    """Sees every reading, and looks at all nodes now and then."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.violations: list[str] = []
        self._said: set[str] = set()
        self.meters: dict[str, MeterJudge] = {}
        self.stage: Stage
        self._lives: dict[str, Node] = {}
        self._booted_s: dict[str, float] = {}
        self._arrived: dict[tuple[str, str], tuple[int, float]] = {}  # frames by link, and when the last came
        self._resumed_s: dict[tuple[str, str], float] = {}  # when frames came again after a silence
        self._unnamed_s: dict[tuple[str, str], float] = {}  # since when a node does not name a neighbour
        self._unlisted_s: dict[tuple[str, str], float] = {}
        self._against_s: dict[tuple[str, str], float] = {}  # since when an input has the wrong sign
        self._ailing_s: dict[tuple[str, str], float] = {}  # when a link last had a fault
        self._stale_s: dict[tuple[str, str], float] = {}

    def begin(self, stage: Stage) -> None:
        """To be called before time passes."""
        self.stage = stage
        for site in self.field.sites:
            inputs = stage.inputs(site.name)
            truth = {each: _shown(stage, site.name, each) for each in inputs}
            self.meters[site.name] = MeterJudge(truth, site.period_s)

    def hear(self, name: str, reading: Reading) -> None:
        """A node gets a reading."""
        self.meters[name].hear(reading)
        if reading.power_w is not None:
            if reading.power_w < -30.0:
                self._against_s.setdefault((name, reading.device), reading.at_s)
            else:
                self._against_s.pop((name, reading.device), None)

    def look(self) -> None:
        """All nodes as they are now."""
        now_s = self.stage.world.clock.now_s()
        self._note_links(now_s)
        for each in broken(self.stage.world):
            self._violated(now_s, each)
        for site in self.field.sites:
            node = self.stage.node(site.name).node
            found = list(troubles(node))
            for text in (*self._of_node(node, found, now_s), *self._of_links(node, found, now_s)):
                self._violated(now_s, f"{site.name} {text}")

    def end(self) -> None:
        """After the calm: everybody is well and served, and all agree."""
        world = self.stage.world
        calm_s = max((each.to_s for each in self.field.trials), default=0.0)
        now_s = world.clock.now_s()
        for site in self.field.sites:
            node, judge = self.stage.node(site.name).node, self.meters[site.name]
            stats: Any = node.meters.stats()[0]
            judge.end(now_s, calm_s, stats, self._master_heard(site.name))
            self.violations += [f"{site.name} {each}" for each in judge.violations]
            answer = health(_context(node))
            if now_s >= calm_s + WELL_S and answer["status"] != "ok":
                shown = ", ".join(f"{each.code} {each.subject}" for each in answer["troubles"])
                self._violated(now_s, f"{site.name} is not well at the end: {shown}")

    def settle(self) -> None:
        """Let some more seconds pass: what differs, or waits beside free power, must not last."""
        world = self.stage.world
        different, waiting = set[str](), set[str]()
        before = shown(world)
        for second in range(int(_WAIT_S) + 1):
            world.run(1.0)
            now = unsettled(world, before)
            before = shown(world)
            different = now if second == 0 else different & now
            waiting = starving(world) if second == 0 else waiting & starving(world)
        for each in sorted(different):
            self._violated(world.clock.now_s(), each)
        for name in sorted(waiting):
            self._violated(world.clock.now_s(), f"{name} is unserved although there is power for it")

    # ---- one node -------------------------------------------------------------------------------

    def _of_node(self, node: Node, found: list[Trouble], now_s: float) -> Iterator[str]:
        name = node.config.name
        if node.engine.faults:
            yield f"fault: {node.engine.last_fault}"
        if node.invariants_broken:
            yield f"invariant: {node.last_violation}"
        named = {(each.code, each.subject) for each in found}
        stats: Any = node.meters.stats()[0]
        self.meters[name].look(now_s, stats)
        for meter in stats["meters"]:
            if meter["undefined_powers"] and ("power_undefined", meter["device"]) not in named:
                yield f"{meter['device']} has undefined powers, and health does not say so"
        for twin in node.prosumers:
            yield from self._of_twin(node, twin, named, now_s)

    def _of_twin(
        self, node: Node, twin: ProsumerTwin, named: set[tuple[str, str]], now_s: float
    ) -> Iterator[str]:
        name, input_ = node.config.name, twin.settings.input
        lapsed = next((each for each in self._now("lapsed", now_s) if _concerns(each, twin)), None)
        since_s = max(lapsed.from_s, self._booted_s[name]) if lapsed else math.inf
        if now_s - since_s > LAPSED_S and self._patched(twin) and ("twin_absent", twin.name) not in named:
            yield f"{twin.short_name} is lost again and again, and health does not name it"
        against_s = self._against_s.get((name, input_), math.inf)
        newest = self.meters[name].newest.get(input_)
        against = newest and newest.at_s - max(against_s, self._booted_s[name]) > SIGN_S
        if against and ("wrong_sign", twin.name) not in named:
            yield f"{input_} has the wrong sign, and health does not say so"
        if not twin.handle:
            return
        grace_s = twin.settings.meter_grace_s
        age_s = now_s - newest.at_s if newest else now_s - self._booted_s[name]
        power_w = twin.supplier.capacity_w if twin.settings.supplies else twin.consumer.need_w
        if newest and age_s < grace_s - SLACK_S:
            shown_w = max(0.0, newest.power_w or 0.0)
            if not math.isclose(power_w, shown_w, rel_tol=MARGIN, abs_tol=1.0):
                yield f"{twin.short_name} counts {power_w:.1f} W, its meter shows {shown_w:.1f} W"
        elif age_s > grace_s + SLACK_S:
            yield from self._of_unknown(node, twin, power_w, named)

    def _of_unknown(
        self, node: Node, twin: ProsumerTwin, power_w: float, named: set[tuple[str, str]]
    ) -> Iterator[str]:
        if power_w:
            yield f"{twin.short_name} counts {power_w:.1f} W without a valid reading"
        if twin.consumer.active or twin.supplier.supplied_w:
            yield f"{twin.short_name} holds contracts without a valid reading"
        if ("device_unknown", twin.name) not in named:
            yield f"{twin.short_name} has no valid reading, and health does not say so"
        total = overview(_context(node))["total"]
        if total["produced_w" if twin.settings.supplies else "requested_w"] is not None:
            yield f"a total is made although {twin.short_name} is unknown"

    # ---- links ----------------------------------------------------------------------------------

    def _note_links(self, now_s: float) -> None:
        for name, each in self.stage.world.nodes.items():
            if self._lives.get(name) is not each.node:
                self._lives[name], self._booted_s[name] = each.node, now_s
                self.meters[name].restarted(now_s)
                for link in self._arrived:
                    if name in link:
                        self._arrived[link] = self._arrived[link][0], now_s
        network = self.stage.world.network
        for a, b in self.stage.links():
            wire = network.wire(a, b)
            count, before_s = self._arrived.get((a, b), (-1, 0.0))
            if wire.arrived != count:
                if now_s - before_s > RESUMED_S:
                    self._resumed_s[a, b] = now_s
                self._arrived[a, b] = wire.arrived, now_s
            stale = wire.stale or not (network.hears(b) or network.is_down(b))
            if stale:
                since_s = self._stale_s.setdefault((a, b), now_s)
                faulty = any(_of_pair(each, a, b) and each.to_s > since_s for each in self._now("", now_s))
                if faulty:
                    self._stale_s[a, b] = now_s
                elif now_s - since_s > STALE_S:
                    self._violated(now_s, f"the link from {a} to {b} never got a new connection")
            else:
                self._stale_s.pop((a, b), None)
            if stale or any(_of_pair(each, a, b) for each in self._now("", now_s)):
                self._ailing_s[a, b] = self._ailing_s[b, a] = now_s

    def _of_links(self, node: Node, found: list[Trouble], now_s: float) -> Iterator[str]:
        name = node.config.name
        listed = node.links.neighbours
        site = next(each for each in self.field.sites if each.name == name)
        blind = any(each.code == "broker_unreachable" for each in found)
        named = {each.subject for each in found if each.code in _LINK_CODES}
        unlisted = {each.subject for each in found if each.code == "neighbour_unlisted"}
        since_s = {peer: self._arrived[peer, name][1] for peer in site.neighbours}
        for peer in site.neighbours:
            if peer not in listed:
                self._unnamed_s.pop((name, peer), None)
                if now_s - since_s[peer] > FLICKER_S or peer in unlisted:
                    self._unlisted_s[name, peer] = now_s
                elif now_s - self._unlisted_s.setdefault((name, peer), now_s) > UNLISTED_S:
                    yield f"does not say that {peer} is no neighbour of it"
                continue
            self._unlisted_s.pop((name, peer), None)
            heard_s, reached_s = now_s - since_s[peer], now_s - self._arrived[name, peer][1]
            told_s = now_s - self._resumed_s.get((peer, name), 0.0)  # only the neighbour knows what it hears
            quiet_s = max(0.0 if blind else heard_s, min(reached_s, told_s))
            if quiet_s <= LINK_NAMED_S or peer in named:
                self._unnamed_s.pop((name, peer), None)
            elif now_s - self._unnamed_s.setdefault((name, peer), now_s) >= FLICKER_S:
                yield f"does not name {peer}: heard {heard_s:.0f} s ago, reached {reached_s:.0f} s ago"
            well_s = now_s - max(
                self._ailing_s.get((name, peer), 0.0), self._booted_s[name], self._booted_s[peer]
            )
            if well_s > LINK_WELL_S and peer in named:
                yield f"names {peer} {well_s:.0f} s after their link is well again"
        lost = node.distances().keys() - self._within_reach(name, now_s)
        if lost:
            yield f"knows {' '.join(sorted(lost))} though nothing of them can have arrived for {GONE_S:.0f} s"

    def _within_reach(self, name: str, now_s: float) -> set[str]:
        """The nodes whose frames have arrived lately, also through others and from ones it does not list."""
        reach, border, patience_s = {name}, {name}, GONE_S
        while border:
            border = {
                a for (a, b), (_, at_s) in self._arrived.items() if b in border and now_s - at_s <= patience_s
            }
            border -= reach
            reach |= border
            patience_s += HOP_S
        return reach

    # ---- what the hour says ---------------------------------------------------------------------

    def _now(self, kind: str, now_s: float) -> Iterator[Trial]:
        for each in self.field.trials:
            if each.from_s <= now_s < each.to_s and kind in ("", each.kind):
                yield each

    def _patched(self, twin: ProsumerTwin) -> bool:
        return "renew" in vars(twin)

    def _master_heard(self, name: str) -> bool:
        """Whether there was a second master that the node must have heard."""
        mine = [each for each in self.field.trials if each.node == name]
        hindered = any(each.kind in ("cut", "unplugged", "stalled") for each in mine)
        restarted = any(each.kind == "unlisted" and each.peer == name for each in self.field.trials)
        return not (hindered or restarted) and any(
            each.kind == "second_master" and not each.stray and each.to_s - each.from_s > 4 * each.value + 30
            for each in mine
        )

    def _violated(self, now_s: float, text: str) -> None:
        """Each complaint once, whatever its figures."""
        words = re.sub(r"\b[\d.]+\b", "", text)
        if words not in self._said:
            self._said.add(words)
            self.violations.append(f"{now_s:.0f} s: {text}")


def _shown(stage: Stage, name: str, device: str) -> Any:
    return lambda at_s: stage.measured_w(name, device, at_s)


def _concerns(trial: Trial, twin: ProsumerTwin) -> bool:
    return twin.name == f"{trial.node}.d{trial.address}"


def _of_pair(trial: Trial, a: str, b: str) -> bool:
    """Whether a trial can disturb the link between two nodes, in any direction."""
    if trial.kind in ON_BROKERS:
        return trial.node in (a, b)
    return trial.kind in ON_LINKS and {trial.node, trial.peer} == {a, b}
