"""`python -m host_tools.netns.switch DELAY_S LOSS NUMBER...`: carries frames between open TAP devices.

Lines of its input are JSON: the part of each port. It answers each, and ends with its input; its last line
has counters and how late frames were.
"""

import json
import os
import random
import selectors
import sys
import time
from contextlib import suppress

from .medium import Medium

_FRAME_BYTES = 2048
_AT_ONCE = 64  # frames of one port before the others
_LATENESS = 4096  # frames, for the percentile


def main(arguments: list[str]) -> int:
    """Carry frames until the input ends."""
    delay_s, loss, numbers = float(arguments[0]), float(arguments[1]), [int(each) for each in arguments[2:]]
    rng = random.Random(1)
    medium = Medium(len(numbers), delay_s, loss, rng)
    late_s: list[float] = []
    refused = 0
    with selectors.DefaultSelector() as selector:
        for port, number in enumerate(numbers):
            os.set_blocking(number, False)
            selector.register(number, selectors.EVENT_READ, port)
        selector.register(sys.stdin, selectors.EVENT_READ, None)
        while True:
            next_s = medium.next_s()
            wait_s = None if next_s is None else max(0.0, next_s - time.monotonic())
            for key, _ in selector.select(wait_s):
                if key.data is None:
                    line = sys.stdin.readline()
                    if not line:
                        with suppress(BrokenPipeError):  # who has started it was killed
                            os.write(1, json.dumps(_counters(medium, late_s, refused)).encode() + b"\n")
                        return 0
                    medium.separate({int(port): part for port, part in json.loads(line).items()})
                    print("{}", flush=True)
                else:
                    _read(medium, key.data, key.fd)
            for port, frame, behind_s in medium.due(time.monotonic()):
                if len(late_s) < _LATENESS:
                    late_s.append(behind_s)
                else:
                    late_s[rng.randrange(_LATENESS)] = behind_s
                try:
                    os.write(numbers[port], frame)
                except OSError:  # the interface is down or full, as a cable would be
                    refused += 1


def _read(medium: Medium, port: int, number: int) -> None:
    for _ in range(_AT_ONCE):
        try:
            frame = os.read(number, _FRAME_BYTES)
        except OSError:
            return
        medium.take(port, frame, time.monotonic())


def _counters(medium: Medium, late_s: list[float], refused: int) -> dict[str, float]:
    late_s = sorted(late_s) or [0.0]
    return {
        "carried": medium.carried,
        "lost": medium.lost,
        "separated": medium.separated,
        "overflown": medium.overflown + refused,
        "late_p95_ms": round(1000 * late_s[int(0.95 * (len(late_s) - 1))], 2),
        "late_max_ms": round(1000 * late_s[-1], 2),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
