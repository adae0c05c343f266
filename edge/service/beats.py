"""The beats of a node: the tick of each second, the reactions between, and work when nothing else is due.

`Beats` has no clock and does not wait. Whoever drives it says what time it is, lets it do what is due, and
comes back when the next step is due. The real service and the virtual world drive this same object.
"""

import math
from collections.abc import Callable
from enum import Enum
from typing import Protocol

TICK_S = 1.0
# No setting: half of what neighbours take at once (`allowance.BURST_S`), so that they never lack it.
_BURST_S = 10.0  # by so much reactions may be ahead of their lasting rate
ROUNDING_S = 1e-9  # a clock that is computed from another one may be early by a rounding error


class Step(Enum):
    """What a node does in one step."""

    TICK = "tick"
    REACTION = "reaction"
    WORK = "work"  # one piece, of a few milliseconds

    __hash__ = object.__hash__  # that of their names would cost more, at each event of a simulation


class Paced(Protocol):
    """What the beats need to know of a node."""

    @property
    def busy(self) -> bool: ...
    @property
    def wake_s(self) -> float: ...
    @property
    def has_work(self) -> bool: ...
    @property
    def only_training(self) -> bool: ...
    def tick(self) -> None: ...
    def react(self) -> None: ...
    def work(self) -> None: ...


def _unguarded(step: Callable[[], None]) -> bool:
    step()
    return True


class Beats:
    """What is due at one node, and when the next step is. All times are those of the node's clock."""

    def __init__(
        self,
        node: Paced,
        first_tick_s: float,
        *,
        pause_s: float,
        rest_s: float,
        lasting_s: float = 0.0,
        guard: Callable[[Callable[[], None]], bool] = _unguarded,
        ticked: Callable[[], None] = lambda: None,
        waits_for: Callable[[], str] = lambda: "",
    ) -> None:
        """`pause_s` is the least time between two reactions, `rest_s` after a piece of work.

        `lasting_s` is the time between two reactions of a node that is busy for long: what comes meanwhile is
        answered together, in fewer and larger frames.

        `guard` runs a step and returns whether it succeeded; by default errors are raised. `ticked` is called
        after each tick that succeeded. `waits_for` says why training has to wait, "" if it does not.
        """
        self.tick_s = first_tick_s
        self._node = node
        self._pause_s, self._rest_s = pause_s, rest_s
        self._guard, self._ticked, self._waits_for = guard, ticked, waits_for
        self._lasting_s = lasting_s
        self._paid_s = -math.inf  # until then reactions are used up at the lasting rate
        self._reaction_from_s = self._work_from_s = -math.inf

    def due(self, now_s: float) -> Step | None:
        """The most urgent beat that is due."""
        now_s += ROUNDING_S
        if now_s >= self.tick_s:
            return Step.TICK
        if now_s >= self._reaction_from_s and self._node.busy:
            return Step.REACTION
        if now_s >= self._work_from_s and self._may_work:
            return Step.WORK
        return None

    def do(self, step: Step) -> None:
        """Do one beat; tell `done` afterwards how long it took."""
        match step:
            case Step.TICK:
                if self._guard(self._node.tick):
                    self._ticked()
            case Step.REACTION:
                self._guard(self._node.react)
            case Step.WORK:
                self._guard(self._node.work)

    def done(self, step: Step, began_s: float, ended_s: float) -> None:
        """A beat took from `began_s` to `ended_s`: the next one of its kind is due later."""
        self.end_rest()
        match step:
            case Step.TICK:
                self.tick_s = max(self.tick_s + TICK_S, began_s)  # late ticks are not made up for
            case Step.REACTION:
                self._paid_s = max(self._paid_s, began_s) + self._lasting_s
                self._reaction_from_s = max(ended_s + self._pause_s, self._paid_s - _BURST_S)
            case Step.WORK:  # a training leaves half of the time to others
                took_s = ended_s - began_s if self._node.only_training else 0.0
                self._work_from_s = ended_s + max(self._rest_s, took_s)

    def end_rest(self) -> None:
        """The node was woken: the rest after the last piece of work is over."""
        self._work_from_s = -math.inf

    def reaction_s(self, now_s: float) -> float:
        """When the reaction to what has changed is due; infinite while nothing has changed."""
        return max(self._reaction_from_s, now_s) if self._node.busy else math.inf

    def next_s(self, now_s: float) -> float:
        """When the next step is due if nothing changes until then; not before `now_s` for a reaction."""
        waking_s = max(self._reaction_from_s, self._node.wake_s)  # a twin wants to act by itself
        work_s = self._work_from_s if self._may_work else math.inf
        return min(self.tick_s, self.reaction_s(now_s), waking_s, work_s)

    @property
    def _may_work(self) -> bool:
        node = self._node
        return node.has_work and not (node.only_training and self._waits_for())
