"""Learners with a past. What they have learnt is kept on disk: computed once, used by every variant.

A learner that begins with trained networks does updates at the end of its past, as a node would have done
all along; one without does a first training.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path
from typing import Any

import numpy as np

import edge.learn
from edge.learn.learner import Learner, LearnerSettings
from edge.learn.model import finish
from edge.learn.terms import Array
from edge.terms import DAY_MIN
from host_tools.study.run import digest_of

from .buildings import Building
from .kept import loaded, written

_LEAD_MIN = DAY_MIN + 128  # minutes that are given again: the regressions look back a day


@dataclass(frozen=True)
class Start:
    """How a learner begins: its model and options, and the updates after its past."""

    model: str
    options: tuple[tuple[str, Any], ...] = ()
    updates: int = 0
    train_every_min: int = 120

    @property
    def started(self) -> bool:
        """Whether its networks begin trained."""
        return "start" in dict(self.options)


def fresh(of: Building, start: Start, seed: int, memory: int) -> Learner:
    """A learner that has seen nothing."""
    settings = LearnerSettings(
        scale=of.scale,
        model=start.model,
        memory_min=memory,
        train_every_min=start.train_every_min,
        first_training_min=DAY_MIN,
        options=dict(start.options),
    )
    return Learner(settings, random.Random(seed))


def learner(
    of: Building,
    start: Start,
    seed: int,
    begin: int,
    until: int,
    cache: Path,
    foreign: Sequence[Array] = (),
    created: Callable[[Learner], None] = lambda _: None,
) -> Learner:
    """A learner with the past of lines `begin` to `until`; `foreign` are lines of other buildings, in W of
    this one, that it has seen before (pooled training). `created` is called before it has learnt anything."""
    memory = len(of.record.powers_w) + sum(map(len, foreign))
    told = f"{learning_version()} {of.digest} {of.name} {of.max_power_w} {start} {seed} {begin} {until}"
    digest = hashlib.blake2b(told.encode(), digest_size=10)
    for each in foreign:
        digest.update(np.ascontiguousarray(each).tobytes())
    kept = cache / f"{digest.hexdigest()}.learner"
    found = fresh(of, start, seed, memory)
    created(found)
    if saved := loaded(kept, lambda file: _whole(fresh(of, start, seed, memory), file)):
        restore(found, of, begin, until, saved)
        return found
    lines = [*foreign, of.record.powers_w[begin:until]]
    at = (
        of.record.first_minute + until - sum(map(len, lines))
    )  # foreign pasts are whole weeks, so their days keep their kind
    for each in lines:
        for line in each:
            found.observe(at, line)
            at += 1
    for _ in range(1 + start.updates):
        finish(found.training())
    with written(kept) as unfinished:
        unfinished.write(found.save())
    return found


def _whole(like: Learner, kept: Path) -> bytes:
    """What is kept in a file, if a learner can be restored from it. Raises ValueError."""
    saved = kept.read_bytes()
    like.load(saved)
    return saved


@once
def learning_version() -> str:
    """A digest of the code that learns: what another version has learnt is computed again."""
    return digest_of(Path(edge.learn.__file__).parent, "**/*.py")


def restore(found: Learner, of: Building, begin: int, until: int, saved: bytes) -> None:
    """Give a learner what it has learnt of lines `begin` to `until`."""
    found.load(saved)
    minute = of.record.first_minute
    for line in range(begin, max(begin, until - _LEAD_MIN)):
        found.series.append(minute + line, of.record.powers_w[line])
    for line in range(max(begin, until - _LEAD_MIN), until):
        found.observe(minute + line, of.record.powers_w[line])
