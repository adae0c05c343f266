"""False values: what zero, the end of a range or another's value means for numbers, names and texts."""

import math
import random
from collections.abc import Sequence
from typing import Any

NAN = math.nan


def number(value: str, present: int, end: int, rng: random.Random) -> Any:
    """A false whole number in place of `present`, whose range ends at `end`."""
    match value:
        case "zero":
            return 0
        case "negative":
            return -1 - rng.randrange(3)
        case "huge":
            return 2**63 - 1
        case "end":
            return end - rng.randrange(4)
        case "nan":
            return NAN
        case "replayed":
            return max(0, present - 1)
        case "contradictory":
            return present
        case "others":
            return present + 1
    return rng.randrange(end)


def power(value: str, rng: random.Random) -> Any:
    """A false power in W."""
    powers_w = {"zero": 0.0, "negative": -50.0, "huge": 1e308, "end": 9_999_999.0, "nan": None}
    return powers_w.get(value, round(rng.uniform(1.0, 500.0), 1))


def name(value: str, others: Sequence[str], rng: random.Random) -> str:
    """A false name of an LSA or of a node."""
    match value:
        case "zero":
            return ""
        case "huge":
            return "x" * 300
        case "end":
            return "x" * 64
        case "negative":
            return "-.-"
        case "nan":
            return "n\0\n"
        case "others" | "replayed" | "contradictory" if others:
            return rng.choice(others)
    return f"x{rng.randrange(100_000)}"


def text(value: str, size: int, rng: random.Random) -> bytes:
    """False bytes, about `size` of them where the value says nothing about it."""
    sizes = {"zero": 0, "negative": 1, "huge": 40_000, "end": 16_384, "contradictory": 4096}
    return rng.randbytes(sizes.get(value, size))


def count(value: str, end: int, rng: random.Random) -> int:
    """A false number of things, at most as many as are still sent."""
    counts = {"zero": 0, "negative": 1, "huge": 8 * end, "end": end, "contradictory": 2}
    return counts.get(value, rng.randrange(1, end + 2))
