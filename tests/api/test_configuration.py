"""The configuration over HTTP: read, checked, and changed where the node need not start again."""

import csv
import io
import json
import logging

import pytest
from answer_schema import faults
from changed_node import ChangedNode

from edge.api.configuration import Configuration
from edge.config.changes import RUNNING
from edge.config.options import SECTIONS

HEATER = {"name": "heater", "kind": "load", "power_w": 400.0}


@pytest.fixture
def gym():
    gym = ChangedNode([HEATER], ["school"], lsas=64)
    gym.world.add("school", ["gym"], [])
    gym.raw["community"] = {"name": "ours"}
    yield gym.boot()
    gym.world.close()


def keys_of(gym, section):
    found = gym.say("GET", "/configuration")[1]
    return [
        {each["key"]: each for each in table["keys"]}
        for table in found["tables"]
        if table["section"] == section
    ]


def test_every_key_is_shown_with_its_value_default_and_meaning(gym):
    found = json.loads(json.dumps(gym.say("GET", "/configuration")[1]))
    assert faults(found, Configuration) == []
    (limits,) = keys_of(gym, "limits")
    assert (limits["lsas"]["value"], limits["lsas"]["default"]) == (64, 1024)
    assert set(limits) == {option.key for option in SECTIONS["limits"].options}
    assert [each["name"]["value"] for each in keys_of(gym, "twin")] == ["heater"]
    assert [each["name"]["value"] for each in keys_of(gym, "neighbour")] == ["school"]
    running = {
        (table["section"], each["key"])
        for table in found["tables"]
        for each in table["keys"]
        if each["running"]
    }
    assert running == {(section, key) for section, keys in RUNNING.items() for key in keys}


def test_a_change_holds_at_once_and_after_a_restart(gym):
    assert gym.say("PATCH", "/configuration/history", {"days": 7, "most_mb": 64}) == (
        200,
        {"section": "history", "changed": ["days", "most_mb"], "kept": True},
    )
    for _ in range(2):
        assert gym.node.config.history.days == 7
        (history,) = keys_of(gym, "history")
        assert (history["days"]["value"], history["days"]["changed"]) == (7, True)
        assert not history["quarters_days"]["changed"]
        gym.restart()
    event = gym.say("GET", "/events?kind=changed")[1]["events"][0]
    assert (event["twin"], event["role"], event["cause"]) == ("gym.history", "setting", "days, most_mb")
    rows = list(csv.DictReader(io.StringIO(gym.say("GET", "/events?kind=changed&format=csv")[1].decode())))
    assert (rows[0]["cause"], rows[0]["partner"]) == (event["cause"], event["partner"])


def test_who_may_read_changes_at_once(gym):
    assert gym.access.caller("10.0.0.7").scopes == []
    assert gym.say("PATCH", "/configuration/api", {"reads": "everybody"})[0] == 200
    assert gym.access.caller("10.0.0.7").scopes == ["read"]


def test_the_level_of_the_log_changes_at_once(gym):
    before = logging.getLogger().level
    try:
        assert gym.say("PATCH", "/configuration/node", {"log_level": "debug"})[0] == 200
        assert logging.getLogger().level == logging.DEBUG
    finally:
        logging.getLogger().setLevel(before)


def test_a_key_that_needs_a_new_start_is_refused_but_can_be_checked(gym):
    status, found = gym.say("PATCH", "/configuration/limits", {"lsas": 128})
    assert status == 409
    assert found["errors"][0]["key"] == "limits.lsas"
    assert "start the node again" in found["detail"]
    path = "/configuration/limits?only_check=yes"
    assert gym.say("PATCH", path, {"lsas": 128}) == (
        200,
        {"section": "limits", "changed": ["lsas"], "kept": False},
    )
    assert gym.node.config.limits.lsas == 64
    status, found = gym.say("PATCH", path, {"promises": 128, "value_bytes": 256})
    assert (status, found["errors"][0]["key"]) == (409, "limits.value_bytes"), "keys that do not fit together"


