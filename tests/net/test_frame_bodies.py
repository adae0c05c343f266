"""A body of a frame that is not exactly right, behind a checksum that is."""

import pytest
from bad_frames import WRONG, body_of, pack, sealed, squeezed

from edge.net.frame import (
    decode,
    encode,
)
from edge.net.links import is_node_name
from edge.net.schema import MAX_ASKED, MAX_BEATS, MAX_FRAME_LSAS, MAX_VALUE_BYTES, FrameError
from edge.space.courier import MAX_LSAS
from edge.space.lsa import MAX_PATH
from edge.space.origins import MAX_INCARNATION, MAX_SEQUENCE

U31 = 2**31 - 1
LSA = ["a", "t", "", 1, 9, 13, [], b"", [], []]
DELTA = ["a", "t", 1, 9, 13, [], b"", [], []]
NEAR = ["a", "t", 1, "L", "", 1, 3, 0, 9, 8, b"v", b""]
SPEC = ["L", "sum", False, 0]
PROPERTY = ["L", "", 1, 0, 0, b"v"]
ROSTER = ["a", 1, 1, ["t"], [1]]
STATEMENT = ["a", 1, 1, 4, b"c" * 16, 0, 1, b"", b""]


def variants(row, right):
    """A row with every field replaced by every wrong thing; `right` names the exceptions that are valid."""
    for place in range(len(row)):
        for wrong in WRONG:
            if not right(place, wrong):
                yield [*row[:place], wrong, *row[place + 1 :]]
    yield row[:-1]
    yield [*row, 1, 1]


def whole(value, least, most):
    return type(value) is int and least <= value <= most


def short(value):
    return isinstance(value, bytes) and len(value) <= 64


def right_in_lsa(place, value):
    if place == 2:
        return value == ""
    if place in (3, 4, 5):
        return whole(value, *[(1, MAX_INCARNATION), (1, MAX_SEQUENCE), (0, 3600)][place - 3])
    return (place == 7 and short(value)) or (place in (6, 8, 9) and value == [])


def right_in_delta(place, value):
    if place in (2, 3, 4):
        return whole(value, *[(1, MAX_INCARNATION), (1, MAX_SEQUENCE), (1, 3600)][place - 2])
    return (
        (place == 6 and short(value)) or (place in (5, 7, 8) and value == []) or (place == 7 and value == [1])
    )


def right_in_near(place, value):
    if place == 4:
        return value == ""
    if place in (2, 5, 7, 8, 9):
        most = {2: MAX_INCARNATION, 5: MAX_SEQUENCE, 7: 2, 8: U31, 9: 9}[place]
        return whole(value, {2: 1, 5: 0, 7: 0, 8: 8, 9: 1}[place], most)
    return place in (10, 11) and isinstance(value, bytes) and (place == 10 or short(value))


def right_in_property(place, value):
    if place == 1:
        return value == ""
    if place == 2:
        return whole(value, 0, 9)
    return (place in (3, 4) and type(value) is int and value == 0) or (
        place == 5 and isinstance(value, bytes)
    )


def right_in_spec(place, value):
    return isinstance(value, bool) if place == 2 else place == 3 and whole(value, 0, 86_400)


def right_in_roster(place, value):
    if place in (1, 2):
        return whole(value, 2 - place, MAX_INCARNATION if place == 1 else MAX_SEQUENCE)
    return (place == 3 and value == ["a"]) or (place == 4 and value == [1])


def right_in_statement(place, value):
    if place in (1, 2, 3, 5, 6):
        most = {1: MAX_INCARNATION, 2: MAX_SEQUENCE, 3: 65535, 5: 255, 6: MAX_SEQUENCE}[place]
        return whole(value, int(place in (1, 6)), most)
    return (place == 7 and isinstance(value, bytes) and len(value) <= 12) or (place == 8 and short(value))


def refuse(body):
    data = body if isinstance(body, bytes) else pack(body)
    with pytest.raises(FrameError):
        decode(sealed(data))
    with pytest.raises(FrameError):
        decode(squeezed(data))


def test_the_patterns_of_the_next_tests_are_valid():
    lsa = [*LSA[:8], [SPEC], [PROPERTY, ["L", "q", 1, 9, 8, b"\x00\x01"]]]
    body = {"l": [lsa], "d": [DELTA], "n": [NEAR], "r": [ROSTER], "s": [STATEMENT], "o": ["a"], "w": ["a.t"]}
    frame = decode(sealed(pack(body)))
    assert [p.value for p in frame.lsas[0].properties] == [b"v", b"\x00\x01"]
    assert body_of(encode(frame)) == body


@pytest.mark.parametrize(
    ("key", "row", "right"),
    [
        ("l", LSA, right_in_lsa),
        ("d", DELTA, right_in_delta),
        ("n", NEAR, right_in_near),
        ("r", ROSTER, right_in_roster),
        ("s", STATEMENT, right_in_statement),
    ],
    ids=["lsa", "delta", "near", "roster", "statement"],
)
def test_wrong_fields(key, row, right):
    for wrong in variants(row, right):
        refuse({key: [wrong]})


def test_wrong_fields_of_a_property():
    for row in variants(PROPERTY, right_in_property):
        refuse({"l": [[*LSA[:9], [row]]]})
        refuse({"d": [[*DELTA[:8], [row]]]})


def test_wrong_fields_of_an_aggregation():
    for row in variants(SPEC, right_in_spec):
        refuse({"l": [[*LSA[:8], [row], []]]})


