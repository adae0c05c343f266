"""With which incarnation a node begins its life: a later one than any before, and never the same twice."""

import random
from collections.abc import Mapping
from typing import Any

from .space.origins import MAX_INCARNATION

_FIRST = 2**20  # at most, of a node without memory
_STEP = 2**8  # at most; a restart a minute takes thirty years to the last one


def next_incarnation(memory: Mapping[str, Any], rng: random.Random, first: int = 1) -> int:
    """Larger than the last one on disk, and at least `first`.

    A node that lost its memory, or died before it saved its incarnation, must not use it again: other nodes
    that hold LSAs of that incarnation would take equal versions for equal LSAs.
    """
    last = memory.get("incarnation")
    if type(last) is int and 0 < last <= MAX_INCARNATION - _STEP:
        return max(last, first) + rng.randint(1, _STEP)
    return first - 1 + rng.randint(1, _FIRST)
