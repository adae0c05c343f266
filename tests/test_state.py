"""The memory of a node is restored whole or not at all, and a failing disk does not stop the node."""

import copy
import os
import stat
import zlib
from base64 import b85encode
from pathlib import Path
from zlib import crc32

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.state import SLOTS, StateFile
from host_tools.world import VirtualClock, World


@pytest.fixture
def clock():
    return VirtualClock()


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_memory_is_restored(tmp_path, clock):
    StateFile(tmp_path, clock).save({"incarnation": 3, "twins": {}})
    assert StateFile(tmp_path, clock).load()["incarnation"] == 3


def never(old, new):
    return False


def looked(state, clock, incarnation, is_near=never):
    """Look with the next tick at which it is due; returns what a restart would then find."""
    while not state.due:
        clock.advance_to(clock.now_s() + 1)
    state.look({"incarnation": incarnation}, is_near)
    return StateFile(state._paths[0].parent, clock).load()["incarnation"]


def test_the_memory_is_written_only_if_it_has_changed_and_every_5_s_at_most(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    assert state.due
    assert looked(state, clock, 2) == 2
    assert not state.due
    clock.advance_to(clock.now_s() + 5)
    assert state.due
    before = files(tmp_path)
    assert looked(state, clock, 2) == 2  # unchanged
    state.save({"incarnation": 2})
    assert files(tmp_path) == before


@given(st.lists(st.integers(1, 2), max_size=30))
def test_a_change_is_written_8_s_after_it_at_most(tmp_path_factory, memories):
    """Whatever is the memory of each second: what is on disk was in force within the last 8 s."""
    folder, clock = tmp_path_factory.mktemp("state"), VirtualClock()
    state, past = StateFile(folder, clock), []
    for second, incarnation in enumerate([1, *memories]):
        clock.advance_to(second)
        past.append(incarnation)
        if state.due:
            state.look({"incarnation": incarnation}, never)
        assert StateFile(folder, clock).load()["incarnation"] in past[-9:]


def test_what_lasts_a_few_seconds_is_not_written(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    assert looked(state, clock, 1) == 1
    before = files(tmp_path)
    assert [looked(state, clock, each) for each in (2, 1, 2, 1, 1)] == [1, 1, 1, 1, 1]
    assert files(tmp_path) == before
    assert [looked(state, clock, each) for each in (3, 4, 4, 5, 6)] == [1, 4, 4, 4, 6]


def test_the_end_of_a_node_waits_for_no_second_look(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    looked(state, clock, 1)
    state.save({"incarnation": 2})
    assert StateFile(tmp_path, clock).load() == {"incarnation": 2}


@given(st.integers(0, 60), st.integers(0, 200))
def test_a_memory_of_many_twins_is_restored_from_few_blocks(tmp_path_factory, twins, promises):
    folder, clock = tmp_path_factory.mktemp("state"), VirtualClock()
    promised = [[f"school.load_{n}", 1000 * n, 1.5 * n, 2.5 * n, 0] for n in range(promises)]
    memory = {"twins": {f"pv_{n}": {"promises": promised if n == 1 else []} for n in range(twins)}}
    StateFile(folder, clock).save(memory)
    assert StateFile(folder, clock).load() == memory
    sizes = [len(data) for data in files(folder).values()]
    assert sizes == [4096] or sum(sizes) < len(orjson.dumps(memory)) / 2


@pytest.mark.parametrize("body", [b"z", b"z~", b"zzz", b"z" + b85encode(zlib.compress(bytes(1 << 25)))])
def test_a_compressed_memory_that_is_not_valid_or_too_large_is_not_used(tmp_path, clock, body):
    (tmp_path / SLOTS[0]).write_bytes(b"%08x %b\n" % (crc32(body), body))
    assert StateFile(tmp_path, clock).load() == {}
    assert [*files(tmp_path)] == ["state.a.unreadable"]


def test_two_files_are_overwritten_in_turn(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    for incarnation in range(1, 20):
        state.save({"incarnation": incarnation, "twins": {"t": "x" * (incarnation % 7)}})
    assert {name: len(data) for name, data in files(tmp_path).items()} == dict.fromkeys(SLOTS, 4096)
    assert StateFile(tmp_path, clock).load()["incarnation"] == 19


def test_the_numbers_of_saves_continue_after_a_restart(tmp_path, clock):
    for incarnation in range(1, 6):
        state = StateFile(tmp_path, clock)
        assert state.load().get("incarnation", 0) == incarnation - 1
        state.save({"incarnation": incarnation})


def test_the_rest_of_a_longer_save_is_ignored(tmp_path, clock):
    state = StateFile(tmp_path, clock)
    for length in (30_000, 3000, 2000, 10, 20, 0):
        state.save({"twins": "z" * length})
        assert StateFile(tmp_path, clock).load() == {"twins": "z" * length}


@given(st.integers(0, 8191), st.integers(0, 255), st.integers(1, 5000))
def test_after_a_write_that_was_cut_off_the_save_before_is_restored(tmp_path_factory, cut, byte, size):
    """Whichever part of the newer file was not written."""
    folder, clock = tmp_path_factory.mktemp("state"), VirtualClock()
    state = StateFile(folder, clock)
    for number in (1, 2, 3):
        state.save({"incarnation": number, "twins": {"t": "y" * size}})
    newest = folder / SLOTS[3 % 2]
    data = newest.read_bytes()
    newest.write_bytes(data[:cut] + bytes([byte]) * len(data[cut:]))
    found = StateFile(folder, clock).load()["incarnation"]
    untouched = newest.read_bytes().startswith(data.rstrip(b"\n") + b"\n")
    assert found == (3 if untouched else 2)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": 99}', b"\x00" * 100, b"00000000 {}"])
def test_unreadable_files_are_set_aside(tmp_path, clock, content):
    for slot in SLOTS:
        (tmp_path / slot).write_bytes(content)
    assert StateFile(tmp_path, clock).load() == {}
    assert files(tmp_path) == {f"{slot}.unreadable": content for slot in SLOTS}


def write_save(path, **content):
    body = orjson.dumps(content)
    path.write_bytes(b"%08x %b\n" % (crc32(body), body))


@pytest.mark.parametrize(
    "content",
    [
        {"version": 3, "number": 5},
        {"version": 3, "memory": {"incarnation": 1}},
        {"version": 3, "number": "5", "memory": {}},
        {"version": 3, "number": True, "memory": {}},
        {"version": 3, "number": 5, "memory": []},
        {"version": 3, "number": 2**60, "memory": {}},
    ],
)
def test_a_save_with_a_right_checksum_and_a_wrong_key_is_not_used(tmp_path, clock, content):
    state = StateFile(tmp_path, clock)
    state.save({"incarnation": 7})
    write_save(tmp_path / SLOTS[0], **content)
    assert StateFile(tmp_path, clock).load() == {"incarnation": 7}
    (tmp_path / SLOTS[1]).unlink()
    assert StateFile(tmp_path, clock).load() == {}
    assert [*files(tmp_path)] == ["state.a.unreadable"]


def test_a_folder_in_the_way_does_not_keep_an_unreadable_file_in_its_place(tmp_path, clock):
    (tmp_path / f"{SLOTS[0]}.unreadable").mkdir()
    (tmp_path / f"{SLOTS[0]}.unreadable/x").touch()
    (tmp_path / SLOTS[0]).write_bytes(b"nothing of ours")
    assert StateFile(tmp_path, clock).load() == {}
    assert (tmp_path / f"{SLOTS[0]}.unreadable-1").read_bytes() == b"nothing of ours"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_set_aside_and_does_not_hold_the_start_up(tmp_path, clock, make):
    for slot in SLOTS:
        make(tmp_path / slot)
    state = StateFile(tmp_path, clock)
    assert state.load() == {}
    for incarnation in (1, 2):
        state.save({"incarnation": incarnation})
    assert state.failures == 0
    assert StateFile(tmp_path, clock).load() == {"incarnation": 2}
    make_fifo_again = tmp_path / SLOTS[1]
    make_fifo_again.unlink()
    os.mkfifo(make_fifo_again)
    state.save({"incarnation": 3})
    assert state.failures == 0
    assert StateFile(tmp_path, clock).load() == {"incarnation": 3}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, stat.S_IFSOCK)])
def test_what_takes_the_place_of_a_state_file_while_the_node_runs_is_set_aside(tmp_path, clock, make, caplog):
    state = StateFile(tmp_path, clock)
    state.save({"incarnation": 1})
    for slot in SLOTS:
        (tmp_path / slot).unlink(missing_ok=True)
        make(tmp_path / slot)
    for incarnation in range(2, 6):
        state.save({"incarnation": incarnation})
    assert state.failures == 0
    assert StateFile(tmp_path, clock).load() == {"incarnation": 5}
    assert len([each for each in caplog.messages if "set aside" in each]) == 2


def test_a_pipe_that_somebody_reads_is_no_state_file_either(tmp_path, clock):
    os.mkfifo(tmp_path / SLOTS[1])
    reader = os.open(tmp_path / SLOTS[1], os.O_RDONLY | os.O_NONBLOCK)
    try:
        StateFile(tmp_path, clock).save({"incarnation": 1})
    finally:
        os.close(reader)
    assert StateFile(tmp_path, clock).load() == {"incarnation": 1}


def test_a_memory_of_other_contents_does_not_end_the_start():
    """With a right checksum, as a defect or a person may have written it: every key missing or wrong."""
    world = World(seed=2)
    devices = [{"name": "lamp", "kind": "load", "power_w": 100.0}]
    devices += [{"name": "wash", "kind": "shiftable", "power_w": 50.0}]
    world.add("n1", ["n2"], devices)
    world.add("n2", ["n1"], [{"name": "roof", "kind": "pv", "power_w": 900.0}])
    world.boot().run(60)
    for name in ("n1", "n2"):
        path = world.nodes[name].config.state_dir / SLOTS[0]
        world.nodes[name].kill()
        memory = StateFile(path.parent, world.clock).load()
        assert memory["twins"]
        for wrong in wrong_memories(memory):
            for slot in SLOTS:
                write_save(path.with_name(slot), version=3, number=1, memory=wrong)
            world.nodes[name].boot()
            world.run(1)
            assert world.nodes[name].node.engine.faults == 0, wrong
            assert world.nodes[name].node.invariants_broken == 0, wrong
            world.nodes[name].kill()
        world.nodes[name].boot()
        world.run(20)
    assert world.nodes["n1"].node.prosumers[0].consumer.satisfied
    world.close()


def wrong_memories(memory):
    """The memory with one key removed or replaced, for every key."""
    for at in places(memory):
        yield changed(memory, at, lambda inside, key: inside.pop(key))
        for junk in (None, "x", "nan", -1, 1e308, [], {}, [[]], "inf", 2**63):
            yield changed(memory, at, lambda inside, key, junk=junk: inside.__setitem__(key, junk))


def places(inside, at=()):
    items = (
        inside.items() if isinstance(inside, dict) else enumerate(inside) if isinstance(inside, list) else ()
    )
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def changed(memory, at, change):
    memory = copy.deepcopy(memory)
    inside = memory
    for key in at[:-1]:
        inside = inside[key]
    change(inside, at[-1])
    return memory


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, which every Linux has")
def test_failures_on_a_full_disk_are_counted_and_logged_once_an_hour(tmp_path, clock, caplog):
    for slot in SLOTS:
        (tmp_path / slot).symlink_to("/dev/full")
    state = StateFile(tmp_path, clock)
    for second in range(0, 3700, 10):
        clock.advance_to(second)
        state.save({"incarnation": second})
    assert state.failures == 370
    assert sum("cannot be written" in record.message for record in caplog.records) == 2
    assert "No space left" in caplog.text


def test_a_read_only_folder_does_not_stop_the_node(clock, caplog):
    state = StateFile(Path("/proc/nowhere"), clock)
    state.save({"incarnation": 1})
    assert state.failures == 1
    assert "cannot be written" in caplog.text


def test_what_a_restart_can_do_without_is_written_every_5_minutes(tmp_path, clock):
    state = StateFile(tmp_path, clock)

    def saved(incarnation, is_near):
        clock.advance_to(clock.now_s() + 60)
        for _ in range(2):
            found = looked(state, clock, incarnation, lambda old, new: is_near)
        return found

    assert saved(1, True) == 1  # there was nothing
    assert [saved(number, True) for number in range(2, 8)] == [1, 1, 1, 1, 6, 6]
    assert saved(8, False) == 8
    assert saved(9, True) == 8
    state.save({"incarnation": 10})
    assert StateFile(tmp_path, clock).load()["incarnation"] == 10
