"""Reduces a failing storm to the parts it needs to fail: delta debugging (Zeller and Hildebrandt, 2002).

First faults are removed, then nodes and twins. A microgrid that is no longer connected is not tried.
"""

from collections.abc import Callable

from .plan import Storm
from .play import Outcome, play

PLAYS_MAX = 150  # a nearly minimal trace soon is better than a minimal one late


class Shrinker:
    """Searches for the smallest storm that still breaks the same rule."""

    def __init__(self, storm: Storm, outcome: Outcome, step: Callable[[], None] = lambda: None) -> None:
        self._storm = storm
        self._rule = _rule(outcome)
        self._step = step  # called for each play
        self._plays = 0
        self.outcome = outcome
        self.keep = [fault.number for fault in storm.faults]
        self.without: list[str] = []

    @property
    def storm(self) -> Storm:
        """The smallest storm found so far."""
        return self._storm.reduced(self.keep, self.without)

    @property
    def command(self) -> str:
        """The command that replays it."""
        keep = ",".join(map(str, self.keep)) or "none"
        without = f" --without {','.join(self.without)}" if self.without else ""
        reach = f" --reach {self._storm.reach}" if self._storm.reach else ""
        return f"python -m host_tools storm --replay {self._storm.seed} --keep {keep}{without}{reach}"

    def run(self) -> None:
        """Shrink until nothing more can be removed, or PLAYS_MAX is reached."""
        before: tuple[list[int], list[str]] | None = None
        while before != (self.keep, self.without):
            before = list(self.keep), list(self.without)
            self._drop_faults()
            self._drop_parts()

    def _drop_faults(self) -> None:
        chunk = max(1, len(self.keep) // 2)
        while True:
            start = 0
            while start < len(self.keep):
                fewer = self.keep[:start] + self.keep[start + chunk :]
                if not self._still_fails(fewer, self.without):
                    start += chunk
            if chunk == 1:
                return
            chunk //= 2

    def _drop_parts(self) -> None:
        for building in self.storm.buildings:
            if not self._still_fails(self.keep, [*self.without, building.name]):
                for twin in building.twins:
                    self._still_fails(self.keep, [*self.without, f"{building.name}.{twin['name']}"])

    def _still_fails(self, keep: list[int], without: list[str]) -> bool:
        """Whether the smaller storm still fails; if so it is kept."""
        smaller = self._storm.reduced(keep, without)
        if keep == self.keep and without == self.without:
            return False
        if self._plays >= PLAYS_MAX or not smaller.connected():
            return False
        self._plays += 1
        self._step()
        outcome = play(smaller)
        if _rule(outcome) != self._rule:
            return False
        self.keep, self.without, self.outcome = keep, without, outcome
        return True


def _rule(outcome: Outcome) -> str:
    """The rule that was broken first, such as "I1"; a smaller storm may break it at another twin."""
    return outcome.violations[0].split()[0] if outcome.violations else ""
