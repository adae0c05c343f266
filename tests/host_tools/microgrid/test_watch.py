"""The live view: what it shows at a given width, totals, predictions in watts, addresses."""

import io
import re

import pytest
from rich.console import Console

from edge.terms import VARIABLES
from host_tools.microgrid import layout
from host_tools.microgrid.watch import Sight, Watch, follow, power_range


class Plan:
    learning = {"node_model": "lstm", "first_training_min": 30}
    gossip = {"models": "on"}
    machine = ""


class Port:
    port = 18831


class Building:
    """Answers as a node does."""

    plan, broker, login = Plan(), Port(), "http://127.0.0.1:8081/#token=abc"

    def __init__(self, name, **answers):
        self.name = name
        self.answers = answers

    def ask(self, path):
        if path.strip("/") not in self.answers:
            raise OSError(path)
        return self.answers[path.strip("/")]


class Microgrid:
    def __init__(self, *buildings):
        self.buildings = list(buildings)


def building(name, power_w=1234.0, **more):
    total = {f"{each}_w": power_w for each in VARIABLES}
    flows = {f"{each}_w": power_w for each in ("imported", "exported")}
    links = {"neighbours": {"other": {"connected": True}, "another": {"connected": False}}}
    health = {"status": "ok", "rss_mb": 28.5, "links": links, "node": name}
    return Building(
        name,
        health=health,
        node={"total": total, "flows": flows},
        twins=[],
        contracts={"consumed": [{"valid": True, "consumer": "a", "id": 1, "parts": []}], "supplied": []},
        **more,
    )


def shown(watch, width, title="here"):
    console = Console(file=io.StringIO(), width=width)
    console.print(watch.table(title, width))
    return console.file.getvalue()


@pytest.fixture
def watch():
    names = ("primary", "afterschool", "gym", "underground")
    found = Watch(Microgrid(*(building(name) for name in names)))
    for sight in found.sights:
        for what in ("health", "node", "twins", "contracts"):
            setattr(sight, what, sight.building.ask(what))
    return found


