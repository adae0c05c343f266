"""A history of an earlier release, keyed by civil minutes, becomes one of UTC: once, whole, with a way back.

`version1.sql` is what that release wrote in the two nights of 2025 in which the clocks of Zurich were set: a
minute in five from 22:00 UTC on for six hours, with the minute of the night as its power.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.clock import Zone
from edge.history.deals import Deal
from edge.history.offers import PastOffer
from edge.history.retention import Keep
from edge.history.store import Store
from host_tools.world import VirtualClock

ZURICH = Zone("Europe/Zurich")
FOR_EVER = Keep(10**6, 10**6, 10**6)
POWERS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


def minute(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


SPRING, AUTUMN = minute("2025-03-29T22:00"), minute("2025-10-25T22:00")


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "history.sqlite"
    with closing(sqlite3.connect(file)) as made:
        made.executescript((Path(__file__).parent / "version1.sql").read_text())
    return file


def opened(path, zone=ZURICH):
    return Store(path, VirtualClock(), keep=FOR_EVER, zone=zone)


def powers(store, first, hours=6):
    return {
        row[0] - first: row[1] for rows in store.minutes("node", first, first + 60 * hours) for row in rows
    }


def test_a_spring_night_is_whole_and_has_no_hole(path):
    assert powers(opened(path), SPRING) == {each: float(each) for each in range(0, 360, 5)}


def test_a_view_of_somebody_else_that_is_broken_does_not_stop_the_migration(path):
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE VIEW mine AS SELECT * FROM nowhere")
        file.commit()
    store = opened(path)
    assert powers(store, SPRING) == {each: float(each) for each in range(0, 360, 5)}
    assert store.failures == 0


def test_an_autumn_night_has_what_was_not_overwritten_and_says_what_was(path, caplog):
    found = powers(opened(path), AUTUMN)
    lost = set(range(180, 240, 5))  # 02:00 to 03:00 for the second time
    assert found.keys() == set(range(0, 360, 5)) - lost
    assert {each: power_w for each, power_w in found.items() if not 120 <= each < 180} == {
        each: float(each) for each in found if not 120 <= each < 180
    }
    assert "154 minutes of the history are now those of UTC" in caplog.text
    assert "14 minutes had been lost before" in caplog.text  # twelve of the node, two of the cluster


def test_predictions_events_and_models_are_still_there(path):
    store = opened(path)
    made = [each.minute for some in store.predictions("node", 0, 2**40) for each in some]
    assert made == [
        first + each
        for first, lost in ((SPRING, ()), (AUTUMN, (180, 210)))
        for each in range(0, 360, 30)
        if each not in lost
    ]
    assert [each.number for each in store.events(60.0 * SPRING, 60.0 * SPRING + 21_600)] == list(
        range(0, 360, 30)
    )
    assert store.kept("node/learnt") == b"what a model knows"


def test_events_of_earlier_releases_get_the_newer_columns(path):
    store = opened(path)
    store.note_event(60.0 * SPRING, "n1.lamp", 999, "start", "request", 1.0, "", None, None, "n2.roof")
    store.note_minute("node", AUTUMN + 10_000, POWERS)
    assert store.write()
    old, new = (each for each in store.events(60.0 * SPRING, 60.0 * SPRING + 1) if each.number in (0, 999))
    assert (old.partner, old.partners, old.begins_ms, new.partner) == ("", 0, None, "n2.roof")
    assert (store.wrong_rows, store.set_aside) == (0, 0)


def test_rows_with_wrong_values_do_not_keep_it_from_being_done(path):
    with closing(sqlite3.connect(path)) as file, file:
        for key in ("soon", 2**60, -(2**60)):
            file.execute("INSERT INTO minutes (minute, scope) VALUES (?, 'node')", (key,))
    store = opened(path)
    assert powers(store, SPRING) == {each: float(each) for each in range(0, 360, 5)}
    assert (store.failures, store.set_aside) == (0, 0)


def test_a_file_that_is_locked_is_converted_later_and_delays_nothing(path):
    store = opened(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began_s = time.monotonic()
    with pytest.raises(BlockingIOError, match="locked by another process"):
        store.first_minute("node")
    assert time.monotonic() - began_s < 0.5
    other.execute("ROLLBACK")
    other.close()
    assert powers(store, SPRING) == {each: float(each) for each in range(0, 360, 5)}
    assert store.set_aside == 0


def test_it_is_done_once(path):
    store = opened(path)
    before = powers(store, AUTUMN)
    assert path.with_name("history.sqlite-wal").stat().st_size < 1.2e6
    for zone in (ZURICH, Zone("America/New_York")):
        store = opened(path, zone)
        store.note_minute("node", AUTUMN + 10_000, POWERS)
        store.close()
        assert powers(opened(path, zone), AUTUMN) == before


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]
)
def test_no_row_is_lost_in_any_zone(path, zone):
    store = opened(path, Zone(zone))
    assert sum(len(rows) for rows in store.minutes("node", 0, 2**40)) == 132
    assert sum(len(some) for some in store.predictions("node", 0, 2**40)) == 22


def test_a_kill_while_it_is_done_leaves_a_file_that_the_next_start_converts(path):
    with closing(sqlite3.connect(path)) as file, file:  # a hundred days, so that it takes a while
        rows = ((m, "node", *POWERS) for m in range(AUTUMN + 10_000, AUTUMN + 154_000))
        file.executemany("INSERT INTO minutes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    code = (
        "import sys; from pathlib import Path; from edge.clock import SystemClock, Zone; "
        "from edge.history.store import Store\n"
        "store = Store(Path(sys.argv[1]), SystemClock(), zone=Zone('Europe/Zurich')); print(flush=True)\n"
        "store.first_minute('node')\n"
    )
    for wait_s in (0.02, 0.1, 0.25):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        process.stdout.readline()
        time.sleep(wait_s)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    store = opened(path)
    assert powers(store, SPRING) == {each: float(each) for each in range(0, 360, 5)}
    assert sum(len(rows) for rows in store.minutes("node", 0, 2**40)) == 132 + 144_000
    assert store.failures == 0


def write_as_the_release_before(path, civil_minutes):
    """What an earlier release does after a roll-back, in its own statements; returns what it reads."""
    with closing(sqlite3.connect(path)) as file, file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)  # it sets any other version aside
        read = file.execute("SELECT minute FROM minutes WHERE scope = 'node' ORDER BY minute").fetchall()
        for each in civil_minutes:
            file.execute("INSERT OR REPLACE INTO minutes VALUES (?, 'node', 9, 9, 9, 9, 9, 9)", (each,))
            file.execute(
                "INSERT OR REPLACE INTO predictions SELECT ?, scope, id, x'00' FROM forecasters", (each,)
            )
        file.execute("DELETE FROM minutes WHERE minute < 0")
    return [row[0] for row in read]


@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York"])
def test_the_release_before_loses_nothing_of_it_after_a_roll_back(path, zone):
    """In New York its civil minutes are those of UTC of some hours ago, which it would overwrite."""
    zone = Zone(zone)
    store = opened(path, zone)
    whole = [row for rows in store.minutes("node", 0, 2**40) for row in rows]
    store.close()
    last = whole[-1][0]
    read = write_as_the_release_before(path, [zone.civil(last + each) for each in range(5, 600, 5)])
    assert read == [row[0] for row in whole]
    again = opened(path, zone)
    found = {row[0]: row for rows in again.minutes("node", 0, 2**40) for row in rows}
    assert [found[row[0]] for row in whole] == whole
    assert len(found) > len(whole)  # what it wrote itself is kept too
    assert (again.failures, again.set_aside) == (0, 0)


TODAY = f"""
CREATE TABLE minutes (
    minute INTEGER, scope TEXT, requested_w REAL, produced_w REAL, consumed_w REAL, supplied_w REAL,
    missing_w REAL, available_w REAL, PRIMARY KEY (minute, scope)
) WITHOUT ROWID;
CREATE TABLE forecasters (
    id INTEGER PRIMARY KEY, scope TEXT, model TEXT, limits_w TEXT, UNIQUE (scope, model, limits_w)
);
CREATE TABLE predictions (
    minute INTEGER, scope TEXT, forecaster INTEGER, probabilities BLOB, PRIMARY KEY (minute, scope)
) WITHOUT ROWID;
CREATE TABLE kept (name TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID;
CREATE TABLE events (
    at_ms INTEGER, twin TEXT, number INTEGER, kind TEXT, role TEXT, power_w REAL, cause TEXT,
    begins_ms INTEGER, ends_ms INTEGER, partner TEXT, partners INTEGER, complementary INTEGER, origin INTEGER,
    PRIMARY KEY (at_ms, twin, number)
) WITHOUT ROWID;
INSERT INTO kept VALUES ('keys', CAST('utc' AS BLOB)), ('node/learnt', CAST('a model' AS BLOB));
WITH RECURSIVE m(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM m WHERE i < 2879)
INSERT INTO minutes SELECT {AUTUMN} + i, 'node', i, i, i, i, i, i FROM m;
INSERT INTO events VALUES
    ({AUTUMN} * 60000, 'n1.lamp', 3, 'start', 'contract', 90.0, 'confirmed', 1, 2, 'n2.roof', 2, 0, 1);
PRAGMA user_version = 1;
"""


def test_a_file_of_version_0_2_gets_the_tables_of_this_release_and_loses_nothing(tmp_path):
    path = tmp_path / "history.sqlite"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(TODAY)
    store = opened(path)
    assert len(powers(store, AUTUMN, hours=48)) == 2880
    (event,) = store.events(0, 2**40)
    assert event[1:6] == ("n1.lamp", 3, "start", "contract", 90.0)
    assert (event.origin, event.contract, event.revision) == (1, None, None)
    assert store.kept("node/learnt") == b"a model"
    store.note_minute("node", AUTUMN + 2880, POWERS)
    store.note_energy(AUTUMN, "n1.lamp", "n2.roof", 1.5, 0.0, 900.0)
    store.note_record(AUTUMN, "m1", {"voltage_v": 230.5, "l1.current_a": 2.0})
    assert store.write()
    hours = store.series("node", AUTUMN, 48, 60)
    assert hours.mean_w[0] == [60 * each + 29.5 for each in range(48)]
    assert store.records("m1", AUTUMN, AUTUMN + 1, 9)[0].values == {"voltage_v": 230.5, "l1.current_a": 2.0}
    assert len(list(store.energies(AUTUMN, AUTUMN + 15))) == 1
    assert (store.failures, store.set_aside, store.wrong_rows) == (0, 0, 0)
    store.close()
    with closing(sqlite3.connect(path)) as file, file:  # the release before still knows it, and writes it
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        file.execute("INSERT INTO minutes VALUES (?, 'node', 1, 1, 1, 1, 1, 1)", (AUTUMN + 2881,))
        file.execute("INSERT INTO events (at_ms, twin, number) VALUES (0, 'n1.lamp', 4)")
    assert opened(path).last_minute("node", 2**40) == AUTUMN + 2881


def test_a_file_of_schema_3_keeps_its_deals_offers_records_and_predictions(tmp_path):
    """What the development version before this one wrote: five minutes from FIRST."""
    path, first = tmp_path / "history.sqlite", 28_000_000
    with closing(sqlite3.connect(path)) as made:
        made.executescript((Path(__file__).parent / "version3.sql").read_text())
    store = opened(path)
    found = [[store.deals_at(60.0 * (first + n) + k)[0].power_w for k in range(3)] for n in range(5)]
    assert found == [[100.0 + 10 * n + k for k in range(3)] for n in range(5)]
    at_s = 60.0 * (first + 4) + 30
    lamp = "n1.lamp", "n2.grid", 7, 0, 20, 60.0, 63.0
    new = Deal("n1.lamp", "n1.roof", 7, 0, 20, 70.0, 73.5), Deal(*lamp)
    store.note_minute("node", first + 5, POWERS)
    store.note_deal(at_s, new)
    for scope in ("node", "cluster"):
        store.note_prediction(scope, first + 5, "markov", [[1.0, 2.0]] * 6, b"p")
    offer = PastOffer(60_000 * (first + 5), "n1.roof", "n2.tv", 5, 0, 80.0, 0.1, "refused", 60_000 * first)
    store.note_offer(offer)
    store.note_record(first + 5, "m1", {"voltage_v": 235.0, "l1.current_a": 1.0})
    assert store.write()
    assert [each[:7] for each in store.deals_at(at_s)] == [each[:7] for each in new]
    assert len(list(store.deals(0, 2**33))) == 2 * 15 + 2
    for scope in ("node", "cluster"):
        made_at = [each.minute for rows in store.predictions(scope, first, first + 9) for each in rows]
        assert made_at == list(range(first, first + 6))
    assert [each.request for each in store.offers(0, 2**33)] == [5, 4, 3, 2, 1, 0]
    assert store.offers(0, 2**33, limit=1) == [offer]
    assert [each.request for each in store.offers(0, 2**33, "n1.roof", 2, offer[:5])] == [4, 3]
    volts = [each.values["voltage_v"] for each in store.records("m1", first, first + 9)]
    assert volts == [230.0 + n for n in range(6)]
    assert (store.failures, store.set_aside, store.wrong_rows) == (0, 0, 0)


def test_a_kill_while_tables_are_added_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "history.sqlite"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(TODAY)
    code = (
        "import os, sys; from pathlib import Path; from edge.history import migration; "
        "from edge.history.store import Store; from edge.clock import SystemClock\n"
        "migration._widen = lambda *_: os._exit(9)\n"
        "store = Store(Path(sys.argv[1]), SystemClock())\n"
        "store.note_minute('node', 1, [1.0] * 6); store.write()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2], check=False
    )
    assert ended.returncode == 9
    with closing(sqlite3.connect(path)) as file:
        tables = {row[0] for row in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert "deals" not in tables
    store = opened(path)
    assert len(powers(store, AUTUMN, hours=48)) == 2880
    store.note_energy(AUTUMN, "n1.lamp", "", 1.5, 0.0, 900.0)
    assert store.write()
