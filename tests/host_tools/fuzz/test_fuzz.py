"""The fixed corpus of the fuzzer: valid inputs, and each of them damaged in fixed ways."""

import gc
import random
import tracemalloc

import pytest

from edge.net.frame import decode
from host_tools.fuzz import samples
from host_tools.fuzz.targets import Envelopes, Finding, targets
from host_tools.world.silence import silence

MOST_BYTES = 1_000_000  # for one input: as a frame may cost
MOST_GROWTH_BYTES = 64 * 1024  # after the whole corpus a second time
TARGETS = targets()
FOUND = {"energy": [b')\t{"v":[["ab",-7,1,1.05,2]]}']}  # inputs that failed once


def corpus(target):
    """Some 150 inputs, always the same."""
    rng = random.Random(target.name)
    seeds = list(target.seeds())
    found = [b"", b"\0", *FOUND.get(target.name, ()), *seeds]
    for seed in seeds:
        for _ in range(max(1, 120 // len(seeds))):
            wrong = bytearray(seed)
            for _ in range(rng.choice((1, 1, 2, 6))):
                wrong[rng.randrange(1, len(wrong))] = rng.randrange(256)
            if rng.random() < 0.3:
                del wrong[rng.randrange(1, len(wrong)) :]
            found.append(bytes(wrong))
    return found


@pytest.fixture
def unheard():
    """Log records that pytest keeps would count as growth."""
    with silence():
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_the_corpus_fails_or_makes_anything_grow(name, unheard):
    target = TARGETS[name]
    inputs = corpus(target)
    for data in inputs:
        target.run(data)
    tracemalloc.start()
    try:
        for data in inputs[::4]:
            target.run(data)
        before = held()
        for data in inputs[::4]:
            tracemalloc.reset_peak()
            began, _ = tracemalloc.get_traced_memory()
            target.run(data)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - began <= MOST_BYTES, data
        after = held()
    finally:
        tracemalloc.stop()
    assert after - before <= MOST_GROWTH_BYTES


def held():
    """Memory in use; circles that wait for the collector are not growth."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_the_frames_to_begin_with_are_believed():
    """Else the fuzzer would only ever see what lies before the signatures."""
    village = samples.Village()
    whole, *_, everything = samples.frames()
    node = village.node()
    node.gateway.receive(samples.OTHER, whole)
    assert node.gateway.refused == 0
    assert node.space.find(f"{samples.OTHER}.t")
    assert node.space.find(f"{samples.FAR}.t")
    frame = decode(everything)
    assert frame.lsas
    assert frame.deltas
    assert frame.near
    assert frame.rosters


def test_what_a_member_seals_is_read():
    envelopes = Envelopes()
    messages = [envelopes.read(data) for data in TARGETS["envelope"].seeds()]
    assert all(messages)
    assert messages[::2] == messages[1::2]


def test_a_node_that_is_altered_is_found(monkeypatch):
    monkeypatch.setattr(samples.Receiver, "own", lambda self: b"altered")
    with pytest.raises(Finding):
        TARGETS["gateway"].run(b"\0")
