"""Steady operation allocates nothing: the arrays of a space are all it ever needs (docs/architecture.md).

Under MicroPython with the collector off every byte counts; CPython frees memory at once, so
there the same rounds show that nothing accumulates.
"""

import gc
import sys

from check import small

from edge.space.agent import Agent
from edge.space.courier import Courier
from edge.space.engine import Engine
from edge.space.tuplespace import TupleSpace

MICROPYTHON = sys.implementation.name == "micropython"
ROUNDS = 200
NOISE = 0 if MICROPYTHON else 20  # blocks that CPython takes and returns for reasons of its own
SHORT = (b"%5d" % 1, b"%5d" % 2)
LONG = (b"x" * 300, b"y" * 300)


def grown(round_):
    """Bytes (CPython: blocks) by which the heap has grown after some rounds."""
    for turn in range(20):
        round_(turn)
    gc.collect()
    gc.disable()
    used = gc.mem_alloc if MICROPYTHON else sys.getallocatedblocks
    before = used()
    for turn in range(ROUNDS):
        round_(turn)
    after = used()
    gc.enable()
    return after - before


class Counter(Agent):
    """Observes without allocating."""

    wants = ("L", "M")

    def __init__(self, name):
        super().__init__(name)
        self.told = 0
        self.acts = 0

    def bonded(self, bond):
        self.told += 1
        if bond.withdrawn or bond.hops or bond.version == 0:
            self.told = -1

    def act(self):
        self.acts += 1


class Hoarder(Counter):
    """Keeps every value it is notified of."""

    def __init__(self, name):
        super().__init__(name)
        self.kept = []

    def bonded(self, bond):
        super().bonded(bond)
        self.kept.append(bond.value())


def populated(observer):
    """A space with neighbours, one observer, and one LSA with three properties."""
    space = TupleSpace("a", small())
    space.set_neighbours(["b", "c"])
    engine = Engine(space, Courier())
    engine.add(observer)
    agent = Counter("a.t")
    engine.add(agent)
    agent.submit("L", SHORT[0])
    agent.submit("M", LONG[0], "a.w")
    agent.submit("N", SHORT[0], "", 50)
    engine.react()
    return space, engine, agent


def test_putting_values_of_the_same_size():
    space, _, agent = populated(Counter("a.w"))
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "", SHORT[turn & 1])
        space.put(handle, "M", "a.w", LONG[turn & 1])
        space.put(handle, "N", "", SHORT[turn & 1], 50)

    assert grown(round_) <= NOISE
    assert space.read(handle, "M", "a.w") == LONG[1]


def test_putting_the_same_again():
    space, _, agent = populated(Counter("a.w"))
    handle = agent.handle

    def round_(_):
        space.put(handle, "L", "", SHORT[0])
        space.put(handle, "M", "a.w", LONG[0])

    assert grown(round_) <= NOISE


def test_values_that_grow_and_shrink():
    space, _, agent = populated(Counter("a.w"))
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "", LONG[0] if turn & 1 else SHORT[0])

    assert grown(round_) <= NOISE


def test_a_reaction_with_an_observer():
    observer = Counter("a.w")
    space, engine, agent = populated(observer)
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "", SHORT[turn & 1])
        space.put(handle, "M", "a.w", LONG[turn & 1])
        engine.react()

    assert grown(round_) <= NOISE
    assert observer.told >= 2 * (ROUNDS + 20)


def test_an_agent_that_submits():
    observer = Counter("a.w")
    _, engine, agent = populated(observer)

    def round_(turn):
        agent.submit("L", SHORT[turn & 1])
        agent.submit("M", LONG[turn & 1], "a.w")
        engine.react()

    assert grown(round_) <= NOISE


def test_a_tick_with_decay_ageing_and_renewal():
    observer = Counter("a.w")
    space, engine, agent = populated(observer)
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "", SHORT[turn & 1])
        space.put(handle, "N", "", SHORT[turn & 1], 3)
        engine.tick()
        engine.react()

    acts = observer.acts
    assert grown(round_) <= NOISE
    assert observer.acts > acts + ROUNDS
    assert engine.faults == 0


def test_properties_that_come_and_go():
    space, engine, agent = populated(Counter("a.w"))
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "a.w", SHORT[turn & 1])
        engine.react()
        space.withdraw(handle, "L", "a.w")
        engine.react()

    assert grown(round_) <= NOISE


def test_properties_that_expire():
    space, engine, agent = populated(Counter("a.w"))
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "a.w", SHORT[turn & 1], 1)
        engine.tick()
        engine.react()

    assert grown(round_) <= NOISE


def test_the_measurement_detects_an_agent_that_keeps_values():
    observer = Hoarder("a.w")
    space, engine, agent = populated(observer)
    handle = agent.handle

    def round_(turn):
        space.put(handle, "L", "", SHORT[turn & 1])
        engine.react()

    assert grown(round_) >= ROUNDS


def test_the_measurement_detects_reading():
    """Reading copies: of all above only it allocates, as seen on MicroPython, where nothing is freed."""
    space, _, agent = populated(Counter("a.w"))
    handle = agent.handle
    cost = grown(lambda _: space.read(handle, "L"))
    assert cost >= ROUNDS if MICROPYTHON else cost <= NOISE
