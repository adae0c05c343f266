"""Dates that are wrong for a while, and nights in which clocks are set: nothing is lost or doubled."""

import json
from datetime import UTC, datetime

import pytest

from edge.api.dispatch import Api
from edge.api.troubles import troubles
from edge.energy.daily_run import Stage
from edge.history.retention import Keep
from edge.history.store import Store
from edge.terms import DAY_MIN
from host_tools.world import World

HOLD_H = 0.25  # instead of 3: how long a new date must hold
START_MIN = 28_332_000  # the virtual clock's midnight
DAY_S = 86_400.0


class Asked:
    """What the views of learning need of the service of a node."""

    pieces, work_s, longest_piece_s, waits_for = 0, 0.0, 0.0, ""
    longest_reaction_s = 0.0

    def __init__(self, node):
        self.node = node

    def ask(self, question):
        return question(self.node)


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def build(world, timezone="UTC", past_days=0, twins=(), **learning):
    twins = [{"name": "lamp", "kind": "load", "input": "m.total", "meter_grace_s": 3600.0}, *twins]
    learning = {"node_model": "markov", "memory_days": 30, **learning}
    world.timezone = timezone
    node = world.add("n1", [], twins, learning)
    if past_days:
        write_past(node, past_days, int(world.clock.wall_s() // 60))
    node.boot()
    node.meters.say("m.total", 100.0)
    return node


def write_past(node, days, end):
    store = Store(node.config.state_dir / "history.sqlite", node.clock, Keep(minutes_days=10**6))
    for minute in range(end - days * DAY_MIN, end):
        store.note_minute("node", minute, [100.0 + minute % 7 * 100.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        if minute % 500 == 0:
            assert store.write()
    store.close()


def minutes(node):
    return [row[0] for rows in node.node.history.minutes("node", 0, 2**40) for row in rows]


def scope(node):
    return node.node.learning.scopes["node"]


def codes(node):
    return {each.code for each in troubles(node.node)} - {"broker_unreachable"}


def run(world, node, hours, power_w=100.0):
    """Time passes; the meter is read each minute."""
    for _ in range(round(60 * hours)):
        node.meters.say("m.total", power_w)
        world.run(60)


def ask(node, target):
    answer = Api(Asked(node.node)).answer("GET", f"/api/v1{target}")
    assert answer.status == 200, answer.content
    return json.loads(b"".join(answer.pieces()))


# ---- a date that jumps ---------------------------------------------------------------------------


@pytest.fixture
def soon_held(monkeypatch):
    """A date is believed sooner, so that less time has to pass. One test below waits for all three hours."""
    monkeypatch.setattr("edge.clock.HOLD_S", HOLD_H * 3600.0)
    monkeypatch.setattr("edge.twins.scope._PATIENCE_MIN", round(HOLD_H * 60))


@pytest.mark.parametrize(
    "days", [120, -3, *(pytest.param(each, marks=pytest.mark.proof) for each in (3400, -120))]
)
def test_three_minutes_of_a_wrong_date_cost_nothing(world, soon_held, days):
    node = build(world, past_days=2)
    run(world, node, 1)  # so that the start does not hold back pruning, which is due each hour
    assert codes(node) == set()
    before, learnt = set(minutes(node)), scope(node).learner.model._counts.sum()
    lines = len(scope(node).learner.series)
    node.clock.wall_error_s = days * DAY_S
    run(world, node, 0.05)
    assert codes(node) == {"clock_jumped"}
    assert scope(node).prediction is None  # none is shown that is not of now
    node.clock.wall_error_s = 0.0
    run(world, node, 0.1)
    assert before <= set(minutes(node))
    assert len(scope(node).learner.series) == lines + (9 if lines < 30 * DAY_MIN else 0)
    assert scope(node).learner.model._counts.sum() >= learnt
    assert scope(node).prediction.minute >= int(world.clock.wall_s() // 60) - 2
    assert codes(node) == {"clock_jumped"}
    run(world, node, HOLD_H)
    assert codes(node) == set()
    assert scope(node).learner.model._counts.sum() > learnt  # it goes on learning


def test_a_wrong_date_that_holds_deletes_a_day_an_hour_and_no_more(world):
    node = build(world, past_days=6)
    run(world, node, 0.1)
    first = minutes(node)[0]
    node.clock.wall_error_s = 3400 * DAY_S
    run(world, node, 2.9)
    assert minutes(node)[0] == first
    run(world, node, 4)
    assert 3 * DAY_MIN <= minutes(node)[0] - first <= 5 * DAY_MIN


@pytest.mark.parametrize("days", [120, -1.5, pytest.param(-120, marks=pytest.mark.proof)])
def test_a_date_that_is_right_after_a_jump_is_learnt_by_when_it_has_held(world, soon_held, days):
    node = build(world, past_days=1)
    node.clock.wall_error_s = -days * DAY_S
    run(world, node, 0.1)
    node.kill()
    node.boot()  # by a date that is wrong
    run(world, node, 0.2)
    node.clock.wall_error_s = 0.0
    run(world, node, HOLD_H + 0.2)
    now = int(world.clock.wall_s() // 60)
    learner = scope(node).learner
    assert scope(node).prediction.minute >= now - 2
    counts = learner.model._counts.sum()
    run(world, node, 0.2)
    assert learner.model._counts.sum() > counts
    assert codes(node) == set()


def test_a_start_by_a_date_that_is_far_ahead_forgets_nothing_that_was_learnt(world):
    node = build(world, past_days=1)
    run(world, node, 1)
    node.node.save()  # what was learnt is kept
    learnt = scope(node).learner.model._counts.sum()
    node.kill()
    node.clock.wall_error_s = 3400 * DAY_S
    node.boot()
    run(world, node, 0.5)
    node.node.save()
    node.kill()
    node.clock.wall_error_s = 0.0
    node.boot()
    run(world, node, 0.1)
    assert scope(node).learner.model._counts.sum() >= learnt
    assert scope(node).prediction is not None


def test_minutes_that_are_there_are_not_overwritten_by_a_date_that_is_behind(world):
    node = build(world, past_days=2)
    row = list(node.node.history.minutes("node", START_MIN - DAY_MIN, START_MIN - DAY_MIN))
    node.clock.wall_error_s = -DAY_S
    run(world, node, 0.2, power_w=999.0)
    assert list(node.node.history.minutes("node", START_MIN - DAY_MIN, START_MIN - DAY_MIN)) == row


def test_a_clock_that_is_not_set_is_a_trouble(world):
    node = build(world)
    node.kill()
    node.clock.wall_error_s = -1.6e9
    node.boot()
    world.run(30)
    assert codes(node) == {"clock_not_set"}


# ---- nights of 23 and 25 hours -------------------------------------------------------------------


def start_at(world, text):
    world.clock.wall_offset_s = datetime.fromisoformat(text).timestamp() - world.clock.now_s()
    return int(world.clock.wall_s() // 60)


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        ("2025-10-25T23:30+00:00", ["2025-10-26T02:59+02:00", "2025-10-26T02:00+01:00"]),
        ("2025-03-29T23:30+00:00", ["2025-03-30T01:59+01:00", "2025-03-30T03:00+02:00"]),
    ],
)
def test_a_night_in_which_clocks_are_set_has_all_its_minutes_and_predictions(world, start, shown):
    begin = start_at(world, start)
    node = build(world, "Europe/Zurich", node_model="persistence")
    newest = []
    for each in range(180):
        run(world, node, 1 / 60, power_w=1000.0 + each)
        newest.append(ask(node, "/predictions")["node"])
    assert minutes(node) == list(range(begin, begin + len(minutes(node))))
    assert len(minutes(node)) >= 179
    made = [each["at"] for each in newest if each]
    moments = [datetime.fromisoformat(each).astimezone(UTC) for each in made]
    assert moments == sorted(moments)
    assert len(set(moments)) >= 178
    assert [text for text in shown if text in made] == shown
    day = ask(node, f"/predictions?from={shown[0]}&to={shown[1]}")["predictions"]
    assert [each["at"] for each in day] == shown


@pytest.mark.proof
def test_the_energy_of_an_autumn_night_is_that_of_25_hours(world):
    start_at(world, "2025-10-25T22:00+00:00")
    node = build(world, "Europe/Zurich")
    run(world, node, 25, power_w=840.0)
    rows = [row for rows in node.node.history.minutes("node", 0, 2**40) for row in rows]
    assert sum(row[1] for row in rows) / 60_000 == pytest.approx(21.0, rel=0.01)  # kWh


def test_hours_of_scores_and_slots_of_chains_are_civil(world):
    start_at(world, "2025-07-01T08:00+00:00")  # 10:00 in Zurich
    node = build(world, "Europe/Zurich")
    run(world, node, 0.9)
    used = scope(node).learner.model._counts[0, 0].sum((-1, -2)).nonzero()[0].tolist()
    assert used == [5]  # 10:00 to 11:00
    by_hour = ask(node, "/scores?days=1")["models"]["markov"]["scores"]["requested"]["5"]["by_hour"]
    assert [hour for hour, each in enumerate(by_hour) if each["n"]] == [10]


def test_a_file_of_the_past_is_civil_time(world, tmp_path):
    begin = start_at(world, "2025-10-26T03:00+00:00")
    names = ("requested", "produced", "consumed", "supplied", "missing", "available")
    lines = ["timestamp," + ",".join(f"{each}_w" for each in names)]
    times = [f"2025-10-26T{hour:02}:{minute:02}" for hour in (1, 2, 2, 3) for minute in range(60)]
    lines += [f"{text},{number},0,0,0,0,0" for number, text in enumerate(times)]
    (tmp_path / "past.csv").write_text("\n".join(lines) + "\n")
    node = build(world, "Europe/Zurich", node_history=str(tmp_path / "past.csv"))
    run(world, node, 0.05)
    series = scope(node).learner.series
    assert series.at(begin - 240, 240)[:, 0].tolist() == [float(each) for each in range(240)]


# ---- a load that waits for its hour --------------------------------------------------------------

WASHING = {"name": "wash", "kind": "shiftable", "power_w": 500.0, "run_s": 3600.0, "within_s": 8 * 3600.0}
ROOF = {"name": "roof", "kind": "pv", "power_w": 900.0}


def washing(world, timezone="UTC", twins=(ROOF,)):
    world.timezone = timezone
    node = world.add("n1", [], [WASHING | {"ready_hour": 13.0}, *twins])
    node.boot()
    return node


def planner_of(node):
    return next(twin for twin in node.node.prosumers if twin.settings.kind == "shiftable").daily


def runs(world, node, hours, stage=Stage.RUNNING):
    """The hours of the day (UTC, to a tenth) at which runs begin, or are planned."""
    found, before = [], None
    for _ in range(round(hours * 360)):
        now = planner_of(node).stage
        if now is stage and before not in (None, stage):
            found.append(round(world.clock.wall_s() % DAY_S / 3600, 1))
        before = now
        world.run(10)
    return found


def test_a_board_that_is_set_at_night_runs_its_machine_once_and_at_its_hour(world):
    start_at(world, "2025-06-05T03:00+00:00")
    node = washing(world)
    node.kill()
    node.clock.wall_error_s = -3 * DAY_S
    node.boot()
    assert runs(world, node, 1 / 6) == []
    node.clock.wall_error_s = 0.0
    assert runs(world, node, 12) == [13.0]


def test_a_load_that_waits_over_a_power_cut_is_planned_anew_when_the_date_is_set(world):
    start_at(world, "2025-06-02T12:55+00:00")
    node = washing(world, twins=[])  # nobody has power for it
    assert runs(world, node, 0.5, Stage.PLANNING) == [13.0]
    node.node.save()
    node.kill()
    off_s = 3 * DAY_S - 10 * 3600.0
    world.run(off_s)
    node.clock.wall_error_s = -off_s  # the board goes on from the time it had saved
    node.boot()
    world.run(2)
    assert planner_of(node).stage is Stage.PLANNING
    node.clock.wall_error_s = 0.0  # it is half past three
    assert runs(world, node, 12, Stage.PLANNING) == [13.0]


@pytest.mark.parametrize(("day", "hour"), [("2025-01-15", 12.0), ("2025-07-15", 11.0)])
def test_the_hour_of_a_load_is_that_of_the_zone_in_winter_and_in_summer(world, day, hour):
    start_at(world, f"{day}T10:00+00:00")
    assert runs(world, washing(world, "Europe/Zurich"), 3) == [hour]
