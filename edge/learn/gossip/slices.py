"""Long parts travel in slices, so that whole weights of each slice fit into one message.

A slice has a key of its own and is treated like a part: it has its turn, its difference and its repair.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ..parts import KEY_BYTES, Part
from ..terms import Array

MOST_VALUES = 8_064  # the shared layers of one network of `lstm`: with a header less than LEAST_MESSAGE_BYTES

Place: TypeAlias = tuple[int, bytes]  # variable, key of a slice
Find: TypeAlias = Callable[[Place], Array | None]


def keys(part: Part) -> Iterator[tuple[bytes, slice]]:
    """The slices of a part by key. The first has the key of the part."""
    for start in range(0, part.values.size, MOST_VALUES):
        told = part.key + start.to_bytes(4, "little")
        key = hashlib.blake2b(told, digest_size=KEY_BYTES).digest() if start else part.key
        yield key, slice(start, min(start + MOST_VALUES, part.values.size))


def joined(variable: int, part: Part, find: Find) -> Array | None:
    """The values of a part from those of its slices; None if one is not there."""
    found = [find((variable, key)) for key, _ in keys(part)]
    there = [values for values in found if values is not None]
    if len(there) < len(found):
        return None
    return there[0] if len(there) == 1 else np.concatenate(there)
