"""A member that lies about energy takes nothing from the others (I7 of a microgrid): its kinds, one by one.

Before there were limits, each of these took up to all power of the honest members, or kept them from a
contract for as long as it went on. The microgrid has 4 900 W and honest consumers of 2 500 W; after 10 s of
lying another honest load of 250 W is switched on, and once more a minute later.
"""

import pytest
from lying_member import (
    Microgrid,
    forge,
    gather,
    hoard,
    never_confirm,
    reopen,
    seize,
    supplying,
)

from edge.api.troubles import troubles
from edge.energy.messages import Priority

MOST_LOST = 0.02  # of the energy that honest members need
MOST_WAITED_S = 5.0  # for a contract; without a liar it takes a second
NAMES = tuple(f"i{i}" for i in range(20))
ALL_W = {"n1.d0": 1400.0, "n2.d0": 2800.0, "n3.d0": 375.0}

LIES = {
    "boundless power": {"lie": seize(9e6)},
    "a contract without an offer": {"lie": forge(ALL_W)},
    "thirty requests that never confirm": {"lie": never_confirm(300.0, 1e9), "twins": 30},
    "thirty requests under new ids": {"lie": never_confirm(300.0, 0.5), "twins": 30},
    "twenty invented nodes": {"lie": never_confirm(300.0, 1e9), "names": NAMES},
    "contracts under new ids": {"lie": reopen(2000.0, 0.5)},
    "ten twins with contracts under new ids": {"lie": reopen(500.0, 0.5), "twins": 10},
    "remainders gathered for nothing": {"lie": gather(49_000.0)},
    "power that is hardly drawn": {"lie": hoard(3000.0)},
    "a supplier that refuses": {"lie": supplying(lambda supplier, contract: False), "late": "n3"},
    "a supplier that turns": {"lie": supplying(lambda supplier, contract: not contract.valid), "late": "n3"},
}


@pytest.fixture
def play():
    played = []

    def play(**settings):
        microgrid = Microgrid(**settings)
        played.append(microgrid)
        return microgrid

    yield play
    for microgrid in played:
        microgrid.close()


@pytest.mark.parametrize("lie", LIES)
def test_honest_members_keep_their_energy_and_get_their_contracts(play, lie):
    microgrid = play(**LIES[lie])
    microgrid.run(10.0)
    microgrid.late()
    microgrid.run(50.0)
    assert microgrid.waited_s is not None
    assert microgrid.waited_s <= MOST_WAITED_S
    microgrid.rest()
    microgrid.run(30.0)
    microgrid.late()
    microgrid.run(20.0)
    assert microgrid.waited_s is not None
    assert microgrid.waited_s <= MOST_WAITED_S
    assert microgrid.lost <= MOST_LOST


def test_a_supplier_that_never_confirms_delays_one_contract_by_its_validity(play):
    microgrid = play(lie=supplying(lambda supplier, contract: None), late="n3")
    microgrid.late()
    microgrid.run(30.0)
    assert microgrid.waited_s is not None
    assert microgrid.waited_s <= 13.0
    microgrid.rest()
    microgrid.run(20.0)
    microgrid.late()
    microgrid.run(10.0)  # it is in no doubt any more, but known: less time is lost
    assert microgrid.waited_s is not None
    assert microgrid.waited_s <= 6.0


def test_gathering_without_high_priority_delays_a_contract_twice_at_most(play):
    microgrid = play(lie=gather(49_000.0, Priority.LOW))
    microgrid.run(90.0)  # two times the validity of partial offers that gather
    microgrid.late()
    microgrid.run(10.0)
    assert microgrid.waited_s is not None
    assert microgrid.waited_s <= MOST_WAITED_S
    assert microgrid.lost <= MOST_LOST


def test_high_priority_within_ones_means_interrupts_at_most_a_share(play):
    """It is no lie as far as a supplier can know: free power goes to who asks, the rest is limited."""
    microgrid = play(lie=seize(3000.0))
    microgrid.run(30.0)
    assert 0.0 < microgrid.lost <= 0.05
    for twin in microgrid.honest:
        held_w = twin.supplier.book.node_w("liar")
        others_w = sum(each.max_w for each in twin.supplier.book) - held_w
        if others_w:
            assert held_w <= max(0.25 * twin.supplier.capacity_w, twin.supplier.capacity_w - others_w) + 0.01


def test_an_honest_urgent_member_is_served_after_a_lie(play):
    microgrid = play(lie=seize(800.0, Priority.HIGH))
    microgrid.run(20.0)
    assert sum(twin.supplier.book.node_w("liar") for twin in microgrid.honest) >= 800.0
    assert microgrid.lost == pytest.approx(0.0, abs=0.001)


@pytest.mark.parametrize(
    ("lie", "words"),
    [("boundless power", "refused"), ("thirty requests that never confirm", "it comes last")],
)
def test_health_names_the_member(play, lie, words):
    microgrid = play(**LIES[lie])
    microgrid.run(5.0)
    microgrid.late()
    microgrid.run(10.0)
    found = [
        each
        for node in ("n1", "n2")
        for each in troubles(microgrid.world.nodes[node].node)
        if each.code == "member_in_doubt"
    ]
    assert found
    assert all(each.subject == "liar" and words in each.text for each in found)


def test_promises_survive_a_restart_of_their_supplier_without_offers(play):
    microgrid = play()
    world = microgrid.world
    before = {twin.name: [each.id for each in twin.consumer.active] for twin in microgrid.honest}
    world.nodes["n2"].kill()
    world.run(3.0)
    world.nodes["n2"].boot()
    world.run(20.0)
    after = {twin.name: [each.id for each in twin.consumer.active] for twin in microgrid.honest}
    assert after == before
    assert any(before.values())
    assert all(
        not record.refused for name in ("n1", "n2", "n3") for _, record in world.nodes[name].node.members
    )
