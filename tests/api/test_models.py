"""What a node shows of what it has learnt: contents of models, aggregations, replays, statistics."""

import json
import random

import numpy as np
import pytest
from answer_schema import faults
from asked_node import AskedNode

from edge.api.dispatch import Api
from edge.api.route import V1
from edge.api.routes import ROUTES
from edge.learn.registry import create
from edge.learn.states import StateScale
from host_tools.world import World

DAY = "2023-11-14"


@pytest.fixture(scope="module")
def api():
    world = World(seed=3)
    lamp = {"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}
    roof = {"name": "roof", "kind": "pv", "power_w": 900.0}
    learning = {"node_model": "markov", "cluster_model": "persistence"}
    world.add("n1", [], [lamp, roof], learning)
    world.boot()
    for minute in range(200):
        world.nodes["n1"].meters.say("m.total", 100.0 if minute // 30 % 2 else 700.0)
        world.run(60)
    world.nodes["n1"].node.history.write()
    yield Api(AskedNode(world.nodes["n1"].node))
    world.close()


def ask(api, target, status=200):
    answer = api.answer("GET", f"{V1}{target}")
    assert answer.status == status, answer.content
    found = json.loads(b"".join(answer.pieces()))
    if status == 200:
        path = V1 + target.partition("?")[0]
        (route,) = (each for each in ROUTES if (each.method, each.path) == ("GET", path))
        assert faults(found, route.answer) == []
    return found


# ---- contents ------------------------------------------------------------------------------------


def test_the_chains_of_a_variable_have_counts_probabilities_and_days(api):
    found = ask(api, "/models?variable=requested")
    chains = found["chains"]
    assert (found["model"], chains["contexts"], chains["days"]) == ("markov", 1, [DAY])
    assert [each["slot"] for each in chains["slots"]] == list(range(19))
    night = chains["slots"][0]
    counts = np.array(night["counts"])
    assert 190 <= counts.sum() <= 200
    assert np.count_nonzero(counts - np.diag(np.diag(counts))) == 2, "from 700 W to 100 W and back"
    for each in chains["slots"]:
        assert np.sum(each["probabilities"], axis=1) == pytest.approx(1, abs=1e-4)
    assert (chains["by_day"], night["foreign"], found["networks"]) == ([], None, [])


def test_one_slot_is_also_shown_day_by_day(api):
    found = ask(api, "/models?variable=requested&slot=0")["chains"]
    assert [each["slot"] for each in found["slots"]] == [0]
    assert [each["day"] for each in found["by_day"]] == [DAY]
    assert found["by_day"][0]["counts"][0] == found["slots"][0]["counts"]
    assert ask(api, "/models?slot=18")["chains"]["by_day"] == []


def test_a_model_without_contents_says_so(api):
    found = ask(api, "/models?scope=cluster")
    assert (found["model"], found["chains"], found["networks"], found["shares"]) == (
        "persistence",
        None,
        [],
        None,
    )


@pytest.mark.parametrize("name", ["lstm", "lstm_thesis", "mixture", "majority"])
def test_networks_show_the_weights_that_they_compute_with(name):
    """As JSON, layer by layer; w and u of an LSTM, w of a dense layer, with their bias."""
    from edge.api.models import _pieces

    scale = StateScale.of_limits([[600.0, 1200.0, 1800.0, 2400.0, 3000.0]] * 6)
    model = create(name, scale, random.Random(4))
    contents = model.contents(2)
    pieces = list(_pieces({}, contents, None, None))
    found = json.loads(b"".join(pieces))
    assert max(map(len, pieces)) < 6000, "a row at a time"
    if name == "majority":
        assert found["shares"] == [0.0] * 7
        return
    (network,) = found["networks"]
    cells, layers = (50, 2) if name == "lstm_thesis" else (32, 1)
    lstm = [each for each in network["layers"] if each["kind"] == "lstm"]
    assert len(lstm) == layers
    for each in lstm:
        assert np.array(each["u"]).shape == (cells, 4 * cells)
        assert len(each["b"]) == len(each["w"][0]) == 4 * cells
        assert each["b"][cells : 2 * cells] == [1.0] * cells, "the forget gates are open at first"
    outputs = next(each for each in network["layers"] if each["name"] == "outputs")
    assert (len(outputs["w"]), outputs["u"]) == (cells, None)
    part = model.parts(2)["trunk"].values
    assert np.array(lstm[0]["w"]).ravel() == pytest.approx(part[: np.array(lstm[0]["w"]).size], abs=1e-5)
    assert (found["experts"] is not None) == (name == "mixture")
    if found["experts"]:
        assert np.sum(list(found["experts"].values()), axis=0) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("path", ["/models", "/weights", "/replay?at=2023-11-14T01:00", "/statistics"])
def test_a_node_that_does_not_learn_says_so(path):
    world = World(seed=1)
    world.add("n1", [], [{"name": "roof", "kind": "pv", "power_w": 900.0}])
    world.boot()
    api = Api(AskedNode(world.nodes["n1"].node))
    found = ask(api, path, 400)
    world.close()
    assert "no model" in found["detail"]


def test_weights_need_gossip(api):
    assert "no gossip" in ask(api, "/weights", 400)["detail"]


def test_weights_of_each_node_by_variable_horizon_and_slot():
    world = World(seed=5)
    learning = {"node_model": "markov"}
    gossip = {"models": "on", "predictions": "on", "every_min": 1}
    for name, other in (("n1", "n2"), ("n2", "n1")):
        lamp = {"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}
        world.add(name, [other], [lamp], learning, gossip=gossip)
    world.boot()
    for minute in range(30):
        for number, name in enumerate(("n1", "n2")):
            world.nodes[name].meters.say("m.total", 100.0 if (minute // 7 + number) % 2 else 700.0)
        world.run(60)
    api = Api(AskedNode(world.nodes["n1"].node))
    found = ask(api, "/weights?variable=requested&slot=0")
    world.close()
    own, other = found["nodes"]
    assert (own["node"], own["own"], other["node"]) == ("n1", True, "n2")
    told = own["prediction_weights"]
    told = np.add(told, other["prediction_weights"])
    assert np.add(told, found["persistence_weights"]) == pytest.approx(1, abs=1e-3)
    assert own["model_weight"] + other["model_weight"] == pytest.approx(1, abs=1e-3)
    assert found["model_operator"]
    assert len(found["prediction_operators"]) == 4
    (chains,) = found["chains"]
    assert np.sum(chains["others"]) > 10


# ---- replays -------------------------------------------------------------------------------------


def test_a_replay_with_what_has_not_changed_since_says_what_was_said_then(api):
    """The newest minute: nothing was learnt after it."""
    at = ask(api, "/predictions?scope=node")["node"]["at"].replace("+", "%2B")
    found = ask(api, f"/replay?at={at}")
    (made,) = found["predictions"]
    newest = ask(api, "/predictions?scope=node")["node"]["probabilities"]
    for v, variable in enumerate(found["variables"]):
        for h, horizon in enumerate(found["horizons_min"]):
            assert np.array(made["p"][v][h]) / 1000 == pytest.approx(newest[variable][str(horizon)], abs=2e-3)
    assert np.abs(np.array(made["made"]) - made["p"]).max() <= 1, "half floats are kept"
    assert made["actual"] == [[None] * 4] * 6


def test_a_series_of_replays_stands_beside_what_was_said_and_what_followed(api):
    found = ask(api, f"/replay?from={DAY}T00:30&to={DAY}T01:30&step=5")
    rows = found["predictions"]
    assert [each["at"][11:16] for each in rows] == [f"{m // 60:02}:{m % 60:02}" for m in range(30, 91, 5)]
    then = ask(api, f"/predictions?from={DAY}T00:30&to={DAY}T01:30")["predictions"]
    by_time = {each["at"]: each for each in then}
    for each in rows:
        assert each["actual"] == by_time[each["at"]]["actual"]
        assert each["made"] == by_time[each["at"]]["p"]
    changed = [np.abs(np.array(each["p"]) - each["made"]).max() for each in rows]
    assert max(changed) > 2, "the chains have learnt since"
    score = found["scores"]["requested"]["5"]
    hits = [each["p"][0][0].index(max(each["p"][0][0])) + 1 == each["actual"][0][0] for each in rows]
    assert (score["n"], score["accuracy"]) == (len(rows), pytest.approx(np.mean(hits), abs=1e-5))
    assert score["shannon_entropy"] > 0


def test_a_replay_learns_nothing_and_gives_back_what_it_took(api):
    before = ask(api, "/models?variable=requested")
    for _ in range(2):
        ask(api, f"/replay?from={DAY}T00:30&to={DAY}T02:30&step=1")
    assert ask(api, "/models?variable=requested") == before


def test_a_replay_in_watts_has_bands_beside_the_powers_that_followed(api):
    found = ask(api, f"/replay?from={DAY}T01:14&to={DAY}T02:14&step=15&watts=yes")
    rows = found["predictions"]
    assert len(rows) == 5
    then = ask(api, f"/forecasts?from={DAY}T01:14&to={DAY}T02:14")["forecasts"]
    for each, told in zip(rows, then, strict=True):
        assert each["at"] == told["at"]
        assert each["actual_w"] == told["actual_w"]
        assert each["quantiles_w"][1][0] == [900] * 7
    assert ask(api, f"/replay?at={DAY}T01:14")["predictions"][0]["quantiles_w"] is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "at for one moment"),
        (f"at={DAY}T01:00&to={DAY}T01:00", "either at"),
        (f"from={DAY}T02:00&to={DAY}T01:00", "`from` before `to`"),
        (f"from={DAY}T01:00&to=2023-11-15T01:00&step=1", "at most 288"),
        ("at=2099-01-01T00:00", "a minute that is over"),
    ],
)
def test_a_replay_that_makes_no_sense_is_refused(api, query, words):
    assert words in ask(api, f"/replay?{query}", 400)["detail"]


# ---- statistics ----------------------------------------------------------------------------------


def test_statistics_are_those_of_the_scores_when_nothing_is_left_out(api):
    scores = ask(api, "/scores?days=1")["models"]["markov"]["scores"]
    found = ask(api, "/statistics?merge=days,hours&trivial=yes")
    for row in found["rows"]:
        expected = scores[row["variable"]][str(row["horizon_min"])]
        for key in ("n", "accuracy", "log_loss", "state_difference", "vector_difference", "gini"):
            assert row[key] == pytest.approx(expected[key]), key
    assert sum(each["n"] for each in found["rows"]) == found["totals"][0]["n"]


def test_statistics_are_filtered_grouped_and_merged(api):
    rows = ask(api, "/statistics?variable=requested&horizon=5&merge=none")["rows"]
    assert [(each["day"], each["hour"]) for each in rows] == [(DAY, hour) for hour in range(4)][: len(rows)]
    assert {(each["variable"], each["horizon_min"]) for each in rows} == {("requested", 5)}
    least = rows[0]["n"] + 1
    kept = ask(api, f"/statistics?variable=requested&horizon=5&merge=none&least={least}")
    assert kept["rows"] == [each for each in rows if each["n"] >= least]
    assert kept["totals"][0]["n"] == sum(each["n"] for each in rows), "of all that count"
    hours = ask(api, "/statistics?variable=requested&horizon=5&merge=none&first_hour=1&last_hour=2")["rows"]
    assert [each["hour"] for each in hours] == [1, 2]
    (one,) = ask(api, "/statistics?merge=days,variables,horizons,hours")["rows"]
    assert (one["day"], one["variable"], one["horizon_min"], one["hour"]) == (None,) * 4
    assert sum(one["promised"]) == pytest.approx(1, abs=1e-3)
    assert sum(one["happened"]) == pytest.approx(1, abs=1e-3)


def test_hours_without_power_are_trivial_and_are_left_out(api):
    """Nothing is missing at any time."""
    names = {each["variable"] for each in ask(api, "/statistics")["rows"]}
    assert "missing" not in names
    assert "requested" in names
    assert "missing" in {each["variable"] for each in ask(api, "/statistics?trivial=yes")["rows"]}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("merge=weeks", "days, variables"),
        (f"from=2023-01-01T00:00&to={DAY}T00:00", "at most 100 days"),
        (f"from=2023-11-01T00:00&to={DAY}T00:00&merge=hours", "at most 7 days"),
        ("least=0", "between 1"),
    ],
)
def test_statistics_that_would_be_too_many_are_refused(api, query, words):
    assert words in ask(api, f"/statistics?{query}", 400)["detail"]


def test_a_difference_of_means_is_not_a_mean_of_differences():
    """Half of the time one state, half of the time another, predicted with a half each (thesis 5.5.5)."""
    from edge.learn.scores import Scores

    scores = Scores()
    n = 60
    probabilities = np.zeros((n, 6, 4, 7), np.float32)
    probabilities[..., :2] = 0.5
    actual = np.broadcast_to((np.arange(n) % 2)[:, None, None], (n, 6, 4)).astype(np.int8)
    scores.add(probabilities, actual[:, :, 0], actual, np.arange(n) - 5)
    found = scores.report()["requested"]["5"]
    assert found["state_difference"] == 0.5
    assert found["vector_difference"] == 0.0
