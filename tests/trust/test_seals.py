"""What only its reader can open, and what proves a beat without a signature."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from members import Cluster

from edge.trust.pulses import BEATS, MOST_STEPS, Chain, follows
from edge.trust.trust import LINK_BYTES, SEAL_BYTES, TAG_BYTES, SealBroken, Untrusted

GYM, SCHOOL, LAB = Cluster().keyrings("gym", "school", "lab")
CHAIN = Chain(b"secret")


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_the_reader_alone_opens_what_was_sealed_for_it(plain, context):
    sealed = GYM.seal("lab", context, plain)
    assert len(sealed) == len(plain) + SEAL_BYTES
    assert sealed == GYM.seal("lab", context, plain)
    assert LAB.open("gym", context, sealed) == plain
    for reader, author in ((SCHOOL, "gym"), (LAB, "school"), (GYM, "lab"), (GYM, "gym")):
        with pytest.raises(SealBroken):
            reader.open(author, context, sealed)
    with pytest.raises(SealBroken):
        LAB.open("gym", context + b"x", sealed)
    if len(plain) > 8:
        assert plain not in sealed


@given(st.data())
def test_no_bit_of_a_seal_can_be_altered(data):
    sealed = bytearray(GYM.seal("lab", b"c", b"some values"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        LAB.open("gym", b"c", bytes(sealed))


@given(st.binary(max_size=200))
def test_other_bytes_are_no_seal(data):
    with pytest.raises(SealBroken):
        LAB.open("gym", b"c", data)


def test_parts_of_a_context_cannot_be_moved_between_it_and_the_text():
    with pytest.raises(SealBroken):
        LAB.open("gym", b"ab", GYM.seal("lab", b"a", b"b"))


def test_a_node_can_seal_for_itself_and_not_for_strangers():
    assert LAB.open("lab", b"c", LAB.seal("lab", b"c", b"own")) == b"own"
    for call in (lambda: LAB.seal("stranger", b"c", b"x"), lambda: LAB.open("stranger", b"c", b"x" * 50)):
        with pytest.raises(Untrusted):
            call()


def test_a_tag_is_the_same_for_two_nodes_and_for_nobody_else():
    assert LAB.tag("gym", b"text") == GYM.tag("lab", b"text") != GYM.tag("school", b"text")
    assert LAB.tag("gym", b"text") != LAB.tag("gym", b"texts")
    assert len(LAB.tag("gym", b"text")) == TAG_BYTES


@settings(max_examples=200)
@given(st.integers(0, 3 * BEATS), st.integers(-3, MOST_STEPS + 3))
def test_a_link_proves_a_later_beat_of_its_chain(number, steps):
    later = max(number + steps, 0)
    right = 0 < later - number <= MOST_STEPS and later // BEATS == number // BEATS
    assert follows(CHAIN.link(later), later, CHAIN.link(number), number) == right
    assert len(CHAIN.link(number)) == LINK_BYTES


@given(st.binary(min_size=LINK_BYTES, max_size=LINK_BYTES), st.integers(1, MOST_STEPS))
def test_no_link_can_be_invented_or_serve_for_another_number(link, steps):
    known = CHAIN.link(10)
    assert not follows(link, 10 + steps, known, 10)
    assert not follows(known, 10 + steps, known, 10)
    assert not follows(CHAIN.link(10 + steps), 11 + steps, known, 10)
    assert not follows(CHAIN.link(10 + steps)[:-1], 10 + steps, known, 10)


def test_another_secret_gives_other_links_and_a_chain_ends_where_a_new_one_begins():
    assert Chain(b"other").link(7) != CHAIN.link(7)
    anchors = [number for number in range(3 * BEATS) if LAB.anchors(number)]
    assert anchors == [0, BEATS, 2 * BEATS]
    assert LAB.follows(GYM.link(9), 9, GYM.link(4), 4)
    assert not LAB.follows(GYM.link(BEATS), BEATS, GYM.link(BEATS - 1), BEATS - 1)
