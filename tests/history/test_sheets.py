"""Sheets of deals: what is packed is read back, and damaged ones are refused whole."""

from hypothesis import given
from hypothesis import strategies as st

from edge.history.sheets import pack_mw, packed, unpacked

NAMES = st.sampled_from(["n1.lamp", "n1.roof", "n2.grid", "café.tv", ""])
POWERS = st.integers(0, 2**32 - 1) | st.integers(-(2**63), 2**63 - 1)


@st.composite
def rows(draw):
    found, number = [], draw(st.integers(-(2**53), 2**53))
    for _ in range(draw(st.integers(1, 6))):
        number += draw(st.integers(0, 2**20))
        partners = draw(st.lists(NAMES, min_size=1, max_size=4))
        powers_mw = draw(st.lists(POWERS, min_size=2 * len(partners), max_size=2 * len(partners)))
        powers = draw(st.sampled_from([None, pack_mw(powers_mw)]))
        later = draw(st.none() | st.binary(min_size=1, max_size=9)) if powers else None
        ids = draw(st.integers(-(2**63), 2**63 - 1)), draw(st.integers(0, 2)), draw(st.integers(-9, 2**40))
        found.append((number, draw(NAMES), *ids, ",".join(partners), powers, later))
    return found


@given(rows())
def test_what_is_packed_is_read_back(found):
    assert unpacked(packed(found)) == found


@given(rows(), st.data())
def test_a_damaged_sheet_is_refused(found, data):
    sheet = packed(found)
    assert unpacked(sheet[: data.draw(st.integers(0, len(sheet) - 1))]) is None
    place = data.draw(st.integers(2, len(sheet) - 1))
    damaged = sheet[:place] + bytes([sheet[place] ^ data.draw(st.integers(1, 255))]) + sheet[place + 1 :]
    assert unpacked(damaged) in (None, found)  # zlib has a checksum


@given(st.binary(max_size=200))
def test_anything_else_is_refused_or_rows(data):
    import zlib

    for each in (data, zlib.compress(data)):
        for row in unpacked(each) or ():
            assert len(row) == 8
