"""The series of the last minutes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.learn.series import Series


def line(value):
    return np.full(6, value, np.float32)


@given(st.integers(1, 20), st.lists(st.integers(-3, 30), max_size=60))
def test_it_holds_the_newest_minutes_in_order(capacity, steps):
    series, minute, expected = Series(capacity), 1000, {}
    for step in steps:
        if step >= capacity or -step > capacity:
            expected.clear()
        minute_before = max(expected, default=None)
        minute += step
        taken = series.append(minute, line(minute))
        if minute_before is not None and minute <= minute_before:
            if -(minute - minute_before - 1) >= capacity:
                expected = {minute: minute}
                assert taken
            else:
                assert not taken
                minute = minute_before
                continue
        else:
            if minute_before is not None and minute - minute_before - 1 >= capacity:
                expected.clear()
            assert taken
            expected[minute] = minute
        rows = series.last(capacity)
        assert series.last_minute == minute
        assert len(rows) == len(series) <= capacity
        assert series.known.tolist() == (~np.isnan(rows)).sum(0).tolist()
        for at, row in enumerate(rows):
            known = expected.get(series.first_minute + at)
            assert np.isnan(row).all() if known is None else (row == known).all()
        if len(rows):
            assert series.first_minute <= min(
                minute for minute in expected if minute > series.last_minute - capacity
            )


def test_lines_from_a_minute_on():
    series = Series(10)
    for minute in range(25):
        series.append(minute, line(minute))
    assert series.at(17, 3)[:, 0].tolist() == [17, 18, 19]
    assert series.at(17, 3).base is not None
    assert np.isnan(series.at(12, 5)[:3]).all()
    assert series.at(12, 5)[3:, 0].tolist() == [15, 16]
    assert series.at(23, 4)[:2, 0].tolist() == [23, 24]
    assert np.isnan(series.at(100, 2)).all()


def test_its_memory_is_allocated_once():
    series = Series(100)
    size = series.nbytes
    for minute in range(1000):
        series.append(minute, line(1))
    assert series.nbytes == size < 100 * 24 * 1.2
