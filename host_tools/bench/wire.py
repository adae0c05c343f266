"""What a frame may cost: the dearest bodies that 64 kB of wire can carry, valid or almost valid."""

import random
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from edge.net.frame import MAX_BODY_BYTES, MAX_FRAME_BYTES, VERSION, decode
from edge.net.packing import packed
from edge.net.schema import FrameError, Statement
from edge.space.lsa import MAX_PATH

from .sheet import Part, Sheet

_HEADER = struct.Struct("<cBBBI")
_REPEATS = 5
pack = msgspec.msgpack.encode


def measure() -> dict[str, dict[str, float | str]]:
    """Of each: bytes on the wire, bytes allocated at the peak, and milliseconds (the best of some)."""
    return {name: _cost(data) for name, data in worst_frames()}


def _cost(data: bytes) -> dict[str, float | str]:
    taken, answer = [], "valid"
    for _ in range(_REPEATS):
        began_s = time.process_time()
        try:
            decode(data)
        except FrameError as error:
            answer = str(error)
        taken.append(time.process_time() - began_s)
    tracemalloc.start()
    with suppress(FrameError):
        _frame = decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"wire_bytes": len(data), "peak_bytes": peak, "ms": 1000 * min(taken), "answer": answer}


def sealed(body: bytes, pulses: bytes = b"", count: int = 0, flags: int = 0) -> bytes:
    """A frame with a valid checksum around any content."""
    content = pulses + body
    return _HEADER.pack(b"M", VERSION, flags, count, zlib.crc32(content, flags << 8 | count)) + content


_FILL = MAX_BODY_BYTES - 64


def worst_frames(seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """(what it is, bytes)."""
    rng = random.Random(seed)
    for name, body in bodies():
        data = pack(body)
        yield name, sealed(packed(data, 9), flags=1)
        if len(data) < MAX_FRAME_BYTES:
            yield f"{name}, not compressed", sealed(data)
    for name, data in (
        ("zeros", bytes(200_000_000)),
        ("nested lists", b"\x81\xa1l\x91" + b"\x91" * (_FILL - 10) + b"\xc0"),
        ("nested maps", b"\x81\xa1l\x91" + b"\x81\xa0" * (_FILL // 2 - 10) + b"\xc0"),
        ("a huge list", b"\x81\xa1l\xdd\xff\xff\xff\xff" + b"\x90" * 40_000),
        ("huge bytes", b"\x81\xa1l\x91\xc6\xff\xff\xff\xff" + b"x" * 40_000),
        ("noise", rng.randbytes(48_000)),
    ):
        yield name, sealed(packed(data, 9)[: MAX_FRAME_BYTES - 8], flags=1)
    yield "noise, not compressed", sealed(rng.randbytes(48_000))
    pulses = (b"\x20" + b"n" * 32 + b"\x41\x03\x00" + b"x" * 12) * 128
    yield "pulses", sealed(packed(pack(dict(bodies())["properties of all LSAs"]), 9), pulses, 128, 3)


def bodies() -> Iterator[tuple[str, dict[str, object]]]:
    """(what it is, plain values)."""

    def lsa(
        i: int, via: Iterable[str] = (), specs: Iterable[Any] = (), properties: Iterable[Any] = ()
    ) -> list[object]:
        return ["a", f"{i}", "", 1, 90_000, 1, list(via), b"", list(specs), list(properties)]

    def shown(i: int, value: bytes = b"") -> list[object]:
        return [f"L{i}", "", 70_000 + i, 0, 0, value]

    def nodes(count: int, salt: int = 0) -> list[str]:
        return [f"{salt:x}{i:x}" for i in range(count)]

    def spec(i: int) -> list[object]:
        return [f"{i}", "s", False, 1000]

    yield "properties of one LSA", {"l": [lsa(0, properties=[shown(i) for i in range(64)])]}
    yield (
        "properties of all LSAs",
        {"l": [lsa(i, properties=[shown(k) for k in range(20)]) for i in range(64)]},
    )
    yield "properties without end", {"l": [lsa(0, properties=[shown(i) for i in range(3_900)])]}
    yield "paths", {"l": [lsa(i, via=nodes(MAX_PATH - 1, i)) for i in range(64)]}
    yield "aggregations", {"l": [lsa(i, specs=[spec(k) for k in range(16)]) for i in range(64)]}
    yield (
        "all of it",
        {"l": [lsa(i, nodes(20, i), map(spec, range(6)), [shown(k) for k in range(8)]) for i in range(64)]},
    )
    yield "LSAs without end", {"l": [lsa(i) for i in range(2_500)]}
    yield (
        "deltas",
        {
            "d": [
                ["a", f"{i}", 1, 90_000, 1, nodes(60, i), b"", [9] * 60, [shown(k) for k in range(4)]]
                for i in range(64)
            ]
        },
    )
    yield (
        "near properties",
        {"n": [["a", f"{i}", 1, "L", "", 5, 1, 0, 9, 9, b"x" * 700, b"s" * 64] for i in range(60)]},
    )
    shared = [[b"s" * 64, 2, b"\0", bytes([i]), b"h" * 16] for i in range(64)]
    yield "trees", {"l": [lsa(i) for i in range(64)], "b": shared}
    yield "one large value", {"l": [lsa(0, properties=[shown(i, b"x" * 16_000) for i in range(3)])]}
    said = [Statement(f"n{i}", 1, 1, 4, b"c" * 16, 0, 1, b"l" * 12, b"s" * 64) for i in range(128)]
    yield "statements", {"s": [msgspec.to_builtins(each, builtin_types=(bytes,)) for each in said]}
    yield "one roster", {"r": [["a", 1, 1, [f"{i:x}" for i in range(1_024)], [70_000] * 1_024]]}
    yield "rosters", {"r": [["a", 1, 1, [f"{i:x}" for i in range(400)], [70_000] * 400] for _ in range(12)]}
    yield "many rosters", {"r": [["a", 1, 1, ["b"] * 90, [70_000] * 90] for _ in range(90)]}
    yield "questions", {"w": ["a"] * 24_000}
    yield "names asked for", {"w": ["a" * 64] * 256, "o": ["a" * 32] * 128}
    yield "a map of anything", {f"{i}": i for i in range(9_000)}


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    rows = []
    for name, row in found.items():
        cost = f"{row['peak_bytes'] / 1000:.0f}", f"{row['ms']:.2f}"
        rows.append((name, str(row["wire_bytes"]), *cost, str(row["answer"])[:40]))
    title = "decoding the dearest frames of 64 kB (aim: 1 MB, 5 ms)"
    yield Sheet(title, ("body", "wire B", "peak kB", "ms", "answer"), rows)


PART = Part("wire", lambda folder: measure(), _sheets)
