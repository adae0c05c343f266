"""Compares variants of a scenario, each with several seeds: `--compare KEY=V1,V2,...`.

It is a study: a result file for each run, so it continues where it stopped, in shards or on a cluster too.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..study.command import Study
from ..study.run import Run
from ..tables import fitted
from .job import Job
from .report import figures, summarise
from .scenario import ScenarioError
from .style import CYCLE, INK, figure
from .virtual import Simulation

OF_JOB = {"policy": str, "consumer_policy": str, "nodes": str, "latency_ms": float, "reach": str}


@dataclass(frozen=True)
class Measure:
    """One value of the summary that is compared; smaller is better for all of them."""

    key: str
    path: tuple[str, ...]
    name: str
    unit: str
    heading: str
    factor: float = 1.0

    def of(self, summary: Mapping[str, Any]) -> float | None:
        """The value in one summary, scaled for display."""
        value: Any = summary
        for key in self.path:
            value = value[key]
        return None if value is None else self.factor * float(value)


MEASURES = (
    Measure("response_max_s", ("response_s", "max"), "maximum response", "s", "max resp. s"),
    Measure("failure_percent", ("failure_rate",), "failure rate", "%", "failure %", 100.0),
    Measure("missing_wh", ("energy_wh", "missing"), "energy missing", "Wh", "missing Wh"),
    Measure("messages_per_contract", ("messages_per_contract",), "messages per contract", "", "msg/contract"),
)
_LEAVING = ("msg/contract", "missing Wh", "max resp. s")  # on a narrow terminal, the first one first


@dataclass(frozen=True)
class Case:
    """One combination of values and its runs, one for each seed."""

    name: str
    jobs: tuple[Job, ...]


def cases(job: Job, comparisons: Sequence[str], seeds: int) -> list[Case]:
    """All combinations of the compared values. Raises ScenarioError."""
    if not 1 <= seeds <= 1000:
        raise ScenarioError(f"seeds = {seeds}: must be between 1 and 1000")
    axes = [_axis(text, job) for text in comparisons]
    for key, times in Counter(key for key, _ in axes).items():
        if times > 1:
            raise ScenarioError(f"--compare {key}: is there {times} times; write all its values in one")
    found = []
    for values in product(*(axis for _, axis in axes)):
        varied = job
        for (key, _), value in zip(axes, values, strict=True):
            varied = _varied(varied, key, value)
        name = ", ".join(values) or job.scenario
        found.append(Case(name, tuple(replace(varied, seed=job.seed + i) for i in range(seeds))))
    return found


def run(job: Job, options: argparse.Namespace, out: Path, console: Console) -> int:
    """Run, print, write and plot all variants; returns the exit code. Raises ScenarioError, TopologyError."""
    if options.real:
        raise ScenarioError(
            "--real cannot be compared: the runs would compete for the processors of this machine"
        )
    found = cases(job, options.compare, options.seeds)
    for case in found:
        case.jobs[0].plans()  # raises for invalid values now, not later in another process
    try:
        played = Study(runs(found), out / "runs", options).play(console)
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    summaries = [each["summary"] for each in played.results.values()]
    broken = sum(each["invariants_broken"] for each in summaries)
    if not played.whole:
        return played.code or (1 if broken else 0)
    results = {
        case.name: [played.results["sim", name_of(case.name, job)]["summary"] for job in case.jobs]
        for case in found
    }
    out.mkdir(parents=True, exist_ok=True)
    _write(results, out)
    keys = " x ".join(text.partition("=")[0] for text in options.compare)
    title = (
        f"{job.scenario}{' by ' if keys else ''}{keys}, seeds {job.seed} to {job.seed + options.seeds - 1}"
    )
    if not options.no_plots:
        draw(results, f"{title}; bars: mean, dots: single runs, numbers: worst run", out / "compare.png")
    console.print(fitted(table(results, title), console, _LEAVING))
    for name, (first, *_) in results.items():
        if "figures" in first:
            console.print(figures(first, f"{name}, seed {first['seed']}"))
    checked = sum(each["invariants_checked"] for each in summaries)
    files = "compare.json, compare.csv" if options.no_plots else "compare.json, compare.csv, compare.png"
    print(f"{checked:,} invariant checks, {broken:,} broken; written to {out}: {files}")
    return 1 if broken else 0


def runs(found: Sequence[Case]) -> list[Run]:
    """The runs of all cases. Raises ScenarioError for data that cannot be read."""
    made = []
    for case in found:
        plan = case.jobs[0].arguments()
        for job in case.jobs:
            made.append(Run("sim", name_of(case.name, job), plan | {"seed": job.seed}, partial(play, job)))
    return made


def name_of(case: str, job: Job) -> str:
    """The name of a run in its study."""
    return f"{case}/s{job.seed}"


def play(job: Job) -> dict[str, Any]:
    """Run one job and return its summary."""
    simulation = Simulation(job)
    try:
        return {"summary": summarise(simulation.run())}
    finally:
        simulation.close()


def table(results: Mapping[str, list[dict[str, Any]]], title: str) -> Table:
    """A table with mean and worst value of each case over its seeds."""
    shown = Table(
        title=f"{title} (mean / worst)",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    shown.add_column("", min_width=min(14, max(len(name) for name in results)))
    for heading in [*(each.heading for each in MEASURES), "served %"]:
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, summaries in results.items():
        cells = [_mean_and_worst(each, summaries) for each in MEASURES]
        energies = [each["energy_wh"] for each in summaries]
        wanted_wh, served_wh = (sum(each[key] for each in energies) for key in ("requested", "consumed"))
        shown.add_row(name, *cells, _percent(served_wh, wanted_wh))
    return shown


def draw(results: Mapping[str, list[dict[str, Any]]], title: str, path: Path) -> None:
    """One panel for each measure: bars are means over seeds, dots single runs, numbers the worst run."""
    names = list(results)
    with figure(path, title, 1.6 + 2 * max(1.6, 0.42 * len(names)), nrows=2, ncols=2, sharey=True) as grid:
        for axes, each in zip(grid.flat, MEASURES, strict=True):
            for row, name in enumerate(names):
                values = _values(each, results[name])
                axes.barh(row, mean(values) if values else 0.0, color=CYCLE[row % len(CYCLE)], alpha=0.75)
                axes.plot(values, [row] * len(values), "o", color=INK, ms=4, alpha=0.6)
                if values:
                    axes.annotate(
                        _short(max(values)),
                        (max(values), row),
                        (9, 0),
                        textcoords="offset points",
                        va="center",
                        fontsize=11,
                    )
            axes.set_yticks(range(len(names)), names)
            axes.set_xlim(0, 1.15 * axes.get_xlim()[1])
            axes.grid(axis="y", visible=False)
            axes.set_ylim(len(names) - 0.4, -0.6)
            axes.set(title=each.name, xlabel=each.unit)


def _axis(text: str, job: Job) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    separator = ";" if ";" in values else ","
    found = [value.strip() for value in values.split(separator) if value.strip()]
    known = [*OF_JOB, *(parameter.name for parameter in job.kind.parameters)]
    if not equals or not found:
        raise ScenarioError(f"--compare {text!r}: must have the form KEY=V1,V2,...")
    if key not in known:
        raise ScenarioError(f"--compare {key}: unknown; must be one of {', '.join(known)}")
    if key in job.values:
        raise ScenarioError(f"--compare {text!r}: {key} is also given by --set")
    if key in OF_JOB and getattr(job, key) != getattr(Job(job.scenario), key):
        raise ScenarioError(f"--compare {text!r}: {key} is also given by --{key.replace('_', '-')}")
    meant: dict[Any, str] = {}
    for value in found:
        same = meant.setdefault(_read(job, key, value), value)
        if same is not value:
            raise ScenarioError(f"--compare {text!r}: {same} and {value} are the same")
    return key, found


def _varied(job: Job, key: str, value: str) -> Job:
    if key not in OF_JOB:
        return replace(job, values={**job.values, key: value})
    return replace(job, **{key: _read(job, key, value)})


def _read(job: Job, key: str, value: str) -> Any:
    if key not in OF_JOB:
        return next(each for each in job.kind.parameters if each.name == key).read(value)
    try:
        return OF_JOB[key](value)
    except ValueError:
        raise ScenarioError(f"{key} = {value!r}: must be a number") from None


def _values(compared: Measure, summaries: Iterable[Mapping[str, Any]]) -> list[float]:
    found = (compared.of(summary) for summary in summaries)
    return [value for value in found if value is not None]


def _mean_and_worst(compared: Measure, summaries: Iterable[Mapping[str, Any]]) -> str:
    values = _values(compared, summaries)
    return f"{_short(mean(values))} / {_short(max(values))}" if values else "-"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _write(results: Mapping[str, list[dict[str, Any]]], out: Path) -> None:
    (out / "compare.json").write_text(json.dumps(results, indent=2) + "\n")
    with (out / "compare.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "seed", *(each.key for each in MEASURES), "requests", "satisfied"])
        for name, summaries in results.items():
            for summary in summaries:
                values = [each.of(summary) for each in MEASURES]
                shown = ["" if value is None else f"{value:.6g}" for value in values]
                writer.writerow([name, summary["seed"], *shown, summary["requests"], summary["satisfied"]])
