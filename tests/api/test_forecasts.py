"""What a node shows of its learning: its models, newest and earlier predictions, scores."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from answer_schema import faults
from asked_node import AskedNode

from edge.api.dispatch import Api
from edge.api.routes import ROUTES
from host_tools.world import World


@pytest.fixture(scope="module")
def api():
    world = World(seed=3)
    lamp = {"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}
    roof = {"name": "roof", "kind": "pv", "power_w": 900.0}
    world.add("n1", [], [lamp, roof], {"node_model": "persistence", "cluster_model": "persistence"})
    world.boot()
    world.nodes["n1"].meters.say("m.total", 100.0)
    for minute in range(180):
        world.nodes["n1"].meters.say("m.total", 100.0 if minute // 30 % 2 else 700.0)
        world.run(60)
    yield Api(AskedNode(world.nodes["n1"].node))
    world.close()


def ask(api, target, status=200):
    answer = api.answer("GET", f"/api/v1{target}")
    assert answer.status == status, answer.content
    return json.loads(b"".join(answer.pieces()))


def test_scores_on_demand_stand_beside_persistence(api):
    found = ask(api, "/scores?days=1")["models"]["persistence"]["scores"]["requested"]
    assert found["5"]["n"] == 179 - 5
    assert found["5"]["accuracy"] == found["5"]["persistence_accuracy"] > found["60"]["accuracy"] * 0.8
    assert found["5"]["accuracy"] == pytest.approx(1 - 5 * 5 / 174, abs=0.03)  # wrong around each step
    assert found["30"]["accuracy"] < 0.1  # half a period away


PERIOD = "/predictions?from=2023-11-14T00:10&to=2023-11-14T01:09"


def test_predictions_of_a_period_stand_beside_the_states_measured_later(api):
    rows = ask(api, PERIOD + "&scope=node")["predictions"]
    assert len(rows) == 60
    assert rows[0]["at"] == "2023-11-14T00:10+00:00"
    assert [len(row["actual"]) for row in rows] == [6] * 60
    requested = [row["actual"][0][0] for row in rows]  # five minutes later
    assert set(requested) == {2, 3}
    assert ask(api, PERIOD) == ask(api, PERIOD + "&scope=node")


def test_the_newest_prediction_has_watts_with_bands(api):
    newest = ask(api, "/predictions?scope=node")["node"]["watts"]
    assert newest["levels"] == [0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95]
    near, far = newest["quantiles_w"]["requested"]["5"], newest["quantiles_w"]["requested"]["1440"]
    assert near == sorted(near)
    assert 0 <= near[0] <= near[-1] <= 1300  # 100 or 700 W now, and changes by 600 W
    assert far is None  # nobody knows what a day changes
    assert newest["quantiles_w"]["produced"]["60"] == [900] * 7


def test_forecasts_of_a_period_stand_beside_the_powers_measured_later(api):
    found = ask(api, "/forecasts?from=2023-11-14T00:10&to=2023-11-14T01:09")
    rows = found["forecasts"]
    assert [row["at"][11:16] for row in rows] == ["00:14", "00:29", "00:44", "00:59"]
    assert found["leads_min"] == [5, 10, 30, 60, 120, 240, 480, 960, 1440]
    assert rows[2]["actual_w"][1] == [900] * 5 + [None] * 4  # two hours later, but not four
    assert {row["actual_w"][0][0] for row in rows} == {100, 700}
    assert rows[2]["quantiles_w"][1][0] == [900] * 7
    assert "both from and to" in ask(api, "/forecasts?to=2023-11-14T01:09", 400)["detail"]
    assert rows[0] in ask(api, "/forecasts")["forecasts"]


def test_scores_judge_watts_by_loss_and_coverage(api):
    found = ask(api, "/scores?days=1")["watts"]
    assert found["produced"]["5"]["pinball_w"] < 1.0
    assert found["produced"]["5"]["coverage_90"] == 1.0
    assert found["requested"]["60"]["n"] > 0
    assert found["requested"]["1440"] == {key: None if key != "n" else 0 for key in found["requested"]["60"]}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=x", ["from = x", "YYYY-MM-DDTHH:MM"]),
        ("from=2023-11-14T00:10", ["to is missing"]),
        ("scope=node&to=2023-11-14T00:10", ["from is missing"]),
        (
            "scope=node&from=2023-11-14T00:10&to=2023-11-20T00:00",
            ["to = 2023-11-20T00:00", "less than a"],
        ),
        ("from=2023-11-14T00:10&to=2023-11-14T00:09", ["to = 2023-11-14T00:09", "`from` before `to`"]),
        ("scope=all&from=2023-11-14T00:10&to=2023-11-14T01:09", ["scope = all"]),
    ],
)
def test_a_period_that_cannot_be_shown_is_refused(api, query, words):
    error = ask(api, f"/predictions?{query}", 400)["detail"]
    assert all(word in error for word in words)


def test_the_newest_predictions_are_those_of_both_scopes_or_of_one(api):
    newest = ask(api, "/predictions")
    assert newest["node"]["likeliest"]["requested"]["5"][1] == 1.0
    assert ask(api, "/predictions?scope=cluster") == {"cluster": newest["cluster"]}


def test_the_state_of_learning_counts_minutes_and_failures(api):
    told = ask(api, "/learning")
    assert told["scopes"]["node"]["minutes"] == 179
    assert told["history"]["failures"] == 0
    assert ask(api, "/health")["troubles"] == []


# These need gossip, a moment or a token; tests of their own ask them.
ELSEWHERE = {"/api/v1/weights", "/api/v1/replay", "/api/v1/configuration", "/api/v1/market"}
SHOWN = [
    each
    for each in ROUTES
    if (each.method, each.media, each.segments) == ("GET", "application/json", ())
    and each.path not in ELSEWHERE
]


@pytest.mark.parametrize("route", SHOWN, ids=lambda route: route.path)
def test_every_answer_is_what_its_schema_says(api, route):
    assert faults(ask(api, route.path.removeprefix("/api/v1")), route.answer) == []


def test_a_period_is_what_its_schema_says(api):
    route = next(each for each in ROUTES if each.path == "/api/v1/predictions")
    assert faults(ask(api, PERIOD), route.answer) == []


def test_a_node_that_does_not_learn_says_so():
    world = World(seed=3)
    world.add("n1", [], [])
    world.boot()
    api = Api(AskedNode(world.nodes["n1"].node))
    learning = ask(api, "/learning")
    assert learning["scopes"] == {}
    assert learning["history"]["failures"] == 0
    assert learning.keys() == {"scopes", "history"}
    assert ask(api, "/predictions") == {}
    assert "does not learn" in ask(api, "/scores", 400)["detail"]
    assert "does not learn" in ask(api, PERIOD, 400)["detail"]
    world.close()


def test_a_node_that_does_not_learn_pays_for_no_numpy_whatever_it_is_asked():
    code = """
import random, sys, tempfile
sys.modules["numpy"] = None  # as where it is not installed
from edge.api.dispatch import Api
from edge.clock import SystemClock
from edge.config.check import build
from edge.meter.meters import SerialMeters
from edge.net.mqtt import MqttLinks
from edge.node import Node
from edge.recent import Recent
config = build({"node": {"name": "n1", "state_dir": tempfile.mkdtemp()}}, "n1")
clock = SystemClock()
links = MqttLinks("n1", config.inbox, [], random.Random(1), clock=clock)
node = Node(config, clock, random.Random(1), links, SerialMeters([]))
class Service:
    failures = pieces = 0
    work_s = longest_piece_s = longest_reaction_s = 0.0
    waits_for = ""
    dropped = {}
    recent = Recent()
    def ask(self, question):
        return question(node)
Service.node = node
api = Api(Service())
period = "/predictions?from=2024-01-01T00:00&to=2024-01-01T00:09"
paths = ("/scores", period, "/predictions", "/learning", "/health")
print([api.answer("GET", f"/api/v1{path}").status for path in paths])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[400, 400, 200, 200, 200]", done.stderr
