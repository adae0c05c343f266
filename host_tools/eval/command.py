"""`python -m host_tools eval`: how well models predict measured data, compared with persistence.

It is a study: a result file for each model and record, so it continues where it stopped, in shards or on a
cluster too.

Exit codes: 0 success, 1 a run failed, 2 wrong usage or invalid data, 130 interrupted.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from edge.learn.registry import MODELS
from edge.learn.states import StateScale
from edge.terms import DAY_MIN
from host_tools.arguments import whole
from host_tools.study import command as study
from host_tools.study.command import Study
from host_tools.tables import fitted, output

from . import plots, report
from .data import DataError, Reading, Record, records
from .gossip.command import add_options, gossip
from .replay import MIN_HISTORY_DAYS, Task, task_of
from .result import Result
from .runs import REFERENCE, name_of, result_of, runs_of
from .watts import table as in_watts

_WINDOW = "%Y-%m-%dT%H:%M"

_DEFAULT = "persistence,markov,lstm,mixture"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command line of `eval`."""
    parser = commands.add_parser(
        "eval", help="replay measured data through the models of a node and score their predictions"
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="DIR|FILE",
        help="measured data, .csv or .csv.gz; a folder is searched",
    )
    add(
        "--model",
        default=_DEFAULT,
        metavar="NAME,...",
        help=f"models to evaluate: {', '.join(MODELS)}, and {REFERENCE} "
        f"(gradient boosting on a PC, trained again each day); default {_DEFAULT}",
    )
    add("--scope", choices=("node", "cluster"), help="only data of this scope (default: both)")
    add("--node", metavar="NAME,...", help="only these nodes (file names without extension)")
    add(
        "--test-days",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="days at the end that are scored; the days before are the history (default 7)",
    )
    add(
        "--window",
        metavar="FROM/TO",
        help="score predictions from FROM on with targets before TO instead, local time YYYY-MM-DDTHH:MM",
    )
    add(
        "--leave-days",
        type=float,
        default=0.0,
        metavar="DAYS",
        help="ignore these last days of the data, to choose a model without seeing them (default 0)",
    )
    add("--raw", action="store_true", help="use the production of a cluster as recorded, not repaired")
    add_reading(parser)
    add(
        "--states",
        choices=("power", "fitted"),
        default="power",
        help="limits of the states: fifths of the maximum power, or quantiles of the history (default power)",
    )
    add(
        "--max-power",
        type=float,
        metavar="W",
        help="maximum power of the states in W (default: 30000 for "
        "a cluster, else the 99.9 %% quantile of the history)",
    )
    add(
        "--train-every",
        type=int,
        default=20,
        metavar="MIN",
        help="minutes between two trainings (default 20)",
    )
    add(
        "--weather",
        type=Path,
        metavar="FILE",
        help="weather, for forecasts in watts and for models that use it: .csv with timestamp, "
        "irradiance_w_m2, temperature_c",
    )
    add(
        "--forecast",
        type=Path,
        metavar="FILE",
        help="powers that others forecast, for forecasts in watts: .csv with timestamp and some powers",
    )
    add("--watts", action="store_true", help="also judge forecasts in watts, which takes some seconds a day")
    add("--frozen", action="store_true", help="train once on the history, not during the scored period")
    add(
        "--set",
        action="append",
        default=[],
        metavar="MODEL.KEY=VALUE",
        help="set an option of a model; may be repeated",
    )
    add("--seed", type=whole(0), default=1, help="seed of the random generators (default 1)")
    add("--no-plots", action="store_true", help="do not draw plots")
    add("--out", type=Path, default=Path("build/eval"), help="output folder (default build/eval)")
    study.add_options(parser.add_argument, jobs=1, other_code=None)
    add_options(parser)
    parser.set_defaults(command=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate the models; returns the exit code."""
    if options.gossip:
        return _gossip(options)
    options.other_code = options.other_code or study.RUN
    console = output()
    try:
        models = models_of(options.model, options.set)
        tasks = tasks_of(options)
        played = Study(runs_of(tasks, models, options), options.out / "runs", options).play(console)
        if not played.whole:
            return played.code
        results: list[Result] = []
        watts: list[dict[str, Any]] = []
        for task in tasks:
            of_task = {model: played.results["eval", name_of(task, model)] for model in models}
            found = [result_of(task, model, content) for model, content in of_task.items()]
            title = title_of(task, options)
            console.print(fitted(report.table(found, title), console, report.LEAVING))
            console.print(report.leads(found))
            for model, content in of_task.items():
                if scores := content["watts"]:
                    console.print(in_watts(scores, f"{scores[0]['variable']} in watts, {model}"))
                    watts += scores
            if not options.no_plots:
                plots.draw(found, title, options.out)
            results += found
    except (OSError, ValueError) as error:  # invalid data, models or options
        print(error, file=sys.stderr)
        return 2
    report.write(results, watts, options.out)
    print(
        f"written to {options.out}: scores.json, intervals.json, statistics.json, watts.json"
        f"{'' if options.no_plots else ', plots'}"
    )
    return 0


def tasks_of(options: argparse.Namespace) -> list[Task]:
    """What is to be predicted, of every record that is long enough. Raises ValueError."""
    tasks = []
    nodes = options.node.split(",") if options.node else None
    for record in records(options.data, options.raw, nodes, reading_of(options)):
        if options.scope not in (None, record.scope):
            continue
        task = task_from(record, options)
        if task is None:
            print(
                f"{record.data} {record.node}: skipped, only {known_days(record):.1f} days are known",
                file=sys.stderr,
            )
            continue
        tasks.append(task)
    if not tasks:
        raise DataError(f"{options.data}: no data long enough to train on and to score")
    return tasks


def _gossip(options: argparse.Namespace) -> int:
    options.other_code = options.other_code or study.KEEP  # some took hours
    try:
        reading = reading_of(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return gossip(options, reading)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """The options that say how data are read."""
    parser.add_argument(
        "--zone",
        action="append",
        default=[],
        metavar="[FOLDER=]ZONE",
        help="civil clock of the data, such as Asia/Kolkata, of all files or of those in a folder of that "
        "name, and the zone of times without an offset (default: the clock that times are written in, UTC "
        "for those without an offset)",
    )
    parser.add_argument("--sort", action="store_true", help="sort rows that are not in order of time")


def reading_of(options: argparse.Namespace) -> Reading:
    """How data are read. Raises ValueError."""
    zones = {}
    for text in options.zone:
        folder, _, name = text.rpartition("=")
        try:
            zones[folder] = ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"--zone {text!r}: unknown time zone") from error
    return Reading(zones, options.sort)


def models_of(names: str, options: list[str]) -> dict[str, dict[str, Any]]:
    """The models and their options. Raises ValueError."""
    found: dict[str, dict[str, Any]] = {name: {} for name in names.split(",")}
    for name in found:
        if name not in MODELS and name != REFERENCE:
            raise ValueError(f"--model {name!r} is not one of {', '.join([*MODELS, REFERENCE])}")
    for text in options:
        model, dot, rest = text.partition(".")
        key, equals, value = rest.partition("=")
        if not dot or not equals or model not in found:
            raise ValueError(f"--set {text!r}: expected MODEL.KEY=VALUE with a model of --model")
        found[model][key] = _value(value)
    return found


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def known_days(record: Record) -> float:
    """The number of days with all variables known."""
    return float((~np.isnan(record.powers_w).any(1)).sum()) / DAY_MIN


def task_from(record: Record, options: argparse.Namespace) -> Task | None:
    """The task for a record; None if the record is too short. Raises ValueError."""
    lines = len(record.powers_w) - int(options.leave_days * DAY_MIN)
    if options.window:
        start, end = (minute - record.first_minute for minute in window_of(options.window))
        end = min(end, lines)
    else:
        start, end = lines - int(options.test_days * DAY_MIN), lines
    if start < MIN_HISTORY_DAYS * DAY_MIN or known_days(record) < MIN_HISTORY_DAYS:
        return None
    if options.states == "fitted":
        scale = StateScale.fitted(record.powers_w[:start])
    else:
        scale = StateScale.of_max_power(options.max_power or record.max_power_w(start))
    return task_of(record, start, end, scale)


def window_of(text: str) -> tuple[int, int]:
    """The first and the last minute. Raises ValueError."""
    try:
        start, end = (
            int(datetime.strptime(part, _WINDOW).replace(tzinfo=UTC).timestamp()) // 60
            for part in text.split("/")
        )
    except ValueError as error:
        raise ValueError(f"--window {text!r}: expected FROM/TO, each as YYYY-MM-DDTHH:MM") from error
    return start, end


def title_of(task: Task, options: argparse.Namespace) -> str:
    """One line for tables and plots."""
    record = task.record
    kind = f", {'recorded' if options.raw else 'repaired'} production" if record.scope == "cluster" else ""
    span = options.window or f"{(task.origins[-1] - task.start + 1) / DAY_MIN:.1f} days"
    return (
        f"{record.data} {record.node}{kind}: {span} scored after {task.start / DAY_MIN:.1f} days of history"
    )
