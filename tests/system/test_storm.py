"""Storms over whole microgrids: no seed breaks an invariant, and all nodes agree after the repair."""

import tomllib
from pathlib import Path

import pytest

from host_tools.storm.draw import draw
from host_tools.storm.play import play

FOUND = tomllib.loads(Path(__file__).with_name("storm_seeds.toml").read_text()).get("storm", [])
SEEDS = sorted({*range(6), *(each["seed"] for each in FOUND)})
# Each shows the same of other faults, for some seconds of computing; `make storm` plays hundreds of others.
MORE = [pytest.param(seed, marks=pytest.mark.proof) for seed in range(6, 25) if seed not in SEEDS]


@pytest.mark.parametrize("seed", [*SEEDS, *MORE])
def test_a_storm_breaks_no_invariant_and_heals(seed):
    outcome = play(draw(seed))
    assert outcome.violations == (), f"python -m host_tools storm --replay {seed}"
    assert outcome.checks > 100
