"""The part of the regulator that looks ahead: what the learning twin of its node predicts (thesis 4.3.7)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import orjson

from ..energy.orders import Candidate, OrderKind
from ..energy.rescheduling import (
    AFTER_S,
    BEFORE_S,
    Moved,
    Risk,
    moved_w,
    risk_of_powers,
    risk_of_states,
    to_move,
)
from ..energy.rules import RESCHEDULE
from ..space.agent import Agent
from ..space.lsa import HERE
from ..terms import VARIABLES
from .prediction import PRED, PRED_W
from .regulator_settings import RegulatorSettings
from .twin import Home

if TYPE_CHECKING:
    from .learning import LearningTwin

LABELS = (*PRED.values(), *PRED_W.values())
_FRESH_S = 600.0  # an older forecast is not believed
_SHOWN_S = 4000
_VARIABLE = {
    OrderKind.FORECAST_PRODUCTION: VARIABLES.index("produced"),
    OrderKind.FORECAST_CONSUMPTION: VARIABLES.index("consumed"),
}
Running = Callable[[OrderKind], Sequence[Candidate]]  # whose activity may be moved


class Rescheduler:
    """Which activities of a node are moved out of which periods."""

    def __init__(self, settings: RegulatorSettings, home: Home, agent: Agent) -> None:
        self.moved: dict[str, tuple[OrderKind, Moved]] = {}
        self._settings, self._home, self._agent = settings, home, agent
        self._said: dict[str, bytes] = {}  # by label
        self._news = False

    def see(self, label: str, value: bytes) -> None:
        """The learning twin of this node has published a prediction, or withdrawn it."""
        self._said[label] = value
        self._news = True

    def look(self, now_s: float, running: Running) -> None:
        """Move what has to be moved, as soon as there is a new prediction."""
        for name in [name for name, (_, each) in self.moved.items() if now_s >= each.until_s]:
            del self.moved[name]
        if not self._news:
            return
        self._news, before = False, len(self.moved)
        for kind in _VARIABLE:
            for scope in PRED:
                self._move(kind, scope, now_s, running)
        if len(self.moved) != before:
            self._publish(now_s)

    def _move(self, kind: OrderKind, scope: str, now_s: float, running: Running) -> None:
        threshold_w = self._threshold_w(kind, scope)
        risk = self._risk(kind, scope, threshold_w, now_s)
        if risk is None:
            return
        at_s = now_s + risk.after_s
        from_s, until_s = max(now_s, at_s - BEFORE_S), at_s + AFTER_S
        same = [each for other, each in self.moved.values() if other is kind]
        already_w, share = moved_w(same, from_s, until_s), self._share(kind, scope)
        free = [each for each in running(kind) if each.twin not in self.moved]
        for found in to_move(free, risk.power_w, threshold_w, share, already_w):
            self.moved[found.twin] = kind, Moved(found.power_w, from_s, until_s)

    def _threshold_w(self, kind: OrderKind, scope: str) -> float:
        settings = self._settings
        if scope == "cluster":
            return settings.cluster_power_w
        return settings.produced_w if kind is OrderKind.FORECAST_PRODUCTION else settings.consumed_w

    def _risk(self, kind: OrderKind, scope: str, threshold_w: float, now_s: float) -> Risk | None:
        """What the forecast in watts says; the states, while there is none. Its time counts from now."""
        wall_s, variable, least = self._home.clock.wall_s(), _VARIABLE[kind], self._settings.risk
        for read in (self._risk_of_powers, self._risk_of_states):
            try:
                minute, risk = read(scope, variable, threshold_w, least)
            except (ValueError, KeyError, TypeError, IndexError):
                continue
            after_s = 60.0 * (minute + 1) - wall_s
            if abs(after_s) > _FRESH_S:
                continue
            return replace(risk, after_s=after_s + risk.after_s) if risk else None
        return None

    def _risk_of_powers(
        self, scope: str, variable: int, threshold_w: float, least: float
    ) -> tuple[int, Risk | None]:
        said = self._said[PRED_W[scope]]
        return int.from_bytes(said[:8], "little"), risk_of_powers(said[8:], variable, threshold_w, least)

    def _risk_of_states(
        self, scope: str, variable: int, threshold_w: float, least: float
    ) -> tuple[int, Risk | None]:
        """The highest state says something only if it begins at the threshold."""
        settings, told = self._settings, orjson.loads(self._said[PRED[scope]])
        if threshold_w != (settings.cluster_power_w if scope == "cluster" else settings.max_power_w):
            raise ValueError("the states have other limits")
        return told["minute"], risk_of_states(told["p"], variable, threshold_w, least)

    def _share(self, kind: OrderKind, scope: str) -> float:
        """The part of this node; 0 while the powers are not known."""
        if scope == "node":
            return 1.0
        learning = [cast("LearningTwin", twin) for twin in self._home.twins() if twin.kind == "learning"]
        own_w, all_w = self._home.total(), learning[0].cluster_w() if learning else None
        if own_w is None or all_w is None or not all_w[_VARIABLE[kind]]:
            return 0.0
        return min(1.0, own_w[_VARIABLE[kind]] / all_w[_VARIABLE[kind]])

    def _publish(self, now_s: float) -> None:
        """The table: twin, power, and when its activity stops and may go on, in Unix time."""
        offset_s = self._home.clock.wall_s() - now_s
        table: dict[str, list[Any]] = {
            name: [
                round(each.power_w, 1),
                math.floor(each.from_s + offset_s),
                math.ceil(each.until_s + offset_s),
            ]
            for name, (_, each) in self.moved.items()
        }
        if self._agent.handle:
            self._agent.submit(RESCHEDULE, orjson.dumps(table), life_s=_SHOWN_S, reach=HERE)
