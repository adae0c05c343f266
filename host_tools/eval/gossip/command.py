"""Runs the jobs of `eval --gossip`: resumable, one file each, in one or several processes, on one or several
machines; then reports what is there."""

import argparse
import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

from edge.learn.gossip import GATES, MODEL_OPERATORS
from host_tools.arguments import number, whole

from ..data import Reading
from . import plots, report
from .plan import OPERATORS, SETS, Job, Plan
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
    add(
        "--shard",
        default="1/1",
        metavar="I/N",
        help="of the jobs only each N-th, from the I-th on (default 1/1)",
    )
    add("--jobs", type=whole(1), default=1, metavar="N", help="processes (default 1)")
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
    add("--gossip-model", default="mixture", metavar="NAME", help="model of the nodes (default mixture)")
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
            results = report.read(out)
            print(report.render(results))
            if options.images:
                plots.draw(results, options.images)
            return 0
        todo = _selected(options, reading, out)
        for job in todo:
            _check(job, _file(out, job))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    left = [(job, _file(out, job)) for job in todo if not _file(out, job).exists()]
    print(f"{len(todo)} jobs, {len(todo) - len(left)} of them done before", flush=True)
    if options.jobs == 1:
        for at, (job, file) in enumerate(left, 1):
            _run(job, file)
            print(f"{at}/{len(left)} {job.study} {job.name}", flush=True)
        return 0
    context = multiprocessing.get_context("fork")  # jobs are closures: they are inherited, not sent
    _JOBS[:] = left
    with context.Pool(options.jobs) as pool:
        for at, name in enumerate(pool.imap_unordered(_run_number, range(len(left))), 1):
            print(f"{at}/{len(left)} {name}", flush=True)
    return 0


def _check(job: Job, file: Path) -> None:
    """Raises ValueError if the file of a job was made with other settings."""
    if not file.exists():
        return
    before = json.loads(file.read_text(encoding="ascii"))["plan"]
    other = [
        f"{name} {before.get(name)}, not {value}"
        for name, value in job.plan.items()
        if before.get(name) != value
    ]
    if other:
        raise ValueError(f"{file}: made with {'; '.join(other)}. Choose another folder with --out")


_JOBS: list[tuple[Job, Path]] = []


def _run_number(at: int) -> str:
    job, file = _JOBS[at]
    _run(job, file)
    return f"{job.study} {job.name}"


def _run(job: Job, file: Path) -> None:
    found: dict[str, Any] = job.result()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(found) + "\n", encoding="ascii")
    part.replace(file)


def _file(out: Path, job: Job) -> Path:
    return out / "results" / job.study / f"{job.name.replace('/', '__')}.json"


def _selected(options: argparse.Namespace, reading: Reading, out: Path) -> list[Job]:
    """The jobs of this shard. Raises ValueError."""
    studies = tuple(STUDIES) if options.gossip == "all" else tuple(options.gossip.split(","))
    unknown = [each for each in studies if each not in STUDIES]
    sets = tuple(options.sets.split(","))
    unknown += [each for each in sets if each not in SETS]
    operators = tuple(filter(None, options.operators.split(",")))
    unknown += [each for each in operators if each not in (*MODEL_OPERATORS, "auto")]
    if unknown:
        raise ValueError(f"unknown study, data set or operator: {', '.join(unknown)}")
    plan = Plan(
        data=options.data,
        reading=reading,
        cache=out / "cache",
        sets=sets,
        past_days=options.past_days,
        neighbour_days=options.neighbour_days or options.past_days,
        days=options.judged_days,
        own_days=_numbers(options.own_days),
        newcomers=tuple(filter(None, options.newcomers.split(","))),
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
    at, of = _shard(options.shard)
    wanted = list(filter(None, options.only.split(",")))
    found = [
        job
        for job in jobs(plan, studies)
        if not wanted or any(text in f"{job.study}/{job.name}" for text in wanted)
    ]
    return found[at - 1 :: of]


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise ValueError(f"{text!r}: expected whole numbers with commas") from None


def _shard(text: str) -> tuple[int, int]:
    at, _, of = text.partition("/")
    if not (at.isdigit() and of.isdigit() and 1 <= int(at) <= int(of)):
        raise ValueError(f"--shard {text!r}: expected I/N, with I from 1 to N")
    return int(at), int(of)
