"""Changes to a running node over HTTP: twins and links, what is refused, and what a restart keeps."""

import pytest
from answer_schema import faults
from changed_node import ChangedNode

from edge.api.routes import ROUTES
from edge.space.room import NODES
from host_tools.world.world import World

ROOF = {"name": "roof", "kind": "pv", "power_w": 900.0}
HEATER = {"name": "heater", "kind": "load", "power_w": 400.0}
LAMP = {"name": "lamp", "kind": "load", "power_w": 50.0}


@pytest.fixture
def gym():
    gym = ChangedNode([ROOF, HEATER]).boot()
    yield gym
    gym.world.close()


def twin(gym, name):
    status, found = gym.say("GET", f"/twins/{name}")
    assert status == 200
    return found


def events(gym):
    return [
        (each["twin"], each["kind"], each["cause"], each["partner"])
        for each in gym.say("GET", "/events?limit=50")[1]["events"]
        if each["number"] < 0
    ]


def test_a_twin_that_is_added_is_supplied_and_is_there_after_a_restart(gym):
    status, found = gym.say("POST", "/twins", LAMP)
    assert (status, found["name"]) == (201, "gym.lamp")
    assert twin(gym, "lamp")["satisfied"]
    gym.restart()
    assert twin(gym, "lamp")["satisfied"]
    assert [each["name"] for each in gym.say("GET", "/twins")[1]] == ["gym.roof", "gym.heater", "gym.lamp"]
    assert not gym.changes.refused


def test_one_twin_is_shown_as_its_schema_says(gym):
    route = next(each for each in ROUTES if each.path == "/api/v1/twins/{name}")
    assert faults(twin(gym, "roof"), route.answer) == []


def test_a_twin_that_is_removed_leaves_its_power_to_others(gym):
    gym.say("POST", "/twins", LAMP | {"power_w": 480.0})
    gym.say("POST", "/twins", {"name": "pump", "kind": "load", "power_w": 300.0})
    assert not twin(gym, "pump")["satisfied"]
    assert gym.say("DELETE", "/twins/lamp") == (200, {"name": "lamp", "kept": True})
    gym.world.run(10)
    assert twin(gym, "pump")["satisfied"]
    assert gym.say("GET", "/twins/lamp")[0] == 404
    gym.restart()
    assert gym.say("GET", "/twins/lamp")[0] == 404


def test_what_a_twin_requests_can_be_changed_while_its_contract_goes_on(gym):
    assert gym.say("PATCH", "/twins/heater", {"power_w": 600.0, "priority": "high"})[0] == 200
    gym.world.run(5)
    found = twin(gym, "heater")
    assert (found["requested_w"], found["priority"], found["satisfied"]) == (600.0, "high", True)
    assert gym.node.prosumer("heater").consumer.request is None
    gym.restart()
    assert twin(gym, "heater")["requested_w"] == 600.0
    assert gym.node.invariants_broken == 0


def test_what_a_twin_offers_can_be_changed(gym):
    assert gym.say("PATCH", "/twins/roof", {"power_w": 100.0, "price": 0.2})[0] == 200
    assert twin(gym, "roof")["produced_w"] == 100.0
    assert not twin(gym, "heater")["satisfied"]
    gym.say("PATCH", "/twins/roof", {"power_w": 800.0})
    gym.world.run(10)
    assert twin(gym, "heater")["satisfied"]
    assert twin(gym, "roof")["price"] == 0.2


def test_a_stopped_twin_stays_so_until_it_is_started_again(gym):
    assert gym.say("POST", "/twins/roof/stop")[1]["stopped"]
    assert twin(gym, "heater")["supplied_w"] == 0.0
    gym.world.run(1000)  # longer than a stop order
    assert twin(gym, "roof")["supplied_w"] == 0.0
    gym.restart()
    assert twin(gym, "roof")["stopped"]
    assert twin(gym, "roof")["produced_w"] == 0.0
    assert not gym.say("POST", "/twins/roof/restart")[1]["stopped"]
    gym.world.run(10)
    assert twin(gym, "heater")["satisfied"]
    gym.restart()
    assert not twin(gym, "roof")["stopped"]
    assert gym.node.invariants_broken == 0


