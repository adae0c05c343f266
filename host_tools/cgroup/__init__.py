"""Hard limits on the memory of a process and its children, and what it took of it (`make memtest`).

Best first: a control group of our own, of version 2 or 1 as mounted; a scope made by systemd. Without
either there is `DataLimit`, which is weaker and which only the caller may choose.
"""

from collections.abc import Callable, Sequence

from .group import group_v1, group_v2
from .limit import DataLimit, LimitError, MemoryLimit
from .probe import Figures, Probe
from .scope import Scope

__all__ = [
    "BACKENDS",
    "Backend",
    "DataLimit",
    "Figures",
    "LimitError",
    "MemoryLimit",
    "Probe",
    "memory_limit",
]

Backend = Callable[[int], MemoryLimit]
BACKENDS: tuple[Backend, ...] = (group_v2, group_v1, Scope)


def memory_limit(limit_bytes: int, backends: Sequence[Backend] = BACKENDS) -> MemoryLimit:
    """The first that can be had. Raises LimitError with a line for each that cannot."""
    reasons = []
    for backend in backends:
        try:
            return backend(limit_bytes)
        except LimitError as error:
            reasons.append(str(error))
    raise LimitError("\n".join(reasons))
