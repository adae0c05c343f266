"""The runs of an evaluation as a study: one model that predicts one task."""

import argparse
import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.learn.external import PowerTable
from edge.learn.terms import HORIZONS_MIN, STATES, Array
from edge.learn.weather import WeatherTable
from edge.terms import VARIABLES
from edge.twins.past import forecast_of, weather_of
from host_tools.measured import complain
from host_tools.study.run import Content, Run, fingerprint

from .boosting import boosting
from .replay import Task, replay, trained
from .result import Result, scored
from .watts import Watts

REFERENCE = "boosting"
_FILES = ("weather", "forecast")


@dataclass(frozen=True)
class Way:
    """How a model is evaluated. `options`: those of the model."""

    model: str
    options: Mapping[str, Any]
    seed: int
    train_every_min: int
    frozen: bool
    watts: bool
    weather: Path | None
    forecast: Path | None


def runs_of(
    tasks: Sequence[Task], models: Mapping[str, Mapping[str, Any]], told: argparse.Namespace
) -> list[Run]:
    """Every model on every task. Raises OSError for files that cannot be read."""
    files = {name: fingerprint(path) for name in _FILES if (path := getattr(told, name))}
    found = []
    for task in tasks:
        data = _digest(task)
        for model, options in models.items():
            way = Way(
                model,
                options,
                told.seed,
                told.train_every,
                told.frozen,
                told.watts,
                told.weather,
                told.forecast,
            )
            plan = {**vars(way), **dict.fromkeys(_FILES), **files, "options": dict(options), "data": data}
            found.append(Run("eval", name_of(task, model), plan, partial(predicted, task, way)))
    return found


def name_of(task: Task, model: str) -> str:
    """The name of a run."""
    return f"{task.record.data}/{task.record.node}/{model}"


def predicted(task: Task, way: Way) -> dict[str, Any]:
    """The predictions of a model, and the scores of its forecasts in watts. Raises ValueError."""
    if way.model == REFERENCE:
        return {"predicted": _packed(boosting(task, way.seed, _quiet)), "watts": []}
    weather = weather_in(way.weather) if way.weather else None
    others = forecast_in(way.forecast) if way.forecast else None
    learner = trained(task, way.model, way.options, way.seed, way.train_every_min, weather, way.watts, others)
    collected = Watts(task.record, task.start, int(task.origins[-1]) + 1) if way.watts else None
    found = replay(task, learner, _quiet, not way.frozen, collected)
    return {"predicted": _packed(found), "watts": collected.scores(way.model) if collected else []}


def result_of(task: Task, model: str, content: Content) -> Result:
    """The scores of what was predicted. Raises ValueError for predictions of another size."""
    return scored(task, model, _unpacked(content["predicted"], len(task.origins)))


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


def _quiet(done: int) -> None:
    """Progress is told by the study."""


def _digest(task: Task) -> str:
    """Of all that is measured and predicted: the same data give the same digest wherever they are."""
    digest = hashlib.blake2b(digest_size=12)
    for part in (task.record.powers_w, task.origins, task.now, task.actual):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(f"{task.record.first_minute} {task.record.step_min} {task.start}".encode())
    return digest.hexdigest()


def _packed(predictions: Array) -> str:
    return base64.b64encode(zlib.compress(np.asarray(predictions, np.float32).tobytes())).decode()


def _unpacked(text: str, origins: int) -> Array:
    shape = (origins, len(VARIABLES), len(HORIZONS_MIN), STATES)
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.float32).reshape(shape)
