"""Health: troubles as data, and the codes that programs go by."""

import json
import os
import random
import resource
from dataclasses import replace
from types import SimpleNamespace

import orjson
import pytest
from answer_schema import faults
from asked_node import AskedNode

import edge
from edge.api.context import Context
from edge.api.health import Health, health, status_line
from edge.api.troubles import CODES, troubles, troubles_of_service
from edge.clock import SystemClock
from edge.meter.bus import MeterBus
from edge.meter.meters import SerialMeters
from edge.meter.settings import BusSettings, MeterSettings, RelaySettings
from edge.net.connection import BrokerSettings
from edge.net.mqtt import MqttLinks
from edge.net.neighbour import NeighbourSettings
from edge.net.settings import TlsSettings
from edge.recent import Recent
from host_tools.world import World


class Outlet:
    """Home Assistant and a database that are away."""

    def troubles(self):
        yield "home_assistant_away", "home assistant", "no answer"
        yield "push_failing", "push", "the server answers 401"


@pytest.fixture
def node():
    world = World(seed=3)
    world.add("n1", ["n2"], [], {"node_model": "persistence"})
    world.boot()
    yield world.nodes["n1"].node
    world.close()


def found(node):
    return {(each.code, each.subject): each.text for each in troubles(node)}


def test_a_node_that_is_well_has_no_troubles(node):
    answer = health(Context(AskedNode(node), "1.2-abc"))
    assert (answer["status"], answer["troubles"]) == ("ok", [])
    assert (answer["version"], answer["release"]) == (edge.__version__, "1.2-abc")
    assert 1 < answer["rss_mb"] <= answer["hwm_mb"]


