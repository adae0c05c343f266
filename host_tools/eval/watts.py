"""Forecasts in watts, judged by pinball loss and coverage, beside two rivals with quantiles.

- *Still*: the power stays as it is, with the quantiles of its past errors at the same lead.
- *Hour*: the quantiles of the past powers in the same hour of the day.

Both know all minutes before the scored day, and a week at least. Forecasts are judged at the end of each
quarter of an hour.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from edge.learn.calendar import QUARTER_MIN
from edge.learn.outlook import Forecast, mean_min
from edge.learn.quantiles import pinball
from edge.learn.terms import LEADS_MIN, LEVELS
from edge.terms import DAY_MIN, VARIABLES

from .data import Record
from .intervals import by_days

RIVALS = ("still", "hour")
_BANDS = {"50": (2, 4), "80": (1, 5), "90": (0, 6)}  # levels of their ends
Floats = NDArray[np.float64]


class Watts:
    """Collects the forecasts of a learner from a line of a record on."""

    def __init__(self, record: Record, start: int, end: int) -> None:
        self.record, self.start, self.end = record, start, end
        self._made: dict[int, Floats] = {}

    def note(self, forecast: Forecast | None) -> None:
        """The newest forecast, after each minute."""
        if forecast is not None and forecast.whole:
            line = forecast.minute - self.record.first_minute
            if self.start <= line < self.end:
                self._made.setdefault(line, forecast.powers_w.astype(float))

    def scores(self, model: str) -> list[dict[str, Any]]:
        """A line for each variable that changes and each lead: losses in W, coverage, and how much of the
        loss of each rival is saved, with its 95 % interval over days."""
        found: list[dict[str, Any]] = []
        if not self._made:
            return found
        origins = np.array(sorted(self._made))
        made = np.stack([self._made[line] for line in origins.tolist()])
        days = (origins - self.start) // DAY_MIN
        powers = self.record.powers_w
        for lead, lead_min in enumerate(LEADS_MIN):
            past = _Past(powers, self.end, lead, self.record.first_minute)
            there = origins + lead_min < self.end
            actual = past.mean[np.where(there, origins + lead_min, 0)]
            actual[~there] = np.nan
            rivals = past.rivals(origins, days, self.start)
            for variable, name in enumerate(VARIABLES):
                if np.nanstd(powers[self.start : self.end, variable]) < 1e-3:
                    continue
                quantiles, truth = made[:, variable, lead], actual[:, variable]
                known = ~np.isnan(truth) & ~np.isnan(quantiles).any(-1)
                known &= ~np.isnan(rivals.still[:, variable]).any(-1)
                known &= ~np.isnan(rivals.hour[:, variable]).any(-1)
                if known.any():
                    each = [
                        q[known] for q in (quantiles, rivals.still[:, variable], rivals.hour[:, variable])
                    ]
                    line = _line(each, truth[known], days[known])
                    found.append(
                        {
                            "data": self.record.data,
                            "node": self.record.node,
                            "model": model,
                            "variable": name,
                            "lead_min": lead_min,
                            **line,
                        }
                    )
        return found


class _Rivals(NamedTuple):
    """Quantiles (n, 6, levels) of each origin."""

    still: Floats
    hour: Floats


class _Past:
    """What was measured at one lead."""

    def __init__(self, powers: Any, end: int, lead: int, first_minute: int) -> None:
        span = mean_min(lead)
        self.lead_min, self._first_minute = LEADS_MIN[lead], first_minute
        sums = np.concatenate(
            (np.zeros((1, powers.shape[1])), np.cumsum(np.nan_to_num(powers[:end]), 0, float))
        )
        gaps = np.concatenate((np.zeros((1, powers.shape[1])), np.cumsum(np.isnan(powers[:end]), 0)))
        self.mean = np.full(powers[:end].shape, np.nan)  # (lines, 6)
        self.mean[span - 1 :] = (sums[span:] - sums[:-span]) / span
        self.mean[span - 1 :][gaps[span:] > gaps[:-span]] = np.nan

    def rivals(self, origins: NDArray[np.int64], days: NDArray[np.int64], start: int) -> _Rivals:
        """Made again for each scored day."""
        shape = (len(origins), self.mean.shape[1], len(LEVELS))
        found = _Rivals(np.full(shape, np.nan), np.full(shape, np.nan))
        hours = (self._first_minute + origins + self.lead_min) % DAY_MIN // 60
        for day in np.unique(days):
            of_day = np.flatnonzero(days == day)
            before = np.arange(QUARTER_MIN - 1, start + day * DAY_MIN - self.lead_min, QUARTER_MIN)
            ahead = self.mean[before + self.lead_min]
            errors = _quantiles(ahead - self.mean[before])
            found.still[of_day] = np.maximum(self.mean[origins[of_day], :, None] + errors, 0.0)
            hours_before = (self._first_minute + before + self.lead_min) % DAY_MIN // 60
            for hour in np.unique(hours[of_day]):
                found.hour[of_day[hours[of_day] == hour]] = _quantiles(ahead[hours_before == hour])
        return found


def _quantiles(values: Floats) -> Floats:
    """Quantiles (6, levels) of values (n, 6)."""
    known = values[~np.isnan(values).any(1)]
    if not len(known):
        return np.full((values.shape[1], len(LEVELS)), np.nan)
    found: Floats = np.quantile(known, LEVELS, axis=0).T
    return found


def _line(made: list[Floats], truth: Floats, days: NDArray[np.int64]) -> dict[str, Any]:
    ours, *others = (pinball(quantiles, truth).mean(-1) for quantiles in made)
    line: dict[str, Any] = {"n": len(truth), "pinball_w": round(float(ours.mean()), 3)}
    for name, losses in zip(RIVALS, others, strict=True):
        line[f"{name}_pinball_w"] = round(float(losses.mean()), 3)
        scale = max(float(losses.mean()), 1e-9)
        line[f"saved_{name}"] = round(1 - float(ours.mean()) / scale, 4)
        saved = np.array([[(losses - ours)[days == day].sum()] for day in np.unique(days)])
        counts = np.array([[float((days == day).sum())] for day in np.unique(days)])
        _, limits = by_days(saved / scale, counts)
        line[f"saved_{name}_95"] = limits and [round(each, 4) for each in limits]
    for name, (low, high) in _BANDS.items():
        inside = (made[0][:, low] <= truth) & (truth <= made[0][:, high])
        line[f"coverage_{name}"] = round(float(inside.mean()), 4)
    return line


def table(lines: list[dict[str, Any]], title: str) -> Table:
    """The table of one task and model: demand, or the first variable that changes."""
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for name in (
        "lead",
        "pinball W",
        "still W",
        "hour W",
        "saved, still",
        "saved, hour",
        "50 %",
        "80 %",
        "90 %",
    ):
        shown.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        if line["variable"] == lines[0]["variable"]:
            lead_min = line["lead_min"]
            shown.add_row(
                f"{lead_min} min" if lead_min < 120 else f"{lead_min // 60} h",
                *(f"{line[key]:.1f}" for key in ("pinball_w", "still_pinball_w", "hour_pinball_w")),
                *(_saved(line, name) for name in RIVALS),
                *(f"{100 * line[f'coverage_{band}']:.0f}" for band in _BANDS),
            )
    return shown


def _saved(line: dict[str, Any], rival: str) -> str:
    limits = line[f"saved_{rival}_95"]
    between = f" ({100 * limits[0]:.0f}..{100 * limits[1]:.0f})" if limits else ""
    return f"{100 * line[f'saved_{rival}']:.0f}%{between}"
