"""The history reaches a database whole, whatever fails on the way, and no point with two values."""

import random
import sqlite3
import ssl
from datetime import UTC, datetime

import pytest
from database import Database
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import Date
from edge.config.settings import PushSettings
from edge.history.store import Store
from edge.push.pusher import KEPT, Pusher
from host_tools.fleet.authority import Authority
from host_tools.world.clock import VirtualClock

MINUTE = 28_332_000  # the virtual clock's midnight
POWERS = (100.0, 200.0, 90.5, 0.0, 9.5, None)


class Node:
    """A history that grows by the minute, and what pushes it."""

    def __init__(self, folder, url, **options):
        self.folder, self.clock, self.minute = folder, VirtualClock(), MINUTE
        self.settings = PushSettings(url=url, **options)
        self.date = Date(self.clock)
        self.open()

    def open(self):
        self.history = Store(self.folder / "history.sqlite", self.clock, date=self.date)
        self.pusher = Pusher("gym", self.settings, self.history, self.clock, self.date, random.Random(1))

    def restart(self, kill=False):
        if not kill:
            self.history.write()
        self.history.disconnect()
        self.open()

    def live(self, minutes, write=True):
        for _ in range(minutes):
            minute = self.minute
            self.clock.advance_to(self.clock.now_s() + 60)
            self.history.note_minute("node", minute, (*POWERS[:5], float(minute % 1000)))
            if minute % 2:
                self.history.note_minute("cluster", minute, [None] * 6 if minute % 3 == 0 else POWERS)
            self.minute += 1
            if self.minute % 15 == 0:
                self.history.note_energy(self.minute - 15, "gym.lamp", "", 25.0, 0.0, 900)
                self.history.note_energy(self.minute - 15, "gym.lamp", "school.roof", 20.0, 0.0, 900)
            if write:
                self.history.write()

    def drain(self, most=400):
        """All that is to be sent has been sent."""
        for _ in range(most):
            if self.pusher.step() >= self.settings.every_s and not self.pusher.failures:
                return
        raise AssertionError(f"it does not end: {list(self.pusher.troubles())}")

    def expected(self):
        """The points of all rows that are over."""
        found = set()
        newest = self.history.last_minute("node", self.minute)
        for scope in ("node", "cluster"):
            for rows in self.history.minutes(scope, 0, newest - 1):
                for minute, *powers_w in rows:
                    if any(each is not None for each in powers_w):
                        found.add((f"microgrid_power,node=gym,scope={scope}", minute * 60 * 10**9))
        for each in self.history.energies(0, newest - newest % 15):
            partner = f",partner={each.partner}" if each.partner else ""
            series = f"microgrid_energy,node=gym,twin=lamp,quality={each.quality}{partner}"
            found.add((series, each.minute * 60 * 10**9))
        return found


@pytest.fixture
def database():
    database = Database()
    yield database
    database.close()


def test_all_rows_arrive_once_with_their_values(tmp_path, database):
    node = Node(tmp_path, database.url, batch=50)
    node.live(200)
    node.drain()
    assert set(database.points) == node.expected()
    assert len(database.points) > 250
    assert database.copies == 0
    point = database.points["microgrid_power,node=gym,scope=node", MINUTE * 60 * 10**9]
    assert point == {
        "requested_w": 100.0,
        "produced_w": 200.0,
        "consumed_w": 90.5,
        "supplied_w": 0.0,
        "missing_w": 9.5,
        "available_w": float(MINUTE % 1000),
    }
    path, headers, _ = database.requests[0]
    assert path == "/api/v2/write?org=o&bucket=b"
    assert "Authorization" not in headers
    assert max(body.count(b"\n") for _, _, body in database.requests) <= 52  # a quarter-hour is not cut


def test_what_is_unknown_is_left_out(tmp_path, database):
    node = Node(tmp_path, database.url)
    node.live(9)
    node.drain()
    cluster = [fields for (series, _), fields in database.points.items() if "cluster" in series]
    assert cluster
    assert all("available_w" not in fields for fields in cluster)


