"""Runs the jobs of `eval --gossip`, a study; then reports what is there."""

import argparse
import sys
from pathlib import Path

from edge.learn.gossip import GATES, MODEL_OPERATORS
from edge.learn.registry import MODELS
from host_tools.arguments import number, whole
from host_tools.study.command import Study
from host_tools.study.run import Run
from host_tools.tables import output

from ..data import Reading
from . import lines, plots, report
from .plan import HALF, OPERATORS, SETS, Plan
from .studies import STUDIES, jobs

_OUT = Path("build/eval/gossip")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `eval --gossip`."""
    add = parser.add_argument_group("gossip: microgrids of learners").add_argument
    add(
        "--gossip",
        metavar="STUDY,...",
        help=f"run studies of gossip instead: {', '.join(STUDIES)}, all; or report, which renders results",
    )
    add("--seeds", default="1", metavar="N,...", help="seeds, one microgrid each (default 1)")
    add("--sets", default="combed_1min", metavar="NAME,...", help=f"data sets: {', '.join(SETS)}")
    add("--only", default="", metavar="TEXT,...", help="only jobs whose name has one of these texts")
    add("--past-days", type=whole(2), default=16, help="days before the judged ones (default 16)")
    add(
        "--neighbour-days",
        type=whole(1),
        metavar="N",
        help="days of the past of a newcomer's neighbours (default: those of --past-days)",
    )
    add("--judged-days", type=whole(1), default=7, help="days that are judged (default 7)")
    add("--own-days", default="1,2,4,7", metavar="N,...", help="days of data of a newcomer (default 1,2,4,7)")
    add("--newcomers", default="", metavar="NODE,...", help="nodes that join late (default: each in turn)")
    add("--operators", default=",".join(OPERATORS), metavar="NAME,...", help="operators of models")
    add(
        "--gossip-model",
        default="mixture",
        metavar="NAME",
        help="model of the nodes (default mixture); half: Markov chains and LSTM in turns (study nodes)",
    )
    add(
        "--update-every",
        type=whole(1),
        default=240,
        metavar="MIN",
        help="minutes between trainings (default 240)",
    )
    add("--update-steps", type=whole(1), default=10, metavar="N", help="steps of each (default 10)")
    add(
        "--past-updates",
        type=whole(0),
        default=40,
        metavar="N",
        help="trainings at the end of the past of nodes whose networks begin with shipped ones (default 40)",
    )
    add(
        "--from-scratch",
        action="store_true",
        help="networks begin with random weights of one seed and a first training, not with shipped ones",
    )
    add(
        "--period",
        type=whole(1),
        default=60,
        metavar="MIN",
        help="minutes between model messages (default 60)",
    )
    add(
        "--gate",
        choices=GATES,
        default="better",
        help="what merged weights must be to serve (default better)",
    )
    add(
        "--noise",
        type=number(0),
        default=0.0,
        metavar="SHARE",
        help="noise on networks that are sent, in units of the usual difference; counts stay at home "
        "(default 0: none)",
    )
    add("--images", type=Path, metavar="DIR", help="with report: also draw plots into this folder")


def gossip(options: argparse.Namespace, reading: Reading) -> int:
    """Run the studies, or report; returns the exit code."""
    out = options.out if options.out != Path("build/eval") else _OUT
    try:
        if options.gossip == "report":
            results = lines.read(out)
            print(report.render(results))
            if options.images:
                plots.draw(results, options.images)
            return 0
        todo = _selected(options, reading, out)
        return Study(todo, out / "results", options, "jobs", precious=True).play(output()).code
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _selected(options: argparse.Namespace, reading: Reading, out: Path) -> list[Run]:
    """The jobs that were chosen. Raises ValueError."""
    studies = tuple(STUDIES) if options.gossip == "all" else tuple(options.gossip.split(","))
    unknown = [each for each in studies if each not in STUDIES]
    sets = tuple(options.sets.split(","))
    unknown += [each for each in sets if each not in SETS]
    operators = tuple(filter(None, options.operators.split(",")))
    unknown += [each for each in operators if each not in (*MODEL_OPERATORS, "auto")]
    unknown += [options.gossip_model] if options.gossip_model not in (*MODELS, HALF) else []
    newcomers = tuple(filter(None, options.newcomers.split(",")))
    unknown += set(newcomers) - {name for each in sets if each in SETS for name in SETS[each]}
    if unknown:
        raise ValueError(f"unknown study, data set, operator, model or node: {', '.join(unknown)}")
    if options.gossip_model == HALF and studies != ("nodes",):
        raise ValueError(f"--gossip-model {HALF}: only the study nodes has it; cluster has its own")
    if not options.data.is_dir():
        raise ValueError(f"--data {options.data}: no such folder")
    own_days = _numbers(options.own_days)
    if "late" in studies and not all(1 <= each <= options.past_days for each in own_days):
        raise ValueError(f"--own-days {options.own_days}: expected 1 to {options.past_days} (--past-days)")
    plan = Plan(
        data=options.data,
        reading=reading,
        cache=out / "cache",
        sets=sets,
        past_days=options.past_days,
        neighbour_days=options.neighbour_days or options.past_days,
        days=options.judged_days,
        own_days=own_days,
        newcomers=newcomers,
        operators=operators,
        model=options.gossip_model,
        train_every_min=options.update_every,
        steps=options.update_steps,
        updates=options.past_updates,
        shipped=not options.from_scratch,
        period_min=options.period,
        gate=options.gate,
        noise=options.noise,
        seeds=_numbers(options.seeds),
    )
    wanted = list(filter(None, options.only.split(",")))
    found = [
        job
        for job in jobs(plan, studies)
        if not wanted or any(text in f"{job.study}/{job.name}" for text in wanted)
    ]
    if not found:
        raise ValueError(f"--only {options.only}: no job of these studies has such a name")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}: expected whole numbers with commas") from None
