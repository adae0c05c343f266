"""Persistence has the last word where predictions were of late wrong more often than it.

A pool with little data, or of a power that seldom moves, may do well in log loss and still name the wrong
state more often than if it had named the present one. So the hits of both are compared, for each variable and
horizon. Where persistence leads, the present state is served as the likeliest one: it and the state that was
likeliest share their probability.
"""

from typing import Any

import numpy as np

from ..terms import DAY_MIN, VARIABLES
from .terms import HORIZONS_MIN, Array, States

_KEEP = 0.5 ** (1 / DAY_MIN)  # half of the lead is of the last day
_EDGE = 1e-3  # the present state becomes likelier by this share
_KEPT_MIN = 64  # minutes whose predictions wait for the actual states
_NEVER = np.iinfo(np.int64).min

_SHAPE = len(VARIABLES), len(HORIZONS_MIN)
_AHEAD_MIN, _HORIZONS = np.array(HORIZONS_MIN), np.arange(len(HORIZONS_MIN))


class Caution:
    """The lead of predictions over persistence, in hits: (6, 4)."""

    def __init__(self) -> None:
        self.lead = np.zeros(_SHAPE, np.float32)
        self._tops = np.zeros((_KEPT_MIN, *_SHAPE), np.int8)  # the likeliest states
        self._states = np.zeros((_KEPT_MIN, len(VARIABLES)), np.int8)  # the present ones, -1 where unknown
        self._minutes = np.full(_KEPT_MIN, _NEVER, np.int64)

    def told(self) -> list[list[float]]:
        """The lead in JSON types."""
        return np.round(self.lead, 2).tolist()  # type: ignore[no-any-return]

    @classmethod
    def of(cls, told: Any) -> "Caution":
        """With a lead that was told; None is none. Raises ValueError."""
        found = cls()
        if told is not None:
            try:
                lead = np.array(told, np.float32)
            except (TypeError, ValueError):
                lead = np.zeros(0, np.float32)
            if lead.shape != _SHAPE or not np.isfinite(lead).all():
                raise ValueError("the lead over persistence is damaged")
            found.lead = lead
        return found

    def predicted(self, minute: int, probabilities: Array, states: States) -> Array:
        """Keep the probabilities (6, 4, 7) after a minute with these states (6,), -1 where unknown. What is
        served instead; the probabilities are changed in place."""
        tops, at = probabilities.argmax(-1), minute % _KEPT_MIN
        self._tops[at], self._states[at], self._minutes[at] = tops, states, minute
        stays = np.repeat(states[:, None], len(HORIZONS_MIN), 1).astype(np.intp)
        changed = np.nonzero((self.lead < 0) & (stays >= 0) & (stays != tops))
        if len(changed[0]):
            stay, top = (*changed, stays[changed]), (*changed, tops[changed])
            half = (probabilities[stay] + probabilities[top]) / 2
            probabilities[stay], probabilities[top] = half * (1 + _EDGE), half * (1 - _EDGE)
        return probabilities

    def learn(self, minute: int, actual: States) -> None:
        """Compare what was predicted for a minute with its states (6,), -1 where unknown."""
        origins = (minute - _AHEAD_MIN) % _KEPT_MIN
        there = self._minutes[origins] == minute - _AHEAD_MIN
        if not there.any():
            return
        tops, states = self._tops[origins, :, _HORIZONS].T, self._states[origins].T
        actual = actual[:, None]
        known = there & (actual >= 0) & (states >= 0)
        self.lead *= _KEEP
        self.lead += known * ((tops == actual).astype(int) - (states == actual))
