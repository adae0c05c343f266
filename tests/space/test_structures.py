"""The parts a space is made of: name table, value heap, dirty ring, expiry wheel, checksums."""

from check import raises, small, state

from edge.space.errors import SpaceFull
from edge.space.heap import BLOCK, ValueHeap
from edge.space.names import NIL, NameTable
from edge.space.origins import CHECKSUM_BYTES, checksum
from edge.space.rings import DirtyRing, ExpiryWheel
from edge.space.tuplespace import Limits


def test_names_are_counted_and_released():
    table = NameTable(4, "names")
    a = table.acquire("a")
    assert table.acquire("a") == a
    assert table.share(a) == a
    assert (table.find("a"), table.text(a), table.free) == (a, "a", 2)
    table.release(a)
    table.release(a)
    assert table.find("a") == a
    table.release(a)
    assert table.find("a") == NIL
    assert table.free == 3


def test_the_empty_name_costs_nothing():
    table = NameTable(2, "names")
    assert table.acquire("") == table.share(0) == 0
    table.release(0)
    assert (table.find(""), table.text(0), table.free) == (0, "", 1)


def test_a_full_name_table_refuses_new_names_and_takes_known_ones():
    table = NameTable(3, "names")
    table.acquire("a")
    table.acquire("b")
    before = state(table)
    assert "names" in str(raises(SpaceFull, table.acquire, "c"))
    assert state(table) == before
    table.acquire("a")
    assert not table.fits({"a", "c"})
    assert table.fits({"a", "b", ""})
    table.release(table.find("b"))
    assert table.fits({"a", "c"})
    assert not table.fits({"c", "d"})


def test_heap_keeps_values_of_all_lengths():
    heap = ValueHeap(64 * 20)
    for length in (0, 1, 63, 64, 65, 128, 129, 1000):
        value = bytes(i * 7 % 251 for i in range(length))
        head = heap.store(value)
        assert heap.load(head, length) == value
        assert heap.free == heap.blocks - heap.need(length)
        assert heap.holds(head, length, value)
        assert not heap.holds(head, length, value + b"x")
        if length:
            assert not heap.holds(head, length, value[:-1] + bytes([value[-1] ^ 1]))
            assert not heap.holds(head, length, bytes([value[0] ^ 1]) + value[1:])
        heap.release(head, length)
        assert heap.free == heap.blocks


def test_heap_grows_and_shrinks_a_value_in_place_without_losing_blocks():
    heap = ValueHeap(64 * 20)
    other = heap.store(b"o" * 200)
    head, length = heap.store(b""), 0
    for new in (10, 64, 300, 65, 640, 0, 1, 640, 128):
        value = bytes((new + i) % 256 for i in range(new))
        head = heap.replace(head, length, value)
        length = new
        assert heap.load(head, length) == value
        assert heap.load(other, 200) == b"o" * 200
        assert heap.free == heap.blocks - 4 - heap.need(new)


def test_heap_is_full_only_when_all_blocks_are_taken():
    heap = ValueHeap(64 * 3)
    one, two = heap.store(b"1" * 64), heap.store(b"2" * 64)
    heap.release(one, 64)
    head = heap.store(b"x" * 128)  # blocks 1 and 3: no fragmentation
    before = state(heap)
    raises(SpaceFull, heap.store, b"y")
    raises(SpaceFull, heap.replace, two, 64, b"z" * 65)
    assert state(heap) == before
    assert heap.replace(two, 64, b"z" * 64) == two
    assert heap.load(head, 128) == b"x" * 128


def test_heap_refuses_values_that_are_not_bytes_before_touching_a_block():
    heap = ValueHeap(64 * 4)
    head = heap.store(b"x")
    before = state(heap)
    for wrong in ("text" * 40, bytearray(100), [1, 2]):
        raises(TypeError, heap.store, wrong)
        raises(TypeError, heap.replace, head, 1, wrong)
    assert state(heap) == before


def test_a_ring_is_first_in_first_out_and_holds_a_slot_once():
    ring = DirtyRing(3)
    assert ring.pop() == NIL
    for slot in (2, 0, 2, 1, 0):
        ring.push(slot)
    assert len(ring) == 3
    assert ring.waits(2)
    assert [ring.pop(), ring.pop()] == [2, 0]
    assert not ring.waits(2)
    ring.push(2)
    assert [ring.pop(), ring.pop(), ring.pop()] == [1, 2, NIL]


def test_a_wheel_returns_each_slot_at_its_tick():
    wheel = ExpiryWheel(6)
    for slot, tick in ((0, 5), (1, 5), (2, 6), (3, 5 + 256), (4, 7)):
        wheel.set(slot, tick)
    wheel.set(4, 0)  # never
    wheel.set(2, 9)
    wheel.set(2, 6)
    assert wheel.due(3) == 261
    assert wheel.due(4) == 0
    found = {}
    for tick in range(1, 600):
        slot = wheel.pop(tick)
        while slot != NIL:
            assert wheel.due(slot) == 0
            found[slot] = tick
            slot = wheel.pop(tick)
    assert found == {0: 5, 1: 5, 2: 6, 3: 261}
    wheel.clear(5)
    assert set(wheel._heads) == {NIL}


def test_the_checksum_of_a_set_has_no_order():
    assert len(checksum([])) == CHECKSUM_BYTES
    assert checksum([("a", 1), ("b", 2)]) == checksum([("b", 2), ("a", 1)])


def test_checksums_distinguish_states():
    names = [f"gym.twin{i}" for i in range(4)]
    single = {checksum([(name, version)]) for name in names for version in range(500)}
    assert len(single) == 4 * 500
    pairs = {checksum([("gym.a", v), ("gym.b", w)]) for v in range(30) for w in range(30)}
    assert len(pairs) == 900
    assert checksum([("a", 1), ("b", 2)]) != checksum([("a", 2), ("b", 1)])
    assert checksum([("a", 1)]) != checksum([])


def test_limits_beyond_the_arrays_are_refused():
    for wrong in (
        {"lsas": 65535},
        {"properties": 65535},
        {"names": 70000},
        {"value_bytes": 65536},
        {"labels": 256},
        {"properties_per_lsa": 256},
    ):
        raises(ValueError, lambda wrong=wrong: small(**wrong))
    raises(ValueError, ValueHeap, 63)
    assert Limits(lsas=10).properties == 40
    assert BLOCK == 64
