"""LSAs of other nodes: which state is newer, who owns a name, restarts, departures that cross."""

from check import Grid, Node, Watcher, assert_as_new, assert_digests_right, raises, small, state
from test_lsas import remote

from edge.space.errors import NotOwner, SpaceFull
from edge.space.exchange import absorb, export
from edge.space.lsa import Lsa, Property
from edge.space.origins import LIFE_S
from edge.space.tuplespace import SELF


def shows(version, value=b"1", incarnation=1, name="b.t", life_s=13):
    return remote(name, version, life_s, [Property("L", "", version, 0, value)], incarnation)


def test_an_exported_lsa_is_absorbed_unchanged():
    one, two = Node("a", ["b"]), Node("b")
    handle = one.space.inject("a.t", "prosumer")
    one.space.put(handle, "L", "q", bytes(range(200)), 7)
    one.space.put(handle, "M", "", b"")
    one.space.prove(handle & 0xFFFF, b"key")
    record = export(one.space, handle & 0xFFFF)
    assert (record.name, record.kind, record.auth, record.origin) == ("a.t", "prosumer", b"key", "a")
    assert record.path == ["a"]
    assert absorb(two.space, record, "a")
    copy = export(two.space, two.space.slot_of_name("a.t"))
    assert copy.path == ["b", "a"]
    for field in ("name", "kind", "auth", "origin", "incarnation", "version", "life_s"):
        assert getattr(copy, field) == getattr(record, field)


def fields(each):
    return (each.label, each.query, each.version, each.life_s, each.value)


def test_all_properties_cross_the_border_unchanged():
    room = small(heap_bytes=64 * 100)
    one, two = Node("a", ["b"], room), Node("b", [], room)
    handle = one.space.inject("a.t")
    for i in range(10):
        one.space.put(handle, f"L{i % 7}", f"q{i}", bytes([i]) * (50 * i), 3 * i)
    sent = export(one.space, handle & 0xFFFF)
    absorb(two.space, sent, "a")
    arrived = export(two.space, two.space.slot_of_name("a.t"))
    assert sorted([fields(each) for each in sent.properties]) == sorted(
        [fields(each) for each in arrived.properties]
    )


def test_only_what_is_newer_is_news():
    node = Node("a", ["b"])
    space = node.space
    assert absorb(space, shows(5), "b")
    before = state(space)
    for version in (4, 1):
        assert not absorb(space, shows(version, b"old"), "b")
    assert state(space) == before
    assert not absorb(space, shows(5, b"forged"), "b")
    assert space.read(space.find("b.t"), "L") == b"1"
    assert absorb(space, shows(6, b"2"), "b")
    assert space.read(space.find("b.t"), "L") == b"2"
    assert_digests_right(space)


def test_an_lsa_of_this_node_is_never_absorbed():
    node = Node("a", ["b"])
    before = state(node.space)
    record = Lsa("a.t", "", b"", "a", 1, 1, 13, ["b", "a"], [], [])
    raises(NotOwner, absorb, node.space, record, "b")
    assert state(node.space) == before


def test_a_name_belongs_to_one_node():
    node = Node("a", ["b", "c"])
    absorb(node.space, shows(5), "b")
    node.space.inject("c.mine")
    before = state(node.space)
    raises(NotOwner, absorb, node.space, Lsa("b.t", "", b"", "c", 1, 9, 13, ["c"], [], []), "c")
    raises(NotOwner, absorb, node.space, Lsa("b.t", "", b"", "c", 1, 9, 0, ["c"], [], []), "c")
    raises(NotOwner, absorb, node.space, Lsa("c.mine", "", b"", "c", 1, 9, 13, ["c"], [], []), "c")
    assert state(node.space) == before


def test_type_and_authentication_follow_the_newest_state():
    node = Node("a", ["b"])
    absorb(node.space, Lsa("b.t", "old", b"key1", "b", 1, 1, 13, ["b"], [], []), "b")
    absorb(node.space, Lsa("b.t", "new", b"key2", "b", 1, 2, 13, ["b"], [], []), "b")
    record = export(node.space, node.space.slot_of_name("b.t"))
    assert (record.kind, record.auth) == ("new", b"key2")
    node.space.part(node.space.nodes.find("b"))
    node.engine.react()
    assert_as_new(node.space, neighbours=1)


def test_a_newer_incarnation_starts_counting_again():
    node = Node("a", ["b"])
    watcher = node.add(Watcher("a.w", "L"))
    absorb(node.space, shows(500, b"before"), "b")
    node.engine.react()
    assert absorb(node.space, shows(3, b"after", incarnation=2), "b")
    assert not absorb(node.space, shows(501, b"ghost", incarnation=1), "b")
    node.engine.react()
    assert watcher.told == [("b.t", b"before"), ("b.t", b"after")]
    assert_digests_right(node.space)


def test_lsas_that_a_restarted_node_has_not_shown_again_stay_in_the_digest():
    node = Node("a", ["b"])
    space = node.space
    absorb(space, shows(5, name="b.t"), "b")
    absorb(space, shows(6, name="b.u"), "b")
    absorb(space, shows(1, incarnation=2, name="b.t"), "b")
    number = space.nodes.find("b")
    assert space.roster(number) == [("b.t", 1)]
    assert sorted(space.roster(number, demoted=True)) == [("b.t", 1), ("b.u", 0)]
    assert space.origins.count[number] == 2  # so it differs from what b announces
    assert_digests_right(space)
    assert absorb(space, shows(2, incarnation=2, name="b.u"), "b")
    assert_digests_right(space)
    space.remove(space.find("b.t"), quiet=True)
    space.meet("b", 3, LIFE_S, 1)
    assert_digests_right(space)
    space.remove(space.find("b.u"), quiet=True)
    assert_digests_right(space)
    assert space.origins.count[number] == 0


