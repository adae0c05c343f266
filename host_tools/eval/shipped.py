"""`train` and `export`: the .tflite files that are shipped, each with a card.

    python -m host_tools train NAME --data FILE   learns, judges on days it has not seen, keeps both in build/
    python -m host_tools export NAME              writes models/NAME.tflite and its card models/NAME.md
    python -m host_tools export --check           proves all files in models/ against their cards

The data stay where they are: a file holds weights only. Exit codes: 0 well, 1 a file does not fit its
card, 2 wrong usage or data.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from edge.learn.lstm.interpreter import interpreter
from edge.learn.terms import HORIZONS_MIN
from edge.terms import VARIABLES
from host_tools.sim.command import bar

from . import report
from .card import card, checksum_on
from .command import models_of, task_from, title_of
from .data import DataError, records
from .judge import verdict
from .replay import learned, replay

_BUILD, _MODELS = Path("build/train"), Path("models")
_NETWORKS = ("lstm", "lstm_thesis")
_ALL = slice(None)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command lines of `train` and `export`."""
    parser = commands.add_parser("train", help="train a model on measured data, to be shipped")
    add = parser.add_argument
    add("name", help="of the file that will be shipped")
    add("--data", type=Path, required=True, metavar="FILE", help="measured data, as for eval")
    add("--model", choices=_NETWORKS, default="lstm", help="(default lstm)")
    add("--set", action="append", default=[], metavar="MODEL.KEY=VALUE", help="an option of the model")
    add(
        "--test-days",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="the last days are not learned but judged (default 7)",
    )
    add("--raw", action="store_true", help="a cluster's production as recorded, not repaired")
    add("--max-power", type=float, metavar="W", help="greatest power of the states (default as for eval)")
    add("--seed", type=int, default=1, help="of all randomness (default 1)")
    add("--out", type=Path, default=_BUILD, help=f"folder (default {_BUILD})")
    parser.set_defaults(command=train, window=None, leave_days=0.0, states="power")
    parser = commands.add_parser("export", help="write trained models into models/, or check what is there")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="what was trained")
    add("--check", action="store_true", help="prove the files of the folder against their cards")
    add("--from", type=Path, default=_BUILD, dest="source", help=f"where train left it (default {_BUILD})")
    add("--out", type=Path, default=_MODELS, help=f"folder (default {_MODELS})")
    parser.set_defaults(command=export)


def train(options: argparse.Namespace) -> int:
    """Learn, judge, keep; returns the exit code."""
    console = Console(width=report.WIDTH)
    try:
        given = models_of(options.model, options.set)[options.model]
        record = next(records(options.data, options.raw))
        task = task_from(record, options)
        if task is None:
            raise DataError(f"{options.data}: too short to learn from and to judge")
        with bar(console) as progress:
            place = progress.add_task(f"{options.name}, training", total=None)
            learner = learned(task, options.model, given, options.seed)
            content = learner.model.file  # type: ignore[attr-defined]  # only networks are shipped
            progress.update(place, description="judging", total=task.origins[-1] - task.start)
            foretold = replay(
                task, learner, lambda done: progress.update(place, completed=done), training=False
            )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    found = verdict(task, options.model, foretold)
    console.print(report.table([found], title_of(task, options), options.seed))
    facts: dict[str, Any] = {
        "name": options.name,
        "model": options.model,
        "options": given,
        "seed": options.seed,
        "data": record.data,
        "node": record.node,
        "scope": record.scope,
        "raw": options.raw,
        "learned_days": round(task.start / 1440, 1),
        "judged_days": options.test_days,
        "max_power_w": float(round(task.scale.limits_w[0, -1], 3)),
        "int8": True,
        "mean": found.means(_ALL, _ALL),
        "by_horizon": {str(minutes): found.means(_ALL, at) for at, minutes in enumerate(HORIZONS_MIN)},
        "by_variable": {name: found.means(at, _ALL) for at, name in enumerate(VARIABLES)},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.name}.tflite").write_bytes(content)
    (options.out / f"{options.name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="ascii")
    print(f"written to {options.out}: {options.name}.tflite ({len(content):,} bytes), {options.name}.json")
    return 0


def export(options: argparse.Namespace) -> int:
    """Ship, or check; returns the exit code."""
    if options.check == bool(options.names):
        print("export: either NAME ... or --check", file=sys.stderr)
        return 2
    if options.check:
        return check(options.out)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        try:
            content = (options.source / f"{name}.tflite").read_bytes()
            facts = json.loads((options.source / f"{name}.json").read_text(encoding="ascii"))
            shown = card(facts, content, measures(content))
        except (OSError, ValueError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        (options.out / f"{name}.tflite").write_bytes(content)
        (options.out / f"{name}.md").write_text(shown, encoding="ascii")
        print(f"{options.out / name}.tflite, .md")
    return check(options.out)


def measures(content: bytes) -> dict[str, Any]:
    """What an interpreter says of a file: sizes, and that it runs. Raises ValueError for what does not."""
    built = interpreter(content)
    taken, given = built.get_input_details()[0], built.get_output_details()[0]
    built.set_tensor(taken["index"], np.zeros(taken["shape"], np.float32))
    built.invoke()
    if not np.isfinite(built.get_tensor(given["index"])).all():
        raise ValueError("gives numbers that are not finite")
    return {"input": taken["shape"].tolist(), "output": given["shape"].tolist(), "inputs": taken["name"]}


def check(folder: Path) -> int:
    """Every .tflite has a card with its checksum and runs, and every card its file."""
    files, cards = ({path.stem: path for path in folder.glob(f"*.{ending}")} for ending in ("tflite", "md"))
    cards.pop("README", None)
    wrong = 0
    for name in sorted(files.keys() | cards.keys()):
        try:
            if name not in files or name not in cards:
                raise ValueError("lacks its card" if name in files else "lacks its file")
            content = files[name].read_bytes()
            if checksum_on(cards[name].read_text(encoding="ascii")) != hashlib.sha256(content).hexdigest():
                raise ValueError("is not the file its card speaks of")
            measures(content)
            print(f"{name}: well, {len(content):,} bytes")
        except ValueError as error:
            print(f"{folder / name}: {error}", file=sys.stderr)
            wrong = 1
    return wrong
