"""The switch that delays, loses and separates."""

import random

from hypothesis import given
from hypothesis import strategies as st

from host_tools.netns.medium import Medium

ALL = b"\xff" * 6


def station(number):
    return bytes([2, 0, 0, 0, 0, number])


def frame(receiver, sender, text=b"x"):
    return receiver + station(sender) + b"\x08\x00" + text


def medium(ports=4, delay_s=0.0, loss=0.0):
    return Medium(ports, delay_s, loss, random.Random(1))


def learnt(**more):
    """A medium that has seen a frame of every station."""
    found = medium(**more)
    for port in range(4):
        found.take(port, frame(ALL, port), 0.0)
    list(found.due(1e9))
    return found


def test_a_frame_is_late_by_the_delay_and_in_order():
    found = learnt(delay_s=0.02)
    for number in range(5):
        found.take(0, frame(station(1), 0, bytes([number])), 10.0)
    assert found.next_s() == 10.02
    assert list(found.due(10.019)) == []
    assert [(port, sent[-1]) for port, sent, _ in found.due(10.03)] == [(1, n) for n in range(5)]
    assert found.next_s() is None


def test_what_is_for_many_or_for_an_unknown_station_goes_to_all_others():
    found = learnt()
    for receiver in (ALL, station(99)):
        found.take(2, frame(receiver, 2), 0.0)
        assert [port for port, *_ in found.due(0.0)] == [0, 1, 3]


@given(
    st.dictionaries(st.integers(0, 3), st.integers(0, 2)),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=30),
)
def test_nothing_passes_between_parts_and_all_within_one(part, sent):
    found = learnt()
    found.separate(part)
    expected = []
    for port, to in sent:
        found.take(port, frame(ALL if to == 4 else station(to), port), 0.0)
        others = range(4) if to == 4 else [to]
        expected += [each for each in others if each != port and part.get(each, 0) == part.get(port, 0)]
    assert [port for port, *_ in found.due(0.0)] == expected


def test_as_many_are_lost_as_asked():
    found = learnt(loss=0.1)
    before = found.lost
    for _ in range(5000):
        found.take(0, frame(station(1), 0), 0.0)
    arrived = len(list(found.due(0.0)))
    assert arrived + found.lost - before == 5000
    assert 400 < found.lost - before < 600


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=20)), max_size=50))
def test_no_frame_breaks_it_and_none_goes_back(frames):
    found = medium()
    for port, data in frames:
        found.take(port, data, 0.0)
        assert port not in [to for to, *_ in found.due(0.0)]


def test_what_waits_and_what_is_known_is_bounded():
    found = medium(ports=2, delay_s=1.0)
    for number in range(30_000):
        sender = number.to_bytes(6, "big")
        found.take(0, station(9) + sender, 0.0)
    assert found.overflown == 10_000
    assert len(list(found.due(2.0))) == 20_000
    assert len(found._place) <= 8