def test_each_trouble_has_a_code_a_subject_and_a_text(node, monkeypatch):
    stats = node.links.stats()
    link = stats["neighbours"]["n2"]
    stats["inbox"]["connected"] = link["connected"] = False
    link["trouble"] = "no answer in time"
    well = link | {"connected": True}
    stats["neighbours"] |= {"n3": well | {"taken_over": True}, "n4": well}
    stats["certificates"] = [{"name": "certificate", "days_left": 12.3, "begun": True}]
    hearing = SimpleNamespace(silent=["n2", "n3"], deaf=["n4"], strangers=["n9"])
    monkeypatch.setattr(node.gateway, "hearing", hearing)
    node.members.refuse("n5.t", node.now_s())
    node.members.waste("n5.t", 100.0, node.now_s())
    node.recent.note("no_room", 3, 0.0)
    node.recent.note("refused", 2, 0.0)
    node.gateway.refusals.last = "n2: full"
    monkeypatch.setattr(type(node.gateway.allowances), "flooding", {"n4": "forged signatures"})
    version = "speaks wire version 1, this node versions 2 and 3"
    monkeypatch.setattr(type(node.gateway), "other_versions", {"n4": version})
    monkeypatch.setattr(node.links, "stats", lambda: stats)
    buses = [
        {"bus": "rs485", "port": "/dev/ttyNONE", "open": False, "meters": []},
        {
            "bus": "b2",
            "port": "p",
            "open": True,
            "silent_s": 600.0,
            "distrusted": True,
            "meters": [
                {
                    "device": "m1",
                    "failures_in_a_row": 2,
                    "refused": ["l2.power_w", "frequency_hz"],
                    "undefined_powers": ["l1.power_w"],
                }
            ],
        },
    ]
    buses[1]["relays"] = [{"device": "r1", "failures_in_a_row": 1}]
    monkeypatch.setattr(node.meters, "stats", lambda: buses)
    monkeypatch.setattr(node._state, "failures", 1)
    monkeypatch.setattr(node.history, "failing", True)
    monkeypatch.setattr(node.learning.scopes["node"], "faults", 1)
    monkeypatch.setattr(node.learning.scopes["node"], "trouble", "ValueError: no")
    monkeypatch.setattr(node.learning.scopes["node"], "past_trouble", "past.csv: no")
    monkeypatch.setattr(node.learning.scopes["node"], "model_trouble", "house.tflite is damaged")
    monkeypatch.setattr(node.history.file, "locked", True)
    monkeypatch.setattr(node.history.file, "later", "history.sqlite is kept")
    monkeypatch.setattr(node, "learning_off", "it crashed")
    of_keys = [("identity_refused", "others do not believe"), ("keys_unusable", "node.key: is damaged")]
    monkeypatch.setattr(node.trust, "troubles", lambda: of_keys, raising=False)
    monkeypatch.setattr(node.engine, "faults", 1)
    monkeypatch.setattr(node.engine, "last_fault", "n1.pv: TypeError: no: way")
    monkeypatch.setattr(node, "invariants_broken", 1)
    monkeypatch.setattr(node, "changes_refused", ["added twin lamp: gym.toml: duplicate name"])
    monkeypatch.setattr(node, "last_violation", "I2 n1.pv holds 3 contracts")
    monkeypatch.setattr(node._clock, "wall_error_s", -1.6e9)
    monkeypatch.setenv("EDGE_FALLBACK", "release 2 is damaged")
    monkeypatch.setattr(node, "outlets", [Outlet()])
    service = AskedNode(node)
    service.recent = Recent()
    service.recent.note("frames", 7, 0.0)
    service.recent.note("failures", 1, 0.0)
    told = [*troubles(node), *troubles_of_service(service)]
    assert {(each.code, each.subject): each.text for each in told} == {
        (
            "clock_not_set",
            "clock",
        ): "its clock is not set: check that it reaches a time server; nothing is recorded until then",
        (
            "clock_jumped",
            "clock",
        ): "its date jumped by -444444.4 h: check it, and the time server, if nobody set it",
        ("fallback_release", "release"): (
            "another release runs in place of the current one: release 2 is damaged"
        ),
        ("broker_unreachable", "broker"): "its own broker cannot be reached",
        ("neighbour_flooding", "n4"): "frames of n4 are dropped: it sends forged signatures",
        ("wire_version", "n4"): f"n4 {version}: give both the same release",
        ("neighbour_unreachable", "n2"): "neighbour n2 cannot be reached: no answer in time",
        ("neighbour_silent", "n3"): "nothing arrives from neighbour n3: does its node run, "
        "and does it list n1 as a neighbour?",
        ("neighbour_deaf", "n4"): "nothing of this node arrives at n4: "
        "does the access list of its broker let n1 publish?",
        ("neighbour_unlisted", "n9"): "n9 sends to this node, which does not list it as a neighbour",
        ("identity_conflict", "n1"): "another node or process also uses the name n1 at the broker of n3: "
        "is there a copy of its card?",
        ("certificate_ending", "certificate"): "certificate expires in 12 days: provision the node again",
        ("identity_refused", "identity"): "others do not believe",
        ("keys_unusable", "identity"): "node.key: is damaged",
        ("no_room", "space"): "3 LSAs found no room: n2: full; are the [limits] too small?",
        ("member_in_doubt", "n5"): "n5: 1 claims beyond what it may claim were refused; "
        "it comes last, since it did not use 1 promises or keep 0",
        ("frames_refused", "frames"): "2 frames refused: n2: full",
        ("items_dropped", "frames"): "7 frames dropped: the node is too slow for them",
        ("step_failed", "loop"): "1 steps of the main loop failed; see the log",
        ("relay_failing", "r1"): "relay r1 does not answer or does not obey",
        ("bus_closed", "rs485"): "bus rs485 cannot be opened: /dev/ttyNONE",
        ("bus_silent", "b2"): "nothing on bus b2 has answered for 10 min",
        ("foreign_frames", "b2"): "a second master asks on bus b2: p",
        ("power_refused", "m1"): "meter m1 refuses l2.power_w",
        ("power_undefined", "m1"): "meter m1 answers without a possible value of l1.power_w",
        ("meter_failing", "m1"): "meter m1 does not answer correctly",
        ("state_not_written", "state"): "its state cannot be written",
        ("history_not_written", "history"): "its history cannot be written",
        ("history_locked", "history"): "its history is locked by another process",
        ("history_newer", "history"): "history.sqlite is kept",
        ("past_not_used", "n1.learning"): "past minutes of the node: past.csv: no",
        ("model_damaged", "n1.learning"): "learning of the node began without it: house.tflite is damaged",
        ("learning_off", "learning"): "it crashed",
        ("home_assistant_away", "home assistant"): "no answer",
        ("push_failing", "push"): "the server answers 401",
        ("learning_failed", "n1.learning"): "learning of the node failed: ValueError: no",
        ("twin_failed", "n1.pv"): "a twin failed: n1.pv: TypeError: no: way",
        ("change_refused", "added twin lamp"): "a change contradicts the file and is left out: "
        "added twin lamp: gym.toml: duplicate name",
        ("invariant_broken", "n1"): "an invariant is broken: I2 n1.pv holds 3 contracts",
    }
    of_twins = {
        "no_trust",  # a warning
        "api_without_tls",  # likewise
        "twin_absent",
        "device_unknown",
        "wrong_sign",
        "need_unserved",
        "limit_exceeded",  # tests/twins/test_regulator.py
        "limit_in_force",
        "failsafe_in_force",
        "market_absent",  # tests/twins/test_next_day_market.py
        "gate_closed",  # tests/twins/test_holon.py
        "prices_unknown",  # tests/twins/test_prices_from.py
        "gossip_refused",  # tests/twins/test_gossip.py
        "models_do_not_fit",
    }  # tests/twins/test_troubles.py
    stats["inbox"]["delivery"] = "Not authorized"
    refused = found(node)
    assert ("broker_unreachable", "broker") not in refused
    assert refused["inbox_refused", "broker"] == (
        "its own broker refuses the subscription: Not authorized; does its access list let this node read?"
    )
    stats["list_fault"] = "crl.pem: is empty or damaged"
    stats["tls_fault"] = "node.crt: No such file or directory"
    assert found(node)["list_unusable", "crl"].startswith("crl.pem: is empty or damaged; the list before")
    assert found(node)["keys_unusable", "tls"].startswith(
        "node.crt: No such file or directory; the TLS files"
    )
    assert {each.code for each in told} | of_twins | {"inbox_refused", "list_unusable"} == set(CODES)
    assert health(Context(AskedNode(node)))["status"] == "degraded"