def test_wrong_entries_of_a_roster():
    for suffixes, versions in (
        (["t"], []),
        ([], [1]),
        (["t"], [0]),
        (["t"], [True]),
        (["t"], [MAX_SEQUENCE + 1]),
        ([""], [1]),
        ([1], [1]),
        ("t", [1]),
        (["t" * 63], [1]),
    ):
        refuse({"r": [["a", 1, 1, suffixes, versions]]})


def test_wrong_things_instead_of_a_list_and_in_one():
    for wrong in WRONG:
        for key in "ldnrsow":
            if wrong != []:
                refuse({key: [wrong]} if wrong not in ("a",) else {key: wrong})
            if not isinstance(wrong, list):
                refuse({key: wrong})
        if wrong != {}:
            refuse(pack(wrong))
    refuse({"x": []})
    refuse({"l": [], "other": 1})


def test_too_many_of_anything():
    refuse({"l": [LSA] * (MAX_FRAME_LSAS + 1)})
    refuse({"d": [DELTA] * (MAX_FRAME_LSAS + 1)})
    refuse({"n": [NEAR] * (MAX_FRAME_LSAS + 1)})
    refuse({"w": ["a.t"] * (MAX_ASKED + 1)})
    refuse({"o": ["a"] * (MAX_BEATS + 1)})
    refuse({"s": [STATEMENT] * (MAX_BEATS + 1)})
    refuse({"r": [["a", 1, 1, [], []]] * (MAX_BEATS + 1)})
    refuse({"r": [["a", 1, 1, ["t"] * (MAX_LSAS + 1), [1] * (MAX_LSAS + 1)]]})
    refuse({"l": [[*LSA[:6], [f"n{i}" for i in range(MAX_PATH)], *LSA[7:]]]})
    refuse({"l": [[*LSA[:8], [SPEC] * 17, []]]})
    refuse({"l": [[*LSA[:9], [[f"L{i}", "", 1, 0, 0, b""] for i in range(65)]]]})
    refuse({"l": [[*LSA[:9], [["L", "", 1, 0, 0, b"x" * (MAX_VALUE_BYTES + 1)]]]]})


def test_limits_count_for_the_whole_frame():
    """Each list keeps its own limit, and all of them together are too much."""
    full = [*LSA[:9], [[f"L{i}", "", 1, 0, 0, b""] for i in range(30)]]
    decode(squeezed(pack({"l": [full] * 40})))
    refuse_packed({"l": [full] * 50})
    roster = ["a", 1, 1, ["t"] * 1000, [1] * 1000]
    decode(squeezed(pack({"r": [roster] * 4})))
    refuse_packed({"r": [roster] * 5})
    refuse_packed({"l": [full] * 30, "r": [roster] * 2})


def refuse_packed(body):
    with pytest.raises(FrameError, match="too many items"):
        decode(squeezed(pack(body)))


def test_an_lsa_that_contradicts_itself():
    refuse({"l": [["a", "x" * 63, *LSA[2:]]]})  # its name is too long
    refuse({"l": [["a" * 32, "x" * 32, *LSA[2:]]]})
    refuse({"l": [[*LSA[:6], ["a"], *LSA[7:]]]})  # passed its origin again
    refuse({"l": [[*LSA[:6], ["b", "c", "b"], *LSA[7:]]]})
    refuse({"l": [[*LSA[:9], [PROPERTY, PROPERTY]]]})
    refuse({"l": [[*LSA[:9], [["L", "", 10, 0, 0, b""]]]]})  # newer than its LSA
    refuse({"l": [[*LSA[:9], [["L", "", 1, 5, 6, b""]]]]})  # outlives itself
    refuse({"l": [[*LSA[:9], [["L", "", 1, 5, 0, b""]]]]})
    refuse({"n": [[*NEAR[:9], 10, *NEAR[10:]]]})
    refuse({"n": [[*NEAR[:7], 3, *NEAR[8:]]]})  # farther than its reach


def test_unusual_msgpack_is_refused_or_harmless():
    for body in (
        b"\xc1",
        b"\x81",
        b"\x81\xa1l",
        b"\x81\xa1l\x90\x80",
        b"\x81\xa1l\xdd\xff\xff\xff\xff",
        b"\x81\xa1l\x91\xdb\xff\xff\xff\xff",
        b"\x81\xa1l\x91" + b"\x91" * 5000 + b"\xc0",
        b"\x81\x81\xa1l\x90\x90",
        b"\x81\xa1\xff\x90",
        b"\x81\xa1l\xd4\x00\x00",
        b"\x81\xa1w\x91\xa2\xc3\x28",  # not UTF-8
        b'{"l":[]}',
    ):
        refuse(body)


def test_one_of_duplicate_keys_counts_and_is_checked():
    assert decode(sealed(b"\x82\xa1w\x91\xa1a\xa1w\x90")).ask_lsas == []
    refuse(b"\x82\xa1w\x90\xa1w\x91\x01")


def test_node_names():
    assert all(map(is_node_name, ("a", "0", "after-school_2", "a" * 32)))
    assert not any(map(is_node_name, ("", "A", "-a", "a.b", "a" * 33, "a\n", "é", None, 1, b"a")))
    for wrong in ("", "A", "-a", "a.b", "a" * 33, "a\n", "é"):
        refuse({"o": [wrong]})
    decode(sealed(pack({"o": ["a", "0", "after-school_2", "a" * 32]})))
