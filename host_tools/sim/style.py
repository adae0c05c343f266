"""The style of all plots: size, colours, and writing a figure to a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_IN, DPI = 12.0, 100  # 1200 pixels
INK, FAINT = "#2b3440", "#8a94a0"
BLUE, LIGHT_BLUE, RED = "#2f6db5", "#a9c8ea", "#d1495b"
GREEN, LIGHT_GREEN, ORANGE = "#3a8f5c", "#b5dcc2", "#e0912f"
CYCLE = (BLUE, ORANGE, GREEN, RED, "#7b5ea7", "#4aa3a2", "#8d6b4f", FAINT)
_STYLE: Any = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e8ec",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "sim",
}


@contextmanager
def figure(path: Path, title: str, height_in: float, **layout: Any) -> Iterator[Any]:
    """Axes as from `plt.subplots(**layout)`; the figure is written to `path` as PNG, 1200 pixels wide."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context(_STYLE):
        drawn, axes = plt.subplots(figsize=(WIDTH_IN, height_in), layout="constrained", **layout)
        drawn.suptitle(title, x=0.01, ha="left", color=FAINT, fontsize=12)
        try:
            yield axes
            drawn.savefig(path, dpi=DPI, metadata={"Software": ""})
        finally:
            plt.close(drawn)


def legend_beside(axes: "Axes") -> None:
    """Put the legend to the right of the axes, in the order of the stack from top to bottom."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5))