def test_a_node_without_keys_works_and_says_that_anybody_can_lie_to_it(node):
    answer = health(Context(AskedNode(node)))
    assert [(each.code, each.subject) for each in answer["warnings"]] == [("no_trust", "n1")]
    assert "anybody who reaches it can lie to it" in answer["warnings"][0].text
    assert not answer["trust"]["authentic"]
    assert answer["status"] == "ok"


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True), ("10.0.0.7", True)]
)
def test_a_node_that_is_open_to_others_without_tls_says_so(node, monkeypatch, host, warned):
    api = replace(node.config.api, host=host)
    monkeypatch.setattr(node, "config", replace(node.config, api=api))
    found = {each.code: each.text for each in health(Context(AskedNode(node)))["warnings"]}
    assert ("api_without_tls" in found) == warned
    if warned:
        assert host in found["api_without_tls"]
        tls = TlsSettings(ca="ca", certificate="c", key="k")
        monkeypatch.setattr(node, "config", replace(node.config, tls=tls))
        assert "api_without_tls" not in {each.code for each in health(Context(AskedNode(node)))["warnings"]}


def test_without_a_free_file_the_memory_is_null_and_the_rest_is_answered(node):
    context = Context(AskedNode(node))
    health(context)  # all modules are there
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open("/dev/null", os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        answer = health(context)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (answer["rss_mb"], answer["hwm_mb"]) == (None, None)
    assert answer["status"] == "ok"
    assert faults(json.loads(orjson.dumps(answer)), Health) == []


def test_codes_are_short_words_and_explained():
    for code, meaning in CODES.items():
        assert code.replace("_", "").islower()
        assert len(code) < 24
        assert meaning.endswith(".")


def test_the_status_line_says_what_the_node_does(node):
    assert status_line(node) == "n1: 0 twins, 1 of 1 neighbours in reach"


def test_meters_and_links_of_a_real_node_are_what_the_schema_says(node, tmp_path):
    clock = SystemClock()
    bus = MeterBus(
        BusSettings(name="rs485", port=str(tmp_path / "ttyNONE")),
        [MeterSettings(name="m1", bus="rs485", address=1, profile="sdm120")],
        [RelaySettings(name="r1", bus="rs485", address=2, coil=0)],
        clock,
    )
    node.meters = SerialMeters([bus])
    neighbour = NeighbourSettings(name="n2", host="127.0.0.1")
    node.links = MqttLinks("n1", BrokerSettings(), [neighbour], random.Random(1))
    answer = json.loads(orjson.dumps(health(Context(AskedNode(node)))))
    assert faults(answer, Health) == []
    assert len(answer["meters"][0]["relays"]) == len(answer["meters"][0]["meters"]) == 1
    assert [each["code"] for each in answer["troubles"]] == [
        "broker_unreachable",
        "neighbour_unreachable",
        "bus_closed",
    ]
