"""A need that waits although its node has the power for it: a sign of a fault."""

_LONG_S = 180.0


class WaitBesideFree:
    """Since when the need of one twin waits beside free power."""

    def __init__(self) -> None:
        self.free_w = 0.0
        self._since_s: float | None = None

    def see(self, missing_w: float, free_w: float, now_s: float) -> None:
        """What the twin lacks, and what its node has free."""
        if not 0.0 < missing_w <= free_w:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = now_s
        self.free_w = free_w

    def is_long(self, now_s: float) -> bool:
        """Whether it waits longer than any negotiation takes."""
        return self._since_s is not None and now_s - self._since_s >= _LONG_S
