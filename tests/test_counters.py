"""Counters that others read: exact sums, and never a step back, whatever ends the node or its file."""

import json
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.settings import HomeAssistantSettings
from edge.counters import KEPT, Counters, member_powers
from edge.history.store import Store
from host_tools.world import World
from host_tools.world.clock import VirtualClock

HELD = {"meter_grace_s": 30.0}


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def shown(node):
    """n1 has a metered lamp and a roof, n2 a large roof and a connection to the grid."""
    node.config = replace(node.config, home_assistant=HomeAssistantSettings(scope="read"))
    return node


def build(world):
    lamp = {"name": "lamp", "kind": "load", "input": "m.total", **HELD}
    n1 = shown(world.add("n1", ["n2"], [lamp, {"name": "roof", "kind": "pv", "power_w": 100.0}]))
    n2 = shown(
        world.add(
            "n2",
            ["n1"],
            [
                {"name": "roof", "kind": "pv", "power_w": 400.0},
                {"name": "grid", "kind": "grid", "capacity_w": 50},
            ],
        )
    )
    world.boot()
    return n1, n2


def play(world, node, seconds, power_w, each=lambda: None):
    """The meter answers each second."""
    for _ in range(seconds):
        node.meters.say("m.total", power_w)
        world.run(1.0)
        each()


def settle(world, node):
    """What was counted so far is shown."""
    node.touch(lambda node: node.counters.keep())
    play(world, node, 2, 460.0)
    return consistent(node.node.counters)


def consistent(counters):
    energy = counters.member
    if energy is not None:
        assert energy.import_wh == energy.from_community_wh + energy.residual_wh
        assert energy.export_wh == energy.to_community_wh + energy.fed_in_wh
    return energy


def test_a_contract_with_another_member_is_from_and_to_the_community(world):
    n1, n2 = build(world)
    play(world, n1, 1258, 460.0)
    one, two = n1.node.counters, n2.node.counters
    n2.touch(lambda node: node.counters.keep())
    energy, other = settle(world, n1), consistent(two)
    assert energy.drawn_wh == pytest.approx(460 * 1260 / 3600, rel=0.02)
    assert energy.import_wh == pytest.approx(360 * 1260 / 3600, rel=0.02)
    assert energy.from_community_wh == pytest.approx(
        energy.import_wh, rel=0.05
    )  # the first seconds have none
    assert other.to_community_wh == pytest.approx(energy.from_community_wh, rel=0.02)
    assert other.fed_in_wh == pytest.approx((400 - 360) * 1260 / 3600, rel=0.1)
    assert one.twin("lamp").drawn_wh == energy.drawn_wh
    assert one.twin("roof").given_wh == energy.given_wh
    assert energy.export_wh == 0
    assert one.twin("nobody") is None


def test_what_no_contract_covers_is_residual(world):
    n1, _ = build(world)
    play(world, n1, 360, 5000.0)  # more than all have
    energy = settle(world, n1)
    assert energy.from_community_wh <= 1
    assert energy.residual_wh == pytest.approx(4900 * 360 / 3600, rel=0.05)


def test_nothing_is_shown_before_it_is_known(world):
    n1, _ = build(world)
    assert n1.node.counters.member is None
    play(world, n1, 5, 300.0)
    n1.node.history.write = lambda: False  # the card does not take anything
    play(world, n1, 200, 300.0)
    assert n1.node.counters.twin("lamp") is None or n1.node.counters.twin("lamp").drawn_wh == 0


def test_an_unknown_device_stops_the_member_and_no_other_twin(world):
    n1, _ = build(world)
    play(world, n1, 200, 460.0)
    before, roof = settle(world, n1), n1.node.counters.twin("roof")
    world.run(600)  # the meter is silent, which is borne for half a minute
    after = settle(world, n1)
    assert after.drawn_wh - before.drawn_wh <= 460 * 90 / 3600 + 1
    assert n1.node.counters.twin("roof").given_wh - roof.given_wh >= 100 * 500 / 3600