def test_a_restart_ends_a_stop_order_too(gym):
    gym.node.prosumer("heater").disable()
    assert twin(gym, "heater")["disabled"]
    gym.say("POST", "/twins/heater/restart")
    assert not twin(gym, "heater")["disabled"]


def test_a_shiftable_load_plans_its_run_again_when_it_is_changed(gym):
    washer = {"name": "washer", "kind": "shiftable", "power_w": 200.0, "run_s": 60.0}
    assert gym.say("POST", "/twins", washer)[0] == 201
    assert gym.say("PATCH", "/twins/washer", {"power_w": 300.0})[1]["power_w"] == 300.0
    assert gym.node.prosumer("washer").daily is not None
    assert gym.node.engine.faults == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "key"),
    [
        ("POST", "/twins", LAMP | {"name": "roof"}, 409, "name"),
        ("POST", "/twins", LAMP | {"name": "recorder"}, 409, "name"),
        ("POST", "/twins", LAMP | {"input": "m1.total"}, 409, "input"),
        ("POST", "/twins", LAMP | {"power_w": -50.0}, 409, "power_w"),
        ("PATCH", "/twins/roof", {"power_w": -1}, 409, "power_w"),
        ("POST", "/twins", {"name": "lamp"}, 422, "kind"),
        ("POST", "/twins", LAMP | {"power_w": 1e9}, 422, "power_w"),
        ("POST", "/twins", LAMP | {"power": 1}, 422, "power"),
        ("POST", "/twins", LAMP | {"power_w": None}, 422, "power_w"),
        ("POST", "/twins", LAMP | {"name": "a b"}, 422, "name"),
        ("PATCH", "/twins/roof", {"kind": "load"}, 422, "kind"),
        ("PATCH", "/twins/roof", {"price": "cheap"}, 422, "price"),
        ("DELETE", "/twins/roof", None, 409, "name"),
        ("PUT", "/neighbours/school", {}, 422, "host"),
        ("PUT", "/neighbours/gym", {"host": "gym.local"}, 409, "name"),
        ("PUT", "/neighbours/school", {"host": "a:b:c d"}, 422, "host"),
    ],
)
def test_what_is_not_valid_is_refused_by_key_and_changes_nothing(gym, method, path, body, status, key):
    before = gym.say("GET", "/twins")[1]
    found, content = gym.say(method, path, body)
    assert found == status
    assert [each["key"] for each in content["errors"]] == [key]
    assert key in content["detail"]
    assert "None" not in content["detail"]
    assert len(gym.say("GET", "/twins")[1]) == len(before)
    assert events(gym) == []


def test_what_contradicts_another_twin_names_that_twin(gym):
    whole = {"name": "all", "kind": "building", "input": "m1.total"}
    status, content = gym.say("POST", "/twins", whole)
    assert status == 409
    assert [each["key"] for each in content["errors"]] == ["input", "twin roof: kind", "twin heater: kind"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/twins/nobody"),
        ("PATCH", "/twins/nobody"),
        ("DELETE", "/twins/nobody"),
        ("POST", "/twins/nobody/stop"),
        ("POST", "/twins/nobody/restart"),
        ("DELETE", "/neighbours/nobody"),
        ("POST", "/twins/a/b/c"),
    ],
)
def test_what_is_not_there_is_not_found(gym, method, path):
    assert gym.say(method, path, {})[0] == 404


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("POST", "/twins", "configure"),
        ("DELETE", "/twins/lamp", "configure"),
        ("PUT", "/neighbours/school", "configure"),
        ("DELETE", "/neighbours/school", "configure"),
        ("PATCH", "/twins/roof", "operate"),
        ("POST", "/twins/roof/stop", "operate"),
        ("POST", "/twins/roof/restart", "operate"),
    ],
)
def test_each_change_needs_its_scope_before_anything_is_read(gym, method, path, needed):
    assert gym.say(method, path, "no object", scope="")[0] == 401
    lower = {"configure": ["read", "operate"], "operate": ["read"]}[needed]
    for scope in lower:
        status, content = gym.say(method, path, "no object", scope=scope)
        assert status == 403
        assert needed in content["detail"]
    assert gym.say(method, path, {}, scope=needed)[0] not in (401, 403)


