"""`train` and `export`: the .tflite files that are shipped, each with a card.

    python -m host_tools train NAME --data FILE   trains, scores later days, writes both to build/train
    python -m host_tools export NAME              writes models/NAME.tflite and its card models/NAME.md
    python -m host_tools export --check           checks all files in models/ against their cards

A file contains only weights, never data. Exit codes: 0 success, 1 a file does not fit its card, 2 wrong usage
or invalid data.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge.learn.lstm import interpreter
from edge.learn.lstm.shipped import checksum_on
from edge.learn.terms import HORIZONS_MIN
from edge.terms import DAY_MIN, VARIABLES
from edge.twins.learning_settings import LearningSettings
from host_tools.progress import bar
from host_tools.tables import output

from . import report
from .card import card
from .command import add_reading, models_of, reading_of, task_from, title_of
from .data import DataError, records
from .replay import replay, trained
from .result import scored

_BUILD, _MODELS = Path("build/train"), Path("models")
_NETWORKS = ("lstm", "lstm_thesis")
_ALL = slice(None)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command lines of `train` and `export`."""
    parser = commands.add_parser("train", help="train a model on measured data, to be shipped")
    add = parser.add_argument
    add("name", help="name of the model file")
    add("--data", type=Path, required=True, metavar="FILE", help="measured data, as for eval")
    add("--model", choices=_NETWORKS, default="lstm", help="model to train (default lstm)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="MODEL.KEY=VALUE",
        help="set an option of the model; may be repeated",
    )
    add(
        "--test-days",
        type=float,
        default=7.0,
        metavar="DAYS",
        help="days at the end that are scored and not trained on (default 7)",
    )
    add("--raw", action="store_true", help="use the production of a cluster as recorded, not repaired")
    add_reading(parser)
    add("--max-power", type=float, metavar="W", help="maximum power of the states (default as for eval)")
    add("--seed", type=int, default=1, help="seed of the random generators (default 1)")
    add("--out", type=Path, default=_BUILD, help=f"output folder (default {_BUILD})")
    parser.set_defaults(command=train, window=None, leave_days=0.0, states="power")
    parser = commands.add_parser("export", help="write trained models to models/, or check the files there")
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="name of a trained model")
    add("--check", action="store_true", help="check the files of the folder against their cards")
    add(
        "--from",
        type=Path,
        default=_BUILD,
        dest="source",
        help=f"folder with the trained model (default {_BUILD})",
    )
    add("--out", type=Path, default=_MODELS, help=f"folder of the model files (default {_MODELS})")
    parser.set_defaults(command=export)


def train(options: argparse.Namespace) -> int:
    """Train a model, score it and write both; returns the exit code."""
    console = output()
    try:
        given = models_of(options.model, options.set)[options.model]
        record = next(records(options.data, options.raw, reading=reading_of(options)))
        task = task_from(record, options)
        if task is None:
            raise DataError(f"{options.data}: the data are too short to train on and to score")
        with bar(console) as progress:
            place = progress.add_task(f"{options.name}, training", total=None)
            learner = trained(task, options.model, given, options.seed, LearningSettings().train_every_min)
            content = learner.model.file  # type: ignore[attr-defined]  # only networks are shipped
            progress.update(place, description="scoring", total=task.origins[-1] - task.start)
            predicted = replay(
                task, learner, lambda done: progress.update(place, completed=done), training=False
            )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    found = scored(task, options.model, predicted)
    console.print(report.table([found], title_of(task, options)))
    facts: dict[str, Any] = {
        "name": options.name,
        "model": options.model,
        "options": given,
        "seed": options.seed,
        "data": record.data,
        "node": record.node,
        "scope": record.scope,
        "raw": options.raw,
        "learned_days": round(task.start / DAY_MIN, 1),
        "judged_days": options.test_days,
        "max_power_w": float(round(task.scale.limits_w[0, -1], 3)),
        "int8": True,
        "mean": found.means(found.varying, _ALL),
        "by_horizon": {
            str(minutes): found.means(found.varying, at) for at, minutes in enumerate(HORIZONS_MIN)
        },
        "by_variable": {name: found.means(at, _ALL) for at, name in enumerate(VARIABLES)},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.name}.tflite").write_bytes(content)
    (options.out / f"{options.name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="ascii")
    print(f"written to {options.out}: {options.name}.tflite ({len(content):,} bytes), {options.name}.json")
    return 0


def export(options: argparse.Namespace) -> int:
    """Write or check models; returns the exit code."""
    if options.check == bool(options.names):
        print("export: give either names or --check", file=sys.stderr)
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
    """The sizes of a file, from an interpreter that runs it. Raises ValueError for an invalid file."""
    built = interpreter(content)
    taken, given = built.get_input_details()[0], built.get_output_details()[0]
    built.set_tensor(taken["index"], np.zeros(taken["shape"], np.float32))
    built.invoke()
    if not np.isfinite(built.get_tensor(given["index"])).all():
        raise ValueError("the outputs are not finite")
    return {"input": taken["shape"].tolist(), "output": given["shape"].tolist(), "inputs": taken["name"]}


def check(folder: Path) -> int:
    """Check that every .tflite file runs and has a card with its checksum, and every card a file."""
    files, cards = ({path.stem: path for path in folder.glob(f"*.{ending}")} for ending in ("tflite", "md"))
    cards.pop("README", None)
    wrong = 0
    for name in sorted(files.keys() | cards.keys()):
        try:
            if name not in files or name not in cards:
                raise ValueError("the card is missing" if name in files else "the file is missing")
            content = files[name].read_bytes()
            if checksum_on(cards[name].read_text(encoding="ascii")) != hashlib.sha256(content).hexdigest():
                raise ValueError("the checksum on the card does not match the file")
            measures(content)
            print(f"{name}: OK, {len(content):,} bytes")
        except ValueError as error:
            print(f"{folder / name}: {error}", file=sys.stderr)
            wrong = 1
    return wrong