def test_a_demoted_lsa_is_not_passed_on():
    node = Node("a", ["b", "c"])
    absorb(node.space, shows(5), "b")
    node.space.meet("b", 2, LIFE_S, 1)
    node.engine.react()
    assert node.wire.waiting == []


def test_a_node_that_finds_itself_forgotten_starts_a_new_incarnation():
    grid = Grid({"a": ["b"], "b": ["a"]})
    grid["a"].add(Watcher("a.t")).submit("L", b"1")
    grid["a"].add(Watcher("a.u"))  # shows nothing
    grid.settle()
    grid["a"].space.reincarnate(7)
    grid.settle()
    space = grid["b"].space
    assert space.origins.incarnation[space.nodes.find("a")] == 7
    assert grid["a"].space.origins.incarnation[SELF] == 7
    assert grid["b"].value("a.t", "L") == b"1"
    for node in grid.nodes.values():
        assert_digests_right(node.space)


# ---- departures ---------------------------------------------------------------------------------


def test_a_tombstone_is_announced_and_buried():
    node = Node("a", ["b", "c"])
    watcher = node.add(Watcher("a.w", "L"))
    absorb(node.space, shows(5), "b")
    node.engine.react()
    node.wire.waiting.clear()
    assert absorb(node.space, remote(version=6, life_s=0), "b")
    assert not node.space.find("b.t")
    node.engine.react()
    assert watcher.departed == ["b.t"]
    ((target, record),) = node.wire.waiting
    assert (target, record.name, record.version, record.life_s) == ("c", "b.t", 6, 0)
    assert record.path == ["a", "b"]
    assert_digests_right(node.space)


def test_a_tombstone_of_an_unknown_lsa_changes_nothing():
    node = Node("a", ["b"])
    before = state(node.space)
    assert not absorb(node.space, remote(version=6, life_s=0), "b")
    assert state(node.space) == before


def test_an_old_tombstone_removes_nothing():
    node = Node("a", ["b"])
    absorb(node.space, shows(7), "b")
    assert not absorb(node.space, remote(version=6, life_s=0), "b")
    assert node.space.find("b.t")


def test_a_tombstone_of_a_newer_incarnation_is_passed_on_as_such():
    node = Node("a", ["b", "c"])
    absorb(node.space, shows(500), "b")
    absorb(node.space, shows(501, name="b.u"), "b")
    node.engine.react()
    node.wire.waiting.clear()
    assert absorb(node.space, remote(version=3, life_s=0, incarnation=2), "b")
    node.engine.react()
    ((_, record),) = node.wire.waiting
    assert (record.incarnation, record.version) == (2, 3)
    assert_digests_right(node.space)
    assert not absorb(node.space, shows(502, b"ghost"), "b")


def test_a_tombstone_goes_where_its_own_path_did_not_lead():
    node = Node("c", ["a", "b"])
    record = shows(5, name="a.t")
    record.origin, record.path = "a", ["b", "a"]  # the LSA had come through b
    absorb(node.space, record, "b")
    node.engine.react()
    node.wire.waiting.clear()
    gone = remote("a.t", 6, 0)
    gone.origin, gone.path = "a", ["a"]  # its end comes straight from a
    absorb(node.space, gone, "a")
    node.engine.react()
    assert [target for target, _ in node.wire.waiting] == ["b"]


def test_a_tombstone_whose_origin_is_forgotten_meanwhile_goes_nowhere():
    node = Node("a", ["b", "c"])
    absorb(node.space, shows(5), "b")
    node.engine.react()
    node.wire.waiting.clear()
    absorb(node.space, remote(version=6, life_s=0), "b")
    node.space.part(node.space.nodes.find("b"))
    node.engine.react()
    assert node.wire.waiting == []
    assert_as_new(node.space, neighbours=2)


def test_one_node_that_holds_more_than_half_does_not_get_the_last_eighth():
    node = Node("a", ["b"], small(lsas=16))
    for i in range(14):
        assert absorb(node.space, shows(1, name=f"b.t{i}"), "b")
    raises(SpaceFull, lambda: absorb(node.space, shows(1, name="b.more"), "b"))
    other = Lsa("c.t", "twin", b"", "c", 1, 1, 13, ["b", "c"], [], [Property("L", "", 1, 0, b"1")])
    assert absorb(node.space, other, "b")
    assert absorb(node.space, shows(2, b"2", name="b.t3"), "b")  # what is there may change


def test_a_silent_node_is_forgotten_completely_and_its_number_reused():
    node = Node("a", ["b"])
    for round_ in range(3):
        for name in "cdefg"[round_ : round_ + 3]:
            record = shows(5, name=name + ".t")
            record.origin, record.path = name, ["b", name]
            absorb(node.space, record, "b")
        node.engine.react()
        assert node.space.known_origins() == 3
        for _ in range(LIFE_S):
            node.engine.tick()
            node.engine.react()
        assert node.space.known_origins() == 0
        assert_as_new(node.space, neighbours=1)


def test_paths_are_remembered_only_while_needed():
    node = Node("a", ["b"])
    absorb(node.space, remote(version=1), "b")
    record = remote(version=2)
    record.path = ["d", "c", "b"]
    absorb(node.space, record, "d")
    assert node.path("b.t") == {"b", "c", "d"}
    absorb(node.space, remote(version=3), "b")
    assert node.path("b.t") == {"b"}
    assert len(node.space.nodes) == 3  # nobody, this one, b
