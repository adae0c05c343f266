"""`python -m host_tools eval`: how well models foretell measured data, beside persistence.

Exit codes: 0 well, 2 wrong usage or data.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from edge.learn.registry import MODELS
from edge.learn.states import StateScale
from edge.learn.terms import Array
from edge.terms import DAY_MIN
from host_tools.sim.command import bar

from . import plots, report
from .boosting import boosting
from .data import DataError, Record, records
from .judge import Verdict, verdict
from .replay import LEAST_PAST_DAYS, Task, learned, replay, task_of

CEILING = "boosting"
_WINDOW = "%Y-%m-%dT%H:%M"

_USUAL = "persistence,markov,lstm,mixture"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command line of `eval`."""
    parser = commands.add_parser(
        "eval", help="replay measured data through the models of a node and score what they foretell"
    )
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="DIR|FILE",
        help="measured data: .csv or .csv.gz; folders are searched",
    )
    add(
        "--model",
        default=_USUAL,
        metavar="NAME,...",
        help=f"of {', '.join(MODELS)}, and {CEILING}: "
        f"gradient boosting trained once on a PC (default {_USUAL})",
    )
    add("--scope", choices=("node", "cluster"), help="only data of this scope (default both)")
    add("--node", metavar="NAME,...", help="only these nodes (file names without ending)")
    add(
        "--test-days",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="the last days are judged, all before is the past (default 7)",
    )
    add(
        "--window",
        metavar="FROM/TO",
        help="judge from FROM on with targets before TO instead, local time YYYY-MM-DDTHH:MM",
    )
    add(
        "--leave-days",
        type=float,
        default=0.0,
        metavar="DAYS",
        help="leave out the last days of the data: to choose a model without a look at them (default 0)",
    )
    add("--raw", action="store_true", help="a cluster's production as recorded, not repaired")
    add(
        "--states",
        choices=("power", "fitted"),
        default="power",
        help="fifths of the greatest power, or quantiles of the past (default power)",
    )
    add(
        "--max-power",
        type=float,
        metavar="W",
        help="greatest power of the states in W (default 30000 for "
        "a cluster, else the 99.9 %% quantile of the past)",
    )
    add(
        "--train-every",
        type=int,
        default=20,
        metavar="MIN",
        help="minutes between two trainings (default 20)",
    )
    add("--frozen", action="store_true", help="train once on the past, not while it is judged")
    add("--set", action="append", default=[], metavar="MODEL.KEY=VALUE", help="an option of a model")
    add("--seed", type=int, default=1, help="of all randomness (default 1)")
    add("--no-plots", action="store_true", help="draw nothing")
    add(
        "--out", type=Path, default=Path("build/eval"), help="folder for what is written (default build/eval)"
    )
    parser.set_defaults(command=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Do what is asked for; returns the exit code."""
    console = Console(width=report.WIDTH)
    verdicts: list[Verdict] = []
    try:
        models = models_of(options.model, options.set)
        nodes = options.node.split(",") if options.node else None
        for record in records(options.data, options.raw, nodes):
            if options.scope not in (None, record.scope):
                continue
            task = task_from(record, options)
            if task is None:
                print(
                    f"{record.data} {record.node}: left out, {known_days(record):.1f} days are known",
                    file=sys.stderr,
                )
                continue
            found = [judged(task, name, given, options, console) for name, given in models.items()]
            title = title_of(task, options)
            console.print(report.table(found, title, options.seed))
            if not options.no_plots:
                plots.draw(found, title, options.out)
            verdicts += found
        if not verdicts:
            raise DataError(f"{options.data}: nothing long enough to learn from and to judge")
    except ValueError as error:  # of data, models and options
        print(error, file=sys.stderr)
        return 2
    report.write(verdicts, options.out, options.seed)
    print(
        f"written to {options.out}: scores.json, intervals.json, statistics.json"
        f"{'' if options.no_plots else ', plots'}"
    )
    return 0


def models_of(names: str, options: list[str]) -> dict[str, dict[str, Any]]:
    """The models and their options. Raises ValueError."""
    found: dict[str, dict[str, Any]] = {name: {} for name in names.split(",")}
    for name in found:
        if name not in MODELS and name != CEILING:
            raise ValueError(f"--model {name!r}: not one of {', '.join([*MODELS, CEILING])}")
    for text in options:
        model, dot, rest = text.partition(".")
        key, equals, value = rest.partition("=")
        if not dot or not equals or model not in found:
            raise ValueError(f"--set {text!r}: MODEL.KEY=VALUE of a model of --model expected")
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
    """Days with all variables known."""
    return float((~np.isnan(record.powers_w).any(1)).sum()) / DAY_MIN


def task_from(record: Record, options: argparse.Namespace) -> Task | None:
    """What is to be judged of a record; None if there is too little of it. Raises ValueError."""
    lines = len(record.powers_w) - int(options.leave_days * DAY_MIN)
    if options.window:
        start, end = (minute - record.first_minute for minute in window_of(options.window))
        end = min(end, lines)
    else:
        start, end = lines - int(options.test_days * DAY_MIN), lines
    if start < LEAST_PAST_DAYS * DAY_MIN or known_days(record) < LEAST_PAST_DAYS:
        return None
    if options.states == "fitted":
        scale = StateScale.fitted(record.powers_w[:start])
    else:
        scale = StateScale.of_max_power(options.max_power or record.max_power_w(start))
    return task_of(record, start, end, scale)


def window_of(text: str) -> tuple[int, int]:
    """First and last minute. Raises ValueError."""
    try:
        start, end = (
            int(datetime.strptime(part, _WINDOW).replace(tzinfo=UTC).timestamp()) // 60
            for part in text.split("/")
        )
    except ValueError as error:
        raise ValueError(f"--window {text!r}: FROM/TO, each YYYY-MM-DDTHH:MM, expected") from error
    return start, end


def judged(
    task: Task, model: str, given: dict[str, Any], options: argparse.Namespace, console: Console
) -> Verdict:
    """Play one model through a task, with a progress bar."""
    with bar(console) as progress:
        place = progress.add_task(f"{task.record.node}, {model}", total=task.origins[-1] - task.start)

        def told(done: int) -> None:
            progress.update(place, completed=done)

        foretold = _foretold(task, model, given, options, told)
    return verdict(task, model, foretold)


def _foretold(
    task: Task, model: str, given: dict[str, Any], options: argparse.Namespace, told: Callable[[int], None]
) -> Array:
    if model == CEILING:
        return boosting(task, options.seed, told)
    learner = learned(task, model, given, options.seed, options.train_every)
    return replay(task, learner, told, training=not options.frozen)


def title_of(task: Task, options: argparse.Namespace) -> str:
    """One line for tables and plots."""
    record = task.record
    kind = f", {'raw' if options.raw else 'repaired'} production" if record.scope == "cluster" else ""
    span = options.window or f"{(task.origins[-1] - task.start + 1) / DAY_MIN:.1f} days"
    return f"{record.data} {record.node}{kind}: {span} judged after {task.start / DAY_MIN:.1f} days"
