"""Ways to bring the weights of networks to neighbours, beside each other on the trainings of one node.

    differences    closed loop, in about two bits a weight: what nodes do
    fragments      whole weights (int8) of one variable after the other, for the bytes that differences take
    whole          whole weights (int8) of all variables, each time

And what losses of messages cost: with one copy of what neighbours hold for all of them, or with one for each.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lgamma, log
from typing import Any

import numpy as np

from edge.learn.gossip import Incoming, Message, Outgoing, Piece
from edge.learn.gossip.deltas import delta_piece, whole_piece
from edge.learn.gossip.message import DELTA, PIECE_HEAD_BYTES, inflated_codes
from edge.learn.learner import Learner
from edge.learn.model import finish
from edge.learn.parts import WEIGHTS, Part
from edge.learn.terms import Array
from edge.terms import DAY_MIN, VARIABLES

from ..data import DataError
from .buildings import Building
from .held import Trunks, accuracy, distances, losses, trunks_of
from .past import fresh
from .plan import Plan, Work

WAYS = ("differences", "fragments", "whole")
NEIGHBOURS, LOSSES = (1, 2, 4, 8), (0.0, 0.2)
FIRST_PERIODS = 6  # are told apart from the later ones: fragments need them to tell every variable once
_EVERY_MIN, _PERIODS = 20, 72  # as nodes train and send, for a day
_ACCURACY_EVERY = 4  # periods
_DAYS = 4  # before the first training
_JUDGED = _DAYS * DAY_MIN + _PERIODS * _EVERY_MIN  # the first line of the day that nobody has learnt
_LINKS = 3  # runs with other losses of messages, of which the mean is taken
_BUDGET = 9_400  # bytes of pieces in a message of 10,000
_CONTEXT = 8  # codes before one, by which a range coder expects it
_KEY = b"trunk..."
_ALL = range(len(VARIABLES))


def rivals_job(plan: Plan, name: str, started: bool, seed: int) -> Work:
    """A day of trainings, told to neighbours in each way."""

    def work() -> dict[str, Any]:
        of = plan.building(name)
        if len(of.record.powers_w) < _JUDGED + DAY_MIN:
            raise DataError(f"{of.name}: a record of {_JUDGED // DAY_MIN + 1} days is needed")
        made = fresh(of, plan.begins("lstm", started), seed, len(of.record.powers_w))
        _observe(made, of, 0, _DAYS * DAY_MIN)
        start = trunks_of(made)
        ways = [Way(each, list(start)) for each in WAYS]
        path, rows = [], []
        for period in range(_PERIODS):
            finish(made.training())
            path.append(trunks_of(made))
            for way in ways:
                way.send(path[-1], ways[0].bytes)
            row = {way.name: way.told(path[-1]) for way in ways} | {"exact": {}}
            for each, told in row.items():
                trunks = path[-1] if each == "exact" else ways[WAYS.index(each)].held
                told["loss"] = losses(made, trunks)[0]
                if period % _ACCURACY_EVERY == 0:
                    told["accuracy"] = accuracy(of, plan, seed, made, trunks, _JUDGED)
            rows.append(row)
            line = _DAYS * DAY_MIN + period * _EVERY_MIN
            _observe(made, of, line, line + _EVERY_MIN)
        return {"nodes": {}, "rivals": {of.name: {"periods": rows, "links": links(start, path, seed)}}}

    return work


def _observe(made: Learner, of: Building, begin: int, end: int) -> None:
    for line in range(begin, end):
        made.observe(of.record.first_minute + line, of.record.powers_w[line])


@dataclass
class Way:
    """What a neighbour holds by one of the ways, and the bytes of the last period: as they are sent, and by
    an ideal range coder."""

    name: str
    held: list[Array]
    bytes: int = 0
    coded_bytes: float = 0.0
    _turn: int = 0
    _saved: int = 0

    def send(self, exact: Trunks, budget: int) -> set[int]:
        """A period; the variables that were told. Of the `budget` fragments save what is too little for the
        next one."""
        pieces = list(self._fragments(exact, budget)) if self.name == "fragments" else self._all(exact)
        self.bytes = sum(len(piece.data) + PIECE_HEAD_BYTES for piece in pieces)
        lengths = (coded_bytes(piece, exact[piece.variable].size) for piece in pieces)
        self.coded_bytes = sum(PIECE_HEAD_BYTES + each for each in lengths)
        return {piece.variable for piece in pieces}

    def told(self, exact: Trunks) -> dict[str, float]:
        """Of the last period, for a result."""
        apart = float(np.mean(distances(self.held, exact)))
        return {"bytes": self.bytes, "coded_bytes": self.coded_bytes, "distance": apart}

    def _all(self, exact: Trunks) -> list[Piece]:
        made = [
            whole_piece(v, _KEY, exact[v])
            if self.name == "whole"
            else delta_piece(v, _KEY, exact[v], self.held[v])
            for v in _ALL
        ]
        self.held = [after for _, after in made]
        return [piece for piece, _ in made]

    def _fragments(self, exact: Trunks, budget: int) -> Iterator[Piece]:
        self._saved += budget
        for _ in _ALL:
            piece, after = whole_piece(self._turn, _KEY, exact[self._turn])
            size = len(piece.data) + PIECE_HEAD_BYTES
            if size > self._saved:
                return
            self._saved -= size
            self.held[self._turn] = after
            self._turn = (self._turn + 1) % len(VARIABLES)
            yield piece


def coded_bytes(piece: Piece, count: int) -> float:
    """The length of `count` codes by an ideal range coder. It learns how often each code comes after so many
    that are not 0 among the eight before; each counts as seen half a time at first, and no table is sent."""
    if piece.kind == DELTA:
        both = np.frombuffer(inflated_codes(piece.data, (count + 1) // 2), np.uint8)
        codes, symbols, zero = np.stack((both >> 4, both & 15), -1).reshape(-1)[:count], 15, 8
    else:
        codes, symbols, zero = np.frombuffer(inflated_codes(piece.data, count), np.uint8), 255, 0
    others = np.concatenate((np.zeros(_CONTEXT, np.intp), codes != zero)).cumsum()
    after = np.concatenate(([0], others[_CONTEXT:-1] - others[: -_CONTEXT - 1]))
    nats = 0.0
    for each in np.unique(after):
        seen = [int(number) for number in np.bincount(codes[after == each]) if number]
        nats += lgamma(sum(seen) + symbols / 2) - lgamma(symbols / 2)
        nats -= sum(lgamma(number + 0.5) - lgamma(0.5) for number in seen)
    return nats / log(2) / 8


def links(start: Trunks, path: Sequence[Trunks], seed: int) -> list[dict[str, Any]]:
    """What a node sends to so many neighbours that lose messages, and what they hold; with one copy for all,
    or with one for each; and with fragments, for the bytes of one copy, which need none."""
    return [
        _link(start, path, neighbours, loss, each, seed)
        for loss in LOSSES
        for neighbours in NEIGHBOURS
        for each in (False, True)
    ]


def _link(
    start: Trunks, path: Sequence[Trunks], neighbours: int, loss: float, each: bool, seed: int
) -> dict[str, Any]:
    sent, apart, by_fragments, state = [], [], [], 0
    for run in range(_LINKS):
        rng, other = (random.Random(f"{seed} {run} {neighbours} {loss}") for _ in range(2))
        link, fragments = _Link(start, neighbours, each), _Fragments(start, neighbours)
        for number, exact in enumerate(path):
            bytes_, held = link.period(exact, loss, rng)
            fragments.period(exact, bytes_ // neighbours, loss, other)
            if number >= FIRST_PERIODS:
                sent.append(bytes_)
                apart += [distances(one, exact) for one in held]
                by_fragments += [distances(one, exact) for one in fragments.held]
        state = link.state_bytes
    return {
        "neighbours": neighbours,
        "loss": loss,
        "each": each,
        "bytes": float(np.mean(sent)),
        "distance": float(np.mean(apart)),
        "by_fragments": float(np.mean(by_fragments)),
        "state_bytes": state,
    }


class _Fragments:
    """The same neighbours, told by fragments."""

    def __init__(self, start: Trunks, neighbours: int) -> None:
        self._way = Way("fragments", list(start))
        self.held = [list(start) for _ in range(neighbours)]

    def period(self, exact: Trunks, budget: int, loss: float, rng: random.Random) -> None:
        """What each of them holds after it."""
        told = self._way.send(exact, budget)
        for held in self.held:
            if rng.random() >= loss:
                for variable in told:
                    held[variable] = self._way.held[variable]


class _Link:
    """A node and its neighbours, by the code of the nodes."""

    def __init__(self, start: Trunks, neighbours: int, each: bool) -> None:
        self._start, self._each = start, each
        self._senders = [Outgoing("sender") for _ in range(neighbours if each else 1)]
        self._receivers = [Incoming(1) for _ in range(neighbours)]
        for sender in self._senders:
            sender.common_start(_parts(start))
        self._common = self._receivers[0].common_start(_parts(start))

    def period(self, exact: Trunks, loss: float, rng: random.Random) -> tuple[int, list[list[Array]]]:
        """The bytes to all neighbours together, and what each of them holds then."""
        parts = _parts(exact)
        told = [_message(sender.weights(parts, _BUDGET)) for sender in self._senders]
        for number, receiver in enumerate(self._receivers):
            of = number if self._each else 0
            if rng.random() >= loss:
                receiver.receive("sender", told[of], parts, 0, self._common)
            if rng.random() >= loss:  # the neighbour's own message, which says what it lacks
                self._senders[of].wanted(receiver.wants())
        sent = sum(map(len, told)) * (1 if self._each else len(self._receivers))
        return sent, [self._held(receiver) for receiver in self._receivers]

    def _held(self, receiver: Incoming) -> list[Array]:
        share = receiver.shares.get("sender")
        came = {} if share is None else share.weights
        return [came.get((v, _KEY), self._start[v]) for v in _ALL]

    @property
    def state_bytes(self) -> int:
        """What the node remembers of what neighbours hold."""
        return sum(sender.nbytes for sender in self._senders)


def _parts(trunks: Trunks) -> Any:
    return lambda variable: {"trunk": Part(WEIGHTS, _KEY, trunks[variable])}


def _message(pieces: tuple[Piece, ...]) -> bytes:
    ones = np.ones(len(VARIABLES))
    message = Message(age_min=0, neighbours=1, samples=ones, losses=ones, max_power_w=1.0, pieces=pieces)
    return message.packed()
