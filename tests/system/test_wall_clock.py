"""A board without a clock: its date is wrong after a power cut and jumps later, and nothing depends on it."""

import pytest
from chain4 import build, checked

from edge.space.slots import SELF
from host_tools.image.build import ROOTFS
from host_tools.invariants import disagreements
from host_tools.world import World

YEAR_S = 365 * 86_400.0


@pytest.fixture
def world():
    world = World(seed=1)
    build(
        world,
        lambda name: [
            {"name": "sun", "kind": "pv", "power_w": 100.0},
            {"name": "lamp", "kind": "load", "power_w": 60.0},
        ],
    )
    world.run(10, checked(world))
    yield world
    world.close()


def lamps(world):
    return [t for each in world.nodes.values() for t in each.node.prosumers if t.settings.name == "lamp"]


@pytest.mark.parametrize("step_s", [-50 * YEAR_S, -3600.0, 3600.0, 50 * YEAR_S])
def test_contracts_outlive_a_jump_of_the_date(world, step_s):
    validated = [twin.consumer.main for twin in lamps(world)]
    assert all(validated)
    world.nodes["n2"].clock.wall_error_s += step_s
    for _ in range(60):
        world.run(1, checked(world))
        assert all(twin.consumer.satisfied for twin in lamps(world))
    assert disagreements(world) == []


def test_a_node_that_starts_in_the_wrong_year_restores_its_state(world):
    node = world.nodes["n2"]
    before = node.node.space.origins.incarnation[SELF]
    node.kill()
    node.clock.wall_error_s = -30 * YEAR_S
    node.boot()
    world.run(20, checked(world))
    assert 0 < node.node.space.origins.incarnation[SELF] - before <= 256
    assert all(twin.consumer.satisfied for twin in lamps(world))
    node.clock.wall_error_s = 0.0  # the time server answers
    world.run(20, checked(world))
    assert all(twin.consumer.satisfied for twin in lamps(world))


def test_a_node_keeps_its_time_on_the_data_partition():
    mounts = [line.split() for line in (ROOTFS / "etc/fstab").read_text().splitlines() if line[0] != "#"]
    clock = next(mount for mount in mounts if mount[0] == "/data/clock")
    assert clock[1] == "/var/lib/systemd/timesync"
    assert "bind" in clock[3].split(",")
    drop_in = ROOTFS / "etc/systemd/system/systemd-timesyncd.service.d/data.conf"
    assert f"RequiresMountsFor={clock[1]}" in drop_in.read_text().splitlines()
