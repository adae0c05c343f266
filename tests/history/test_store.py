"""The history: what was written comes back, whatever happened to the process, the disk or the file."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from repository import REPOSITORY

from edge.history.deals import MAIN, Deal
from edge.history.retention import Keep
from edge.history.store import Store
from edge.history.writer import Writer
from edge.terms import DAY_MIN
from host_tools.world import VirtualClock

POWERS = (100.0, 200.5, 90.0, 80.0, 10.0, None)
LIMITS = [[0.001, 100.0, 200.0, 300.0, 400.0, 500.0]] * 6
NOW = 28_000_000  # a minute of 2023


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "history.sqlite", VirtualClock())


def reopened(store):
    store.close()
    return Store(store.path, VirtualClock())


def minutes(store, scope="node", first=0, last=2**40):
    return [row for rows in store.minutes(scope, first, last) for row in rows]


def test_minutes_come_back_in_order_and_by_scope(store):
    for minute in (NOW + 1, NOW, NOW + 2):
        store.note_minute("node", minute, POWERS)
    store.note_minute("cluster", NOW, [1.0] * 6)
    store = reopened(store)
    assert minutes(store) == [(NOW + i, *POWERS) for i in range(3)]
    assert minutes(store, "cluster") == [(NOW, *[1.0] * 6)]
    assert minutes(store, first=NOW + 1, last=NOW + 1) == [(NOW + 1, *POWERS)]
    assert store.first_minute("node") == NOW


def test_the_log_is_written_over_and_does_not_grow(store):
    sizes = set()
    for minute in range(NOW, NOW + 20):
        store.note_minute("node", minute, POWERS)
        assert store.write()
        sizes.add(store.path.with_name("history.sqlite-wal").stat().st_size)
    assert len(sizes) == 1


def test_more_minutes_than_are_read_at_a_time(store):
    for start in range(0, 1500, 500):
        for minute in range(start, start + 500):
            store.note_minute("node", NOW + minute, POWERS)
        assert store.write()
    assert [row[0] for row in minutes(store)] == list(range(NOW, NOW + 1500))


def test_predictions_come_back_with_who_made_them(store):
    store.note_prediction("node", NOW, "markov", LIMITS, b"\x01" * 336)
    store.note_prediction("node", NOW + 1, "lstm", LIMITS, b"\x02" * 336)
    store = reopened(store)
    found = [each for some in store.predictions("node", 0, 2**40) for each in some]
    assert [(each.minute, each.model, each.probabilities[0]) for each in found] == [
        (NOW, "markov", 1),
        (NOW + 1, "lstm", 2),
    ]
    assert found[0].limits_w == tuple(tuple(row) for row in LIMITS)
    assert list(store.predictions("cluster", 0, 2**40)) == []


def test_what_is_kept_is_replaced_as_a_whole(store):
    store.keep("node", b"old" * 100_000)
    assert store.kept("node") == b"old" * 100_000  # also before it is written
    store.write()
    store.keep("node", b"new")
    store = reopened(store)
    assert (store.kept("node"), store.kept("cluster")) == (b"new", None)


def test_what_is_too_old_is_forgotten(tmp_path):
    store = Store(tmp_path / "h.sqlite", VirtualClock(), keep=Keep(minutes_days=2, predictions_days=1))
    for day in range(6):
        store.note_minute("node", NOW + day * DAY_MIN, POWERS)
        store.note_prediction("node", NOW + day * DAY_MIN, "markov", LIMITS, b"p")
        store.write()
    assert [row[0] for row in minutes(store)] == [NOW + day * DAY_MIN for day in (3, 4, 5)]
    assert [f.minute for some in store.predictions("node", 0, 2**40) for f in some] == [
        NOW + 4 * DAY_MIN,
        NOW + 5 * DAY_MIN,
    ]


def test_a_clock_set_back_costs_nothing(store):
    store.note_minute("node", NOW, POWERS)
    store.write()
    store.note_minute("node", 10, POWERS)
    store = reopened(store)
    assert [row[0] for row in minutes(store)] == [10, NOW]


@pytest.mark.parametrize("content", [b"no database at all" * 300, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(store, content):
    store.path.write_bytes(content)
    assert minutes(store) == []
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.path.with_suffix(".unreadable").read_bytes() == content
    assert store.set_aside == 1


def test_a_file_damaged_while_open_is_set_aside(store):
    for minute in range(2000):
        store.note_minute("node", NOW + minute, POWERS)
        if minute % 500 == 499:
            store.write()
    store.close()
    content = bytearray(store.path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    store.path.write_bytes(content)
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.set_aside == 1


def write_tables(path, *statements):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_file_of_a_later_version_is_kept_and_another_one_is_used(store, caplog):
    later = store.path
    write_tables(later, "PRAGMA user_version = 99", "CREATE TABLE minutes (other TEXT)")
    content = later.read_bytes()
    assert minutes(store) == []
    for minute in (NOW, NOW + 1):
        store.note_minute("node", minute, POWERS)
        assert store.write()
    assert len(minutes(store)) == 2
    assert later.read_bytes() == content
    assert store.set_aside == 0
    assert "history.sqlite is kept and not used" in store.later
    assert sum("written by a later release" in each.message for each in caplog.records) == 1
    again = Store(later, VirtualClock())
    assert len(minutes(again)) == 2  # of the release that was rolled back to
    assert again.later


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE forecasters (id INTEGER)"],  # half made
        ["CREATE TABLE minutes (other TEXT)", "PRAGMA user_version = 1"],  # columns are missing
        ["CREATE TABLE kept (name TEXT PRIMARY KEY, data BLOB)", "PRAGMA user_version = 1"],
    ],
)
def test_a_file_without_its_tables_is_set_aside_and_a_new_one_begun(store, statements):
    write_tables(store.path, *statements)
    assert minutes(store) == []
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.set_aside == 1


def test_an_empty_file_becomes_a_history(store):
    store.path.write_bytes(b"")
    assert minutes(store) == []
    assert store.kept("node") is None
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.failures == store.set_aside == 0


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_what_is_no_file_beside_the_database_is_set_aside_without_it(store, ending, make):
    store.note_minute("node", NOW, POWERS)
    store = reopened(store)
    make(store.path.with_name(f"history.sqlite{ending}"))
    assert minutes(store) == [(NOW, *POWERS)]
    store.note_minute("node", NOW + 1, POWERS)
    assert store.write()
    assert len(minutes(store)) == 2
    assert os.path.lexists(store.path.with_name(f"history.unreadable{ending}"))


@pytest.mark.parametrize("make", [os.mkdir, lambda path: (os.mkdir(path), (path / "x").touch())])
def test_a_folder_in_the_way_does_not_keep_a_damaged_file_in_its_place(store, make):
    make(store.path.with_name("history.unreadable"))
    for _ in range(2):
        store.path.write_bytes(b"no database at all" * 99)
        assert minutes(store) == []
        store.note_minute("node", NOW, POWERS)
        assert store.write()
        store.disconnect()
    assert store.path.with_name("history.unreadable-1").is_file()


def test_columns_that_a_later_release_has_added_are_left_alone(store):
    note_all(store)
    store.close()
    added = [f"ALTER TABLE {table} ADD COLUMN more TEXT" for table in TABLES]
    write_tables(store.path, *added)
    store = reopened(store)
    note_all(store, after=1)
    assert store.write()
    assert len(minutes(store)) == len(list(store.events(0, 2**40))) == 2
    assert sum(len(batch) for batch in store.predictions("node", 0, 2**40)) == 2
    assert store.kept("node/model") == b"1"
    assert store.failures == 0


TABLES = ("minutes", "events", "occurrences", "predictions", "predicted", "forecasters", "forecasts", "kept")


def note_all(store, after=0):
    store.note_minute("node", NOW + after, POWERS)
    store.note_event(60.0 * (NOW + after), "n1.lamp", after, "start", "consumer", 1.0)
    store.note_prediction("node", NOW + after, "markov", LIMITS, b"p")
    store.keep("node/model", b"%d" % after)


def test_texts_that_are_none_and_lists_without_end_are_wrong_rows(store):
    note_all(store)
    store.close()
    write_tables(
        store.path,
        "UPDATE names SET name = CAST(x'ff' AS TEXT) WHERE name = 'n1.lamp'",
        "UPDATE forecasters SET model = CAST(x'fe' AS TEXT)",
        "INSERT INTO minutes (minute, scope) VALUES (-4611686018427387904, 'node')",
        "INSERT INTO minutes (minute, scope) VALUES (4611686018427387904, 'node')",
    )
    store = reopened(store)
    assert [event.twin for event in store.events(0, 2**40)] == ["\ufffd"]
    assert [each.model for rows in store.predictions("node", 0, 2**40) for each in rows] == ["\ufffd"]
    assert store.first_minute("node") == store.last_minute("node", 2**62) == NOW
    write_tables(store.path, f"UPDATE forecasters SET limits_w = '{'[' * 100_000}'")
    assert list(store.predictions("node", 0, 2**40)) == []
    assert store.failures == 0


def test_a_journal_that_a_killed_process_left_is_rolled_back_before_reading(store):
    note_all(store)
    store.close()
    script = (
        "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "file.execute('PRAGMA journal_mode = DELETE'); file.execute('PRAGMA cache_size = 1')\n"
        "file.execute('BEGIN'); file.execute('UPDATE minutes SET requested_w = 7')\n"
        "file.execute('CREATE TABLE junk AS SELECT randomblob(90000) AS b'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(store.path)], check=True)
    assert store.path.with_name("history.sqlite-journal").stat().st_size
    store = reopened(store)
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.failures == store.set_aside == 0


@pytest.mark.parametrize("name", ["history.sqlite", "history.sqlite-wal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_is_set_aside(store, name, make):
    make(store.path.with_name(name))
    assert minutes(store) == []
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.set_aside == 1


def test_a_file_that_is_locked_does_not_delay_and_does_not_read_as_empty(store):
    store.note_minute("node", NOW, POWERS)
    store.close()
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE more (x)")
    began_s = time.monotonic()
    with pytest.raises(BlockingIOError, match="locked by another process"):
        store.first_minute("node")
    assert time.monotonic() - began_s < 0.5
    assert store.locked
    other.execute("ROLLBACK")
    other.close()
    assert store.first_minute("node") == NOW
    assert not store.locked
    assert store.set_aside == 0


def test_rows_with_wrong_values_are_skipped_and_counted(store):
    for minute in range(NOW, NOW + 9):
        store.note_minute("node", minute, POWERS)
        store.note_prediction("node", minute, "markov", LIMITS, b"p")
        store.note_event(60.0 * minute, "n1.lamp", minute, "start", "consumer", 1.0)
    store.keep("node/limits", b"kept")
    store.close()
    write_tables(
        store.path,
        f"UPDATE minutes SET missing_w = 'much' WHERE minute = {NOW + 1}",
        f"UPDATE minutes SET missing_w = 1e999 WHERE minute = {NOW + 2}",
        f"UPDATE minutes SET minute = 'x' WHERE minute = {NOW + 8}",
        f"UPDATE predicted SET probabilities = NULL WHERE id = {2 * (NOW + 3)}",
        f"UPDATE occurrences SET power_mw = 'x' WHERE number = {NOW + 4}",
        "UPDATE kept SET data = 'text'",
    )
    assert [row[0] - NOW for row in minutes(store)] == [0, 3, 4, 5, 6, 7]
    found = [each.minute - NOW for some in store.predictions("node", 0, 2**40) for each in some]
    assert found == [0, 1, 2, 4, 5, 6, 7, 8]
    assert len(list(store.events(0, 2**40))) == 8
    assert store.kept("node/limits") is None
    assert store.wrong_rows == 5
    write_tables(store.path, "UPDATE forecasters SET limits_w = '{'")
    assert list(store.predictions("node", 0, 2**40)) == []


def test_a_full_disk_loses_nothing_at_first_and_is_bounded(tmp_path, caplog):
    clock, folder = VirtualClock(), tmp_path / "gone"
    folder.write_text("a file where a folder should be")
    store = Store(folder / "h.sqlite", clock)
    for minute in range(5000):
        store.note_minute("node", NOW + minute, POWERS)
        if minute % 10 == 0:
            clock.advance_to(minute * 60.0)
            assert not store.write()
            assert store.news.is_set()  # it is tried again, whether or not more is noted
    assert store.failures == 500
    assert store.stats()["waiting"] <= 800
    assert store.lost == 5000 - store.stats()["waiting"]
    assert sum("cannot be written" in each.message for each in caplog.records) == 84  # once an hour
    folder.unlink()
    assert store.write()
    assert minutes(store)[-1][0] == NOW + 4999


def test_a_disk_that_fills_up_while_writing(store):
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    store.file._connection.execute(
        "PRAGMA max_page_count = 6"
    )  # SQLite then says what it says of a full disk
    store.keep("node", bytes(100_000))
    store.note_minute("node", NOW + 1, POWERS)
    assert not store.write()
    assert minutes(store) == [(NOW, *POWERS)]
    assert store.write()  # the file was opened again, without the limit: there is room again
    assert len(minutes(store)) == 2
    assert store.kept("node") == bytes(100_000)


def test_a_kill_at_any_moment_leaves_whole_transactions(tmp_path):
    code = (
        "import sys; from pathlib import Path; from edge.clock import SystemClock; "
        "from edge.history.store import Store\n"
        "store = Store(Path(sys.argv[1]), SystemClock())\n"
        "for minute in range(10**6):\n"
        "    store.note_minute('node', minute, [1.0] * 6); store.note_minute('cluster', minute, [1.0] * 6)\n"
        "    store.keep('node', str(minute).encode() * 9000); store.write(); print(minute, flush=True)\n"
    )
    path = tmp_path / "h.sqlite"
    for _ in range(3):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=REPOSITORY
        )
        said = [int(process.stdout.readline()) for _ in range(25)]
        time.sleep(0.003)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = Store(path, VirtualClock())
        node, cluster = minutes(store), minutes(store, "cluster")
        assert [row[0] for row in node] == [row[0] for row in cluster] == list(range(len(node)))
        assert len(node) > said[-1]
        assert store.kept("node") == str(len(node) - 1).encode() * 9000
        assert store.failures == 0


def test_the_writer_writes_soon_and_at_its_end(store):
    writer = Writer(store)
    writer.start()
    store.note_minute("node", NOW, POWERS)
    deadline_s = time.monotonic() + 10
    while not store.written and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert minutes(store) == [(NOW, *POWERS)]
    store.note_minute("node", NOW + 1, POWERS)
    writer.stop()
    assert len(minutes(store)) == 2


@settings(max_examples=25, deadline=None)
@given(write_min=st.integers(1, 15), first=st.integers(NOW, NOW + 60), count=st.integers(1, 80))
def test_a_kill_costs_at_most_the_minutes_of_a_batch(tmp_path_factory, write_min, first, count):
    store = Store(tmp_path_factory.mktemp("n") / "history.sqlite", VirtualClock(), write_min=write_min)
    writes = 0
    for minute in range(first, first + count):
        store.note_event(60.0 * minute, "n1.lamp", minute, "start", "request", 1.0)
        store.note_minute("node", minute, POWERS)
        store.note_prediction("node", minute, "markov", LIMITS, b"p")
        if store.news.is_set():
            assert store.write()
            writes += 1
    store.disconnect()  # what waits is lost, as in a process that is killed
    found = [row[0] for row in minutes(Store(store.path, VirtualClock()))]
    assert found == list(range(first, first + len(found)))
    assert count - len(found) < write_min
    assert writes <= count / write_min + count / 15 + 2


def test_quarter_hours_that_are_over_are_written_at_once(tmp_path):
    store = Store(tmp_path / "history.sqlite", VirtualClock(), write_min=7)
    due = []
    for minute in range(NOW - NOW % 60, NOW - NOW % 60 + 60):
        store.note_minute("node", minute, POWERS)
        if store.news.is_set():
            due.append((minute + 1) % 60)
            assert store.write()
    assert {0, 15, 30, 45} <= set(due)
    assert len(due) < 15


def test_the_writer_is_woken_before_there_is_no_room(tmp_path):
    store = Store(tmp_path / "history.sqlite", VirtualClock(), write_min=15)
    store.note_minute("node", NOW - NOW % 15, POWERS)
    noted = 0
    while not store.news.is_set():
        store.note_event(60.0 * NOW, "n1.lamp", noted, "start", "request", 1.0)
        noted += 1
    assert noted >= 400
    assert store.lost == 0


def test_who_reads_has_every_minute_that_is_over(tmp_path):
    store = Store(tmp_path / "history.sqlite", VirtualClock(), write_min=15)
    store.note_minute("node", NOW - NOW % 15, POWERS)
    store.catch_up()
    assert [row[0] for row in minutes(store)] == [NOW - NOW % 15]
    store.note_event(60.0 * NOW, "n1.lamp", 1, "start", "request", 1.0)
    written = store.written
    store.catch_up()  # what belongs to the running minute is not worth a write
    assert store.written == written


def test_events_are_written_with_the_next_minute_and_come_back_in_order(store):
    for number, at_s in enumerate((60.0 * NOW + 2.5, 60.0 * NOW + 1.0)):
        store.note_event(at_s, "n1.lamp", number, "start", "consumer", 100.0)
    assert not store.news.is_set()  # a card is written once a minute, however much happens
    store.note_minute("node", NOW, POWERS)
    store = reopened(store)
    found = list(store.events(60.0 * NOW, 60.0 * NOW + 60))
    assert [(each.at_ms - 60_000 * NOW, each.number) for each in found] == [(1000, 1), (2500, 0)]
    assert found[0][1:6] == ("n1.lamp", 1, "start", "consumer", 100.0)
    assert list(store.events(60.0 * NOW + 3, 60.0 * NOW + 60)) == []


def test_more_events_than_are_read_at_a_time(store):
    for number in range(700):
        store.note_event(60.0 * NOW + number % 7, "n1.lamp", number, "update", "consumer", 1.0)
    store.note_minute("node", NOW, POWERS)
    store = reopened(store)
    assert sorted(each.number for each in store.events(0, 2**40)) == list(range(700))


def test_old_events_are_deleted_with_the_minutes(tmp_path):
    store = Store(tmp_path / "h.sqlite", VirtualClock(), keep=Keep(minutes_days=2, predictions_days=1))
    for minute in (NOW, NOW + 3 * DAY_MIN):
        store.note_event(60.0 * minute, "n1.lamp", 0, "start", "consumer", 1.0)
        store.note_minute("node", minute, POWERS)
        assert store.write()
    assert [each.at_ms for each in store.events(0, 2**40)] == [60_000 * (NOW + 3 * DAY_MIN)]


def test_a_file_from_before_there_were_events_gets_their_table(store):
    store.note_minute("node", NOW, POWERS)
    store.close()
    with sqlite3.connect(store.path) as file:
        file.execute("DROP TABLE events")
    store = reopened(store)
    store.note_event(60.0 * NOW, "n1.lamp", 0, "start", "consumer", 1.0)
    store.note_minute("node", NOW + 1, POWERS)
    store = reopened(store)
    assert len(minutes(store)) == 2
    assert len(list(store.events(0, 2**40))) == 1


def test_an_event_is_kept_with_its_cause_dates_partner_and_origin(store):
    at_s = 60.0 * NOW
    store.note_event(
        at_s, "n1.lamp", 7, "update", "contract", 90.0, "curtailed", at_s - 5, at_s + 60, "n2.roof", 2, 1, 3
    )
    store.note_minute("node", NOW, POWERS)
    (event,) = reopened(store).events(0, 2**40)
    assert (event.cause, event.partner, event.partners, event.origin) == ("curtailed", "n2.roof", 2, 3)
    assert (event.begins_ms, event.ends_ms) == (60_000 * NOW - 5000, 60_000 * NOW + 60_000)
    assert event.complementary


def test_forecasts_in_watts_come_back_and_are_pruned_like_predictions(tmp_path):
    store = Store(tmp_path / "h.sqlite", VirtualClock(), Keep(minutes_days=4, predictions_days=1))
    for day in range(3):
        store.note_forecast("node", NOW + day * DAY_MIN, bytes([day]))
        store.note_forecast("cluster", NOW + day * DAY_MIN, b"c")
        store.note_minute("node", NOW + day * DAY_MIN, [1.0] * 6)
        store.write()
    assert [row for rows in store.forecasts("node", 0, 2**40) for row in rows] == [
        (NOW + DAY_MIN, b"\1"),
        (NOW + 2 * DAY_MIN, b"\2"),
    ]
    store.note_forecast("node", NOW + 2 * DAY_MIN, b"another")  # the date was set back
    store.close()
    assert [row[1] for rows in store.forecasts("node", NOW + 2 * DAY_MIN, 2**40) for row in rows] == [b"\2"]


def test_updates_that_would_wear_out_a_card_are_left_to_the_deals(tmp_path):
    clock = VirtualClock()
    store = Store(tmp_path / "history.sqlite", clock)
    for second in range(3600):
        clock.advance_to(float(second))
        for twin in range(3):
            at_s = 60.0 * NOW + second
            store.note_event(at_s, f"n1.t{twin}", second, "update", "contract", 1.0, "device")
        if second % 60 == 0:
            store.note_event(60.0 * NOW + second, "n1.lamp", second, "stop", "contract", 0.0, "device")
            store.note_minute("node", NOW + second // 60, POWERS)
            assert store.write()
    thinned = store.thinned
    store = reopened(store)
    found = list(store.events(0, 2**40))
    updates = [each for each in found if each.kind == "update"]
    assert 300 + 59 <= len(updates) <= 300 + 60
    assert len(updates) + thinned == 3 * 3600
    assert len([each for each in found if each.kind == "stop"]) == 60  # all of them


def test_events_of_the_earlier_table_and_of_this_one_come_in_one_order_page_by_page(store):
    """Also those of one millisecond, and of a clock that was set back."""
    base = 60_000 * NOW
    store.note_minute("node", NOW, POWERS)
    assert store.write()
    store.disconnect()
    old = [
        f"({base + ms}, 'n1.{twin}', {n}, 'start', 'request', 1.0, '', '')"
        for n, (ms, twin) in enumerate(((1, "b"), (5, "a")))
    ]
    write_tables(
        store.path,
        "INSERT INTO events (at_ms, twin, number, kind, role, power_w, cause, partner) "
        f"VALUES {', '.join(old)}",
    )
    store = reopened(store)
    for number, (ms, twin) in enumerate(((5, "c"), (5, "b"), (7, "a"), (5, "a"), (2, "a"), (9, "c")), 10):
        store.note_event((base + ms) / 1000, f"n1.{twin}", number, "start", "request", 1.0)
        store.note_minute("node", NOW + number, POWERS)
        assert store.write()
    whole = store.newest_events(0.0, (2**62, "", 0), "", "", 100)
    assert [each[:3] for each in whole] == sorted((each[:3] for each in whole), reverse=True)
    assert len(whole) == len(list(store.events(0.0, 2**40))) == 8
    for limit in (1, 2, 3, 7):
        found, before = [], (2**62, "", 0)
        while page := store.newest_events(0.0, before, "", "", limit):
            found += page
            before = page[-1][:3]
        assert found == whole
    assert [each.twin for each in store.newest_events(0.0, (base + 6, "", 0), "n1.a", "", 9)] == ["n1.a"] * 3


@settings(max_examples=30, deadline=None)
@given(
    changes=st.lists(
        st.tuples(
            st.integers(0, 70_000),  # ms until it
            st.sampled_from((("a", ("x",)), ("a", ("x", "y")), ("b", ("x",)))),
            st.integers(1, 3),  # contract
            st.integers(0, 2**33),  # mW
            st.sampled_from(("change", "change", "change", "end", "keyframe", "write")),
        ),
        max_size=40,
    )
)
def test_gathered_deals_say_at_every_moment_what_single_ones_would(tmp_path_factory, changes):
    store = Store(tmp_path_factory.mktemp("deals") / "h.sqlite", VirtualClock())
    start_ms = at_ms = 60_000 * NOW
    store.note_session(at_ms / 1000, at_ms / 1000, False, "", "{}")
    in_force, expected = {}, []
    for revision, (passed_ms, (twin, partners), contract, power_mw, what) in enumerate(changes):
        at_ms += passed_ms
        key = twin, contract
        parts = tuple(
            Deal(twin, each, contract, MAIN, revision, (power_mw + n) / 1000, (2 * power_mw) / 1000)
            for n, each in enumerate(partners)
        )
        if what == "end" and key in in_force:
            store.note_deal(at_ms / 1000, in_force.pop(key), ended=True)
        elif what == "keyframe":
            store.note_keyframe(at_ms / 1000, in_force.values())
        else:
            in_force[key] = parts
            store.note_deal(at_ms / 1000, parts)
        if what == "write":
            assert store.write()
        expected.append((at_ms, sorted(each[:7] for parts in in_force.values() for each in parts)))
    for _ in range(2):  # with entries that wait, and with all of them written
        for number, (ms, deals) in enumerate(expected):
            if number + 1 == len(expected) or expected[number + 1][0] > ms:
                assert [each[:7] for each in store.deals_at(ms / 1000)] == deals
        assert store.write()
    told = [(each.at_ms, each.contract, each.revision) for each, _ in store.deals(start_ms / 1000, 2**40)]
    assert told == sorted(told, key=lambda each: each[0])
    store.close()


def test_a_prediction_comes_back_as_it_was_whether_it_was_compressed_or_not(store):
    several = [bytes(336), os.urandom(336), b"p", b"", bytes(range(256)) + bytes(80), b"x\x9c" + bytes(3)]
    for minute, probabilities in enumerate(several, NOW):
        store.note_prediction("node", minute, "markov", LIMITS, probabilities)
    assert store.write()
    found = [each.probabilities for some in store.predictions("node", 0, 2**40) for each in some]
    assert found == several


def test_hours_are_made_when_they_are_over_and_are_those_of_their_minutes(store):
    """So a year by hours is read from hours, and not from quarter-hours."""
    first = NOW - NOW % 60
    for minute in range(first, first + 150):
        store.note_minute("node", minute, (float(minute - first),) * 6)
        if minute % 10 == 0 or minute == first + 149:
            assert store.write()
    store.disconnect()
    with closing(sqlite3.connect(store.path)) as file:
        made = file.execute(
            "SELECT minute, requested_w FROM steps WHERE step = 60 ORDER BY minute"
        ).fetchall()
    assert made == [(first, 29.5), (first + 60, 89.5)]
    assert store.series("node", first, 3, 60).mean_w[0] == [29.5, 89.5, 134.5]
