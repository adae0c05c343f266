"""The learning twin: what the node and the microgrid draw and give, and what they will (thesis 3.2.4, 4.3).

It hears of every event of the prosumers of its node, publishes the total of the node, and reads off that
property what the aggregation law made of those of all nodes. Each minute both scopes foretell their states.
Importing this loads numpy; only a node that learns does.
"""

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson

from ..clock import Clock
from ..energy.rules import EVENT
from ..energy.totals import SUM_OF_TOTALS, TOTAL, Powers, encode_total, read_sum
from ..space.agent import Agent
from ..space.lsa import Aggregation
from .past import PastError, weather_of
from .scope import Keeper, Prediction, Scope
from .settings import LearningSettings

if TYPE_CHECKING:
    from ..space.engine import Engine

PRED = {"node": "PRED", "cluster": "PRED_CLUSTER"}
_LOOK_EVERY_S = 5.0  # for what changed without an event
_TELL_EVERY_S = 5.0  # at most: every change crosses the whole microgrid
_MOVED, _MOVED_W = 0.01, 1.0  # by more than one of these, a power is told anew
_PRED_LIFE_S = 150
_CLOCK_SET_S = 1_672_531_200.0  # 2023: before it the clock of a board has not been set yet
_BACK_MIN = 5  # a clock that goes back by less stands still here


class LearningTwin(Agent):
    """One a node."""

    kind = "learning"
    restless = False
    wants = (EVENT,)

    def __init__(
        self,
        node: str,
        settings: LearningSettings,
        clock: Clock,
        civil_minute: Callable[[float], int],
        total: Callable[[], Powers],
        keeper: Keeper,
        rng: random.Random,
    ) -> None:
        """`total` gives the six powers of the node now. Raises ValueError for options no model knows."""
        super().__init__(f"{node}.learning")
        self.settings = settings
        self.nodes_summed = 1
        self.trouble = ""
        self._clock, self._civil_minute, self._total = clock, civil_minute, total
        weather = None
        if settings.weather_file:
            try:
                weather = weather_of(settings.weather_file)
            except PastError as error:
                self.trouble = str(error)
        self.scopes = {
            each.scope: Scope(each, keeper, weather, clock, rng.getrandbits(64)) for each in settings.scopes
        }
        self.minute: int | None = None  # the running one
        self._look_s = -math.inf
        self._told: Powers = ()
        self._told_s = -math.inf

    # ---- the six powers ------------------------------------------------------------------------

    def joined(self, engine: "Engine") -> None:
        super().joined(engine)
        self.aggregate([Aggregation(TOTAL, SUM_OF_TOTALS, gossip=True)])

    def decayed(self, name: str, life_s: int) -> None:
        if name == self.name and (self._clock.now_s() >= self._look_s or self._minute_now() != self.minute):
            self.stir()

    def act(self) -> None:
        now_s = self._clock.now_s()
        self._look_s = now_s + _LOOK_EVERY_S
        self._pass_minute(now_s)
        powers_w = self._total()
        self._tell(powers_w, now_s)
        self._hold("node", powers_w, now_s)
        self._hold("cluster", self.cluster_w(), now_s)

    def cluster_w(self) -> Powers:
        """The six powers of all nodes heard of; those of this one alone where there is no other."""
        summed = read_sum(self.aggregate_of(TOTAL))
        if summed is None:
            self.nodes_summed = 1
            return self._total()
        self.nodes_summed, powers_w = summed
        return powers_w

    def _hold(self, scope: str, powers_w: Powers, now_s: float) -> None:
        if scope in self.scopes:
            self.scopes[scope].running.hold(powers_w, now_s)

    def _tell(self, powers_w: Powers, now_s: float) -> None:
        if now_s - self._told_s >= _TELL_EVERY_S and _moved(self._told, powers_w):
            self._told, self._told_s = powers_w, now_s
            self.submit(TOTAL, encode_total(powers_w))

    # ---- the minutes ---------------------------------------------------------------------------

    def _minute_now(self) -> int | None:
        wall_s = self._clock.wall_s()
        return self._civil_minute(wall_s) if wall_s >= _CLOCK_SET_S else None

    def _pass_minute(self, now_s: float) -> None:
        minute, before = self._minute_now(), self.minute
        if minute is None or minute == before or (before is not None and 0 < before - minute < _BACK_MIN):
            return
        self.minute = minute
        for scope in self.scopes.values():
            if before is None:
                scope.begin(minute)
                scope.running.close(now_s)
            elif minute != before + 1:  # the clock was set
                scope.running.close(now_s)
            elif scope.close(before, now_s) and scope.prediction:
                value = encode_prediction(scope.settings.model, scope.prediction)
                self.submit(PRED[scope.name], value, life_s=_PRED_LIFE_S)

    # ---- the work ------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether something long is under way or due; each `work` does a small piece of it."""
        return any(scope.has_work for scope in self.scopes.values())

    @property
    def only_training(self) -> bool:
        """Whether that work may wait: the past has been taken up, a training is what there is to do."""
        return all(scope.ready for scope in self.scopes.values())

    def work(self) -> None:
        """A few milliseconds, when nothing else waits. One scope after the other: one training in memory."""
        scopes = self.scopes.values()
        for wanted in ([s for s in scopes if not s.ready], [s for s in scopes if s.at_work], scopes):
            for scope in wanted:
                if scope.has_work:
                    scope.work()
                    return

    def keep(self) -> None:
        """Before the end: nothing that was learnt is forgotten."""
        for scope in self.scopes.values():
            scope.keep()


def encode_prediction(model: str, prediction: Prediction) -> bytes:
    """As it is published: JSON, probabilities in thousandths by variable, horizon and state."""
    thousandths = (1000 * prediction.probabilities).round().astype(int).tolist()
    return orjson.dumps({"minute": prediction.minute, "model": model, "p": thousandths})


def _moved(told: Powers, now: Powers) -> bool:
    if not told:
        return True
    return any(
        abs(new - old) > max(_MOVED_W, _MOVED * old) or (new == 0) != (old == 0)
        for old, new in zip(told, now, strict=True)
    )
