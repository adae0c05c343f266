"""What a newcomer beside eight established neighbours makes them send, and when it holds their networks.

Run as a module it measures in its own process and prints JSON. All neighbours have the same default model,
which is updated every 20 minutes on invented days: only what is sent is of interest. No message is lost.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from edge.terms import DAY_MIN, VARIABLES

from .learning import invented_minute
from .sheet import Part, Sheet

NEIGHBOURS = 8
_HOURS, _EVERY_MIN = 12, 20
_TOLD_HOURS = (0, 1, 2, 4, 6, 8, 10, 12)
_STEPS = {"first_steps": 30, "least_steps": 30}


def measure() -> dict[str, Any]:
    """The figures `joining`, from a process of its own."""
    command = [sys.executable, "-m", "host_tools.bench.joining"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(output)
    return found


class _Node:
    """A learner of the default model on invented minutes."""

    def __init__(self, first_training_min: int) -> None:
        import numpy as np

        from edge.learn.learner import Learner, LearnerSettings
        from edge.learn.states import StateScale

        settings = LearnerSettings(
            scale=StateScale.of_max_power(30_000.0),
            model="mixture",
            memory_min=3 * DAY_MIN,
            train_every_min=_EVERY_MIN,
            first_training_min=first_training_min,
            options=_STEPS,
        )
        self._np, self._rng = np, random.Random(first_training_min)
        self.learner = Learner(settings, random.Random(1))

    def exchange(self, name: str) -> Any:
        """One that is created before anything is learnt."""
        from edge.learn.gossip import Exchange, ExchangeSettings

        return Exchange(name, self.learner, ExchangeSettings(most_neighbours=NEIGHBOURS), random.Random(name))

    def live(self, minute: int) -> None:
        """Learn a minute, and train if that is due."""
        from edge.learn.model import finish

        self.learner.observe(minute, self._np.array(invented_minute(minute, self._rng), self._np.float32))
        if self.learner.training_due:
            finish(self.learner.training())


def _measured() -> dict[str, Any]:
    node, newcomer = _Node(DAY_MIN), _Node(3 * DAY_MIN)
    established = {name: node.exchange(name) for name in map("n{}".format, range(NEIGHBOURS))}
    joining = newcomer.exchange("newcomer")
    for minute in range(DAY_MIN + 1):
        node.live(minute)
    for exchange in established.values():  # as if each had told its neighbours all that it has learnt
        exchange.sender.parts.common_start(node.learner.model.parts)
    came = _Came()
    for past in range(60 * _HOURS):
        minute = DAY_MIN + 1 + past
        node.live(minute)
        newcomer.live(minute)
        joining.observe(minute, newcomer.learner.series.last(1)[0])
        for name, exchange in established.items():
            data = exchange.outgoing(minute, NEIGHBOURS)
            if data is not None:
                joining.receive_model(name, data, minute)
                came.add(name, data, past)
        told = joining.outgoing(minute, NEIGHBOURS)
        for exchange in established.values() if told is not None else ():
            exchange.receive_model("newcomer", told, minute)
    return {"hours": came.hours, "complete_min": came.complete_min}


class _Came:
    """What the newcomer received."""

    def __init__(self) -> None:
        self.hours: list[Counter[str]] = [Counter() for _ in range(_HOURS)]
        self.complete_min: list[int] = []  # when all variables of a neighbour had come whole
        self._lacking = {f"n{number}": set(range(len(VARIABLES))) for number in range(NEIGHBOURS)}

    def add(self, name: str, data: bytes, past_min: int) -> None:
        """A message of a neighbour."""
        from edge.learn.gossip import Message
        from edge.learn.gossip.message import DELTA, WHOLE

        pieces = Message.unpacked(data).pieces
        whole = {piece.variable: len(piece.data) for piece in pieces if piece.kind == WHOLE}
        differences = sum(piece.kind == DELTA for piece in pieces)
        told = Counter(messages=1, bytes=len(data), whole_bytes=sum(whole.values()), differences=differences)
        self.hours[past_min // 60] += told
        lacking = self._lacking[name]
        if lacking:
            lacking.difference_update(whole)
            if not lacking:
                self.complete_min.append(past_min)


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    hours, complete = found["hours"], found["complete_min"]
    rows = []
    for start, end in pairwise(_TOLD_HOURS):
        of: Counter[str] = sum(map(Counter, hours[start:end]), Counter())
        rows.append(
            (
                f"{start} to {end}",
                f"{of['bytes']:,}",
                f"{of['whole_bytes']:,}",
                f"{of['differences'] / of['messages']:.1f}",
                f"{sum(minute < 60 * end for minute in complete)} of {NEIGHBOURS}",
            )
        )
    yield Sheet(
        f"a newcomer beside {NEIGHBOURS} neighbours, which send the same to all of theirs",
        ("hours", "bytes that came", "whole weights", "differences a message", "neighbours it holds"),
        rows,
        ("it holds a neighbour when all six networks have come whole",),
    )


PART = Part("joining", lambda folder: measure(), _sheets)


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    print(json.dumps(_measured()))
