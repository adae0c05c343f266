"""Counters that have grown lately: what is counted for ever says little about now."""

_LATELY_S = 300.0


class Recent:
    """Remembers when each counter last grew, and by how much it has grown since it was quiet."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._quiet: dict[str, int] = {}  # the count when it last began to grow
        self._grown_s: dict[str, float] = {}

    def note(self, name: str, count: int, now_s: float) -> None:
        """The counter stands at `count` now; it began at 0."""
        before = self._counts.get(name, 0)
        if count > before:
            if not self._is_recent(name, now_s):
                self._quiet[name] = before
            self._grown_s[name] = now_s
        self._counts[name] = count

    def growth(self, name: str, now_s: float) -> int:
        """By how much it has grown since it was quiet for five minutes; 0 if it is quiet now."""
        return self._counts[name] - self._quiet[name] if self._is_recent(name, now_s) else 0

    def _is_recent(self, name: str, now_s: float) -> bool:
        return name in self._grown_s and now_s - self._grown_s[name] < _LATELY_S
