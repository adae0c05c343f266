"""`python -m host_tools storm`: run many random storms on all cores, or replay one.

Each seed has a result file, so the command continues where it stopped, in shards or on a cluster too.

Exit codes: 0 no invariant was broken, 1 at least one was or a run failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import reach
from ..study import command as study
from ..study.command import Study
from ..study.run import Content, Run
from ..tables import output
from ..world.silence import silence
from .draw import draw
from .play import play
from .report import Result, Summary, try_seed


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `storm`."""
    parser = commands.add_parser("storm", help="run random microgrids with faults and check the invariants")
    parser.add_argument("--seeds", type=int, default=50, help="number of seeds to run (default 50)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    study.add_options(parser.add_argument)
    parser.add_argument("--replay", type=int, metavar="SEED", help="run only this seed and print its storm")
    parser.add_argument(
        "--reach",
        default="",
        metavar="REQUESTS:BEATS",
        help=reach.HELP,
    )
    parser.add_argument("--keep", help="with --replay: keep only these faults, such as 3,7,9, or none")
    parser.add_argument(
        "--without", default="", help="with --replay: omit these nodes or twins, such as n3,n1.t2"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/storm"),
        help="folder for storm.json and the traces of failed seeds (default build/storm)",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        with silence():
            reach.section(options.reach)
            if options.replay is not None:
                return _replay(options)
            _check(options)
            return _play_all(options, output())
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _check(options: argparse.Namespace) -> None:
    for key, least in (("seeds", 1), ("first", 0)):
        if getattr(options, key) < least:
            raise ValueError(f"--{key} {getattr(options, key)}: must be at least {least}")
    if options.keep is not None or options.without:
        raise ValueError("--keep and --without need --replay")


def _replay(options: argparse.Namespace) -> int:
    keep = None if options.keep is None else _numbers(options.keep)
    storm = replace(draw(options.replay), reach=options.reach)
    storm = storm.reduced(keep, [name for name in options.without.split(",") if name])
    print("\n".join(storm.lines()))
    outcome = play(storm)
    for line in outcome.violations:
        print(f"invariant broken at {outcome.at_s:.2f} s: {line}")
    if not outcome.violations:
        settled = f"all nodes agreed {outcome.settled_s:g} s after repair"
        print(f"no invariant broken in {outcome.checks} checks; {settled}")
    return 1 if outcome.violations else 0


def _numbers(text: str) -> list[int]:
    if text == "none":
        return []
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        raise ValueError(f"--keep {text!r}: must be numbers of faults such as 3,7,9, or none") from None


def _play_all(options: argparse.Namespace, console: Console) -> int:
    summary = Summary()
    began_s = time.monotonic()
    for old in options.out.glob("seed-*.txt"):
        old.unlink()

    def each(run: Run, content: Content) -> None:
        result = Result.of(content)
        summary.add(result.outcome)
        if result.trace:
            (options.out / f"seed-{result.outcome.seed}.txt").write_text(result.trace)
            console.print(result.trace, markup=False, highlight=False, soft_wrap=True)

    seeds = range(options.first, options.first + options.seeds)
    far = options.reach
    runs = [
        Run("storm", f"seed-{seed}", {"seed": seed, "reach": far}, partial(_try_seed, seed, far))
        for seed in seeds
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    played = Study(runs, options.out / "runs", options, "storms").play(
        console, each, lambda: f"{len(summary.broken)} failed"
    )
    if played.whole:
        _report(summary, summary.figures(played.new, time.monotonic() - began_s), options.out)
    return played.code or (1 if summary.broken else 0)


def _report(summary: Summary, figures: dict[str, Any], out: Path) -> None:
    """Print and write what all seeds have shown."""
    (out / "storm.json").write_text(json.dumps(figures, indent=2) + "\n")
    faults = ", ".join(f"{count} {kind}" for kind, count in figures["faults"].items())
    speed = figures["seeds_per_minute"]
    print(
        f"{summary.seeds} seeds, {figures['simulated_hours']} simulated hours, faults: {faults};\n"
        f"{summary.checks} checks of all invariants, {len(summary.broken)} failed seeds; all nodes agreed at "
        f"most {summary.settled_max_s:g} s after repair; "
        f"{'none was played now' if speed is None else f'{speed:g} seeds per minute'}; "
        f"details in {out / 'storm.json'}"
    )


def _try_seed(seed: int, far: str) -> dict[str, Any]:
    with silence():
        return try_seed(seed, far).content()
