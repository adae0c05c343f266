"""`python -m host_tools sim SCENARIO`: simulate a scenario, measure and plot it, or compare variants of it.

Exit codes: 0 success, 1 an invariant was broken or a run of a comparison failed, 2 wrong usage or data, 3 the
real nodes did not start, 130 a comparison was interrupted.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console

from edge.config.check import ConfigError
from edge.energy.policies import CONSUMER_POLICIES, PRODUCER_POLICIES
from edge.learn.registry import MODELS
from edge.twins.registry import TwinError
from host_tools import reach
from host_tools.broker import BrokerError
from host_tools.microgrid.launch import LaunchError
from host_tools.progress import seconds_of
from host_tools.study import command as study
from host_tools.tables import output

from . import compare, plots, real, report
from .job import Job
from .outcome import Outcome
from .scenario import ScenarioError
from .scenarios import SCENARIOS
from .topology import TopologyError
from .virtual import Simulation

_SHOWN = 10  # number of broken invariants that are printed


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `sim`."""
    parser = commands.add_parser("sim", help="simulate a scenario under a virtual clock, measure and plot it")
    add = parser.add_argument
    add("scenario", nargs="?", metavar="SCENARIO", help=f"one of {', '.join(SCENARIOS)}")
    add("--list", action="store_true", help="list all scenarios and their parameters")
    add(
        "--nodes",
        help="topology: chain:4, ring:6, full:5, star:5, grid:3x4, random:20:3 (nodes:mean degree), or a "
        ".toml or .json file with lines name = [neighbours] (default: that of the scenario)",
    )
    add("--hours", type=float, help="simulated time in hours (default: that of the scenario)")
    add("--seed", type=int, default=Job.seed, help="random seed (default 1)")
    add("--policy", help=f"policy of all producers: {', '.join(PRODUCER_POLICIES)}")
    add("--consumer-policy", help=f"policy of all consumers: {', '.join(CONSUMER_POLICIES)}")
    add("--latency-ms", type=float, default=Job.latency_ms, help="latency of every link in ms (default 20)")
    add(
        "--reach",
        default="",
        metavar="REQUESTS:BEATS",
        help=reach.HELP,
    )
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="set a parameter of the scenario")
    add("--data", type=Path, help="folder of measured data, one file per node (living_lab)")
    add("--start", help="start in the data, as YYYY-MM-DDTHH:MM")
    add(
        "--learn",
        metavar="MODEL",
        help=f"all nodes learn in both scopes with this model: {', '.join(MODELS)}",
    )
    add("--gossip", action="store_true", help="with --learn: nodes exchange models and predictions")
    add(
        "--max-power-w",
        type=float,
        default=Job.max_power_w,
        help="MAX_POWER of the states of a node in W (default 3000); that of the microgrid is this value "
        "times the number of nodes",
    )
    add(
        "--check",
        type=int,
        metavar="S",
        help="simulated seconds between two checks of all invariants (default 1 for up to 8 nodes, otherwise "
        "10; always 10 while nothing changes)",
    )
    add(
        "--compare",
        action="append",
        default=[],
        metavar="KEY=V1,V2,...",
        help=f"run once for each value of {', '.join(compare.OF_JOB)} or a parameter of the scenario, such "
        "as reach=1:1,0:0; values are separated by commas or semicolons; several options: all combinations",
    )
    add("--seeds", type=int, default=1, help="number of seeds for each combination (default 1)")
    study.add_options(parser.add_argument_group("with --compare or --seeds").add_argument)
    add(
        "--processes",
        type=int,
        default=Job.processes,
        help="processes that simulate one area of the microgrid each; the result is the same (default 1)",
    )
    add("--real", action="store_true", help="use real processes, brokers and serial meters in real time")
    add("--no-plots", action="store_true", help="write no plots")
    add("--out", type=Path, help="output folder (default build/sim/SCENARIO)")
    parser.set_defaults(command=sim)


def sim(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    console = output()
    if options.list:
        print(scenarios())
        return 0
    try:
        job = job_of(options)
        out = options.out or Path("build/sim") / job.scenario
        if options.compare or options.seeds != 1:
            return compare.run(job, options, out, console)
        if options.shard != "1/1" or options.cluster:
            raise ScenarioError("--shard and --cluster are for --compare and --seeds")
        outcome = play_real(job, out, console) if options.real else play(job, console)
    except (ScenarioError, TopologyError, ConfigError, TwinError) as error:
        print(error, file=sys.stderr)
        return 2
    except (LaunchError, BrokerError) as error:
        print(error, file=sys.stderr)
        return 3
    return finish(outcome, out, console, draw=not options.no_plots)


def job_of(options: argparse.Namespace) -> Job:
    """The run that the command line describes. Raises ScenarioError."""
    if not options.scenario:
        raise ScenarioError(
            f"SCENARIO is missing: one of {', '.join(SCENARIOS)}; --list shows the parameters"
        )
    values = {}
    for text in options.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise ScenarioError(f"--set {text!r}: must have the form NAME=VALUE")
        if name in values:
            raise ScenarioError(f"--set {text!r}: {name} is given twice")
        values[name] = value
    same = [each.name for each in fields(Job) if hasattr(options, each.name)]
    return Job(**{name: getattr(options, name) for name in same}, values=values, check_s=options.check)


def play(job: Job, console: Console) -> Outcome:
    """Run under the virtual clock, and show how far it is."""
    simulation = Simulation(job)
    try:
        with seconds_of(job.scenario, job.seconds, console) as reached:
            return simulation.run(reached)
    finally:
        simulation.close()


def play_real(job: Job, out: Path, console: Console) -> Outcome:
    """Run real processes, for the same time in real time."""
    with seconds_of(f"{job.scenario}, real", job.seconds, console) as reached:
        return real.play(job, out / "real", reached)


def finish(outcome: Outcome, out: Path, console: Console, draw: bool) -> int:
    """Print, write and plot the results; returns the exit code."""
    summary = report.summarise(outcome)
    report.write(outcome, summary, out)
    if draw:
        plots.draw(outcome.recorder, outcome.job.begin(), title_of(summary), out)
    console.print(report.table(summary))
    if "figures" in summary:
        console.print(report.figures(summary))
    print(
        f"written to {out}: summary.json, timeseries.csv (one row per node every "
        f"{outcome.recorder.stride} s), requests.csv{' and plots' if draw else ''}"
    )
    for line in outcome.violations[:_SHOWN]:
        print(line, file=sys.stderr)
    return 1 if summary["invariants_broken"] else 0


def title_of(summary: dict[str, Any]) -> str:
    """The title of the plots."""
    return f"{summary['scenario']}, {summary['topology']}, {summary['twins']} twins, seed {summary['seed']}"


def scenarios() -> str:
    """A list of all scenarios with their parameters."""
    lines = []
    for scenario in SCENARIOS.values():
        lines.append(f"{scenario.name}: {scenario.title} ({scenario.nodes}, {scenario.hours:g} h)")
        for each in scenario.parameters:
            lines.append(f"  {each.name:12} {each.default!s:8} {each.range:18} {each.meaning}")
    return "\n".join(lines)