def test_each_change_is_an_event_with_who_did_it(gym):
    gym.say("POST", "/twins", LAMP)
    gym.say("PATCH", "/twins/lamp", {"power_w": 60.0}, scope="operate")
    gym.say("POST", "/twins/lamp/stop")
    gym.say("DELETE", "/twins/lamp")
    by = "token (configure) at 127.0.0.1"
    assert events(gym) == [
        ("gym.lamp", "removed", "", by),
        ("gym.lamp", "stopped", "", by),
        ("gym.lamp", "changed", "power_w", "token (operate) at 127.0.0.1"),
        ("gym.lamp", "added", "", by),
    ]


def test_a_change_for_which_there_is_no_room_is_undone():
    gym = ChangedNode([ROOF, HEATER], lsas=8).boot()
    statuses = [gym.say("POST", "/twins", LAMP | {"name": f"lamp_{i}"})[0] for i in range(8)]
    assert statuses[0] == 201
    assert statuses[-1] == 503
    names = [each["name"] for each in gym.say("GET", "/twins")[1]]
    assert len(names) == 2 + statuses.count(201)
    gym.restart()
    assert [each["name"] for each in gym.say("GET", "/twins")[1]] == names
    gym.world.close()


def test_a_change_that_contradicts_the_file_is_left_out_by_name(gym):
    gym.say("POST", "/twins", LAMP)
    gym.say("POST", "/twins", LAMP | {"name": "pump"})
    gym.raw["twin"].append(dict(LAMP))
    gym.restart()
    assert len(gym.changes.refused) == 1
    assert gym.changes.refused[0].startswith("added twin lamp: ")
    assert "duplicate name" in gym.changes.refused[0]
    assert twin(gym, "pump")["satisfied"]


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"[]", b'{"added": 1}', b'{"added": {"a": 1}}', b"\xff" * 9000),
        b'{"added": {"a": null}, "changed": {}, "stopped": [], "neighbours": {}}',
        b'{"added": {}, "changed": {"roof": null}, "stopped": [], "neighbours": {}}',
        b'{"added": {}, "changed": {}, "stopped": [], "neighbours": {"a": 1}}',
    ],
)
def test_a_damaged_file_of_changes_does_not_stop_the_start(gym, text):
    (gym.changes.config.state_dir / "changes.json").write_bytes(text)
    gym.restart()
    assert len(gym.say("GET", "/twins")[1]) == 2


@pytest.fixture
def two():
    world = World(seed=1)
    gym = ChangedNode([HEATER], ["school"], world)
    world.add("school", ["gym"], [ROOF])
    gym.boot()
    world.run(10)
    yield gym
    world.close()


def test_a_link_is_cut_and_added_again_while_the_nodes_run(two):
    assert twin(two, "heater")["satisfied"]
    assert two.say("DELETE", "/neighbours/school")[0] == 200
    two.world.run(60)
    assert not twin(two, "heater")["satisfied"]
    seen = two.say("GET", "/microgrid")[1]
    assert [each["name"] for each in seen["nodes"]] == ["gym"]
    assert seen["links"] == []
    assert two.say("PUT", "/neighbours/school", {"host": "virtual"})[0] == 200
    two.world.run(60)
    assert twin(two, "heater")["satisfied"]
    (link,) = two.say("GET", "/microgrid")[1]["links"]
    assert link == {"from": "gym", "to": "school", "sends": True, "hears": True}
    assert two.node.invariants_broken == two.node.engine.faults == 0


def test_a_link_that_was_cut_stays_cut_over_a_restart(two):
    two.say("DELETE", "/neighbours/school")
    two.restart()
    two.world.run(60)
    assert not twin(two, "heater")["satisfied"]
    assert two.say("GET", "/microgrid")[1]["links"] == []
    assert two.say("DELETE", "/neighbours/school")[0] == 404


