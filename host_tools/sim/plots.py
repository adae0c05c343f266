"""The plots of one run: the six variables, the sources, the response times, the energy between nodes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .board import Column
from .clock_axis import Begin, clock_axis
from .metrics import responses_s, spread
from .recorder import Recorder
from .sources import SOURCES
from .style import BLUE, FAINT, GREEN, INK, LIGHT_BLUE, LIGHT_GREEN, ORANGE, RED, figure, legend_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 1_000  # of a line; more would not be visible
_NUMBERED = 20  # up to this many nodes the matrix shows numbers
_LABELS = 60  # characters that fit side by side under the matrix
_SHORTEST_S = 0.001  # smallest value on the axis of response times


def draw(recorder: Recorder, begin: Begin, title: str, directory: Path) -> None:
    """Write all plots as PNG files."""
    directory.mkdir(parents=True, exist_ok=True)
    six_variables(recorder, begin, title, directory / "six_variables.png")
    sources(recorder, begin, title, directory / "sources.png")
    responses(recorder, title, directory / "responses.png")
    supply(recorder, title, directory / "supply.png")


def six_variables(recorder: Recorder, begin: Begin, title: str, path: Path) -> None:
    """The sums over all nodes: demand, supply, and the exchange with the grid if there is a connection."""
    at_s, powers_w = _thinned(recorder.moments_s, recorder.whole_w)
    requested, ready, consumed, supplied, missing, available = powers_w.T / 1000
    local, imported, exported, committed, offered = _thinned(recorder.moments_s, recorder.flows_w)[1].T / 1000
    connected = bool(recorder.from_grid.any())
    with figure(path, title, 10.0 if connected else 7.0, nrows=2 + connected, sharex=True) as panels:
        upper, lower, *grid = panels
        lower.sharey(upper)
        upper.stackplot(at_s, consumed, missing, labels=["consumed", "missing"], colors=[BLUE, RED], lw=0)
        upper.plot(at_s, requested, color=INK, lw=1.0, label="requested")
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
            at_s,
            *(power for power, _ in stack.values()),
            labels=list(stack),
            colors=[colour for _, colour in stack.values()],
            lw=0,
        )
        lower.plot(at_s, ready, color=INK, lw=1.0, label="ready")
        lower.plot(at_s, local, color=INK, lw=1.0, ls="--", label="local production")
        lower.set(title="Supply: what flows, and what could", ylabel="power, kW")
        for axes in grid:
            axes.fill_between(at_s, imported, color=BLUE, lw=0, label="imported")
            axes.fill_between(at_s, -exported, color=GREEN, lw=0, label="exported")
            axes.set(title="Exchange with the grid, by contract", ylabel="power, kW")
        clock_axis(panels[-1], begin, float(at_s[-1]))
        for axes in panels:
            legend_beside(axes)
        for axes in (upper, lower):
            axes.set_ylim(bottom=0)


def sources(recorder: Recorder, begin: Begin, title: str, path: Path) -> None:
    """The power in use by its source, and below it the share that does not come from the grid."""
    at_s, powers_w = _thinned(recorder.moments_s, recorder.sources.supplied_w[: recorder.seconds])
    used_w = powers_w.sum(axis=1)
    share = 100 * np.divide(
        used_w - powers_w[:, -1], used_w, out=np.full_like(used_w, np.nan), where=used_w > 0
    )
    energies_wh = recorder.sources.supplied_w[: recorder.seconds].sum(axis=0, dtype=np.float64) / 3600
    unit, divisor = _unit_of(float(energies_wh.max()))
    with figure(path, title, 6.0, nrows=2, sharex=True, height_ratios=(2, 1)) as (upper, lower):
        for name, colour, low_w, high_w, energy_wh in _stacked(powers_w, energies_wh):
            label = f"{name}: {energy_wh / divisor:,.1f} {unit}"
            upper.fill_between(at_s, low_w / 1000, high_w / 1000, color=colour, lw=0, label=label)
        upper.set(title="Power in use, by source", ylabel="power, kW")
        upper.set_ylim(bottom=0)
        legend_beside(upper)
        whole = energies_wh.sum()
        text = f"whole run: {100 * (1 - energies_wh[-1] / whole):.0f} %" if whole else "nothing was used"
        lower.plot(at_s, share, color=GREEN, lw=1.2, label=text)
        lower.set(title="Self-sufficiency: share not from the grid", ylabel="%", ylim=(0, 104))
        legend_beside(lower)
        clock_axis(lower, begin, float(at_s[-1]))


def _stacked(powers_w: Column, energies_wh: Column) -> Iterator[tuple[str, str, Column, Column, float]]:
    """Name, colour, lower and upper edge in W, and energy in Wh of each source that was used."""
    edges_w = np.cumsum(powers_w, axis=1)
    for i, (name, colour) in enumerate(zip(SOURCES, (ORANGE, GREEN, FAINT), strict=True)):
        if energies_wh[i] > 0:
            yield name, colour, edges_w[:, i] - powers_w[:, i], edges_w[:, i], float(energies_wh[i])


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
    unit, divisor = _unit_of(float(flow_wh.max()))
    flow = flow_wh / divisor
    with figure(path, title, max(4.0, min(10.0, 1.8 + 0.45 * size))) as axes:
        image = axes.imshow(flow, cmap="Blues", aspect="auto", vmin=0, vmax=max(flow.max(), 1e-9))
        slanted = sum(map(len, labels)) > _LABELS
        axes.set_xticks(range(size), labels, rotation=40 * slanted, ha="right" if slanted else "center")
        axes.set_yticks(range(size), labels)
        axes.set(title="Energy between nodes", xlabel="supplying node", ylabel="consuming node")
        axes.grid(False)
        axes.figure.colorbar(image, ax=axes, label=f"energy, {unit}", pad=0.02)
        if len(recorder.cast.nodes) <= _NUMBERED:
            _write_numbers(axes, flow)


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
    axes.xaxis.set_major_formatter("{x:g}")
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
    _mark_zeros(axes, times_s)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title=f"{len(times_s):,} requests")


def _mark_zeros(axes: "Axes", times_s: Column) -> None:
    """A logarithmic axis has no zero: requests that were met at once are marked at its left end."""
    zeros = int((times_s < _SHORTEST_S).sum())
    if zeros:
        share = 100 * zeros / len(times_s)
        axes.axvline(_SHORTEST_S, color=FAINT, lw=1.0, ls=":")
        axes.plot(_SHORTEST_S, share, "D", color=INK, ms=6, label=f"at once: {zeros:,} ({share:.0f} %)")


def _grouped(nodes: list[str], flow_wh: Column) -> tuple[list[str], Column]:
    if len(nodes) <= _NUMBERED:
        return nodes, flow_wh
    width = -(-len(nodes) // _NUMBERED)
    starts = list(range(0, len(nodes), width))
    summed = np.add.reduceat(np.add.reduceat(flow_wh, starts, axis=0), starts, axis=1)
    return [f"{nodes[i]} … {nodes[min(i + width, len(nodes)) - 1]}" for i in starts], summed


def _unit_of(most_wh: float) -> tuple[str, float]:
    """The unit in which energies are shown, and its size in Wh."""
    return ("kWh", 1000.0) if most_wh >= 1000 else ("Wh", 1.0)


def _write_numbers(axes: "Axes", flow: Column) -> None:
    most = flow.max()
    digits = 0 if most >= 100 else 1
    for (row, column), energy in np.ndenumerate(flow):
        text = f"{energy:,.{digits}f}" if energy else "-"
        colour = "white" if energy > 0.55 * most else INK if energy else FAINT
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=11)
