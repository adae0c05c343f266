"""A virtual world for each test; a file may have one of its own."""

import pytest

from host_tools.world import World


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()
