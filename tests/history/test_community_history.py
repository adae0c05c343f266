"""Credits, money, prices and levels of batteries in the history."""

import sqlite3
from contextlib import closing

import pytest

from edge.history.community import PastAccount, PastLevel, PastPrice
from edge.history.community_tables import NAMES
from edge.history.retention import Keep
from edge.history.store import Store
from edge.terms import DAY_MIN
from host_tools.world.clock import VirtualClock

NOW = 29_000_000 - 29_000_000 % 15


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.sqlite"


def store(path, keep=None):
    return Store(path, VirtualClock(), keep)


def test_what_is_noted_is_read_back_and_money_adds_up(path):
    kept = store(path)
    kept.note_account(NOW, "n.t", -1.25, 0.5, 0.0)
    kept.note_account(NOW, "n.t", -1.5, 0.25, 0.125)
    kept.note_account(NOW + 15, "n.t", 2.0, 0.0, 1.0)
    kept.note_price(NOW, "other.roof", 0.31)
    kept.note_level(NOW, "n.cells", 312.5)
    assert kept.write()
    assert kept.accounts(NOW, NOW + 15) == [PastAccount(NOW, "n.t", -1.5, 0.75, 0.125)]
    assert kept.money(NOW, NOW + 30) == {"n.t": (0.75, 1.125)}
    assert kept.prices(0, 2 * NOW) == [PastPrice(NOW, "other.roof", 0.31)]
    assert kept.levels(0, 2 * NOW) == [PastLevel(NOW, "n.cells", 312.5)]
    kept.close()


def test_a_file_without_these_tables_gets_them_and_keeps_the_rest(path):
    kept = store(path)
    kept.note_minute("node", NOW, [1.0] * 6)
    kept.close()
    with closing(sqlite3.connect(path)) as file:
        for name in NAMES:
            file.execute(f"DROP TABLE {name}")
        file.commit()
    again = store(path)
    assert again.accounts(0, 2 * NOW) == []
    again.note_price(NOW, "other.roof", 0.31)
    assert again.write()
    assert [each.rate for each in again.prices(0, 2 * NOW)] == [0.31]
    assert [row[1] for rows in again.minutes("node", NOW, NOW) for row in rows] == [1.0]
    assert again.file.set_aside == 0
    again.close()


def test_they_are_kept_as_long_as_quarter_hours(path):
    kept = store(path, Keep(quarters_days=3))
    for day in range(8):
        kept.note_price(NOW + day * DAY_MIN, "other.roof", 0.1 * day)
        kept.note_account(NOW + day * DAY_MIN, "n.t", 1.0, 0.1, 0.1)
        kept.note_level(NOW + day * DAY_MIN, "n.cells", 10.0)
        kept.note_minute("node", NOW + day * DAY_MIN, [1.0] * 6)
        assert kept.write()
    oldest = NOW + 4 * DAY_MIN
    for found in (kept.prices(0, 2 * NOW), kept.accounts(0, 2 * NOW), kept.levels(0, 2 * NOW)):
        assert min(each.minute for each in found) >= oldest
        assert len(found) >= 3
    kept.close()


def test_rows_of_somebody_else_are_skipped(path):
    kept = store(path)
    kept.note_price(NOW, "other.roof", 0.31)
    kept.close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE prices SET rate_micro = 'much'")
        file.commit()
    again = store(path)
    assert again.prices(0, 2 * NOW) == []
    again.close()
