"""What twins publish is read by its addressee's node, and by nobody else."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.messages import Answer, Contract, Offer, Part, Priority
from edge.energy.rules import CONFIRM, CONTRACT, MAX_PARTS, OFFER
from edge.trust.certificate import Certificate
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.source import Own
from edge.trust.trust import SEAL_BYTES, Trust
from edge.twins.envelope import Later, Reader, Writer, longest_value, split
from host_tools.fleet.identities import issue_identity

NODES = ("a", "b", "c", "d")


class Clock:
    def __init__(self):
        self.now = 0.0

    def now_s(self):
        return self.now

    def wall_s(self):
        return self.now + 1.8e9


class Site:
    """Keyrings of some nodes that know each other, or the open trust of all."""

    def __init__(self, sealed=True):
        self.clock = Clock()
        self.sealed = sealed
        self.authority = AuthorityKey("site", bytes(32))
        self.trusts = {name: self.keyring(name) if sealed else Trust() for name in NODES}
        if sealed:
            for name in NODES:
                self.meet(name)

    def keyring(self, name, number=0):
        keys = NodeKeys(bytes([number, *name.encode()]) * 32)
        data = issue_identity(self.authority, name, keys, now_s=1.8e9 + number)
        return Keyring(name, self.authority.authority, Own(keys, Certificate(data)), self.clock)

    def meet(self, name):
        """All others learn the identity of a node, and it theirs."""
        for other in NODES:
            if other != name:
                self.trusts[other].introduce(name, self.trusts[name].certificate())
                self.trusts[name].introduce(other, self.trusts[other].certificate())

    def writer(self, twin):
        return Writer(twin, self.trusts[twin[0]], self.clock)

    def read(self, node, author, label, value, query=""):
        """What a node makes of a value; None if it is invalid there."""
        reader = Reader(node, self.trusts[node])
        parse = {OFFER: reader.offer, CONFIRM: reader.answers}.get(label, reader.contract)
        return parse(bond(author, label, value, query))


def bond(author, label, value, query=""):
    return SimpleNamespace(name=author, origin=author[0], label=label, query=query, value=lambda: value)


@pytest.fixture(params=[True, False], ids=["sealed", "open"])
def site(request):
    return Site(request.param)


CONTRACT_ABC = Contract(
    7, 2, True, 3600, Priority.MEDIUM, (Part("b.p", 30.0, 31.5), Part("c.p", 9.0, 9.5), Part("c.q", 1.0, 1.1))
)
ANSWERS = {
    "b.x": (Answer(5, True),),
    "c.y": (Answer(6, False), Answer(7, True, 12.5)),
    "b.z": (Answer(8, True),),
}


def test_the_node_of_a_supplier_reads_its_own_shares_and_what_all_may_know(site):
    value = site.writer("a.load").contract(CONTRACT, CONTRACT_ABC)
    seen = {node: site.read(node, "a.load", CONTRACT, value) for node in NODES}
    assert [part.supplier for part in seen["c"].parts] == ["c.p", "c.q"]
    assert seen["b"].parts == (Part("b.p", 30.0, 31.5),)
    assert seen["a"].parts == seen["d"].parts == ()
    for each in seen.values():
        assert (each.id, each.revision, each.valid, each.ttl_s, each.priority) == (7, 2, True, 3600, 1)


def test_the_node_of_a_consumer_reads_the_answers_to_its_own(site):
    value = site.writer("a.pv").answers(ANSWERS)
    assert site.read("b", "a.pv", CONFIRM, value) == {"b.x": ANSWERS["b.x"], "b.z": ANSWERS["b.z"]}
    assert site.read("c", "a.pv", CONFIRM, value) == {"c.y": ANSWERS["c.y"]}
    assert site.read("d", "a.pv", CONFIRM, value) == {}


def test_an_offer_is_read_by_the_node_of_its_consumer(site):
    offer = Offer(3, 120.0, 126.0, 2, 0.25)
    value = site.writer("a.pv").offer("b.load", offer)
    assert site.read("b", "a.pv", OFFER, value, "b.load") == offer
    assert site.read("c", "a.pv", OFFER, value, "b.load") == (None if site.sealed else offer)


def test_partners_of_the_same_node_use_the_same_seals(site):
    writer = site.writer("a.load")
    contract = Contract(7, 2, True, 60, Priority.LOW, (Part("a.pv", 30.0, 31.5),))
    assert site.read("a", "a.load", CONTRACT, writer.contract(CONTRACT, contract)) == contract
    assert site.read("a", "a.load", OFFER, writer.offer("a.x", Offer(1, 5.0, 5.0, 0)), "a.x").power_w == 5.0


def test_what_is_sealed_shows_no_power_and_no_name():
    writer = Site().writer("a.load")
    stub, parts = split(writer.contract(CONTRACT, CONTRACT_ABC))
    assert stub == b'{"id":7,"rev":2,"ok":true,"ttl":3600,"prio":1}'
    hidden = b"".join(sealed for _, sealed in parts)
    hidden += writer.answers(ANSWERS) + writer.offer("b.load", Offer(3, 120.0, 126.0, 2, 0.25))
    for word in (b"b.p", b"30.0", b'"p"', b"9.5", b'"x"', b"12.5", b"120.0", b"impact", b"true"):
        assert word not in hidden


def test_a_seal_moved_to_another_place_is_refused():
    site = Site()
    value = site.writer("a.load").contract(CONTRACT, CONTRACT_ABC)
    assert site.read("b", "a.load", "CONTRACT2", value).parts == ()  # its tag is not there
    offer = site.writer("a.pv").offer("b.load", Offer(3, 120.0, 126.0, 2))
    assert site.read("b", "a.pv", OFFER, offer, "b.other") is None
    assert site.read("b", "c.pv", OFFER, offer, "b.load") is None


@given(st.integers(0, 400), st.integers(1, 255), st.integers(0, 400))
def test_an_altered_or_cut_value_is_refused_or_gives_nothing_new(at, flip, cut):
    site = Site()
    whole = site.writer("a.load").contract(CONTRACT, CONTRACT_ABC)
    altered = bytearray(whole)
    altered[at % len(whole)] ^= flip
    for value in (bytes(altered), whole[: cut % len(whole)]):
        seen = site.read("b", "a.load", CONTRACT, value)
        assert seen is None or isinstance(seen, Later) or set(seen.parts) <= {CONTRACT_ABC.parts[0]}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(value):
    site = Site()
    for label in (CONTRACT, CONFIRM, OFFER):
        site.read("b", "a.load", label, value, "b.x")
        site.read("b", "a.load", label, b"{}\0" + value, "b.x")


def test_unchanged_parts_keep_their_seals(monkeypatch):
    site = Site()
    trust, sealed = site.trusts["a"], []
    seal = trust.seal
    monkeypatch.setattr(trust, "seal", lambda *given: sealed.append(given[0]) or seal(*given))
    writer = site.writer("a.load")
    before = writer.contract(CONTRACT, CONTRACT_ABC)
    assert sealed == ["b", "c"]
    assert writer.contract(CONTRACT, CONTRACT_ABC) == before
    writer.contract(CONTRACT, CONTRACT_ABC.curtailed("b.p", 20.0))
    assert sealed == ["b", "c", "b"]
    writer.forget_all_but(())
    writer.contract(CONTRACT, CONTRACT_ABC)
    assert sealed == ["b", "c", "b", "b", "c"]


def test_an_addressee_whose_key_is_not_known_yet_keeps_what_it_knew():
    site = Site()
    site.trusts["a"] = site.keyring("a")  # a restart: it has met nobody
    writer = site.writer("a.load")
    value = writer.contract(CONTRACT, CONTRACT_ABC)
    assert writer.incomplete
    assert writer.unsealed == 2
    assert isinstance(site.read("b", "a.load", CONTRACT, value), Later)
    assert writer.offer("b.x", Offer(1, 5.0, 5.0, 0)) is None
    site.trusts["a"].introduce("b", site.trusts["b"].certificate())
    value = writer.contract(CONTRACT, CONTRACT_ABC)
    assert site.read("b", "a.load", CONTRACT, value).parts == (CONTRACT_ABC.parts[0],)
    assert isinstance(site.read("c", "a.load", CONTRACT, value), Later)
    site.trusts["a"].introduce("c", site.trusts["c"].certificate())
    value = writer.contract(CONTRACT, CONTRACT_ABC)
    assert not writer.incomplete
    assert site.read("d", "a.load", CONTRACT, value).parts == ()


def test_on_its_own_node_no_part_is_missing():
    """A twin of the node learns at once what its supplier takes back, whatever key is unknown."""
    site = Site()
    site.trusts["a"] = site.keyring("a")  # it knows nobody
    value = site.writer("a.pv").answers({"b.x": (Answer(5, False),)})
    assert site.read("a", "a.pv", CONFIRM, value) == {}
    assert isinstance(site.read("c", "a.pv", CONFIRM, value), Later)


def test_a_new_key_is_used_within_half_a_minute():
    site = Site()
    writer = site.writer("a.load")
    writer.contract(CONTRACT, CONTRACT_ABC)
    site.trusts["b"] = site.keyring("b", 1)  # it comes back with other keys
    site.meet("b")
    site.clock.now += 31.0
    value = writer.contract(CONTRACT, CONTRACT_ABC)
    assert site.read("b", "a.load", CONTRACT, value).parts == (CONTRACT_ABC.parts[0],)


class Heavy(Trust):
    """Seals that only take their room."""

    def seal(self, reader, context, plain):
        return bytes(SEAL_BYTES) + plain


@pytest.mark.parametrize(("promises", "nodes"), [(1, 2), (16, 1024), (64, 32), (128, 32)])
def test_the_longest_value_fits_the_configured_size(promises, nodes):
    def name(i):
        node = f"n{i % nodes}."
        return node + "x" * (60 - len(node)) + f"{i:04d}"

    writer = Writer("n.p", Heavy(), Clock())
    answers = {name(i): (Answer(2**53 - i, False, 9_999_999.123),) for i in range(promises + 16)}
    assert len(writer.answers(answers)) <= longest_value(promises, nodes)
    parts = tuple(Part(name(i), 9_999_999.123, 9_999_999.123) for i in range(MAX_PARTS))
    contract = Contract(2**53, 2**53, False, 31_622_400, Priority.HIGH, parts)
    assert len(writer.contract(CONTRACT, contract)) <= longest_value(promises, nodes)
