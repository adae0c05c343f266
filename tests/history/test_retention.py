"""What is kept how long: before they are deleted, minutes become quarter-hours, and quarter-hours hours."""

import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.history.energies import Quality
from edge.history.retention import Keep
from edge.history.store import Store
from edge.terms import DAY_MIN
from host_tools.world import VirtualClock

NOW = 28_000_800  # an hour of UTC begins
KEEP = Keep(minutes_days=1, predictions_days=1, quarters_days=3)


def made(tmp_path, keep=KEEP):
    return Store(tmp_path / "history.sqlite", VirtualClock(), keep)


def power(minute):
    return float(minute * 7919 % 1000)


def fill(store, days, energy=True):
    """Two minutes in three are known."""
    for minute in range(NOW, NOW + days * DAY_MIN):
        if minute % 3:
            store.note_minute("node", minute, [power(minute)] * 5 + [None])
        if energy and minute % 15 == 0:
            store.note_energy(minute, "n1.lamp", "", 2.0, 0.0, 900.0)
            store.note_energy(minute, "n1.lamp", "n2.roof", 1.5, 0.0, 900.0)
        if minute % 60 == 59:
            assert store.write()
    return store


def expected(first, step):
    known = [power(minute) for minute in range(first, first + step) if minute % 3]
    return sum(known) / len(known), min(known), max(known)


def count(store, statement):
    with closing(sqlite3.connect(store.path)) as file:
        return file.execute(statement).fetchone()[0]


@pytest.mark.parametrize("step", [15, 60])
def test_steps_are_the_same_whether_their_minutes_are_there_or_deleted(tmp_path, step):
    store = fill(made(tmp_path), 6)
    assert store.first_minute("node") >= NOW + 4 * DAY_MIN
    assert count(store, "SELECT min(minute) FROM steps WHERE step = 15") >= NOW + 2 * DAY_MIN
    begin = NOW if step == 60 else NOW + 3 * DAY_MIN
    steps = (NOW + 6 * DAY_MIN - begin) // step
    found = store.series("node", begin, steps, step)
    for i in range(steps):
        mean_w, least_w, most_w = expected(begin + i * step, step)
        assert found.mean_w[0][i] == pytest.approx(mean_w, abs=0.2)
        assert (found.least_w[0][i], found.most_w[0][i]) == (least_w, most_w)
    assert found.mean_w[5] == [None] * steps


def test_energy_becomes_hours_by_sum(tmp_path):
    store = fill(made(tmp_path), 6)
    hours = list(store.energies(NOW, NOW + 6 * DAY_MIN, 60, "n1.lamp"))
    assert len(hours) == 2 * 6 * 24
    assert {(each.partner, each.drawn_wh, each.quality) for each in hours} == {
        ("", 8.0, Quality.MEASURED),
        ("n2.roof", 6.0, Quality.MEASURED),
    }
    quarters = list(store.energies(NOW, NOW + 6 * DAY_MIN, 15, "n1.lamp", ""))
    assert 3 * 96 <= len(quarters) <= 4 * 96
    assert {each.drawn_wh for each in quarters} == {2.0}
    assert {each.minute % 15 for each in quarters} == {0}


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3000)), min_size=1, max_size=3))
def test_a_quarter_hour_says_how_sure_it_is(tmp_path_factory, parts):
    """Parts of it, before and after a restart, add up; what is not known is filled up to the whole."""
    store = Store(tmp_path_factory.mktemp("energy") / "history.sqlite", VirtualClock())
    for known_s, power_w in parts:
        store.note_energy(NOW, "n1.lamp", "", power_w * known_s / 3600, 0.0, known_s)
        store.note_energy(NOW, "n1.lamp", "n1.roof", power_w * known_s / 7200, 0.0, known_s)
    store.note_minute("node", NOW, [1.0] * 6)
    assert store.write()
    whole, shared = store.energies(NOW, NOW + 15)
    known_s = sum(each for each, _ in parts)
    raw_wh = sum(known * power_w for known, power_w in parts) / 3600
    assert whole.drawn_wh == pytest.approx(2 * shared.drawn_wh, abs=0.02)
    if 882 <= known_s <= 918:
        assert (whole.quality, whole.drawn_wh) == (Quality.MEASURED, pytest.approx(raw_wh, abs=0.02))
    elif known_s >= 300:
        filled_wh = raw_wh * 900 / known_s
        assert (whole.quality, whole.drawn_wh) == (Quality.FILLED, pytest.approx(filled_wh, abs=0.02))
    else:
        assert (whole.quality, whole.drawn_wh) == (Quality.MISSING, pytest.approx(raw_wh, abs=0.02))
    store.close()


def test_a_file_that_is_too_large_loses_its_oldest_days_first(tmp_path):
    store = made(tmp_path, Keep(minutes_days=100, predictions_days=100, most_mb=1))
    rng = random.Random(2)
    for minute in range(NOW, NOW + 8 * DAY_MIN):
        store.note_minute("node", minute, [rng.random() for _ in range(6)])
        if minute % 60 == 59:
            assert store.write()
    assert store.last_minute("node", 2**40) == NOW + 8 * DAY_MIN - 1
    assert NOW + 2 * DAY_MIN <= store.first_minute("node") <= NOW + 6 * DAY_MIN
    assert store.series("node", NOW, 24, 60).mean_w[0].count(None) == 0  # hours of the first day
    assert store.path.stat().st_size < 1.6e6


def test_a_year_of_quarter_hours_of_twenty_twins_is_soon_read(tmp_path):
    """35 040 of each twin; the file is made directly, since to play a year takes too long."""
    store = made(tmp_path)
    store.note_minute("node", NOW, [1.0] * 6)
    for twin in range(20):
        store.note_energy(NOW - 15, f"n1.t{twin}", "n1.grid", 1.0, 0.0, 900.0)
    assert store.write()
    with closing(sqlite3.connect(store.path)) as file, file:
        file.execute(
            "WITH RECURSIVE q(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM q WHERE i < 35039) "
            "INSERT INTO energies SELECT 15, ? + 15 * i, n.id, p.id, 250000, 0, 900 "
            "FROM q, names AS n, names AS p WHERE n.name LIKE 'n1.t%' AND p.name IN ('', 'n1.grid')",
            (NOW,),
        )
    rows = list(store.energies(NOW, NOW + 10_080 * 15, 15, "n1.t7", "n1.grid"))
    assert len(rows) == 10_080
    assert {each[1:] for each in rows} == {("n1.t7", "n1.grid", 250.0, 0.0, Quality.MEASURED)}