def test_counters_go_on_after_a_stop_and_lose_little_by_a_power_cut(world):
    n1, _ = build(world)
    play(world, n1, 300, 460.0)
    n1.stop()
    n1.boot()
    play(world, n1, 200, 460.0)
    stopped = settle(world, n1)
    assert stopped.drawn_wh == pytest.approx(460 * 500 / 3600, rel=0.02)
    play(world, n1, 100, 460.0)
    n1.kill()
    n1.boot()
    play(world, n1, 130, 460.0)
    assert settle(world, n1).drawn_wh >= stopped.drawn_wh + 460 * 130 / 3600 - 1


def hold(path):
    """Another process that lets nobody read."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("COMMIT")
    return other


def test_a_history_that_cannot_be_read_shows_nothing_and_forgets_nothing(world):
    n1, _ = build(world)
    play(world, n1, 300, 460.0)
    before = settle(world, n1)
    n1.kill()
    other = hold(n1.node.history.path)
    n1.boot()
    play(world, n1, 100, 460.0)
    assert n1.node.counters.member is None
    other.close()
    play(world, n1, 100, 460.0)
    after = settle(world, n1)
    assert after.drawn_wh == pytest.approx(before.drawn_wh + 460 * 200 / 3600, rel=0.05)


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(1, 100), st.sampled_from(["kill", "stop", "keep", "lock"])), max_size=5)
)
def test_no_counter_steps_back(steps):
    world = World(seed=5)
    try:
        lamp = {"name": "lamp", "kind": "load", "input": "m.total", **HELD}
        n1, highest = shown(world.add("n1", [], [lamp])), {}
        world.boot()

        def look():
            counters = n1.node.counters
            for name, found in (("", consistent(counters)), ("lamp", counters.twin("lamp"))):
                if found is not None:
                    before = highest.get(name, (0,) * len(found))
                    assert all(new >= old for new, old in zip(found, before, strict=True)), (found, before)
                    highest[name] = found

        for seconds, how in steps:
            locked = None
            if how == "lock" and n1.node.history.path.exists():
                n1.kill()
                locked = hold(n1.node.history.path)
                n1.boot()
            play(world, n1, 2, 460.0, look)
            if locked:
                locked.close()
            play(world, n1, seconds, 460.0, look)
            if how == "keep":
                settle(world, n1)
                look()
            elif how in ("kill", "stop"):
                getattr(n1, how)()
                n1.boot()
    finally:
        world.close()


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"lamp":[1]}',
        b'{"lamp":[-1,0]}',
        b'{"lamp":[1.5,0]}',
        b'{"":[1,2]}',
        b'{"lamp":[99999999999999999999,0]}',
    ],
)
def test_what_nobody_here_has_written_is_not_counted(world, kept, tmp_path):
    n1, _ = build(world)
    n1.node.history.keep(KEPT, kept)
    play(world, n1, 130, 460.0)
    assert 15 <= settle(world, n1).drawn_wh <= 18
    assert json.loads(n1.node.history.kept(KEPT))["lamp"][0] > 0


POWERS = st.floats(0, 1e6)


@given(POWERS, POWERS, POWERS, POWERS)
def test_powers_of_a_member_add_up(drawn_w, given_w, received_w, delivered_w):
    powers = member_powers(drawn_w, given_w, received_w, delivered_w)
    assert min(powers) >= 0
    assert powers.from_community_w + powers.residual_w == pytest.approx(max(0, drawn_w - given_w))
    assert powers.to_community_w + powers.fed_in_w == pytest.approx(max(0, given_w - drawn_w))
    assert powers.from_community_w <= received_w
    assert powers.to_community_w <= delivered_w
    assert not (powers.from_community_w and powers.to_community_w)


def test_counters_of_twins_that_are_gone_are_dropped(world):
    n1, _ = build(world)
    play(world, n1, 130, 460.0)
    roof = n1.node.prosumer("roof")
    n1.touch(lambda node: node.retire(roof))
    play(world, n1, 301, 460.0)
    assert n1.node.counters.twin("roof") is None
    assert set(json.loads(n1.node.history.kept(KEPT))) == {"", "lamp"}


def test_a_long_pause_is_not_counted(tmp_path):
    clock = VirtualClock()
    counters = Counters(Store(tmp_path / "h.sqlite", clock), clock)
    counters.second_passed([])
    clock.advance_to(clock.now_s() + 3600)
    counters.second_passed([])
    counters.keep()
    assert counters.member is None or counters.member.import_wh == 0
