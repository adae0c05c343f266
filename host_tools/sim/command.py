"""`python -m host_tools sim SCENARIO`: play a scenario, measure and draw it, or compare ways to run it.

Exit codes: 0 all well, 1 an invariant was broken, 2 wrong usage or data, 3 real nodes did not come up.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from edge.config.check import ConfigError
from edge.energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from edge.learn.registry import MODELS
from edge.twins.settings import CannotLearn
from host_tools.broker import BrokerError
from host_tools.microgrid.launch import LaunchError

from . import compare, plots, real, report
from .job import Job
from .outcome import Outcome
from .scenario import ScenarioError
from .scenarios import SCENARIOS
from .topology import TopologyError
from .virtual import Simulation

_SHOWN = 10  # broken invariants


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command line of `sim`."""
    parser = commands.add_parser("sim", help="simulate a scenario under a virtual clock, measure and draw it")
    add = parser.add_argument
    add("scenario", nargs="?", metavar="SCENARIO", help=f"one of {', '.join(SCENARIOS)}")
    add("--list", action="store_true", help="show all scenarios and their parameters")
    add(
        "--nodes",
        help="topology: chain:4, ring:6, full:5, star:5, grid:3x4, random:20:3 (nodes:mean "
        "degree) or a .toml/.json file of name = [neighbours] (default: the scenario's)",
    )
    add("--hours", type=float, help="simulated time in hours (default: the scenario's)")
    add("--seed", type=int, default=1, help="of all randomness (default 1)")
    add("--policy", help=f"of all producers: {', '.join(PRODUCER_POLICIES)}")
    add("--consumer-policy", help=f"of all consumers: {', '.join(CONSUMER_POLICIES)}")
    add("--latency-ms", type=float, default=20.0, help="of every link, in ms (default 20)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the scenario")
    add("--data", type=Path, help="folder of measured node files (living_lab)")
    add("--start", help="date and time in the data, YYYY-MM-DDTHH:MM")
    add("--learn", metavar="MODEL", help=f"all nodes learn, both scopes, with one of {', '.join(MODELS)}")
    add(
        "--max-power-w",
        type=float,
        default=3000.0,
        help="MAX_POWER of a node's states, in W (default "
        "3000); the microgrid has as many times that as nodes",
    )
    add(
        "--check",
        type=int,
        metavar="S",
        help="seconds between two checks of all invariants "
        "(default 1 up to 8 nodes, else 10); where nothing happens, 10",
    )
    add(
        "--compare",
        action="append",
        default=[],
        metavar="KEY=V1,V2,...",
        help="run once for each value of "
        "policy, consumer_policy, nodes (with commas or ; between), latency_ms or a parameter; given several "
        "times: all combinations",
    )
    add(
        "--seeds",
        type=int,
        default=1,
        help="runs of each combination, each with a seed of its own (default 1)",
    )
    add(
        "--jobs", type=int, default=os.cpu_count() or 1, help="with --compare: processes (default: all cores)"
    )
    add("--real", action="store_true", help="real processes, brokers and serial meters instead, in real time")
    add("--no-plots", action="store_true", help="draw nothing")
    add("--out", type=Path, help="folder for what is written (default build/sim/SCENARIO)")
    parser.set_defaults(command=sim)


def sim(options: argparse.Namespace) -> int:
    """Do what is asked for; returns the exit code."""
    console = Console()
    if options.list:
        print(scenarios())
        return 0
    try:
        job = job_of(options)
        out = options.out or Path("build/sim") / job.scenario
        if options.compare or options.seeds != 1:
            return compare.run(job, options, out, console)
        outcome = play_real(job, out, console) if options.real else play(job, console)
    except (ScenarioError, TopologyError, ConfigError, CannotLearn) as error:
        print(error, file=sys.stderr)
        return 2
    except (LaunchError, BrokerError) as error:
        print(error, file=sys.stderr)
        return 3
    return finish(outcome, out, console, draw=not options.no_plots)


def job_of(options: argparse.Namespace) -> Job:
    """The run that the command line describes. Raises ScenarioError."""
    if not options.scenario:
        raise ScenarioError(f"SCENARIO is missing: one of {', '.join(SCENARIOS)}; --list says more")
    values = {}
    for text in options.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ScenarioError(f"--set {text!r}: NAME=VALUE expected")
        values[name] = value
    return Job(
        options.scenario,
        options.nodes,
        options.hours,
        options.seed,
        options.policy,
        options.consumer_policy,
        options.latency_ms,
        values,
        options.data,
        options.start,
        options.learn,
        options.max_power_w,
        options.check,
    )


def play(job: Job, console: Console) -> Outcome:
    """Run under the virtual clock, with a progress bar on a terminal."""
    simulation = Simulation(job)
    try:
        with bar(console) as progress:
            task = progress.add_task(job.scenario, total=job.seconds)
            return simulation.run(lambda second: progress.update(task, completed=second))
    finally:
        simulation.close()


def play_real(job: Job, out: Path, console: Console) -> Outcome:
    """Run real processes for as long."""
    with bar(console) as progress:
        task = progress.add_task(f"{job.scenario}, real", total=job.seconds)
        return real.play(job, out / "real", lambda second: progress.update(task, completed=second))


def bar(console: Console) -> Progress:
    """A progress bar; only on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def finish(outcome: Outcome, out: Path, console: Console, draw: bool) -> int:
    """Print, write and draw; returns the exit code."""
    summary = report.summarise(outcome)
    report.write(outcome, summary, out)
    if draw:
        plots.draw(outcome.recorder, title_of(summary), out)
    console.print(report.table(summary))
    print(
        f"written to {out}: summary.json, timeseries.csv (a row a node every "
        f"{outcome.recorder.stride} s), requests.csv{', plots' if draw else ''}"
    )
    for line in outcome.violations[:_SHOWN]:
        print(line, file=sys.stderr)
    return 1 if summary["invariants_broken"] else 0


def title_of(summary: dict[str, Any]) -> str:
    """One line for the plots."""
    return f"{summary['scenario']}, {summary['topology']}, {summary['twins']} twins, seed {summary['seed']}"


def scenarios() -> str:
    """All scenarios with their parameters."""
    lines = []
    for scenario in SCENARIOS.values():
        lines.append(f"{scenario.name}: {scenario.title} ({scenario.nodes}, {scenario.hours:g} h)")
        for each in scenario.parameters:
            lines.append(f"  {each.name:12} {each.default!s:8} {each.range:18} {each.meaning}")
    return "\n".join(lines)