@pytest.mark.parametrize("width", [34, 40, 50, 60, 80, 100, 120, 200])
def test_names_of_nodes_are_visible_at_every_width_and_nothing_is_cut(watch, width):
    lines = shown(watch, width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(name in "\n".join(lines) for name in ("primary", "afterschool", "gym", "underground", "total"))
    assert "\N{HORIZONTAL ELLIPSIS}" not in "\n".join(lines)
    assert re.search(r"req\w* .*miss", lines[1])


def test_a_wide_terminal_shows_every_column(watch):
    heading = shown(watch, 200).splitlines()[1]
    assert all(name in heading for name in ("requested", "missing", "contracts", "links", "RSS MB", "health"))


def test_the_last_row_is_the_total(watch):
    total = shown(watch, 200).splitlines()[-1]
    assert total.startswith("total")
    assert "4,936" in total
    assert "4/8" in total
    assert "114.0" in total


def test_what_passes_a_gate_is_not_in_the_total(watch):
    zeros = dict.fromkeys(("produced_w", "consumed_w", "supplied_w", "reserved_w", "offered_w"), 0.0)
    gate = zeros | {"kind": "holon", "name": "primary.up", "requested_w": 1000.0, "consumed_w": 900.0}
    watch.sights[0].twins = [gate]
    watch.sights[0].contracts["consumed"][0]["consumer"] = "primary.up"
    total = shown(watch, 200).splitlines()[-1].split()
    powers, contracts = total[1:7], total[9]
    assert powers == ["3,936", "4,936", "4,036", "4,936", "4,836", "4,936"]
    assert contracts == "3"


def test_a_node_that_runs_in_the_process_of_another_one_shows_no_memory_of_its_own(watch):
    watch.sights[1].building.plan = type("Outside", (Plan,), {"machine": "primary"})
    lines = shown(watch, 200).splitlines()
    assert ["28.5" in line for line in lines[2:6]] == [True, False, True, True]
    assert "85.5" in lines[-1]


def test_a_node_that_never_answered_adds_nothing(watch):
    watch.sights.append(Sight(building("silent")))
    text = shown(watch, 200)
    assert "no answer" in text
    assert "4,936" in text.splitlines()[-1]


def test_columns_leave_a_narrow_table_in_order():
    headings = [
        ("node", "node"),
        ("requested", "req"),
        ("new", "new"),
        ("links", "links"),
        ("health", "health"),
    ]
    row = ["gym", "100", "1", "2/2", "ok"]

    def columns(width):
        return [each.header for each in layout.table("", headings, [row], row, width).columns]

    assert columns(80) == ["node", "requested", "new", "links", "health"]
    assert columns(25) == ["node", "req", "new", "links", "health"]
    assert columns(22) == ["node", "req", "links", "health"]
    assert columns(16) == ["node", "req", "health"]
    assert columns(5) == ["node", "req"]


@pytest.mark.parametrize(
    ("state", "text"), [(1, "0"), (2, "0-600"), (3, "600-1,200"), (6, "2,400-3,000"), (7, "above 3,000")]
)
def test_a_state_is_shown_as_a_range_of_powers(state, text):
    assert power_range([0.001, 600.0, 1200.0, 1800.0, 2400.0, 3000.0], state) == text


def learning_watch(trainings, cluster, model="lstm", minutes=12):
    known = {"model": model, "minutes": minutes, "trainings": trainings}
    return Watch(
        Microgrid(building("gym", learning={"scopes": {"cluster": known}}, predictions={"cluster": cluster}))
    )


def test_the_time_to_the_first_training_is_shown():
    watch = learning_watch(0, None)
    watch.look()
    assert watch.prediction == ("lstm: 12 minutes of history, first training in 18 min; no prediction yet")
    watch = learning_watch(0, None, minutes=721)
    watch.look()
    assert watch.prediction == ("lstm: 721 minutes of history, first training under way; no prediction yet")


def test_a_prediction_is_shown_in_watts():
    limits_w = [[0.001, 600.0, 1200.0, 1800.0, 2400.0, 3000.0]] * 6
    likeliest = {each: {"30": [3, 0.871]} for each in VARIABLES}
    watch = learning_watch(1, {"likeliest": likeliest, "limits_w": limits_w})
    watch.look()
    assert "microgrid in 30 min, W: requested 600-1,200 (87 %), produced 600-1,200 (87 %)" in watch.prediction


def test_a_model_that_is_not_trained_waits_for_no_training():
    watch = learning_watch(0, None, model="markov")
    watch.look()
    assert "training" not in watch.prediction


def test_the_view_has_a_screen_of_its_own_and_addresses(watch):
    console = Console(file=io.StringIO(), width=100, height=30, force_terminal=True)
    follow(watch, 0.3, lambda passed_s: "now 10:04", console)
    text = console.file.getvalue()
    assert text.startswith("\x1b[?1049h")
    assert "\x1b[?1049l" in text
    assert "now 10:04" in text
    assert "http://127.0.0.1:8081/#token=abc" in text
    assert "broker 18831" in text


def test_gossip_is_shown_for_each_node_and_scope():
    told = {
        "sent": {"models": 3, "predictions": 9},
        "received": {"models": 6, "predictions": 18},
        "bytes": {"sent": 12_345},
        "merged": 2,
        "adopted": 1,
        "refused": {"damaged": 1, "stale": 1},
        "gain": {"all": {"n": 0, "log_loss": None, "own_log_loss": None}},
    }
    known = {"n": 50, "log_loss": 0.4, "own_log_loss": 0.5}
    scopes = {"node": told, "cluster": {**told, "gain": {"all": known}}}
    watch = Watch(Microgrid(building("gym", gossip={"scopes": scopes})))
    watch.look()
    assert watch.gossip == [
        "gossip gym node: models sent 3 (12,345 B), received 6; predictions 9/18; "
        "merged 2, adopted 1, refused 2; gain not known yet",
        "gossip gym cluster: models sent 3 (12,345 B), received 6; predictions 9/18; "
        "merged 2, adopted 1, refused 2; log loss 0.400, alone 0.500",
    ]
    assert "gossip gym node" in watch.lines("1s")
