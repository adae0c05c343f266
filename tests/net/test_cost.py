"""Cost before work: whatever 64 kB of wire say, decoding takes at most 1 MB. `make bench` prints its time."""

import contextlib
import tracemalloc

import pytest

from edge.net.frame import MAX_FRAME_BYTES, decode
from edge.net.schema import FrameError
from host_tools.bench.wire import worst_frames

MOST_BYTES = 1_000_000
WORST = list(worst_frames())


@pytest.mark.parametrize("data", [data for _, data in WORST], ids=[name for name, _ in WORST])
def test_a_frame_takes_bounded_memory(data):
    assert len(data) <= MAX_FRAME_BYTES
    tracemalloc.start()
    try:
        frame = None
        with contextlib.suppress(FrameError):
            frame = decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= MOST_BYTES, frame


def test_some_of_the_worst_frames_are_valid():
    valid = 0
    for _, data in WORST:
        with contextlib.suppress(FrameError):
            decode(data)
            valid += 1
    assert 5 <= valid < len(WORST) - 5
