"""Areas of one microgrid in several processes, in step: conservative parallel simulation.

Each process holds the whole world, and runs the nodes of its area. A frame to another area arrives a latency
after it left, so all processes may run up to a latency beyond the soonest event anywhere without waiting for
each other. Then they exchange what has left their areas, and agree on the next span.

At equal times frames arrive first; then events are ordered by the node that caused them and by the order in
which it did. That is the same in any number of processes; so the result is the same, too.
"""

import math
import multiprocessing
import pickle
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Passing(NamedTuple):
    """What goes to a node of another area: a frame, or that a link came up (True) or went down (False)."""

    at_s: float
    rank: int  # of the node that caused it
    number: int  # of the event in its process
    sender: str
    receiver: str
    frame: bytes | bool


class Team:
    """The processes of one run, as one of them sees it; alone by default."""

    def __init__(self, areas: Sequence[Sequence[str]] = (), index: int = 0) -> None:
        self.index = index
        self._process_of = {name: i for i, area in enumerate(areas) for name in area}
        self._peers: dict[int, Connection] = {}  # by process, in the order in which they are talked to
        self._leaving: list[list[Passing]] = [[] for _ in areas]
        self._soonest_s = math.inf  # of what leaves

    @property
    def alone(self) -> bool:
        """Whether all nodes are in this process."""
        return not self._peers

    def has(self, node: str) -> bool:
        """Whether a node is in this process."""
        return self.alone or self._process_of[node] == self.index

    def send(self, passing: Passing) -> None:
        """Pass something on to the process of its receiver, at the next exchange."""
        self._leaving[self._process_of[passing.receiver]].append(passing)
        self._soonest_s = min(self._soonest_s, passing.at_s)

    def exchange(self, soonest_s: float) -> tuple[float, list[Passing]]:
        """Tell the others when the next event here is due; returns when the next one anywhere is, and what
        has arrived."""
        soonest_s = min(soonest_s, self._soonest_s)
        leaving, self._leaving = self._leaving, [[] for _ in self._leaving]
        self._soonest_s = math.inf
        told = self._swap([(soonest_s, each) for each in leaving])
        arrived = [passing for _, each in told for passing in each]
        return min([soonest_s, *(each for each, _ in told)]), arrived

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in the order of their areas; each has to ask."""
        if self.alone:
            return [value]
        told = self._swap([value] * len(self._leaving))
        others = dict(zip(self._peers, told, strict=True)) | {self.index: value}
        return [others[i] for i in range(len(others))]

    def _swap(self, values: Sequence[Any]) -> list[Any]:
        """Give each other process its value and take its own; the lower one speaks first, so none blocks."""
        told = []
        for other, peer in self._peers.items():
            if self.index < other:
                peer.send_bytes(pickle.dumps(values[other], pickle.HIGHEST_PROTOCOL))
            told.append(pickle.loads(peer.recv_bytes()))  # from a process that was forked here
            if self.index > other:
                peer.send_bytes(pickle.dumps(values[other], pickle.HIGHEST_PROTOCOL))
        return told


def areas_of(machines: Sequence[Sequence[str]], count: int) -> list[list[str]]:
    """At most `count` areas of about the same number of nodes: those of a machine stay together, and
    machines that follow each other."""
    nodes, done = sum(map(len, machines)), 0
    areas: list[list[str]] = [[] for _ in range(count)]
    for machine in machines:
        areas[done * count // nodes] += machine
        done += len(machine)
    return [area for area in areas if area]


def in_areas(machines: Sequence[Sequence[str]], count: int, play: Callable[[Team], T]) -> T:
    """What `play` returns here, while forked processes play the other areas; the nodes of a machine are in
    one of them. Raises what it raises, and EOFError when one of them ended too soon."""
    areas = areas_of(machines, count)
    if len(areas) < 2:
        return play(Team())
    fork = multiprocessing.get_context("fork")
    teams = [Team(areas, i) for i in range(len(areas))]
    for i, low in enumerate(teams):
        for j, high in enumerate(teams[i + 1 :], i + 1):
            low._peers[j], high._peers[i] = fork.Pipe()
    others = [fork.Process(target=_play, args=(play, teams, each.index), daemon=True) for each in teams[1:]]
    for each in others:
        each.start()
    _keep_only(teams, 0)
    try:
        return play(teams[0])
    finally:
        for peer in teams[0]._peers.values():
            peer.close()
        for each in others:
            each.join()


def _play(play: Callable[[Team], object], teams: Sequence[Team], index: int) -> None:
    _keep_only(teams, index)
    play(teams[index])


def _keep_only(teams: Sequence[Team], index: int) -> None:
    """Close the ends of others, so that each notices when another process ends."""
    for team in teams:
        for peer in team._peers.values() if team.index != index else ():
            peer.close()
