"""The jobs of each study. A job is one microgrid; its result is one file.

late      a newcomer with 1, 2, 4 or 7 days of own data among established neighbours, its next week
nodes     established buildings of one data set: local, gossip by operator, federated oracle
cluster   all nodes forecast the same sum (thesis 6.4): they joined at different times
hostile   one node of four sends what does harm
topology  chain, ring, random; loss, cut, absent nodes; with a cheap model
codec     weights through the codec of the nodes against float32, plain means, same seeds
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.learn.gossip import Exchange, ExchangeSettings
from edge.learn.learner import Learner
from edge.learn.terms import Array
from edge.terms import DAY_MIN

from ..data import Reading
from . import judge
from .buildings import Building, building, total
from .links import Links, neighbours
from .microgrid import Member, run
from .past import Start, fresh, learner
from .plain import ATTACKS, Hostile, Mean
from .recording import Recorded, Recording
from .spy import Spy

STUDIES = ("late", "nodes", "cluster", "hostile", "topology", "codec")
SETS = {
    "combed_1min": ("ab_floor3", "ab_floor4_lifts", "ab_floor5", "lecture_block"),
    "mix_1min": ("n1_house_fr", "n2_house_uk_pv", "n3_flat_de", "n4_office_de", "n6_campus_ab_floor5_pv"),
    "ucsd_15min": (
        "central_plant",
        "east_campus",
        "geisel_library",
        "music_building",
        "social_science",
        "student_center",
        "trade_street",
    ),
}
OPERATORS = ("sampling_nb", "power_loss", "min_loss", "dist_power_hist", "skill", "auto")
OWN_DAYS = (1, 2, 4, 7)
_NETWORKS = ("lstm", "mixture")
_JOIN_DAYS = (21, 10, 5, 2)  # days of history of the nodes of the cluster study


@dataclass(frozen=True)
class Plan:
    """What all jobs share. Times are in days or minutes."""

    data: Path
    reading: Reading
    cache: Path
    sets: tuple[str, ...] = ("combed_1min",)
    past_days: int = 16
    days: int = 7  # judged
    neighbour_days: int = 16  # of the past of the neighbours of a newcomer
    own_days: tuple[int, ...] = OWN_DAYS
    newcomers: tuple[str, ...] = ()  # of `late`; none are all nodes of the sets
    operators: tuple[str, ...] = OPERATORS
    model: str = "mixture"
    start: str = "house"
    train_every_min: int = 240
    steps: int = 10  # of an update
    updates: int = 40  # at the end of the past of established nodes
    period_min: int = 60
    gate: str = "better"
    seeds: tuple[int, ...] = (1,)

    def building(self, name: str) -> Building:
        """One building by "set/node"."""
        return building(self.data, self.reading, name, self.past_days, self.cache)

    def begins(self, model: str, started: bool, updates: int = 0) -> Start:
        """How a learner begins."""
        options: tuple[tuple[str, Any], ...] = ()
        if model in _NETWORKS:
            options = (("steps", self.steps),)
            if started:
                options = (("start", self.start), *options)
        return Start(model, options, updates if started else 0, self.train_every_min)

    def settings(self, **given: Any) -> ExchangeSettings:
        """The settings of an exchange."""
        return ExchangeSettings(
            **{"model_every_min": self.period_min, "message_bytes": 13_000, "gate": self.gate} | given
        )


@dataclass(frozen=True)
class Job:
    """One microgrid."""

    study: str
    name: str
    work: Callable[[], dict[str, Any]]

    def result(self) -> dict[str, Any]:
        """Run it."""
        start = time.process_time()
        found = self.work()
        return {
            "study": self.study,
            "job": self.name,
            "cpu_s": round(time.process_time() - start, 1),
            **found,
        }


def jobs(plan: Plan, studies: tuple[str, ...]) -> Iterator[Job]:
    """All jobs of some studies, the most valuable first."""
    makers = {
        "late": _late,
        "nodes": _nodes,
        "cluster": _cluster,
        "hostile": _hostile,
        "topology": _topology,
        "codec": _codec,
    }
    for study in studies:
        for seed in plan.seeds:
            for name, work in makers[study](plan, seed):
                yield Job(study, f"{name}/s{seed}", work)


Made = Iterator[tuple[str, Callable[[], dict[str, Any]]]]


# ---- one node -----------------------------------------------------------------------------------


def _named(plan: Plan) -> list[str]:
    return [f"{each}/{name}" for each in plan.sets for name in SETS[each]]


def _start_line(of: Building, plan: Plan) -> int:
    """The first judged line."""
    return plan.past_days * DAY_MIN


def _with_exchange(name: str, seed: int, settings: ExchangeSettings, kept: list[Exchange]) -> Any:
    def created(made: Learner) -> None:
        kept.append(Exchange(name, made, settings, random.Random(f"{name}{seed}")))

    return created


def _member(
    plan: Plan,
    of: Building,
    begins: Start,
    seed: int,
    own_days: int,
    settings: ExchangeSettings | None = None,
    foreign: tuple[Array, ...] = (),
) -> Member:
    """A living node with so many days of own data, and an exchange if settings are given."""
    until = _start_line(of, plan)
    kept: list[Exchange] = []
    created = _with_exchange(of.name, seed, settings, kept) if settings else (lambda _: None)
    found = learner(
        of, begins, seed, until - own_days * DAY_MIN, until, plan.cache / "past", foreign, created
    )
    for exchange in kept:
        exchange.restored()
    return Member(of, found, kept[0] if kept else None, merge_every_min=plan.train_every_min)


def _recording(plan: Plan, of: Building, begins: Start, seed: int, own_days: int) -> Recording:
    """The node alone; computed once."""
    key = f"{of.record.data}_{of.name}_{begins.model}_{dict(begins.options).get('start', 'scratch')}"
    key += f"_{begins.updates}_{begins.train_every_min}_{plan.steps}"
    key += f"_{own_days}of{plan.past_days}_{plan.days}_s{seed}"
    file = plan.cache / "recordings" / f"{key}.npz"
    if not file.exists():
        member = _member(plan, of, begins, seed, own_days)
        start = of.record.first_minute + _start_line(of, plan)
        member.recording = Recording.empty(start, plan.days * DAY_MIN)
        member.recording.snapshot(start - 1, member.learner.model)
        run([member], Links([set()], random.Random(0)), start, start + plan.days * DAY_MIN)
        member.recording.predicted[:] = member.own
        member.recording.save(file)
    return Recording.load(file)


def _replayed(
    plan: Plan, of: Building, recording: Recording, seed: int, settings: ExchangeSettings, own_days: int
) -> Member:
    """A node that repeats a recording, and tells its neighbours of it."""
    made = fresh(of, Start("persistence"), seed, len(of.record.powers_w))
    made.model = Recorded(plan.model, recording)
    exchange = Exchange(of.name, made, settings, random.Random(f"{of.name}{seed}"))
    exchange.restored()
    until = _start_line(of, plan)
    for line in range(until - own_days * DAY_MIN, until):
        made.series.append(of.record.first_minute + line, of.record.powers_w[line])
    return Member(of, made, exchange)


def _established(plan: Plan, of: Building, seed: int) -> Recording:
    """A node alone that has all of its past, with updates of networks at its end."""
    return _recording(plan, of, plan.begins(plan.model, True, plan.updates), seed, plan.past_days)


def _frozen(plan: Plan, of: Building, seed: int) -> Recording:
    """Only the parts of an established node on the day that the judged ones begin, without predictions."""
    start = of.record.first_minute + _start_line(of, plan)
    found = Recording.empty(start, 0)
    member = _member(plan, of, plan.begins(plan.model, True, plan.updates), seed, plan.neighbour_days)
    found.snapshot(start - 1, member.learner.model)
    return found


def _judged(plan: Plan, member: Member, own_days: int, predicted: Any) -> dict[str, Any]:
    start = _start_line(member.of, plan)
    begin = start - own_days * DAY_MIN
    return judge.summary(member.of, begin, start, start + plan.days * DAY_MIN, predicted)


def _span(plan: Plan, of: Building) -> tuple[int, int]:
    start = of.record.first_minute + _start_line(of, plan)
    return start, start + plan.days * DAY_MIN


def _told(members: list[Member], links: Links) -> dict[str, Any]:
    """What exchanges say of themselves, and the bytes of each node."""
    stats = {m.name: m.exchange.stats() for m in members if m.exchange is not None}
    keys = ("sent", "received", "merged", "adopted", "refused", "own_weight", "last_merge", "contributors")
    return {
        "stats": {name: {k: v for k, v in each.items() if k in keys} for name, each in stats.items()},
        "sent_bytes": {
            kind: dict(zip([m.name for m in members], counts, strict=True))
            for kind, counts in links.sent_bytes.items()
        },
    }


# ---- late ---------------------------------------------------------------------------------------


def _late(plan: Plan, seed: int) -> Made:
    names = _named(plan)
    for own_days in plan.own_days:
        for name in names:
            if plan.newcomers and name.split("/")[1] not in plan.newcomers:
                continue
            others = tuple(
                other for other in names if other != name and other.split("/")[0] == name.split("/")[0]
            )
            place = f"{plan.model}/{name}/{own_days}d"
            networks = plan.model in _NETWORKS
            for variant in (
                "scratch",
                *(("shipped",) if networks else ()),
                "predictions",
                *plan.operators,
                "pooled",
            ):
                yield f"{place}/{variant}", _late_job(plan, name, others, own_days, variant, seed)


def _late_job(
    plan: Plan, name: str, others: tuple[str, ...], own_days: int, variant: str, seed: int
) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        of = plan.building(name)
        updates = 6 * own_days
        if variant in ("scratch", "shipped"):
            started = variant == "shipped"
            begins = plan.begins(plan.model, started, updates)
            kept = _recording(plan, of, begins, seed, own_days)
            member = Member(of, fresh(of, Start("persistence"), seed, DAY_MIN))
            return {"nodes": {of.name: {variant: _judged(plan, member, own_days, kept.predicted)}}}
        if variant == "pooled":
            return _pooled(plan, of, [plan.building(each) for each in others], own_days, seed)
        models = variant != "predictions"
        settings = plan.settings(
            models=models,
            operator=variant if models else "auto",
            predictions=not models,
            prediction_operator="equal" if models else "auto",
            most_neighbours=len(others),
        )
        begins = plan.begins(plan.model, True, updates)
        if models:
            member = _member(plan, of, begins, seed, own_days, settings)
        else:
            kept = _recording(plan, of, begins, seed, own_days)
            member = _replayed(plan, of, kept, seed, settings, own_days)
        spy = Spy.on(member.exchange)
        members = [member]
        quiet = plan.settings(
            models=models, predictions=not models, prediction_operator="equal", operator="equal"
        )
        for each in others:
            theirs = plan.building(each)
            recording = _frozen(plan, theirs, seed) if models else _established(plan, theirs, seed)
            members.append(_replayed(plan, theirs, recording, seed, quiet, plan.neighbour_days))
        links = Links([set(), *({0} for _ in others)], random.Random(seed))  # they need nothing of a newcomer
        run(members, links, *_span(plan, of))
        found = {op: p for op, p in spy.heard.items() if op != "own"}
        found |= {variant: member.own} if models else {"auto_predictions": member.combined}
        judged = {key: _judged(plan, member, own_days, each) for key, each in found.items()}
        return {"nodes": {of.name: judged}, **_told(members, links)}

    return work


def _pooled(plan: Plan, of: Building, others: list[Building], own_days: int, seed: int) -> dict[str, Any]:
    """All data in one place: the newcomer begins with networks and counts of everybody's last week."""
    until = _start_line(of, plan)
    foreign = []
    for each in others:
        lines = each.record.powers_w[until - 7 * DAY_MIN : until]
        foreign.append((lines * np.float32(of.max_power_w / each.max_power_w)).astype(np.float32))
    member = _member(plan, of, plan.begins(plan.model, False), seed, own_days, None, tuple(foreign))
    run([member], Links([set()], random.Random(0)), *_span(plan, of))
    return {"nodes": {of.name: {"pooled": _judged(plan, member, own_days, member.own)}}}