FAULTS = ["none", "away", "lost", "garbage", "400", "413", "429", "500", "503", "moved", "chatty"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("live"), st.integers(1, 40)),
        st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
        st.tuples(st.just("step"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["stop", "kill", "unwritten"]), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(STEPS)
def test_nothing_is_lost_and_no_point_has_two_values(tmp_path_factory, steps):
    database = Database()
    try:
        node = Node(tmp_path_factory.mktemp("node"), database.url, batch=10)
        for what, value in steps:
            if what == "live":
                node.live(value)
            elif what == "unwritten":  # of a card that takes nothing for a while
                node.live(20, write=False)
            elif what == "fault":
                database.faults.append(value)
            elif what == "step":
                for _ in range(value):
                    node.pusher.step()
            else:
                node.restart(kill=what == "kill")
                node.minute = int(node.clock.wall_s() // 60)
        node.live(17)
        database_faults, database.faults = [*database.faults], []
        node.drain()
        assert set(database.points) == node.expected()
        words = {what for what, _ in steps} | {value for what, value in steps if what == "fault"}
        if not words & {"kill", "lost"}:
            assert database.copies == 0, database_faults
    finally:
        database.close()


def test_after_a_clean_stop_nothing_is_sent_twice(tmp_path, database):
    node = Node(tmp_path, database.url)
    node.live(40)
    node.drain()
    for _ in range(3):
        node.restart()
        node.live(20)
        node.drain()
    assert set(database.points) == node.expected()
    assert database.copies == 0


def test_waits_grow_and_a_server_may_ask_for_longer_ones(tmp_path, database):
    node = Node(tmp_path, database.url, longest_wait_s=100)
    node.live(5)
    database.faults += ["500"] * 9
    waits = [node.pusher.step() for _ in range(9)]
    assert waits[0] < 4.1
    assert 50 <= waits[-1] <= 100
    ((code, _, text),) = node.pusher.troubles()
    assert code == "push_failing"
    assert 'the server answers 500: {"message":"it does not work' in text
    database.faults += ["429"]
    assert node.pusher.step() >= 100
    node.drain()
    assert not list(node.pusher.troubles())


def test_a_batch_that_is_too_large_is_made_smaller(tmp_path, database):
    node = Node(tmp_path, database.url, batch=100)
    node.live(90)
    database.faults += ["413"] * 3
    node.drain()
    sizes = [body.count(b"\n") for _, _, body in database.requests]
    assert sizes[0] >= 100 > sizes[1] > sizes[2] > sizes[3]
    assert set(database.points) == node.expected()


def test_a_server_that_is_not_there_is_waited_for(tmp_path):
    database = Database()
    node = Node(tmp_path, database.url)
    node.live(5)
    database.close()
    assert node.pusher.step() > 0
    assert node.pusher.failures == 1
    assert "refused" in next(iter(node.pusher._trouble.splitlines()))


def test_a_server_with_tls_is_believed_if_its_authority_is_the_one_that_is_named(tmp_path):
    own, other = (Authority(tmp_path / each, each, datetime.now(UTC)) for each in ("own", "other"))
    own.identity("db", ("127.0.0.1",), 10)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = tmp_path / "own/nodes/db"
    tls.load_cert_chain(files / "node.crt", files / "node.key")
    database = Database(tls=tls)
    try:
        ca = tmp_path / "ca.crt"
        ca.write_bytes(other.certificate)
        node = Node(tmp_path, database.url, ca=str(ca))
        node.live(5)
        node.pusher.step()
        assert "certificate" in node.pusher._trouble
        ca.write_bytes(own.certificate)
        node.drain()
        assert set(database.points) == node.expected()
        ca.unlink()
        node.restart()
        node.live(1)
        node.pusher.step()
        assert "No such file" in node.pusher._trouble
    finally:
        database.close()


@pytest.mark.parametrize(
    ("content", "header"),
    [("abc\n", "Token abc"), ("Bearer xyz", "Bearer xyz"), ("Basic dTpw\n", "Basic dTpw")],
)
def test_the_token_is_read_from_its_file_each_time(tmp_path, content, header):
    database = Database(header)
    try:
        file = tmp_path / "token"
        file.write_text("old")
        node = Node(tmp_path, database.url, token_file=str(file))
        node.live(5)
        node.pusher.step()
        assert "401" in node.pusher._trouble
        file.write_text(content)
        node.drain()
        assert set(database.points) == node.expected()
    finally:
        database.close()


@pytest.mark.parametrize("content", ["x\r\nHost: evil", "é", "\x00"])
def test_a_token_that_is_none_is_not_sent(tmp_path, database, content):
    file = tmp_path / "token"
    file.write_text(content)
    node = Node(tmp_path, database.url, token_file=str(file))
    node.live(5)
    node.pusher.step()
    assert node.pusher.failures == 1
    assert database.requests == []
    assert content not in node.pusher._trouble


def test_a_place_in_a_wrong_future_is_taken_back(tmp_path, database):
    node = Node(tmp_path, database.url)
    node.live(30)
    ahead = node.minute + 1_000_000
    node.history.keep(KEPT, f'{{"node":{ahead},"cluster":{ahead},"energy":{ahead}}}'.encode())
    node.drain()
    assert set(database.points) == node.expected()


def test_while_the_date_is_not_settled_nothing_is_sent(tmp_path, database):
    node = Node(tmp_path, database.url)
    node.live(30)
    node.clock.wall_offset_s -= 86_400
    assert node.pusher.step() == node.settings.every_s
    assert database.requests == []
    node.clock.wall_offset_s += 86_400
    assert node.pusher.step() == node.settings.every_s
    node.clock.advance_to(node.clock.now_s() + 4 * 3600)
    node.drain()
    assert set(database.points) == node.expected()


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"node":"x"}', b'{"node":1e9,"other":1}'])
def test_a_damaged_cursor_sends_all_again(tmp_path, database, kept):
    node = Node(tmp_path, database.url)
    node.live(20)
    node.history.keep(KEPT, kept)
    node.drain()
    assert set(database.points) == node.expected()


def test_a_locked_history_is_waited_for(tmp_path, database):
    node = Node(tmp_path, database.url)
    node.live(20)
    node.history.disconnect()
    other = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN EXCLUSIVE")
    assert node.pusher.step() == node.settings.every_s
    other.close()
    node.drain()
    assert set(database.points) == node.expected()


def test_long_gaps_are_passed(tmp_path, database):
    node = Node(tmp_path, database.url)
    node.live(20)
    node.clock.advance_to(node.clock.now_s() + 40 * 86_400)
    node.minute = int(node.clock.wall_s() // 60)
    node.live(20)
    node.drain()
    assert set(database.points) == node.expected()
