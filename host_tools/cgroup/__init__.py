"""Hard limits on the memory of a process and its children, and measurements of its use (`make memtest`).

Backends, best first: our own control group, version 2 or 1, and a systemd scope. Without them there is
`DataLimit`, which is weaker; only the caller may choose it.
"""

from collections.abc import Callable, Sequence

from .group import group_v1, group_v2
from .limit import DataLimit, LimitError, MemoryLimit, reserved_by_numpy
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
    "reserved_by_numpy",
]

Backend = Callable[[int], MemoryLimit]
BACKENDS: tuple[Backend, ...] = (group_v2, group_v1, Scope)


def memory_limit(limit_bytes: int, backends: Sequence[Backend] = BACKENDS) -> MemoryLimit:
    """The first limit that is available. Raises LimitError with one line for each backend that is not."""
    reasons = []
    for backend in backends:
        try:
            return backend(limit_bytes)
        except LimitError as error:
            reasons.append(str(error))
    raise LimitError("\n".join(reasons))