# ---- nodes --------------------------------------------------------------------------------------


def _nodes(plan: Plan, seed: int) -> Made:
    for each in plan.sets:
        names = [f"{each}/{name}" for name in SETS[each]]
        yield f"{each}/{plan.model}/predictions", _nodes_predictions(plan, names, seed)
        for variant in (*plan.operators, "local", "oracle"):
            yield f"{each}/{plan.model}/{variant}", _nodes_models(plan, names, variant, seed)


def _nodes_predictions(plan: Plan, names: list[str], seed: int) -> Callable[[], dict[str, Any]]:
    """Every operator of predictions from one run, over recordings of the nodes alone."""

    def work() -> dict[str, Any]:
        settings = plan.settings(models=False, prediction_operator="auto", level="minutes")
        members = []
        for name in names:
            of = plan.building(name)
            recording = _established(plan, of, seed)
            members.append(_replayed(plan, of, recording, seed, settings, plan.past_days))
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        spies = [Spy.on(member.exchange) for member in members]
        run(members, links, *_span(plan, members[0].of))
        found = {}
        for member, spy in zip(members, spies, strict=True):
            each = {"local": member.own, "auto_predictions": member.combined}
            each |= {operator: p for operator, p in spy.heard.items() if operator != "own"}
            found[member.name] = {key: _judged(plan, member, plan.past_days, p) for key, p in each.items()}
        return {"nodes": found, **_told(members, links)}

    return work


