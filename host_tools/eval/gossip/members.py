"""The nodes of a job: living ones, and ones that repeat a recording."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.gossip import Ensemble, Exchange, ExchangeSettings
from edge.learn.learner import Learner
from edge.learn.terms import Array
from edge.terms import DAY_MIN

from ..data import DataError
from . import judge
from .buildings import Building
from .kept import loaded
from .links import Links
from .microgrid import Member, run
from .past import Start, fresh, learner, learning_version
from .plan import SETS, Plan
from .recording import Recorded, Recording


def named(plan: Plan) -> list[str]:
    """The buildings of a plan, as "set/node"."""
    return [f"{each}/{name}" for each in plan.sets for name in SETS[each]]


def start_line(of: Building, plan: Plan) -> int:
    """The first judged line. Raises DataError if the record is too short for the days to be judged."""
    days = len(of.record.powers_w) / DAY_MIN
    if days < plan.past_days + plan.days:
        raise DataError(
            f"{of.name}: its record has {days:.1f} days; {plan.past_days} of past and {plan.days} to be "
            "judged are needed"
        )
    return plan.past_days * DAY_MIN


def _with_exchange(name: str, seed: int, settings: ExchangeSettings, kept: list[Exchange]) -> Any:
    def created(made: Learner) -> None:
        kept.append(Exchange(name, made, settings, random.Random(f"{name}{seed}")))

    return created


def member_of(
    plan: Plan,
    of: Building,
    begins: Start,
    seed: int,
    own_days: int,
    settings: ExchangeSettings | None = None,
    foreign: tuple[Array, ...] = (),
) -> Member:
    """A living node with so many days of own data, and an exchange if settings are given."""
    until = start_line(of, plan)
    kept: list[Exchange] = []
    created = _with_exchange(of.name, seed, settings, kept) if settings else (lambda _: None)
    found = learner(
        of, begins, seed, until - own_days * DAY_MIN, until, plan.cache / "past", foreign, created
    )
    for exchange in kept:
        exchange.restored()
    return Member(of, found, kept[0] if kept else None, merge_every_min=plan.train_every_min)


def recorded(plan: Plan, of: Building, begins: Start, seed: int, own_days: int) -> Recording:
    """The node alone; computed once."""
    key = f"{learning_version()}_{of.digest}_{of.name}_{begins.model}"
    key += f"_{dict(begins.options).get('start', 'scratch')}_{begins.updates}"
    key += f"_{begins.train_every_min}_{plan.steps}"
    key += f"_{own_days}of{plan.past_days}_{plan.days}_from{of.record.first_minute}_s{seed}"
    file = plan.cache / "recordings" / f"{key}.npz"
    if kept := loaded(file, Recording.load):
        return kept
    member = member_of(plan, of, begins, seed, own_days)
    start = of.record.first_minute + start_line(of, plan)
    member.recording = Recording.empty(start, plan.days * DAY_MIN)
    member.recording.snapshot(start - 1, member.learner.model)
    run([member], Links([set()], random.Random(0)), start, start + plan.days * DAY_MIN)
    member.recording.predicted[:] = member.own
    member.recording.save(file)
    return Recording.load(file)


def replayed(
    plan: Plan, of: Building, recording: Recording, seed: int, settings: ExchangeSettings, own_days: int
) -> Member:
    """A node that repeats a recording, and tells its neighbours of it."""
    made = fresh(of, Start("persistence"), seed, len(of.record.powers_w))
    made.model = Recorded(plan.model, recording)
    exchange = Exchange(of.name, made, settings, random.Random(f"{of.name}{seed}"))
    exchange.restored()
    until = start_line(of, plan)
    for line in range(until - own_days * DAY_MIN, until):
        made.series.append(of.record.first_minute + line, of.record.powers_w[line])
    return Member(of, made, exchange)


def established(plan: Plan, of: Building, seed: int) -> Recording:
    """A node alone that has all of its past, with updates of networks at its end."""
    return recorded(plan, of, plan.begins(plan.model, plan.shipped, plan.updates), seed, plan.past_days)


def frozen(plan: Plan, of: Building, seed: int) -> Recording:
    """Only the parts of an established node on the day that the judged ones begin, without predictions."""
    start = of.record.first_minute + start_line(of, plan)
    found = Recording.empty(start, 0)
    member = member_of(
        plan, of, plan.begins(plan.model, plan.shipped, plan.updates), seed, plan.neighbour_days
    )
    found.snapshot(start - 1, member.learner.model)
    return found


def with_persistence(member: Member, start: int) -> NDArray[np.float16]:
    """What gossip would make of the own predictions from minute `start` on without any neighbour: they are
    pooled with persistence. So one sees what neighbours add to that."""
    ensemble, scale = Ensemble(1), member.of.scale
    found = np.empty_like(member.own)
    line = start - member.of.record.first_minute
    states = scale.of(member.of.record.powers_w[line : line + len(found)])
    for at, own in enumerate(member.own):
        ensemble.learn(start + at, states[at])
        found[at] = ensemble.predict(start + at, own.astype(np.float32), {}, states[at])
    return found


def judged(plan: Plan, member: Member, own_days: int, predicted: Any) -> dict[str, Any]:
    """The scores of predictions of a node that has so many days of past."""
    start = start_line(member.of, plan)
    begin = start - own_days * DAY_MIN
    return judge.summary(member.of, begin, start, start + plan.days * DAY_MIN, predicted)


def span_of(plan: Plan, of: Building) -> tuple[int, int]:
    """The first judged minute, and the one after the last."""
    start = of.record.first_minute + start_line(of, plan)
    return start, start + plan.days * DAY_MIN


def told(members: list[Member], links: Links) -> dict[str, Any]:
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
