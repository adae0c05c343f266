"""The plots of an evaluation: reliability, probabilities beside actual states, accuracy by hour."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.learn.probabilities import hits
from edge.learn.scores import BINS
from edge.learn.terms import HORIZONS_MIN, STATES
from edge.terms import DAY_MIN, VARIABLES
from host_tools.sim.style import CYCLE, FAINT, INK, RED, figure

from .result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAN_HORIZON = 2  # 30 min
_LEAST = 20  # probabilities needed to draw a bin


def draw(results: list[Result], title: str, out: Path) -> list[str]:
    """Write all plots of one task as PNG; returns the file names."""
    out.mkdir(parents=True, exist_ok=True)
    record = results[0].task.record
    prefix = f"{record.data}_{record.node}".replace("/", "_")
    names = [f"{prefix}_reliability.png", f"{prefix}_by_hour.png"]
    reliability(results, title, out / names[0])
    by_hour(results, title, out / names[1])
    for one in results:
        names.append(f"{prefix}_fan_{one.model}.png")
        fan(one, f"{title}, {one.model}", out / names[-1])
    return names


def reliability(results: list[Result], title: str, path: Path) -> None:
    """Observed frequency by predicted probability, all variables and states together, one curve a model."""
    with figure(path, title, 3.8, ncols=len(HORIZONS_MIN), sharey=True) as panels:
        for number, axes in enumerate(panels):
            axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls="--")
            for one, colour in zip(results, CYCLE, strict=False):
                _curve(axes, one, number, colour)
            axes.set(
                title=f"{HORIZONS_MIN[number]} min", xlabel="predicted probability", xlim=(0, 1), ylim=(0, 1)
            )
            axes.set_aspect("equal")
        panels[0].set_ylabel("observed frequency")
        panels[-1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _curve(axes: "Axes", one: Result, number: int, colour: str) -> None:
    actual = one.task.actual[:, :, number]
    known = (actual >= 0) & (one.task.now >= 0)
    probabilities = one.predicted[:, :, number][known]
    occurred = actual[known][:, None] == np.arange(STATES)
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1).ravel()
    counts = np.bincount(bins, minlength=BINS)
    drawn = counts >= _LEAST
    means = [
        np.bincount(bins, each.ravel(), BINS)[drawn] / counts[drawn] for each in (probabilities, occurred)
    ]
    axes.plot(*means, "o-", color=colour, ms=4, label=one.model)


def by_hour(results: list[Result], title: str, path: Path) -> None:
    """Accuracy by the hour when the prediction was made, beside persistence; of the variables that change."""
    task = results[0].task
    hours = task.minutes % DAY_MIN // 60
    known = (task.actual >= 0) & (task.now >= 0)[..., None]
    known[:, [at for at in range(len(VARIABLES)) if at not in results[0].varying]] = False
    with figure(path, title, 6.0, nrows=2, ncols=2, sharex=True, sharey=True) as grid:
        for number, axes in enumerate(np.ravel(grid)):
            part = known[:, :, number]

            def shares(correct: NDArray[np.bool_], part: NDArray[np.bool_] = part) -> list[float]:
                return [
                    100 * correct[hours == hour][part[hours == hour]].mean()
                    if part[hours == hour].any()
                    else float("nan")
                    for hour in range(24)
                ]

            kept = task.now == task.actual[:, :, number]
            axes.plot(shares(kept), color=INK, lw=1.5, ls="--", label="persistence")
            for one, colour in zip(results, CYCLE, strict=False):
                correct = hits(one.predicted, task.actual)[:, :, number]
                axes.plot(shares(correct), color=colour, lw=1.8, label=one.model)
            axes.set(title=f"{HORIZONS_MIN[number]} min ahead", xlim=(0, 23))
        for axes in grid[-1]:
            axes.set_xlabel("hour of the day")
        for axes in grid[:, 0]:
            axes.set_ylabel("accuracy, %")
        grid[0, 1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def fan(one: Result, title: str, path: Path) -> None:
    """The busiest day: the probability of each state (1 to 7) half an hour ahead, and the actual state."""
    task = one.task
    first = _busiest_day(one)
    part = slice(first, first + max(1, DAY_MIN // task.record.step_min))
    ahead_min = HORIZONS_MIN[_FAN_HORIZON]
    hours = ((task.minutes[part] + ahead_min) - task.minutes[first] // DAY_MIN * DAY_MIN) / 60
    shown = [at for at, name in enumerate(VARIABLES) if name != "supplied"]
    with figure(path, title, 9.0, nrows=len(shown), sharex=True) as panels:
        for variable, axes in zip(shown, panels, strict=True):
            chances = one.predicted[part, variable, _FAN_HORIZON].T
            image = axes.pcolormesh(
                hours, np.arange(STATES), chances, cmap="Blues", vmin=0, vmax=1, shading="nearest"
            )
            actual = task.actual[part, variable, _FAN_HORIZON].astype(float)
            actual[actual < 0] = np.nan
            axes.step(hours, actual, where="mid", color=RED, lw=1.1, label="actual state")
            axes.set(title=f"{VARIABLES[variable]}, {ahead_min} min ahead", ylabel="state", ylim=(-0.5, 6.5))
            axes.set_yticks(range(STATES), [str(state + 1) for state in range(STATES)])
            axes.grid(False)
        panels[-1].set_xlabel("hour of the day")
        panels[0].figure.colorbar(image, ax=list(panels), label="probability", pad=0.02)
        panels[0].legend(loc="upper right")


def _busiest_day(one: Result) -> int:
    """The first origin of the day with the most changes of state."""
    task = one.task
    days = task.minutes // DAY_MIN
    starts = np.flatnonzero(np.diff(days, prepend=-1))
    changes = [(np.diff(task.now[days == days[start]], axis=0) != 0).sum() for start in starts]
    return int(starts[int(np.argmax(changes))])