def _nodes_models(plan: Plan, names: list[str], variant: str, seed: int) -> Callable[[], dict[str, Any]]:
    """Living nodes that exchange models."""

    def work() -> dict[str, Any]:
        members = []
        for name in names:
            of = plan.building(name)
            settings = plan.settings(operator=variant, predictions=False)
            living = variant not in ("local", "oracle")
            member = _member(
                plan,
                of,
                plan.begins(plan.model, True, plan.updates),
                seed,
                plan.past_days,
                settings if living else None,
            )
            if variant == "oracle":
                member.exchange = Mean(of.name, member.learner, plan.train_every_min, private=True)
            members.append(member)
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *_span(plan, members[0].of))
        found = {m.name: {variant: _judged(plan, m, plan.past_days, m.own)} for m in members}
        return {"nodes": found, **_told(members, links)}

    return work


# ---- cluster ------------------------------------------------------------------------------------

_KINDS = {"markov": ("markov",), "lstm": ("lstm",), "mixture": ("mixture",), "half": ("markov", "lstm")}


def _cluster(plan: Plan, seed: int) -> Made:
    for kind in _KINDS:
        yield f"{kind}/predictions", _cluster_job(plan, kind, "predictions", seed)
        if kind in ("markov", "lstm"):
            for operator in (*plan.operators, "metropolis"):
                yield f"{kind}/{operator}", _cluster_job(plan, kind, operator, seed)