@pytest.mark.parametrize(
    ("section", "body", "status"),
    [
        ("history", {"days": 0}, 422),
        ("history", {"weeks": 3}, 422),
        ("node", {"log_level": "loud"}, 422),
        ("twin", {"power_w": 1.0}, 404),
        ("nothing", {}, 404),
    ],
)
def test_what_is_not_valid_is_refused_and_changes_nothing(gym, section, body, status):
    before = gym.say("GET", "/configuration")
    assert gym.say("PATCH", f"/configuration/{section}", body)[0] == status
    assert gym.say("GET", "/configuration") == before


def test_it_needs_the_scope_configure(gym):
    for scope in ("", "read", "operate"):
        assert gym.say("GET", "/configuration", scope=scope)[0] in (401, 403)
        assert gym.say("PATCH", "/configuration/history", {"days": 5}, scope=scope)[0] in (401, 403)


def test_keys_that_nobody_may_change_are_not_taken_from_the_file_of_changes(gym):
    gym.say("PATCH", "/configuration/history", {"days": 7})
    path = gym.node.config.state_dir / "changes.json"
    kept = json.loads(path.read_text())
    kept["settings"]["node"] = {"name": "other"}
    kept["settings"]["history"]["most_mb"] = "much"
    path.write_text(json.dumps(kept))
    gym.restart()
    assert (gym.node.config.name, gym.node.config.history.days) == ("gym", 7)
    assert any("history.most_mb" in each for each in gym.changes.refused)


def test_rules_of_the_community_change_while_it_runs_and_stay():
    gym = ChangedNode([{"name": "roof", "kind": "pv", "power_w": 300.0}])
    gym.raw["community"] = {"name": "ours", "response": "none"}
    gym.boot()
    status, found = gym.say("PATCH", "/configuration/community", {"response": "exclude", "tolerance_wh": 2.0})
    assert (status, found["kept"]) == (200, True)
    assert gym.say("GET", "/community")[1]["rules"]["response"] == "exclude"
    conditions = gym.node.prosumers[0].supplier.settings.conditions
    assert conditions.response.excludes(-3.0)
    assert not conditions.response.excludes(-1.0)
    assert gym.say("PATCH", "/configuration/community", {"profile": "other.toml"})[0] == 409
    gym.restart()
    assert gym.say("GET", "/community")[1]["rules"]["tolerance_wh"] == 2.0
    gym.world.close()


def test_a_node_without_a_community_does_not_get_one_by_a_change():
    gym = ChangedNode([HEATER]).boot()
    status, found = gym.say("PATCH", "/configuration/community", {"response": "exclude"})
    assert status == 409
    assert "no section [community]" in found["detail"]
    assert gym.say("GET", "/community")[1]["rules"] is None
    gym.world.close()


def test_attributes_of_a_community_set_the_policies_of_its_twins_while_it_runs():
    gym = ChangedNode([{"name": "roof", "kind": "pv", "power_w": 300.0}, {"name": "lamp", "kind": "load"}])
    gym.raw["community"] = {"name": "ours"}
    gym.boot()
    roof, lamp = gym.node.prosumers
    assert (roof.settings.pricing, lamp.settings.consumer_policy) != ("dynamic", "green_first")
    assert gym.node.members.urgent_share > 0.0
    body = {"energy_mix": "green", "connection": "island", "pricing": "dynamic", "emergency": "equal"}
    status, _ = gym.say("PATCH", "/configuration/community", body | {"newcomer_wh": 5.0})
    assert status == 200
    for _ in range(2):
        roof, lamp = gym.node.prosumers
        assert (roof.settings.pricing, roof.settings.producer_policy) == ("dynamic", "fair_share")
        assert (lamp.settings.consumer_policy, lamp.settings.partial) == ("green_first", True)
        assert gym.node.members.urgent_share == 0.0
        assert gym.node.community.credits.of("gym.lamp") == 5.0
        gym.restart()
