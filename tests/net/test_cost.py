"""Cost before work: whatever 64 kB of wire say, decoding takes at most 1 MB. `make bench` prints its time."""

import contextlib
import tracemalloc

import pytest

from edge.net.frame import MAX_FRAME_BYTES, decode
from edge.net.schema import FrameError
from host_tools.bench.wire import worst_frames

MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def worst():
    """Making them takes a second: not while tests are collected, which each worker does."""
    return list(worst_frames())


def peak_of(data):
    tracemalloc.start()
    try:
        with contextlib.suppress(FrameError):
            _frame = decode(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_each_frame_takes_bounded_memory(worst):
    assert len(worst) > 20
    assert {name: len(data) for name, data in worst if len(data) > MAX_FRAME_BYTES} == {}
    peaks = {name: peak_of(data) for name, data in worst}
    assert {name: peak for name, peak in peaks.items() if peak > MOST_BYTES} == {}
    assert max(peaks.values()) > MAX_FRAME_BYTES  # it is measured


def test_some_of_the_worst_frames_are_valid(worst):
    valid = 0
    for _, data in worst:
        with contextlib.suppress(FrameError):
            decode(data)
            valid += 1
    assert 5 <= valid < len(worst) - 5