def _cluster_job(plan: Plan, kind: str, variant: str, seed: int) -> Callable[[], dict[str, Any]]:
    """Four nodes of a chain forecast the same sum. Each has known it for another time, and has a seed of its
    own; so they differ as nodes do that joined one after the other."""

    def work() -> dict[str, Any]:
        lab = plan.data / "vergers_cluster_1min.csv.gz"
        if lab.exists():
            whole = building(plan.data, plan.reading, "vergers_cluster_1min", plan.past_days, plan.cache)
        else:
            whole = total([plan.building(each) for each in _named(plan)], plan.past_days * DAY_MIN)
        models = variant != "predictions"
        settings = plan.settings(
            models=models,
            operator=variant if models else "auto",
            predictions=not models,
            prediction_operator="auto",
            level="minutes",
        )
        members, spies = [], []
        for number, days in enumerate(_JOIN_DAYS):
            days = min(days, plan.past_days)
            of = _Named(whole.record, whole.known, f"node{number + 1}")
            model = _KINDS[kind][number % len(_KINDS[kind])]
            begins = plan.begins(model, model == "lstm", 10)
            member = _member(plan, of, begins, seed * 100 + number, days, settings)
            members.append(member)
            spies.append(Spy.on(member.exchange))
        links = Links(neighbours("chain", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *_span(plan, whole))
        found: dict[str, Any] = {}
        by_variant: dict[str, list[Any]] = {}
        for member, spy in zip(members, spies, strict=True):
            each = (
                {variant: member.own}
                if models
                else {"local": member.own, "auto_predictions": member.combined}
            )
            each |= {operator: p for operator, p in spy.heard.items() if operator != "own"}
            found[member.name] = {key: _judged(plan, member, plan.past_days, p) for key, p in each.items()}
            for key, p in each.items():
                by_variant.setdefault(key, []).append(p)
        apart = {key: _disagreement(each) for key, each in by_variant.items()}
        return {"nodes": found, "disagreement": apart, **_told(members, links)}

    return work


@dataclass(frozen=True)
class _Named(Building):
    """A building under the name of a node."""

    called: str = ""

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.called


def _disagreement(predicted: list[Any]) -> dict[str, float]:
    """How far the forecasts of nodes are from their mean: half the sum of absolute differences, as a mean;
    and the share of forecasts in which not all nodes name the same state."""
    each = np.stack([p.astype(np.float32) for p in predicted])
    apart = 0.5 * np.abs(each - each.mean(0)).sum(-1)
    tops = each.argmax(-1)
    return {"distance": float(apart.mean()), "other_state": float((tops != tops[:1]).any(0).mean())}


# ---- hostile ------------------------------------------------------------------------------------


def _hostile(plan: Plan, seed: int) -> Made:
    for attack in ("none", *ATTACKS):
        for defence in ("gossip", "mean"):
            yield f"{attack}/{defence}", _hostile_job(plan, attack, defence, seed)


def _hostile_job(plan: Plan, attack: str, defence: str, seed: int) -> Callable[[], dict[str, Any]]:
    """Four nodes, all neighbours of each other; the last one attacks. `mean`: a plain mean of weights."""

    def work() -> dict[str, Any]:
        members = []
        names = [f"{plan.sets[0]}/{name}" for name in SETS[plan.sets[0]][:4]]
        for number, name in enumerate(names):
            of = plan.building(name)
            ours = defence == "gossip"
            settings = plan.settings(prediction_operator="experts")
            begins = plan.begins(plan.model, True, plan.updates)
            member = _member(plan, of, begins, seed, plan.past_days, settings if ours else None)
            if not ours:
                member.exchange = Mean(of.name, member.learner, plan.train_every_min)
            if number == len(names) - 1 and attack != "none":
                member.exchange = Hostile(attack, member.exchange, member.learner, random.Random(seed))
            member.judged = number < len(names) - 1
            members.append(member)
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *_span(plan, members[0].of))
        found = {m.name: {defence: _judged(plan, m, plan.past_days, m.combined)} for m in members if m.judged}
        return {"nodes": found, **_told(members, links)}

    return work


