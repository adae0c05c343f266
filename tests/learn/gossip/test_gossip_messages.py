"""What travels between neighbours: read as it was written, or refused whole."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.learn.gossip import MOST_BYTES, Incoming, Message, Outgoing, Profile, Refused
from edge.learn.gossip.asking import Asking
from edge.learn.gossip.deltas import counts_from, counts_piece, delta_piece, weights_from, whole_piece
from edge.learn.gossip.message import Missing, Piece, address_of
from edge.learn.gossip_names import LEAST_MESSAGE_BYTES
from edge.learn.log_codes import coded, decoded
from edge.learn.lstm import Lstm
from edge.learn.model import finish
from edge.learn.parts import COUNTS, WEIGHTS, Part
from edge.learn.series import Series
from edge.learn.states import StateScale
from edge.terms import DAY_MIN

KEY = b"trunk..."
LEVELS = ("none", "coarse", "minutes")


def node(weights, counts=None):
    """The parts of a node with the same small ones for each variable."""
    found = {"trunk": Part(WEIGHTS, KEY, np.asarray(weights, np.float32))}
    if counts is not None:
        found["counts"] = Part(COUNTS, b"counts..", np.asarray(counts, np.float32))
    return lambda variable: found


def told(*pieces, **facts):
    known = {"age_min": 3, "neighbours": 2, "samples": np.arange(6.0), "losses": np.full(6, 0.5)}
    return Message(**{**known, "max_power_w": 3000.0, "pieces": tuple(pieces), **facts})


def history(minutes, first=20_000 * DAY_MIN, power_w=1000.0):
    series = Series(minutes)
    for minute in range(minutes):
        series.append(first + minute, np.full(6, power_w + minute, np.float32))
    return series


@given(st.integers(1, 400), st.integers(0, 2**32), st.floats(1e-6, 10.0))
def test_what_is_held_is_the_same_on_both_sides_and_approaches_the_weights(count, seed, size):
    rng = np.random.default_rng(seed)
    weights = (size * rng.standard_normal(count)).astype(np.float32)
    piece, sent = whole_piece(0, KEY, weights)
    held = weights_from(piece, count, None)
    np.testing.assert_array_equal(held, sent)
    first = np.abs(weights - held).max()
    for _ in range(12):
        piece, sent = delta_piece(0, KEY, weights, held)
        held = weights_from(piece, count, held)
        np.testing.assert_array_equal(held, sent)
    assert np.abs(weights - held).max() <= max(0.1 * first, 2e-6 * size, 2e-7)


def test_nothing_is_lost_by_rounding_while_the_weights_move():
    rng = np.random.default_rng(1)
    weights = held = rng.standard_normal(8064).astype(np.float32)
    for _ in range(50):
        weights = weights + np.float32(1e-3) * rng.standard_normal(8064).astype(np.float32)
        _, held = delta_piece(0, KEY, weights, held)
    assert np.sqrt(np.mean(np.square(weights - held))) < 0.6e-3  # less than one step of the weights


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=200))
def test_counts_are_at_most_half_a_code_off(values):
    counts = np.array(values, np.float32)
    back = counts_from(counts_piece(0, KEY, counts), len(counts))
    assert ((1 + back) / (1 + counts.astype(float)) < 1.2).all()
    assert ((1 + counts.astype(float)) / (1 + back) < 1.2).all()
    np.testing.assert_array_equal(coded(decoded(coded(counts))), coded(counts))


@pytest.mark.parametrize("level", LEVELS)
def test_a_message_is_read_as_it_was_written(level):
    weights = np.arange(5, dtype=np.float32)
    losses = np.array([0.1, 0.2, 0.3, np.nan, 70.0, 0.0])
    series = history(200)
    profile = Profile.of(series, level)
    sent = told(whole_piece(2, KEY, weights)[0], losses=losses, level=level, profile=profile, wants={7: 5})
    read = Message.unpacked(sent.packed())
    assert (read.age_min, read.neighbours, read.wants, read.pieces) == (3, 2, {7: 5}, sent.pieces)
    np.testing.assert_array_equal(read.samples, sent.samples)
    np.testing.assert_allclose(read.losses, [0.1, 0.2, 0.3, np.nan, 65.534, 0.0])
    np.testing.assert_array_equal(read.profile.minutes, profile.minutes)
    np.testing.assert_allclose(read.profile.powers_w, profile.powers_w, atol=3000 / 5 / 2 / 2 + 0.01)
    assert len(read.profile.minutes) == {"none": 0, "coarse": 8, "minutes": 120}[level]


@pytest.fixture(scope="module")
def packed():
    profile = Profile.of(history(200), "minutes")
    pieces = [whole_piece(2, KEY, np.arange(50, dtype=np.float32))[0]]
    return told(*pieces, level="minutes", profile=profile, wants={1: 1}).packed()


@settings(max_examples=300)
@given(st.data())
def test_damaged_messages_are_refused(packed, data):
    at = data.draw(st.integers(0, len(packed) - 1))
    bit = data.draw(st.integers(0, 7))
    for wrong in (
        packed[:at],
        packed[:at] + bytes([packed[at] ^ 1 << bit]) + packed[at + 1 :],
        packed + b"x",
    ):
        with pytest.raises(Refused):
            Message.unpacked(wrong)


@settings(max_examples=500)
@given(st.data())
def test_hostile_messages_with_a_right_checksum_are_refused_or_read(packed, data):
    body = bytearray(packed[8:])
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    wrong = packed[:4] + zlib.crc32(body).to_bytes(4, "little") + bytes(body)
    incoming, own = Incoming(2), node(np.zeros(50))
    try:
        share = incoming.receive("bad", wrong, own, 0)
    except Refused:
        assert not incoming.shares
    else:
        for values in share.weights.values():
            assert np.isfinite(values).all()


@given(st.binary(max_size=300))
@example(b"MGG\x01" + bytes(200))
def test_random_bytes_are_refused(data):
    with pytest.raises(Refused):
        Message.unpacked(data)


def refusal(piece, own=None):
    with pytest.raises(Refused) as caught:
        Incoming(2).receive("bad", told(piece).packed(), own or node(np.zeros(4), np.zeros(4)), 0)
    return str(caught.value)


def test_a_refusal_names_its_reason():
    codes = zlib.compress(bytes(4))
    whole = whole_piece(1, KEY, np.ones(4, np.float32))[0]
    assert "another model" in refusal(Piece(1, 0, b"unknown.", 0, 0, 1.0, codes))
    assert "3 values instead of 4" in refusal(whole_piece(1, KEY, np.ones(3, np.float32))[0])
    assert "damaged" in refusal(whole_piece(1, KEY, np.ones(5, np.float32))[0])
    assert "damaged" in refusal(Piece(1, 0, KEY, 0, 0, 1.0, b"not packed"))
    assert "not those that were sent" in refusal(Piece(1, 0, KEY, 0, whole.after + 1, whole.unit, whole.data))
    assert "another rule" in refusal(Piece(1, 2, KEY, 0, 0, 1.0, codes))
    assert "unknown variable or kind" in refusal(Piece(6, 0, KEY, 0, 0, 1.0, codes))
    assert "unit" in refusal(Piece(1, 0, KEY, 0, 0, float("nan"), codes))
    assert "out of range" in refusal(Piece(1, 0, KEY, 0, 0, 1e3, zlib.compress(bytes([127] * 4))))
    huge = counts_piece(1, b"counts..", np.array([0.0, 1e38], np.float32))
    assert "count is out of range" in refusal(huge, node(np.zeros(4), np.zeros(2)))
    bomb = zlib.compress(bytes(10_000_000))
    assert "damaged" in refusal(Piece(1, 2, b"counts..", 0, 0, 0.0, bomb))


def test_a_refused_message_changes_nothing():
    incoming, own = Incoming(2), node(np.zeros(4))
    good = whole_piece(0, KEY, np.ones(4, np.float32))[0]
    bad = whole_piece(1, KEY, np.ones(3, np.float32))[0]
    with pytest.raises(Refused):
        incoming.receive("n", told(good, bad).packed(), own, 0)
    assert incoming.shares == {}


def test_too_long_a_message_is_not_written():
    noise = np.random.default_rng(1).standard_normal(50_000).astype(np.float32)
    with pytest.raises(ValueError, match=str(MOST_BYTES)):
        told(whole_piece(0, KEY, noise)[0]).packed()


def test_a_neighbour_that_always_asks_for_whole_weights_gets_them_now_and_then():
    weights, outgoing = np.random.default_rng(6).standard_normal(100).astype(np.float32), Outgoing("a")
    outgoing.common_start(node(weights))
    whole = 0
    for _ in range(18):
        weights = weights + np.float32(0.01)
        outgoing.wanted({address_of("a"): 0b111111, address_of("another"): 0b111111})
        whole += sum(piece.kind == 0 for piece in outgoing.weights(node(weights), 10_000))
    assert whole == 3 * 6


class Link:
    """A sender with one receiver; messages may get lost."""

    def __init__(self, start):
        self.weights = start
        self.outgoing, self.incoming = Outgoing("a"), Incoming(4)
        self.outgoing.common_start(node(start))
        self.start = self.incoming.common_start(node(start))

    def period(self, weights, lost=False, budget=10_000):
        self.weights = weights
        pieces = self.outgoing.weights(node(weights), budget)
        data = told(*pieces).packed()
        if not lost:
            self.incoming.receive("a", data, node(weights), 0, self.start)
            self.outgoing.wanted(self.incoming.wants())
        return pieces

    def error(self, variable=0):
        held = self.incoming.shares["a"].values(variable, node(self.weights)(variable))
        return np.abs(held["trunk"] - self.weights).max()


def test_a_common_start_needs_no_whole_weights_and_a_lost_message_is_repaired():
    rng = np.random.default_rng(2)
    weights = rng.standard_normal(300).astype(np.float32)
    link = Link(weights)
    kinds = []
    for period in range(8):
        weights = weights + np.float32(0.01) * rng.standard_normal(300).astype(np.float32)
        pieces = link.period(weights, lost=period == 3)
        kinds.append({piece.kind for piece in pieces})
    assert kinds == [{1}, {1}, {1}, {1}, {1}, {0}, {1}, {1}]  # whole once: after the receiver told its gap
    assert link.error() < 0.05


def test_each_receiver_has_its_own_place_and_one_gap_does_not_disturb_the_others():
    weights, rng = np.zeros(100, np.float32), np.random.default_rng(3)
    outgoing, receivers = Outgoing("a"), {name: Incoming(4) for name in "bc"}
    outgoing.common_start(node(weights))
    start = Incoming(4).common_start(node(weights))
    for period in range(6):
        weights = weights + rng.standard_normal(100).astype(np.float32)
        data = told(*outgoing.weights(node(weights), 10_000)).packed()
        for name, incoming in receivers.items():
            if not (name == "b" and period == 1):
                incoming.receive("a", data, node(weights), 0, start)
                outgoing.wanted(incoming.wants())
    for incoming in receivers.values():
        held = incoming.shares["a"].values(0, node(weights)(0))["trunk"]
        assert np.abs(held - weights).max() < 1.5
        assert incoming.wants() == {}


def test_a_small_budget_gives_each_variable_its_turn():
    rng = np.random.default_rng(4)
    weights = rng.standard_normal(1000).astype(np.float32)
    link, turns = Link(weights), []
    for _ in range(6):
        weights = weights + np.float32(0.01) * rng.standard_normal(1000).astype(np.float32)
        pieces = link.period(weights, budget=800)
        assert sum(len(piece.data) for piece in pieces) <= 800
        turns.append([piece.variable for piece in pieces])
    assert all(2 <= len(turn) <= 3 for turn in turns)
    order = [variable for turn in turns for variable in turn]
    assert order == [number % 6 for number in range(len(order))]
    assert max(link.error(variable) for variable in range(6)) < 0.1


def test_weights_that_are_too_long_for_a_message_travel_in_slices():
    """The size of one network of `lstm_thesis`, to a neighbour that holds nothing."""
    rng = np.random.default_rng(7)
    weights = rng.standard_normal(30_600).astype(np.float32)
    link = Link(weights)
    link.outgoing.restart()
    link.start = {}
    for period in range(40):
        weights = weights + np.float32(0.001) * rng.standard_normal(30_600).astype(np.float32)
        pieces = link.period(weights, budget=LEAST_MESSAGE_BYTES - 600)
        assert pieces
        assert sum(len(piece.data) for piece in pieces) <= LEAST_MESSAGE_BYTES - 600
        if period == 22:  # one slice of 24 has not come yet
            assert len(link.incoming.shares["a"].values(4, node(weights)(4))) == 1
            assert link.incoming.shares["a"].values(5, node(weights)(5)) == {}
    for variable in range(6):
        assert link.error(variable) < 0.05
    assert link.incoming.wants() == {}


def test_a_lost_slice_is_asked_for_and_repaired():
    rng = np.random.default_rng(8)
    weights = rng.standard_normal(20_000).astype(np.float32)
    link = Link(weights)
    for period in range(40):
        weights = weights + np.float32(0.01) * rng.standard_normal(20_000).astype(np.float32)
        link.period(weights, lost=period in (3, 4))
    assert link.incoming.shares["a"].missing == 0
    assert max(link.error(variable) for variable in range(6)) < 0.2


def test_those_with_the_longest_history_are_asked_first_and_the_silent_ones_last():
    incoming, own, asking = Incoming(5), node(np.zeros(4)), Asking(period_min=20)
    delta = delta_piece(0, KEY, np.ones(4, np.float32), np.full(4, 0.5, np.float32))[0]
    for name, samples in {"a": 10, "b": 500, "c": 90, "d": 30}.items():
        incoming.receive(name, told(delta, samples=np.full(6, samples)).packed(), own, 0)
    assert set(asking.chosen(incoming.shares, 0)) == {"b", "c"}
    assert set(asking.chosen(incoming.shares, 60)) == {"b", "c"}
    assert set(asking.chosen(incoming.shares, 61)) == {"a", "d"}  # the first two told nothing
    whole = whole_piece(0, KEY, np.ones(4, np.float32))[0]
    incoming.receive("d", told(whole).packed(), own, 70)
    assert set(asking.chosen(incoming.shares, 80)) == {"a", "b"}
    lost = delta_piece(0, KEY, np.ones(4, np.float32), np.zeros(4, np.float32))[0]
    incoming.receive("d", told(lost).packed(), own, 90)  # a gap of one that is known is no newcomer's
    assert set(asking.chosen(incoming.shares, 90)) == {"a", "b", "d"}


def test_counts_have_their_turn_and_stay_small_in_memory():
    counts = np.random.default_rng(5).poisson(0.05, 60_000).astype(np.float32)
    own, outgoing, incoming = node(np.zeros(4), counts), Outgoing("a"), Incoming(4)
    variables = []
    for _ in range(7):
        pieces = outgoing.counts(own)
        variables += [piece.variable for piece in pieces]
        share = incoming.receive("a", told(*pieces).packed(), own, 0)
    assert variables == [0, 1, 2, 3, 4, 5, 0]
    assert incoming.nbytes < 6 * 12_000
    np.testing.assert_allclose(share.values(0, own(0))["counts"], counts, rtol=0.2)


def test_a_thousand_neighbours_that_come_and_go_take_bounded_memory():
    incoming, own = Incoming(3), node(np.zeros(500))
    data = told(whole_piece(0, KEY, np.ones(500, np.float32))[0]).packed()
    for number in range(1000):
        incoming.receive(f"n{number}", data, own, number)
        incoming.receive("steady", data, own, number)
    assert set(incoming.shares) == {"steady", "n999", "n998"}
    assert incoming.nbytes == 3 * 2000
    incoming.forget("steady")
    assert set(incoming.shares) == {"n999", "n998"}


def test_private_parts_stay_at_home_unless_they_are_shared():
    model = Lstm(StateScale.of_max_power(1000.0), random.Random(1), cells=4, runner="numpy", start="")
    assert Outgoing("a").weights(model.parts, 10_000) == ()  # untrained
    whole = {v: {name: part.values for name, part in model.parts(v).items()} for v in range(6)}
    finish(model.adopt(whole))
    keys = {part.key: name for v in range(6) for name, part in model.parts(v).items()}
    assert {keys[piece.key] for piece in Outgoing("a").weights(model.parts, 10**6)} == {"trunk"}
    both = Outgoing("a", private=True).weights(model.parts, 10**6)
    assert {keys[piece.key] for piece in both} == {"trunk", "head"}


def test_a_missing_base_is_told_apart_from_damage():
    piece, _ = delta_piece(0, KEY, np.ones(4, np.float32), np.zeros(4, np.float32))
    with pytest.raises(Missing):
        weights_from(piece, 4, None)
    with pytest.raises(Missing):
        weights_from(piece, 4, np.ones(4, np.float32))
