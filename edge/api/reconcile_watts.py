"""Forecasts in watts reconciled with what was measured later, as `reconcile` does with states.

Only imported where learning is on, since it needs numpy.
"""

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..history.store import Store
from ..learn.model import finish
from ..learn.outlook import mean_min, unpacked
from ..learn.quantiles import pinball
from ..learn.terms import LEADS_MIN, Array
from ..terms import VARIABLES
from .reconcile import measured

_BANDS = {"coverage_50": (2, 4), "coverage_80": (1, 5), "coverage_90": (0, 6)}  # levels of their ends
_MEDIAN = 3
_KEPT_TO = 1e-3  # precision of the history
_SUMS = ("n", "pinball_w", "median_error_w", "persistence_error_w", *_BANDS)
_LONGEST_MIN = mean_min(len(LEADS_MIN) - 1)


def in_watts(quantiles_w: Array) -> list[int] | None:
    """Quantiles (7,) for JSON: whole watts, None where nothing is known."""
    return None if np.isnan(quantiles_w).any() else quantiles_w.round().astype(int).tolist()


def after(
    powers_w: Array, place: int, quantiles_w: Array | None
) -> tuple[list[list[list[int] | None]] | None, list[list[int | None]] | None]:
    """A forecast (6, 9, 7) that was made after the minute at a place of powers (n, 6), and what followed."""
    if quantiles_w is None:
        return None, None
    ends = [
        powers_w[place + lead_min + 1 - mean_min(lead) : place + lead_min + 1].mean(0)
        for lead, lead_min in enumerate(LEADS_MIN)
    ]
    actual = np.stack(ends, 1).tolist()
    return (
        [[in_watts(each) for each in rows] for rows in quantiles_w],
        [[None if each != each else round(each) for each in row] for row in actual],
    )


class Batch(NamedTuple):
    """Consecutive forecasts, `n` of them; powers in W, NaN where unknown."""

    minutes: NDArray[np.int64]  # (n,), each made after this minute
    quantiles_w: Array  # (n, 6, 9, 7)
    now_w: Array  # (n, 6, 9), over as many minutes as the lead is averaged
    actual_w: Array  # (n, 6, 9)


def reconciled(store: Store, scope: str, first: int, last: int) -> Iterator[Batch]:
    """All forecasts made after the minutes `first` to `last`, oldest first."""
    for rows in store.forecasts(scope, first, last):
        made = []
        for minute, data in rows:
            try:
                made.append((minute, unpacked(data)))
            except ValueError:  # somebody else has written that row
                continue
        if made:
            yield _batch(store, scope, made)


def _batch(store: Store, scope: str, made: list[tuple[int, Array]]) -> Batch:
    minutes = np.array([minute for minute, _ in made], np.int64)
    first, last = int(minutes[0]) - _LONGEST_MIN, int(minutes[-1]) + LEADS_MIN[-1]
    powers_w = finish(measured(store, scope, first, last))
    now_w, actual_w = (np.empty((len(made), len(VARIABLES), len(LEADS_MIN)), np.float32) for _ in range(2))
    for lead, lead_min in enumerate(LEADS_MIN):
        span = np.arange(mean_min(lead))
        ends = (minutes - first)[:, None] - span
        now_w[..., lead] = powers_w[ends].mean(1)
        actual_w[..., lead] = powers_w[ends + lead_min].mean(1)
    return Batch(minutes, np.stack([each for _, each in made]), now_w, actual_w)


def scores(store: Store, scope: str, first: int, last: int) -> Generator[None, None, dict[str, Any]]:
    """By variable and lead: the pinball loss, the share of actual powers in each band, the mean error of the
    median beside that of persistence; None where there are no forecasts. In pieces."""
    sums = np.zeros((len(_SUMS), len(VARIABLES), len(LEADS_MIN)))
    for batch in reconciled(store, scope, first, last):
        quantiles, actual = batch.quantiles_w, batch.actual_w
        slack = _KEPT_TO * actual
        each = [
            np.ones(actual.shape),
            pinball(quantiles, actual).mean(-1),
            np.abs(quantiles[..., _MEDIAN] - actual),
            np.abs(batch.now_w - actual),
            *(
                (quantiles[..., low] - slack <= actual) & (actual <= quantiles[..., up] + slack)
                for low, up in _BANDS.values()
            ),
        ]
        known = ~np.isnan(actual) & ~np.isnan(batch.now_w) & ~np.isnan(quantiles).any(-1)
        sums += np.where(known, np.stack(each), 0.0).sum(1)
        yield
    return {
        variable: {
            str(lead_min): _means(sums[:, at, lead].tolist()) for lead, lead_min in enumerate(LEADS_MIN)
        }
        for at, variable in enumerate(VARIABLES)
    }


def _means(sums: list[float]) -> dict[str, float | None]:
    n, *totals = sums
    named = zip(_SUMS[1:], totals, strict=True)
    return {"n": int(n), **{name: round(total / n, 4) if n else None for name, total in named}}
