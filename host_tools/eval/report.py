"""The output of an evaluation: tables, scores.json, intervals.json, statistics.json, watts.json."""

import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from edge.learn.terms import HORIZONS_MIN
from edge.terms import VARIABLES

from .intervals import Interval
from .result import Result, Which, cells
from .rivals import RIVALS

LEAVING = ("Brier", "lead 95 %", "95 %", "log loss")  # columns that leave in this order when it is narrow


def table(results: list[Result], title: str) -> Table:
    """The table of one task: a row for each variable and model, a column for each horizon; baselines."""
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    shown.add_column("variable", no_wrap=True)
    shown.add_column("model", no_wrap=True)
    for horizon_min in HORIZONS_MIN:
        shown.add_column(f"{horizon_min} min", justify="right", no_wrap=True)
    for name in ("mean %", "95 %", "lead 95 %", "log loss", "Brier"):
        shown.add_column(name, justify="right", no_wrap=True)
    first = results[0]
    for name, which in _rows(first):
        is_mean = not isinstance(which, int)
        for baseline, key in (
            ("(persistence)", "persistence_accuracy"),
            ("(most frequent)", "majority_accuracy"),
        ):
            each = [first.means(which, number)[key] for number in range(len(HORIZONS_MIN))]
            shown.add_row(
                name,
                baseline,
                *map(_percent, each),
                _percent(first.means(which, first.horizons)[key]),
                style="dim",
            )
            name = ""
        for one in results:
            each = [one.means(which, number)["accuracy"] for number in range(len(HORIZONS_MIN))]
            whole, limits = one.means(which, one.horizons), one.intervals(which, one.horizons)
            shown.add_row(
                "",
                one.model,
                *map(_percent, each),
                _percent(whole["accuracy"]),
                _range(limits["accuracy"]),
                _range(limits["lead"]),
                f"{whole['log_loss']:.3f}",
                f"{whole['brier']:.3f}",
                style="bold" if is_mean else "",
            )
        shown.add_section()
    still = [name for at, name in enumerate(VARIABLES) if at not in first.varying]
    if still:
        shown.caption = f"always in one state, and in no mean: {', '.join(still)}"
        shown.caption_justify = "left"
    return shown


def leads(results: list[Result]) -> Table:
    """How much better each model is than each rival, in accuracy and log loss, with 95 % intervals."""
    shown = Table(
        title="lead in points of accuracy; in log loss",
        title_justify="left",
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for name in ("model", "over"):
        shown.add_column(name, no_wrap=True)
    for name in ("demand", "95 %", "log loss", "95 %", "mean", "95 %", "log loss", "95 %"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in results:
        for rival in RIVALS:
            columns: list[str] = []
            for which in (0, one.varying):
                whole, limits = one.means(which, one.horizons), one.intervals(which, one.horizons)
                lead = whole["accuracy"] - whole[f"{rival}_accuracy"]
                columns += [f"{100 * lead:.1f}", _range(limits[f"lead_{rival}"])]
                low_high = limits[f"log_loss_lead_{rival}"]
                columns += [
                    f"{whole[f'{rival}_log_loss'] - whole['log_loss']:.3f}",
                    f"{low_high[0]:.3f}..{low_high[1]:.3f}" if low_high else "-",
                ]
            shown.add_row(one.model if rival == RIVALS[0] else "", rival, *columns)
        shown.add_section()
    return shown


def _rows(result: Result) -> list[tuple[str, Which]]:
    """Demand first; of variables that never change there is nothing to predict, so they have no row."""
    varying = result.varying
    rows: list[tuple[str, Which]] = [(VARIABLES[at], at) for at in varying]
    of = "" if len(varying) == len(VARIABLES) else f" of {len(varying)}"
    return [*rows, (f"mean{of}", varying)]


def lines(results: list[Result]) -> list[dict[str, Any]]:
    """The lines of scores.json, by variable, horizon and model; None where there are no predictions."""
    found = []
    for one in results:
        record = one.task.record
        for variable, horizon_min, at, number in cells():
            n = one.count(at, number)
            means = {key: round(value, 6) if n else None for key, value in one.means(at, number).items()}
            found.append(
                {
                    "data": record.data,
                    "node": record.node,
                    "scope": record.scope,
                    "model": one.model,
                    "variable": variable,
                    "horizon_min": horizon_min,
                    "constant": at not in one.varying,
                    "n": n,
                    **means,
                }
            )
    return found


def intervals(results: list[Result]) -> list[dict[str, Any]]:
    """The lines of intervals.json: 95 % of accuracy, log loss and the leads over each rival, over days.

    Means are those of the variables that change.
    """
    found = []
    for one in results:
        record = one.task.record
        places: list[tuple[str, int | str, Which, Which]] = [*cells()]
        places += [("mean", horizon_min, one.varying, at) for at, horizon_min in enumerate(HORIZONS_MIN)]
        places += [(name, "mean", at, one.horizons) for at, name in enumerate(VARIABLES)]
        places.append(("mean", "mean", one.varying, one.horizons))
        for name, horizon_min, at, number in places:
            limits = {
                key: value and [round(each, 6) for each in value]
                for key, value in one.intervals(at, number).items()
            }
            found.append(
                {
                    "data": record.data,
                    "node": record.node,
                    "model": one.model,
                    "variable": name,
                    "horizon_min": horizon_min,
                    **limits,
                }
            )
    return found


def write(results: list[Result], watts: list[dict[str, Any]], out: Path) -> None:
    """Write all files except the plots."""
    out.mkdir(parents=True, exist_ok=True)
    statistics = [
        {
            "data": one.task.record.data,
            "node": one.task.record.node,
            "scope": one.task.record.scope,
            "model": one.model,
            "by_variable_and_horizon": one.report(),
        }
        for one in results
    ]
    files = {
        "scores": lines(results),
        "intervals": intervals(results),
        "statistics": statistics,
        "watts": watts,
    }
    for name, content in files.items():
        (out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _range(limits: Interval) -> str:
    return f"{100 * limits[0]:.1f}..{100 * limits[1]:.1f}" if limits else "-"
