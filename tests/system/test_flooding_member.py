"""What one member makes others send: twenty invented twins request, and do not use what they are offered."""

import lying_member
import pytest
from lying_member import Microgrid, never_confirm, reopen

from edge.api.troubles import troubles
from host_tools.world import Members, World

MANY = {name: [("pv", 300.0)] * 5 + [("load", 150.0)] * 3 for name in ("n1", "n2", "n3")}
RATIO = 3.0  # bytes out for each byte in
FLOORS_BYTES_PER_S = (
    512,
    256,
)  # that a member may cost each node, however little it says: at first, lastingly
SECONDS = 60.0

LIES = {
    "requests that stand": never_confirm(10.0, 1e9),
    "a new request each half second": never_confirm(10.0, 0.5),
    "a new request each two seconds": never_confirm(10.0, 2.0),
    "a new contract each five seconds": reopen(20.0, 5.0),
}


@pytest.fixture
def play(monkeypatch):
    def world(seed):
        made = World(seed)
        made.trust = Members(made.clock).trust
        return made

    played = []

    def play(lie):
        played.append(Microgrid(lie, twins=20))
        return played[-1]

    monkeypatch.setattr(lying_member, "HONEST", MANY)
    monkeypatch.setattr(lying_member, "World", world)
    yield play
    for microgrid in played:
        microgrid.close()


def sent_bytes(microgrid, node, peer=None):
    neighbours = microgrid.world.nodes[node].node.links.stats()["neighbours"]
    return sum(each["sent_bytes"] for name, each in neighbours.items() if peer in (None, name))


def told_in(microgrid, seconds):
    """Bytes that the liar, and each honest node, sends in that time."""
    before = [sent_bytes(microgrid, name) for name in ("liar", *MANY)]
    microgrid.run(seconds)
    after = [sent_bytes(microgrid, name) for name in ("liar", *MANY)]
    return [b - a for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("lie", LIES)
def test_a_member_makes_others_send_in_proportion_to_what_it_says(play, lie):
    quiet = told_in(play(None), SECONDS)
    microgrid = play(LIES[lie])
    for floor in FLOORS_BYTES_PER_S:
        came, *sent = told_in(microgrid, SECONDS)
        for before, now in zip(quiet[1:], sent, strict=True):
            assert now - before <= RATIO * came + floor * SECONDS
    assert microgrid.lost <= 0.02
    found = [each for each in troubles(microgrid.world.nodes["n2"].node) if each.code == "neighbour_flooding"]
    assert [each.subject for each in found] == ["liar"]
    assert microgrid.member("n2").held_back >= 1


def test_honest_members_are_not_held_back(play):
    microgrid = play(None)
    for _ in range(10):
        microgrid.late()
        microgrid.run(3.0)
        assert microgrid.waited_s is not None
        microgrid.rest()
        microgrid.run(3.0)
    for name in MANY:
        assert not any(record.held_back for _, record in microgrid.world.nodes[name].node.members)
