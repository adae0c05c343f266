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
NEGOTIATED = (
    "db08ed000401eb7e00000302650d6a610a13bb6e03091f0100050a62aa00110800001cb853156d04c705610504f98071"
    "000a67824b0002490b5310070300670c056e0a590506ef09410b02dc005906069600781306270b610804df0243100866"
    "025e0d06e804690c03de8267060406075c1002eb046909032f084e1304c30258020323056b120a3d06600307b50a5913"
    "05f9026c0e0480016e010232076100049100440b0520007e120727047c0902db07590404590162100053027d0f01f70a"
    "6c0f03a50b7f080aa8024905036904620607650b5a0d0849007c0e07ad05560f00a2027f0208f4017e0c02b0076d1009"
    "24065908098a045d0e05670b64110877006006072e"
)
FOUND = {  # inputs that failed once
    "energy": [b'\x09{"v":[["ab",-7,1,1.05,2]]}'],
    # a member that held more than it may, by requests of its twins in another order than their offers
    "negotiation": [bytes.fromhex(NEGOTIATED)],
}


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
