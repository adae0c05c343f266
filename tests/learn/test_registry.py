"""The names of models, and what can be imported without numpy."""

import random
import subprocess
import sys

import pytest

from edge.learn.registry import MODELS, create
from edge.learn.states import StateScale
from edge.terms import DAY_MIN


def test_names_are_known_without_numpy():
    code = "import sys\nfrom edge.learn import calendar, registry, terms\nsys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numpy_uses_one_thread_by_default():
    code = "import os, edge.learn.terms; print(os.environ['OPENBLAS_NUM_THREADS'])"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={}, text=True)
    assert printed.stdout.strip() == "1"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_created_by_its_name(name):
    model = create(name, StateScale.of_max_power(1000.0), random.Random(1))
    assert model.name == name
    assert model.predict() is None
    model.observe(20_000 * DAY_MIN, StateScale.of_max_power(1000.0).limits_w[:, 1])
    again = create(name, StateScale.of_max_power(1000.0), random.Random(1))
    again.load(model.save())
    assert again.save() == model.save()