# ---- topology -----------------------------------------------------------------------------------


def _topology(plan: Plan, seed: int) -> Made:
    usual = {"topology": "chain", "nodes": 8, "period": 20, "loss": 0.0, "budget": 100}
    changes: list[dict[str, Any]] = [{"alone": True}, {}]
    changes += [
        {"topology": each, "nodes": nodes} for each in ("chain", "ring", "random") for nodes in (4, 8, 16, 36)
    ]
    changes += [{"period": each} for each in (5, 120)] + [{"loss": 0.2}, {"cut": True}, {"churn": True}]
    changes += [{"budget": each} for each in (10, 1000)]
    done = set()
    for change in changes:
        given = usual | change
        name = "-".join(f"{key}={value}" for key, value in given.items())
        if name not in done:
            done.add(name)
            yield name, _topology_job(plan, given, seed)


def _topology_job(plan: Plan, given: dict[str, Any], seed: int) -> Callable[[], dict[str, Any]]:
    """Newcomers with two days of data among each other, Markov chains; their clocks are shifted by weeks."""

    def work() -> dict[str, Any]:
        names = [f"{each}/{name}" for each in SETS for name in SETS[each]]
        count = given["nodes"]
        settings = plan.settings(
            model_every_min=given["period"],
            bytes_per_hour=3600 * given["budget"],
            prediction_operator="experts",
            predictions=False,
        )
        members = []
        first = None
        for number in range(count):
            of = plan.building(names[number % len(names)])
            weeks = number // len(names)  # the same building a week later, when there are too few
            of = replace(of, record=of.part(7 * weeks * DAY_MIN, len(of.record.powers_w)))
            if number >= len(names):
                of = _Named(of.record, of.known, f"{of.name}_{weeks}")
            member = _member(
                plan, of, plan.begins("markov", False), seed, 2, None if given.get("alone") else settings
            )
            begin = _span(plan, of)[0]
            first = begin if first is None else first
            member.shift = begin - first
            if given.get("churn") and number % 4 == 1:
                member.absent = range(first + DAY_MIN, first + 2 * DAY_MIN)
            members.append(member)
        assert first is not None
        links = Links(
            neighbours(given["topology"], count, random.Random(seed)),
            random.Random(seed),
            given["loss"],
            range(first + DAY_MIN, first + 2 * DAY_MIN) if given.get("cut") else range(0),
        )
        run(members, links, first, first + plan.days * DAY_MIN)
        found = {m.name: {"gossip": _judged(plan, m, 2, m.own)} for m in members}
        return {"nodes": found, "given": given, **_told(members, links)}

    return work


# ---- codec --------------------------------------------------------------------------------------


def _codec(plan: Plan, seed: int) -> Made:
    for each in plan.sets:
        for variant in ("local", "float32", "codec"):
            yield f"{each}/{variant}", _codec_job(plan, each, variant, seed)


def _codec_job(plan: Plan, data: str, variant: str, seed: int) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        members = []
        for name in SETS[data][:4]:
            of = plan.building(f"{data}/{name}")
            member = _member(plan, of, plan.begins("lstm", True, plan.updates), seed, plan.past_days)
            if variant != "local":
                every = plan.train_every_min
                member.exchange = Mean(of.name, member.learner, every, codec=variant == "codec")
            members.append(member)
        links = Links(neighbours("full", len(members), random.Random(seed)), random.Random(seed))
        run(members, links, *_span(plan, members[0].of))
        found = {m.name: {variant: _judged(plan, m, plan.past_days, m.own)} for m in members}
        return {"nodes": found, **_told(members, links)}

    return work
