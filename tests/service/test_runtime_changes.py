"""Changes through the main thread of a real runtime: carried out there, kept first, undone when they fail."""

import random
import threading
from dataclasses import replace

import pytest

from edge.api.context import Unavailable
from edge.clock import SystemClock
from edge.config.changes import Changes, Overlay
from edge.config.check import ConfigError
from edge.node import Node
from edge.service.runtime import Runtime
from host_tools.world import HandMeters, MemoryNetwork

LAMP = {"name": "lamp", "kind": "load", "power_w": 50.0}


@pytest.fixture
def raw(tmp_path):
    return {"node": {"name": "gym", "state_dir": str(tmp_path)}, "limits": {"lsas": 8}}


@pytest.fixture
def started(raw):
    """A runtime, and its changes."""
    clock = SystemClock()
    links = MemoryNetwork(lambda *_: None, random.Random(1)).links("gym", ())
    changes = Changes(raw, "gym.toml")
    node = Node(changes.config, clock, random.Random(1), links, HandMeters(clock))
    runtime = Runtime(node, clock, changes=changes)
    thread = threading.Thread(target=runtime.run)
    thread.start()
    yield runtime, changes
    runtime.stop()
    thread.join(5)


def adding(row):
    def edit(changes):
        return replace(changes.overlay, added={**changes.overlay.added, row["name"]: row})

    return edit


def names(runtime):
    return runtime.ask(lambda node: [twin.short_name for twin in node.prosumers])


def test_a_change_is_carried_out_by_the_main_thread(started):
    runtime, _ = started
    threads = []
    runtime.change(adding(LAMP), lambda node: threads.append(threading.current_thread()))
    assert names(runtime) == ["lamp"]
    assert threads != [threading.current_thread()]


def test_changes_of_several_threads_come_one_after_the_other(started, raw):
    runtime, _ = started
    rows = [LAMP | {"name": f"lamp_{i}"} for i in range(4)]
    threads = [threading.Thread(target=runtime.change, args=(adding(row),)) for row in rows]
    for each in threads:
        each.start()
    for each in threads:
        each.join(5)
    assert sorted(names(runtime)) == [row["name"] for row in rows]
    assert Changes(raw).overlay.added.keys() == {row["name"] for row in rows}


def test_a_change_that_fails_is_undone_and_no_defect(started, raw):
    runtime, changes = started

    def fill():
        for i in range(20):
            runtime.change(adding(LAMP | {"name": f"lamp_{i}"}))

    with pytest.raises(Unavailable, match="cannot hold twin"):
        fill()
    known = names(runtime)
    assert 0 < len(known) < 20
    assert [each.name for each in changes.config.twins] == known
    assert list(Changes(raw).overlay.added) == known
    assert runtime.ask(lambda _: runtime.failures) == 0


def test_an_invalid_change_touches_nothing(started, raw):
    runtime, changes = started
    with pytest.raises(ConfigError, match="kind"):
        runtime.change(adding(LAMP | {"kind": "lod"}))
    assert names(runtime) == []
    assert changes.overlay == Changes(raw).overlay == Overlay()


def test_a_change_that_cannot_be_kept_is_not_made(started, raw, tmp_path):
    runtime, _ = started
    (tmp_path / ".changes.json.part").mkdir()
    with pytest.raises(OSError, match=r"changes\.json\.part"):
        runtime.change(adding(LAMP))
    assert names(runtime) == []


def test_changes_that_would_not_be_read_at_the_next_start_are_refused(started, raw):
    runtime, changes = started
    runtime.change(adding(LAMP))
    keys = LAMP | {"consumer_policy": "least_distance", "producer_policy": "prioritisation", "relay": ""}
    many = {f"lamp_{i}": keys | {"name": f"lamp_{i}"} for i in range(1500)}
    with pytest.raises(ConfigError, match=r"changes\.json: takes .* all changes may take 262,144"):
        runtime.change(lambda changes: replace(changes.overlay, added={**changes.overlay.added, **many}))
    assert names(runtime) == ["lamp"]
    assert list(changes.overlay.added) == list(Changes(raw).overlay.added) == ["lamp"]


def test_a_node_without_a_file_cannot_be_changed(raw):
    clock = SystemClock()
    links = MemoryNetwork(lambda *_: None, random.Random(1)).links("gym", ())
    node = Node(Changes(raw).config, clock, random.Random(1), links, HandMeters(clock))
    with pytest.raises(Unavailable):
        Runtime(node, clock).change(lambda changes: changes.overlay)
