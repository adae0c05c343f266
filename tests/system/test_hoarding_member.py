"""What a member costs that reserves power urgently and does not use it, over 30, 150 and 600 s (I7).

While it says that it uses its power it is an urgent load like any other, and takes at most its share of each
supplier from others. What it costs beyond that is bounded: a moment of the need of a node, once an hour.
Run with `-s -m ""` to see the table.
"""

import sys

import pytest
from lying_member import Microgrid, hoard, never_validate

from edge.energy.messages import Priority

MOMENT_S = 2.5  # of the need of the node that loses most
URGENT_SHARE = 0.25  # `[limits] urgent_share`
ALLOWED_S = 30.0  # of interruptions beyond what it uses
TIMES_S = (30.0, 150.0, 600.0)

LIES = {  # and for how long it uses what it takes, in s, before it is known
    "draws nothing": (hoard(3000.0), 0.0),
    "draws nothing, not urgent": (hoard(3000.0, priority=Priority.LOW), 0.0),
    "draws 10 %": (hoard(3000.0, drawn=0.1), 0.0),
    "draws 70 %": (hoard(3000.0, drawn=0.7), 0.0),
    "draws for 5 s": (hoard(3000.0, honest_s=5.0), 5.0),
    "draws for 12 s": (hoard(3000.0, honest_s=12.0), 12.0),
    "draws for 12 s, again after 24 s": (hoard(3000.0, honest_s=12.0, again_s=24.0), 12.0),
    "draws nothing, again after 5 s": (hoard(3000.0, again_s=5.0), 0.0),
    "draws nothing, again after 60 s": (hoard(3000.0, again_s=60.0), 0.0),
    "honest with 100 W for 20 s": (hoard(3000.0, first_w=100.0, first_s=20.0), 0.0),
    "honest with 1 kW for 60 s": (hoard(3000.0, first_w=1000.0, first_s=60.0, again_s=20.0), 0.0),
    "never validates": (never_validate(3000.0, 0.0), 0.0),
    "never validates, each minute": (never_validate(3000.0, 60.0), 0.0),
    "uses for 0.5 s, again": (hoard(3000.0, honest_s=1e9, again_s=0.5), ALLOWED_S),
    "uses for 2 s, again": (hoard(3000.0, honest_s=1e9, again_s=2.0), ALLOWED_S),
}

# What lies between two of the others, or costs what another does: `make long-test` plays them.
BETWEEN = {
    "draws 10 %",
    "draws for 5 s",
    "draws nothing, again after 60 s",
    "never validates, each minute",
}


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.proof] * (each in BETWEEN)) for each in LIES]
)
def test_a_hoard_costs_a_moment_once(name):
    lie, used_s = LIES[name]
    microgrid = Microgrid(lie=lie, late="n1")
    try:
        found, passed_s = [], 0.0
        for until_s in TIMES_S:
            if not passed_s:
                microgrid.run(6.0)
                microgrid.late()
                passed_s = 6.0
            microgrid.run(until_s - passed_s)
            passed_s = until_s
            found.append(microgrid.worst)
        row = "  ".join(f"{s:4.0f} s: {100 * x:5.2f} %" for s, x in zip(TIMES_S, found, strict=True))
        sys.stdout.write(f"{name:34s} {row}\n")
        for until_s, share in zip(TIMES_S, found, strict=True):
            assert share * until_s <= MOMENT_S + URGENT_SHARE * min(used_s, until_s)
        if not used_s:
            assert found[1] <= 0.02
        assert found[2] <= 0.02
    finally:
        microgrid.close()


def test_a_load_that_uses_its_power_stays_urgent():
    """It interrupts others again and again, and uses what it takes for ten seconds each time."""
    microgrid = Microgrid(lie=hoard(3000.0, honest_s=1e9, again_s=12.0), late="n1")
    try:
        microgrid.run(120.0)
        for node in ("n1", "n2", "n3"):
            record = microgrid.member(node)
            assert record is None or record.urgency.is_left(microgrid.world.clock.now_s())
    finally:
        microgrid.close()


def test_a_restart_of_the_supplier_does_not_give_back_lost_urgency():
    microgrid = Microgrid(late="n1")
    world, supplier = microgrid.world, microgrid.world.nodes["n2"]
    try:
        supplier.node.members.hoard("liar.t0", world.clock.now_s())
        before = microgrid.member("n2").urgency
        microgrid.run(10.0)
        lost_s = before.lost_until_s - world.clock.now_s()
        supplier.kill()
        world.run(2.0)
        supplier.boot()
        after = microgrid.member("n2").urgency
        assert after.hoards == before.hoards == 1
        assert lost_s <= after.lost_until_s - world.clock.now_s() <= lost_s + 600.0
        assert not supplier.node.members.may_hurry("liar.t0", world.clock.now_s() + lost_s)
    finally:
        microgrid.close()
