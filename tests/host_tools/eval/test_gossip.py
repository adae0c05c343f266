"""Microgrids of learners over measured data: `eval --gossip`."""

import csv
import json
import math
import random
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.learn.gossip import Exchange, ExchangeSettings
from edge.learn.learner import Learner, LearnerSettings
from edge.learn.model import finish
from edge.learn.states import StateScale
from edge.learn.terms import HORIZONS_MIN
from edge.terms import DAY_MIN, VARIABLES
from host_tools.__main__ import main
from host_tools.eval.data import Reading, Record
from host_tools.eval.gossip.buildings import Building, together
from host_tools.eval.gossip.established import nodes
from host_tools.eval.gossip.lines import Score, line
from host_tools.eval.gossip.links import TOPOLOGIES, Links, neighbours
from host_tools.eval.gossip.plain import ATTACKS, Hostile, Mean
from host_tools.eval.gossip.plan import NETWORKS, SETS, Plan
from host_tools.eval.gossip.recording import Recorded, Recording

DAYS = 4
MEASURES = 14


def power_w(node, minute):
    return 1000.0 + 400.0 * node + 700.0 * math.sin(minute / (90 + 20 * node)) + 200.0 * math.sin(minute / 7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four days of four buildings."""
    root = tmp_path_factory.mktemp("measured")
    (root / "combed_1min").mkdir()
    for number, name in enumerate(SETS["combed_1min"]):
        with (root / "combed_1min" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "device", "kind", "power_w"])
            for minute in range(DAYS * DAY_MIN):
                day, rest = divmod(minute, DAY_MIN)
                at = f"2024-01-{day + 1:02}T{rest // 60:02}:{rest % 60:02}Z"
                writer.writerow([at, "all", "load", f"{power_w(number, minute):.1f}"])
    return root


def words(text):
    return text.split()


SMALL = words("--past-days 2 --judged-days 1 --own-days 1 --update-every 240 --period 120 --past-updates 0")


def evaluate(folder, out, *options):
    return main(["eval", "--data", str(folder), "--out", str(out), *SMALL, *options])


def results(out, study):
    return {
        file.stem: json.loads(file.read_text()) for file in sorted((out / "results" / study).glob("*.json"))
    }


@pytest.fixture(scope="module")
def late(folder, tmp_path_factory):
    """A newcomer, alone and with the chains of neighbours."""
    out = tmp_path_factory.mktemp("late")
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --operators sampling_nb")
    assert evaluate(folder, out, *options, "--only", "scratch,sampling_nb") == 0
    return out


def test_a_newcomer_is_judged_alone_and_with_gossip_on_the_same_minutes(late):
    found = results(late, "late")
    assert len(found) == 2
    counts = []
    for each in found.values():
        for variant, told in each["nodes"]["ab_floor5"].items():
            sums = np.array(told["sums"])
            assert sums.shape == (MEASURES, 1, len(VARIABLES), len(HORIZONS_MIN))
            assert (sums[1] <= sums[0]).all(), variant  # hits are not more than predictions
            counts.append(sums[0])
    assert len(counts) == 3  # alone, alone with persistence, with gossip
    assert all((each == counts[0]).all() for each in counts)
    assert counts[0].sum() > 0
    (gossip,) = [each for name, each in found.items() if "sampling_nb" in name]
    assert gossip["stats"]["ab_floor5"]["received"]["models"] > 0
    assert gossip["stats"]["ab_floor5"]["merged"] > 0
    assert sum(gossip["sent_bytes"]["model"].values()) > 0


def test_a_study_is_resumed(late, folder, capsys):
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --operators sampling_nb")
    before = {file: file.stat().st_mtime_ns for file in late.rglob("*.json")}
    assert evaluate(folder, late, *options, "--only", "scratch,sampling_nb") == 0
    assert "2 jobs, 2 of them done before" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in late.rglob("*.json")} == before


def test_results_without_scores_apart_from_trivial_hours_are_refused(late, folder, tmp_path, capsys):
    out = tmp_path / "older"
    shutil.copytree(late, out)
    file = next((out / "results" / "late").glob("*scratch*"))
    told = json.loads(file.read_text())
    del told["plan"]["format"], told["code"], told["sum"]
    file.write_text(json.dumps(told))
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --only scratch")
    assert evaluate(folder, out, *options) == 2
    assert "made with format None, not 2" in capsys.readouterr().err
    assert evaluate(folder, out, "--gossip", "report") == 2
    assert f"{file}: another version made it" in capsys.readouterr().err


def test_results_are_reported_as_tables_and_plots(late, folder, tmp_path, capsys):
    assert evaluate(folder, late, "--gossip", "report", "--images", str(tmp_path)) == 0
    text = capsys.readouterr().out
    for each in ("## late: markov, 1d", "| persistence | 1 |", "| scratch | 1 |", "| sampling_nb | 1 |"):
        assert each in text
    (row,) = [row.split("|") for row in text.split("All variables")[0].splitlines() if "| scratch | 1" in row]
    accuracy, log_loss, not_trivial = (row[at].strip() for at in (3, 5, 6))
    assert not_trivial == f"{accuracy}, {log_loss}"  # the demand is never zero here
    assert {file.name for file in tmp_path.iterdir()} == {"gossip_late.png", "gossip_nodes.png"}


def test_shards_divide_the_jobs(folder, tmp_path, capsys):
    for number in (1, 2):
        options = words(f"--gossip late --gossip-model markov --only scratch --shard {number}/2")
        assert evaluate(folder, tmp_path / str(number), *options) == 0
    first, second = (set(results(tmp_path / each, "late")) for each in "12")
    assert len(first | second) == 4
    assert not first & second


@dataclass(frozen=True)
class Quick(Plan):
    """Networks that have hardly been trained."""

    def begins(self, model, started, updates=0):
        found = super().begins(model, started, updates)
        few = (("first_steps", 1),) if model in NETWORKS else ()
        return replace(found, options=(*found.options, *few))


@pytest.fixture(scope="module")
def two(folder, tmp_path_factory):
    """Plays a job of two established buildings, or others, from random networks."""
    plan = Quick(
        folder,
        Reading({}),
        tmp_path_factory.mktemp("two"),
        past_days=2,
        days=1,
        updates=0,
        steps=1,
        period_min=120,
        shipped=False,
    )

    def play(model, variant, names=("ab_floor3", "ab_floor5")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(SETS, "combed_1min", names)
            return dict(nodes(replace(plan, model=model), 1))[f"combed_1min/{model}/{variant}"]()

    return play


def test_in_a_microgrid_of_half_chains_and_half_lstm_nodes_have_them_in_turns(two):
    half = two("half", "local")["nodes"]
    for node, model in (("ab_floor3", "markov"), ("ab_floor5", "lstm")):
        assert half[node] == two(model, "local", (node,))["nodes"][node]
    both = two("half", "both")
    for node in ("ab_floor3", "ab_floor5"):
        assert {"models", "both"} == both["nodes"][node].keys()
        assert both["stats"][node]["merged"] == 0  # there is no other node of its kind
        assert both["stats"][node]["received"]["predictions"] > 0


def test_a_microgrid_of_halves_has_no_operators_of_models(folder, tmp_path):
    plan = Plan(folder, Reading({}), tmp_path, model="half")
    names = [name.split("/")[-1] for name, _ in nodes(plan, 1)]
    assert names == ["local", "predictions", "both"]


def test_established_nodes_are_compared_with_shipped_networks_and_with_the_data_of_all(two):
    def sums(model, variant, *names):
        return np.array(two(model, variant, names)["nodes"]["ab_floor5"][variant]["sums"])

    for model, variant, others in (("lstm", "finetune", ()), ("markov", "pooled", ("ab_floor3",))):
        alone, found = sums(model, "local", "ab_floor5"), sums(model, variant, "ab_floor5", *others)
        assert (alone[0] == found[0]).all()
        assert (alone[1:3] != found[1:3]).any()


def test_a_node_that_begins_with_shipped_networks_is_not_judged_twice(folder, tmp_path):
    plan = Plan(folder, Reading({}), tmp_path)
    names = {name.split("/")[-1] for name, _ in nodes(plan, 1)}
    assert "pooled" in names
    assert "finetune" not in names
    assert "finetune" in {name.split("/")[-1] for name, _ in nodes(replace(plan, shipped=False), 1)}


@pytest.mark.parametrize(
    "options",
    [
        *("--gossip tea", "--gossip late --sets tea", "--gossip late --shard 3/2", "--gossip late --seeds x"),
        *("--gossip late --gossip-model tea", "--gossip late --newcomers tea", "--gossip late --only tea"),
        *("--gossip late --own-days 3", "--gossip late --gossip-model half"),
    ],
)
def test_a_wrong_option_is_named(folder, tmp_path, options, capsys):
    assert evaluate(folder, tmp_path, *options.split()) == 2
    assert options.split()[-1] in capsys.readouterr().err


def test_a_record_that_is_too_short_is_named(folder, tmp_path, capsys):
    options = words("--gossip late --gossip-model markov --only ab_floor5/1d/scratch --past-days 14")
    assert evaluate(folder, tmp_path, *options) == 2
    told = capsys.readouterr()
    assert "ab_floor5: its record has 4.0 days; 14 of past and 1 to be judged" in told.out + told.err


def test_a_report_without_results_says_so(folder, tmp_path, capsys):
    assert evaluate(folder, tmp_path, "--gossip", "report") == 2
    assert "no results" in capsys.readouterr().err


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("nodes", [2, 4, 9, 36])
def test_every_topology_is_connected_and_mutual(topology, nodes):
    found = neighbours(topology, nodes, random.Random(1))
    assert all(number in found[other] for number, others in enumerate(found) for other in others)
    reached, new = {0}, {0}
    while new:
        new = {other for each in new for other in found[each]} - reached
        reached |= new
    assert len(reached) == nodes


def test_links_lose_and_cut():
    links = Links([{1}, {0}], random.Random(1), cut=range(5, 8))
    links.send(0, "model", b"1234", 4)
    assert list(links.arrived("prediction")) == []
    assert list(links.arrived("model")) == [(0, 1, b"1234")]
    assert list(links.arrived("model")) == []
    links.send(0, "model", b"1234", 5)
    assert list(links.arrived("model")) == []
    assert links.sent_bytes["model"][0] > 8
    lossy = Links([{1}, {0}], random.Random(1), loss=0.5)
    for _ in range(1000):
        lossy.send(0, "model", b"", 0)
    assert 400 < len(list(lossy.arrived("model"))) < 600


# ---- models -------------------------------------------------------------------------------------


def small_learner(seed=1, minutes=DAY_MIN, node=0):
    settings = LearnerSettings(
        scale=StateScale.of_max_power(3000.0),
        model="lstm",
        memory_min=2 * DAY_MIN,
        train_every_min=240,
        first_training_min=DAY_MIN,
        options={"start": "house", "first_steps": 6, "steps": 1},
    )
    made = Learner(settings, random.Random(seed))
    for minute in range(minutes):
        used = power_w(node, minute)
        made.observe(minute, np.array([used, 0, 0, 0, used, 0], np.float32))
    return made


def weights_of(learner):
    return np.concatenate([learner.model.parts(v)["trunk"].values for v in range(len(VARIABLES))])


@pytest.mark.parametrize("codec", [False, True])
def test_a_plain_mean_of_two_nodes_is_the_mean_of_their_weights(codec):
    learners = [small_learner(seed) for seed in (1, 2)]
    nodes = [Mean(name, learner, 60, codec=codec) for name, learner in zip("ab", learners, strict=True)]
    for learner in learners:
        finish(learner.training())
    before = [weights_of(learner) for learner in learners]
    assert np.abs(before[0] - before[1]).max() > 0
    data = [node.outgoing(60, 1) for node in nodes]
    assert nodes[0].outgoing(61, 1) is None
    nodes[0].receive_model("b", data[1], 60)
    assert nodes[0].due
    list(nodes[0].merging())
    off = np.abs(weights_of(learners[0]) - np.mean(before, 0))
    apart = np.abs(before[0] - before[1])
    assert off.max() < 1e-6 if not codec else np.sqrt(np.mean(off**2)) < 0.6 * np.sqrt(np.mean(apart**2))
    if codec:
        told = nodes[0].paired.told
        assert len(told["apart"]) == 1
        assert 0 < told["apart"][0] < 1
        assert told["exact"][0] == pytest.approx(told["received"][0], abs=0.05)


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each != "other_scale"])
def test_a_hostile_node_sends_other_weights_than_it_uses(attack):
    learner = small_learner()
    settings = ExchangeSettings(model_every_min=60, message_bytes=13_000)
    exchange = Exchange("x", learner, settings, random.Random(1))
    honest = weights_of(learner)
    hostile = Hostile(attack, exchange, learner, random.Random(1))
    sent = weights_of(learner)
    assert np.abs(sent - honest).max() > 0.1
    assert not hostile.due
    assert learner.predict() is not None
    told = hostile.told(DAY_MIN, learner.predict())
    assert told
    assert len(told) <= 300


def test_a_recording_repeats_predictions_and_parts(tmp_path):
    learner = small_learner()
    recording = Recording.empty(DAY_MIN, 2)
    recording.snapshot(DAY_MIN - 1, learner.model)
    recording.predicted[0] = learner.predict()
    recording.save(tmp_path / "one.npz")
    model = Recorded("lstm", Recording.load(tmp_path / "one.npz"))
    model.observe(DAY_MIN, np.zeros(6, np.float32))
    assert np.abs(model.predict() - learner.predict()).max() < 1e-3
    model.observe(DAY_MIN + 1, np.zeros(6, np.float32))
    assert model.predict() is None
    for variable in range(len(VARIABLES)):
        own, kept = learner.model.parts(variable), model.parts(variable)
        assert own.keys() == kept.keys()
        for name, part in own.items():
            assert (kept[name].values == part.values).all()
            assert (kept[name].key, kept[name].private, kept[name].ready) == (
                part.key,
                part.private,
                part.ready,
            )


# ---- the report ---------------------------------------------------------------------------------


def score(node, accuracies, losses):
    """Days of 100 predictions each, with these accuracies and log losses."""
    sums = np.zeros((MEASURES, len(accuracies), len(VARIABLES), len(HORIZONS_MIN)))
    sums[0] = 100
    sums[1] = 100 * np.array(accuracies)[:, None, None]
    sums[2] = 100 * np.array(losses)[:, None, None]
    return Score(node, sums, sums, [0], [0, 1, 2, 3])


def test_a_line_pairs_days_and_counts_the_harmed():
    alone = [score("a", [0.8, 0.9, 0.7], [0.5, 0.4, 0.6]), score("b", [0.5, 0.6, 0.7], [1.0, 1.0, 1.0])]
    with_all = [
        score("a", [0.82, 0.92, 0.72], [0.4, 0.3, 0.5]),
        score("b", [0.49, 0.59, 0.69], [1.0, 1.1, 0.9]),
    ]
    one = line(with_all, alone, demand=True)
    assert one.nodes == 2
    assert one.gain == pytest.approx(0.005)
    assert one.gain_limits == pytest.approx((0.005, 0.005))  # the same on each day
    assert one.saved == pytest.approx(0.05)
    assert one.worst == pytest.approx(-0.01)
    assert (one.harmed, one.surely_harmed) == (1, 1)


def test_only_nodes_that_both_have_are_compared():
    one = line(
        [score("a", [0.8, 0.8, 0.8], [1, 1, 1])],
        [score("a", [0.7, 0.7, 0.7], [1, 1, 1]), score("b", [0, 0, 0], [9, 9, 9])],
        True,
    )
    assert one.nodes == 1
    assert one.gain == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("other", "told"), [("--gate none", "gate better, not none"), ("--noise 1", "noise 0.0, not 1.0")]
)
def test_results_of_other_settings_are_not_mixed(late, folder, capsys, other, told):
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --only scratch")
    assert evaluate(folder, late, *options, *words(other)) == 2
    assert told in capsys.readouterr().err


def test_results_and_pasts_of_other_data_are_not_used(late, folder, tmp_path, capsys):
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --only scratch")
    out, data = tmp_path / "out", tmp_path / "measured"
    shutil.copytree(late, out)
    shutil.copytree(folder, data)
    shutil.copy(data / "combed_1min" / "ab_floor3.csv", data / "combed_1min" / "ab_floor5.csv")
    assert evaluate(data, out, *options) == 2
    assert "measured" in capsys.readouterr().err
    shutil.rmtree(out / "results")
    assert evaluate(data, out, *options) == 0
    assert evaluate(data, tmp_path / "fresh", *options) == 0
    (kept,), (made) = results(out, "late").values(), results(tmp_path / "fresh", "late").values()
    assert [kept["nodes"]] == [each["nodes"] for each in made]
    assert evaluate(tmp_path / "none", out, *options) == 2
    assert "no such folder" in capsys.readouterr().err


def test_a_damaged_past_is_computed_again(late, folder, tmp_path):
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --only scratch")
    shutil.copytree(late, tmp_path / "out")
    (before,) = [each for name, each in results(late, "late").items() if "scratch" in name]
    shutil.rmtree(tmp_path / "out" / "results")
    for file in (each for each in (tmp_path / "out" / "cache").rglob("*") if each.is_file()):
        file.write_bytes(file.read_bytes()[:-9])
    assert evaluate(folder, tmp_path / "out", *options) == 0
    (after,) = results(tmp_path / "out", "late").values()
    assert after["nodes"] == before["nodes"]


@pytest.mark.parametrize("damage", [b"", b"[1]", b"\x8a\x01", b"{}"])
def test_a_report_names_a_damaged_file(late, folder, tmp_path, damage, capsys):
    shutil.copytree(late, tmp_path / "out")
    file = next((tmp_path / "out" / "results" / "late").glob("*scratch*"))
    file.write_bytes(damage or file.read_bytes().replace(b"1", b"2"))
    assert evaluate(folder, tmp_path / "out", "--gossip", "report") == 2
    assert f"{file}: damaged" in capsys.readouterr().err


def test_a_report_does_not_pair_different_plans(late, folder, tmp_path, capsys):
    shutil.copytree(late, tmp_path / "out")
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --only predictions")
    assert evaluate(folder, tmp_path / "out", *options, "--judged-days", "2") == 0
    assert evaluate(folder, tmp_path / "out", "--gossip", "report") == 2
    assert "days " in (told := capsys.readouterr().err)
    assert "of the same table" in told


def test_a_newcomer_lives_on_the_days_of_its_neighbours(folder, tmp_path):
    data, out = tmp_path / "measured", tmp_path / "out"
    shutil.copytree(folder, data)
    other = data / "combed_1min" / "lecture_block.csv"
    head, *lines = other.read_text().splitlines(keepends=True)
    other.write_text("".join((head, *lines[DAY_MIN:])))  # its record begins a day later
    options = words("--gossip late --gossip-model markov --newcomers ab_floor5 --only scratch")
    assert evaluate(data, out, *options) == 0
    (recording,) = (out / "cache" / "recordings").iterdir()
    first_day = datetime(2024, 1, 2, tzinfo=UTC).timestamp() // 60
    assert f"_from{first_day:.0f}_" in recording.name


def test_nodes_of_one_microgrid_live_at_the_same_time_though_their_records_begin_on_different_days():
    def record(name, first_day, days):
        minutes = np.arange(first_day * DAY_MIN, (first_day + days) * DAY_MIN, dtype=np.float32)
        return Record("d", name, "node", first_day * DAY_MIN, np.repeat(minutes[:, None], 6, 1))

    early, late = together([Building(record("a", 5, 4), DAY_MIN), Building(record("b", 6, 3), DAY_MIN)])
    for each in (early, late):
        assert each.record.first_minute == 6 * DAY_MIN
        assert len(each.record.powers_w) == 3 * DAY_MIN
        assert each.record.powers_w[0, 0] == 6 * DAY_MIN  # the lines are those of that day
