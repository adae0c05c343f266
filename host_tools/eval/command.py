"""`python -m host_tools eval`: how well models predict measured data, compared with persistence.

Exit codes: 0 success, 2 wrong usage or invalid data.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge.learn.external import PowerTable
from edge.learn.registry import MODELS
from edge.learn.states import StateScale
from edge.learn.terms import Array
from edge.learn.weather import WeatherTable
from edge.terms import DAY_MIN
from edge.twins.past import forecast_of, weather_of
from host_tools.arguments import whole
from host_tools.measured import complain
from host_tools.sim.command import bar
from host_tools.tables import fitted

from . import plots, report
from .boosting import boosting
from .data import DataError, Reading, Record, records
from .gossip.command import add_options, gossip
from .replay import MIN_HISTORY_DAYS, Progress, Task, replay, task_of, trained
from .result import Result, scored
from .watts import Watts
from .watts import table as in_watts

REFERENCE = "boosting"
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
    add_options(parser)
    parser.set_defaults(command=evaluate)


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate the models; returns the exit code."""
    if options.gossip:
        return _gossip(options)
    console = Console() if sys.stdout.isatty() else Console(width=report.WIDTH)
    results: list[Result] = []
    watts: list[dict[str, Any]] = []
    try:
        models = models_of(options.model, options.set)
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
            found = [evaluated(task, name, given, options, console, watts) for name, given in models.items()]
            title = title_of(task, options)
            console.print(fitted(report.table(found, title), console, report.LEAVING))
            console.print(report.leads(found))
            for name in models:
                of_model = [w for w in watts if (w["data"], w["node"], w["model"]) == (*_of(record), name)]
                if of_model:
                    console.print(in_watts(of_model, f"{of_model[0]['variable']} in watts, {name}"))
            if not options.no_plots:
                plots.draw(found, title, options.out)
            results += found
        if not results:
            raise DataError(f"{options.data}: no data long enough to train on and to score")
    except ValueError as error:  # invalid data, models or options
        print(error, file=sys.stderr)
        return 2
    report.write(results, watts, options.out)
    print(
        f"written to {options.out}: scores.json, intervals.json, statistics.json, watts.json"
        f"{'' if options.no_plots else ', plots'}"
    )
    return 0


def _gossip(options: argparse.Namespace) -> int:
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


def evaluated(
    task: Task,
    model: str,
    given: dict[str, Any],
    options: argparse.Namespace,
    console: Console,
    watts: list[dict[str, Any]],
) -> Result:
    """Replay one task with a model, with a progress bar. The scores of its forecasts join `watts`."""
    with bar(console) as shown:
        place = shown.add_task(f"{task.record.node}, {model}", total=task.origins[-1] - task.start)

        def progress(done: int) -> None:
            shown.update(place, completed=done)

        predicted = _predictions(task, model, given, options, progress, watts)
    return scored(task, model, predicted)


def _predictions(
    task: Task,
    model: str,
    given: dict[str, Any],
    options: argparse.Namespace,
    progress: Progress,
    watts: list[dict[str, Any]],
) -> Array:
    if model == REFERENCE:
        return boosting(task, options.seed, progress)
    weather = weather_in(options.weather) if options.weather else None
    others = forecast_in(options.forecast) if options.forecast else None
    learner = trained(task, model, given, options.seed, options.train_every, weather, options.watts, others)
    collected = Watts(task.record, task.start, int(task.origins[-1]) + 1) if options.watts else None
    predicted = replay(task, learner, progress, not options.frozen, collected)
    if collected:
        watts += collected.scores(model)
    return predicted


def weather_in(path: Path) -> WeatherTable:
    """Weather of a file by the minutes of the data, which are civil. Raises ValueError."""
    return WeatherTable(*_table(*weather_of(path, UTC, complain)))


def forecast_in(path: Path) -> PowerTable:
    """Powers that others forecast, in the same way. Raises ValueError."""
    return PowerTable(*_table(*forecast_of(path, UTC, complain)))


def _table(times_s: Sequence[int], values: Sequence[float]) -> tuple[NDArray[np.int64], Array]:
    minutes = np.array(times_s, np.int64) // 60
    rising = np.diff(minutes, prepend=-1) > 0  # else two times in one minute
    return minutes[rising], np.array(values, np.float32).reshape(len(minutes), -1)[rising]


def _of(record: Record) -> tuple[str, str]:
    return record.data, record.node


def title_of(task: Task, options: argparse.Namespace) -> str:
    """One line for tables and plots."""
    record = task.record
    kind = f", {'recorded' if options.raw else 'repaired'} production" if record.scope == "cluster" else ""
    span = options.window or f"{(task.origins[-1] - task.start + 1) / DAY_MIN:.1f} days"
    return (
        f"{record.data} {record.node}{kind}: {span} scored after {task.start / DAY_MIN:.1f} days of history"
    )
