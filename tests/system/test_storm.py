"""Storms over whole microgrids: no seed breaks an invariant, and all nodes agree after the repair."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.storm.draw import draw
from host_tools.storm.play import play

FOUND = tomllib.loads(Path(__file__).with_name("storm_seeds.toml").read_text()).get("storm", [])
FIRST = {(seed, "") for seed in range(6)}
STORMS = sorted(FIRST | {(each["seed"], each.get("reach", "")) for each in FOUND})
# Each shows the same of other faults, for some seconds of computing; `make storm` plays hundreds of others.
MORE = [pytest.param(seed, "", marks=pytest.mark.proof) for seed in range(6, 25) if (seed, "") not in STORMS]


@pytest.mark.parametrize(("seed", "reach"), [*STORMS, *MORE])
def test_a_storm_breaks_no_invariant_and_heals(seed, reach):
    outcome = play(replace(draw(seed), reach=reach))
    assert outcome.violations == (), f"python -m host_tools storm --replay {seed} --reach '{reach}'"
    assert outcome.checks > 100
