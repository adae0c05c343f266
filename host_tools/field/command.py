"""`python -m host_tools fieldtest`: many random hours in the field, or one again.

Exit codes: 0 every hour was as it must be, 1 at least one was not, 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from ..progress import Watched
from ..tables import output
from ..world.silence import silence
from .draw import draw
from .play import Outcome, play


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `fieldtest`."""
    parser = commands.add_parser(
        "fieldtest", help="try nodes whose meters, links and brokers misbehave at random"
    )
    parser.add_argument("--seeds", type=int, default=100, help="number of seeds to run (default 100)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="parallel processes (default: all cores)"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    for key, least in (("seeds", 1), ("first", 0), ("jobs", 1)):
        if getattr(options, key) < least:
            print(f"--{key} {getattr(options, key)}: must be at least {least}", file=sys.stderr)
            return 2
    try:
        return _play_all(options)
    except KeyboardInterrupt:
        print("interrupted: no result", file=sys.stderr)
        return 130


def _play_all(options: argparse.Namespace) -> int:
    began_s, spent_s = time.monotonic(), _cpu_s()
    good = undefined = failed = 0
    console = output()
    watched = Watched("hours", options.seeds, console)
    outcomes = _outcomes(range(options.first, options.first + options.seeds), options.jobs)
    for outcome in watched.over(outcomes):
        good += outcome.good
        undefined += outcome.undefined
        failed += bool(outcome.violations)
        watched.note = f"{failed} failed"
        if outcome.violations:
            console.print("\n".join(report(outcome)), markup=False, highlight=False, soft_wrap=True)
    print(
        f"{options.seeds} hours of virtual time in {time.monotonic() - began_s:.0f} s "
        f"({_cpu_s() - spent_s:.0f} s of CPU): {good} good readings, {undefined} undefined, "
        f"{failed} hours failed"
    )
    return 1 if failed else 0


def _cpu_s() -> float:
    """What this process and its children that have ended have used."""
    used = [resource.getrusage(each) for each in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def report(outcome: Outcome) -> list[str]:
    """A failed hour, with the command that plays it again."""
    return [
        *draw(outcome.seed).lines(),
        *outcome.violations,
        f"again: python -m host_tools fieldtest --seeds 1 --first {outcome.seed}",
    ]


def _outcomes(seeds: range, jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(seeds) == 1:
        yield from map(_play, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(_play, seeds, chunksize=4)
        finally:
            pool.shutdown(cancel_futures=True)


def _play(seed: int) -> Outcome:
    with silence():
        return play(draw(seed))
