"""The plots of one run: the six variables, the response times, and the energy between nodes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .board import Column
from .metrics import responses_s, spread
from .recorder import Recorder
from .style import BLUE, FAINT, GREEN, INK, LIGHT_BLUE, LIGHT_GREEN, ORANGE, RED, figure, legend_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 1_000  # of a line; more would not be visible
_NUMBERED = 20  # up to this many nodes the matrix shows numbers
_LABELS = 60  # characters that fit side by side under the matrix
_SHORTEST_S = 0.001  # smallest value on the axis of response times


def draw(recorder: Recorder, title: str, directory: Path) -> None:
    """Write all three plots as PNG files."""
    directory.mkdir(parents=True, exist_ok=True)
    six_variables(recorder, title, directory / "six_variables.png")
    responses(recorder, title, directory / "responses.png")
    supply(recorder, title, directory / "supply.png")


def six_variables(recorder: Recorder, title: str, path: Path) -> None:
    """The sums over all nodes: demand, supply, and the exchange with the grid if there is a connection."""
    at_s, powers_w = _thinned(recorder.moments_s, recorder.whole_w)
    requested, ready, consumed, supplied, missing, available = powers_w.T / 1000
    local, imported, exported, committed, offered = _thinned(recorder.moments_s, recorder.flows_w)[1].T / 1000
    unit, divisor = ("min", 60.0) if recorder.seconds < 2 * 3600 else ("h", 3600.0)
    at = at_s / divisor
    connected = bool(recorder.from_grid.any())
    with figure(path, title, 10.0 if connected else 7.0, nrows=2 + connected, sharex=True) as panels:
        upper, lower, *grid = panels
        upper.stackplot(at, consumed, missing, labels=["consumed", "missing"], colors=[BLUE, RED], lw=0)
        upper.plot(at, requested, color=INK, lw=1.0, label="requested")
        upper.set(title="Demand", ylabel="power, kW")
        stack = {  # from the bottom: what flows, then what could
            "from local sources": (np.maximum(0.0, supplied - imported), GREEN),
            "imported": (imported, BLUE),
            "margins of contracts": (np.maximum(0.0, committed - supplied), ORANGE),
            "offered": (np.minimum(offered, available), LIGHT_BLUE),
            "free": (np.maximum(0.0, available - offered), LIGHT_GREEN),
        }
        if not connected:
            del stack["imported"]
        lower.stackplot(
            at,
            *(power for power, _ in stack.values()),
            labels=list(stack),
            colors=[colour for _, colour in stack.values()],
            lw=0,
        )
        lower.plot(at, ready, color=INK, lw=1.0, label="ready")
        lower.plot(at, local, color=INK, lw=1.0, ls="--", label="local production")
        lower.set(title="Supply: what flows, and what could", ylabel="power, kW")
        for axes in grid:
            axes.fill_between(at, imported, color=BLUE, lw=0, label="imported")
            axes.fill_between(at, -exported, color=GREEN, lw=0, label="exported")
            axes.set(title="Exchange with the grid, by contract", ylabel="power, kW")
        panels[-1].set_xlabel(f"time since the start, {unit}")
        for axes in panels:
            axes.set_xlim(0, max(float(at[-1]), 1e-3))
            legend_beside(axes)
        for axes in (upper, lower):
            axes.set_ylim(bottom=0)


def responses(recorder: Recorder, title: str, path: Path) -> None:
    """The cumulative distribution of response times."""
    times_s = np.sort(responses_s(recorder))
    with figure(path, title, 5.0) as axes:
        axes.set(
            title="Response time of requests: longest time unserved while servable",
            xlabel="response time, s",
            ylabel="share of requests, %",
        )
        if len(times_s):
            _ecdf(axes, times_s)
        else:
            axes.text(0.5, 0.5, "no request was servable at any time", ha="center", transform=axes.transAxes)


def supply(recorder: Recorder, title: str, path: Path) -> None:
    """The energy from each node to each node; in large microgrids, between groups of consecutive nodes."""
    labels, flow_wh = _grouped(recorder.cast.nodes, recorder.flow_wh)
    size = len(labels)
    with figure(path, title, max(4.0, min(10.0, 1.8 + 0.45 * size))) as axes:
        image = axes.imshow(flow_wh, cmap="Blues", aspect="auto", vmin=0, vmax=max(flow_wh.max(), 1e-9))
        slanted = sum(map(len, labels)) > _LABELS
        axes.set_xticks(range(size), labels, rotation=40 * slanted, ha="right" if slanted else "center")
        axes.set_yticks(range(size), labels)
        axes.set(title="Energy between nodes", xlabel="supplying node", ylabel="consuming node")
        axes.grid(False)
        axes.figure.colorbar(image, ax=axes, label="energy, Wh", pad=0.02)
        if len(recorder.cast.nodes) <= _NUMBERED:
            _write_numbers(axes, flow_wh)


def _thinned(at_s: Column, powers_w: npt.NDArray[np.float32]) -> tuple[Column, Column]:
    """Means over equal time spans, so that no peak appears longer than it was."""
    span = max(1, len(at_s) // _POINTS)
    whole = len(at_s) // span * span
    means_w = powers_w[:whole].reshape(-1, span, powers_w.shape[1]).mean(axis=1)
    return at_s[:whole:span], means_w.astype(np.float64)


def _ecdf(axes: "Axes", times_s: Column) -> None:
    shown_s = np.maximum(times_s, _SHORTEST_S)
    share = 100 * np.arange(1, len(shown_s) + 1) / len(shown_s)
    most_s = max(float(shown_s[-1]), 10 * _SHORTEST_S)
    axes.set_xscale("log")
    axes.set_xlim(_SHORTEST_S * 0.8, most_s * 2.5)
    axes.set_ylim(0, 104)
    axes.step([_SHORTEST_S * 0.5, *shown_s, most_s * 10], [0, *share, 100], where="post", color=BLUE, lw=2)
    axes.fill_between(
        [_SHORTEST_S * 0.5, *shown_s, most_s * 10],
        [0, *share, 100],
        step="post",
        color=LIGHT_BLUE,
        alpha=0.35,
        lw=0,
    )
    marks = zip(("median", "p95", "max"), (50, 95, 100), (GREEN, ORANGE, RED), strict=True)
    known = spread(times_s.tolist())
    for name, height, colour in marks:
        value_s = known[name] or 0.0
        label = f"{name} {value_s:.3g} s" if value_s >= _SHORTEST_S else f"{name} below 1 ms"
        axes.plot(max(value_s, _SHORTEST_S), height, "o", color=colour, ms=9, label=label, clip_on=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title=f"{len(times_s):,} requests")


def _grouped(nodes: list[str], flow_wh: Column) -> tuple[list[str], Column]:
    if len(nodes) <= _NUMBERED:
        return nodes, flow_wh
    width = -(-len(nodes) // _NUMBERED)
    starts = list(range(0, len(nodes), width))
    summed = np.add.reduceat(np.add.reduceat(flow_wh, starts, axis=0), starts, axis=1)
    return [f"{nodes[i]}-{nodes[min(i + width, len(nodes)) - 1]}" for i in starts], summed


def _write_numbers(axes: "Axes", flow_wh: Column) -> None:
    dark = 0.55 * flow_wh.max()
    for (row, column), energy_wh in np.ndenumerate(flow_wh):
        text = f"{energy_wh:,.0f}" if energy_wh >= 0.5 else "0" if energy_wh else "-"
        colour = "white" if energy_wh > dark else INK if energy_wh else FAINT
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