def test_true_flows_are_those_of_contracts_at_both_ends(two):
    at_gym = two.say("GET", "/snapshot")[1]["flows"]
    assert [(each["supplier"], each["consumer"], each["w"]) for each in at_gym] == [
        ("school.roof", "gym.heater", 400.0)
    ]
    assert (at_gym[0]["supplier_node"], at_gym[0]["consumer_node"]) == ("school", "gym")
    from asked_node import AskedNode

    from edge.api.dispatch import Api

    school = Api(AskedNode(two.world.nodes["school"].node)).answer("GET", "/api/v1/snapshot").content
    assert [each | {"since_s": 0} for each in school["flows"]] == [each | {"since_s": 0} for each in at_gym]


def test_the_room_of_known_nodes_is_right_whatever_links_come_and_go():
    """Nodes that are no neighbours take room of the neighbour that brought them."""
    world = World(seed=2)
    gym = ChangedNode([HEATER], ["school"], world)
    world.add("school", ["gym", "pool"], [])
    world.add("pool", ["school", "gym"], [ROOF])
    gym.boot()
    for method, name in [
        ("PUT", "pool"),
        ("DELETE", "school"),
        ("PUT", "school"),
        ("DELETE", "pool"),
        ("PUT", "pool"),
        ("DELETE", "pool"),
        ("DELETE", "school"),
        ("PUT", "school"),
    ]:
        assert gym.say(method, f"/neighbours/{name}", {"host": "virtual"})[0] == 200
        world.run(40)
        space = gym.node.space
        others = [each for each in space.distances() if each not in ("gym", *gym.node.links.neighbours)]
        assert sum(space.room.held[NODES]) == len(others)
        assert space.room.neighbours == len(space.neighbours) == len(gym.node.links.neighbours)
        via = {each["name"]: each["via"] for each in gym.say("GET", "/microgrid")[1]["nodes"]}
        assert all(via[each] in ("", *gym.node.links.neighbours) for each in others)
    assert twin(gym, "heater")["satisfied"]
    assert gym.node.engine.faults == gym.node.invariants_broken == 0
    world.close()


def test_access_lists_for_the_broker_follow_the_links(two):
    folder = two.node.config.state_dir / "broker"
    assert two.say("PUT", "/neighbours/pool", {"host": "virtual"})[0] == 200
    assert "user pool\ntopic write mg/v1/inbox/gym/pool\n" in (folder / "acl").read_text()
    assert "topic read mg/v1/inbox/gym/school\n" in (folder / "acl.inside").read_text()
    assert two.say("DELETE", "/neighbours/school")[0] == 200
    assert "school" not in (folder / "acl").read_text()
    assert two.say("DELETE", "/neighbours/pool")[0] == 200
    assert "pool" not in (folder / "acl").read_text()


# ---- several twins, and all -------------------------------------------------------------------------------


def test_all_twins_are_stopped_and_started_again(gym):
    status, found = gym.say("POST", "/stop", {}, scope="operate")
    assert (status, [each["stopped"] for each in found]) == (200, [True, True])
    assert twin(gym, "heater")["reason"] == "user"
    assert not gym.node.has_work
    gym.restart()
    assert twin(gym, "roof")["stopped"]
    status, found = gym.say("POST", "/restart", {}, scope="operate")
    assert (status, [each["stopped"] for each in found]) == (200, [False, False])
    assert twin(gym, "heater")["satisfied"]
    assert [each for each in events(gym) if each[0] == "gym.all"] == [
        ("gym.all", "restarted", "", gym_who(gym)),
        ("gym.all", "stopped", "", gym_who(gym)),
    ]


def gym_who(gym):
    return next(each[3] for each in events(gym))


def test_some_twins_are_stopped_and_an_unknown_one_stops_none(gym):
    gym.say("POST", "/twins", LAMP)
    assert gym.say("POST", "/stop", {"twins": "roof, nobody"})[0] == 404
    assert gym.say("POST", "/stop", {"twins": "heater, lamp"})[0] == 200
    assert [each["stopped"] for each in gym.say("GET", "/twins")[1]] == [False, True, True]
    assert gym.say("POST", "/restart", {"twins": "lamp"})[0] == 200
    assert [each["stopped"] for each in gym.say("GET", "/twins")[1]] == [False, True, False]
    assert gym.say("POST", "/stop", {}, scope="read")[0] == 403
