"""Configurations for these tests, and the mistakes that are found in them."""

import pytest
from repository import REPOSITORY

from edge.config.check import ConfigError, build

GYM = REPOSITORY / "deploy" / "nodes" / "gym.toml"


def raw(**sections):
    return {
        "node": {"name": "gym", "state_dir": "state"},
        "bus": [{"name": "b", "port": "/dev/null"}],
        "meter": [{"name": "m", "bus": "b", "address": 1, "profile": "sdm630"}],
        **sections,
    }


def mistakes(**sections):
    with pytest.raises(ConfigError) as caught:
        build(raw(**sections), "gym.toml")
    return str(caught.value)
