"""What a node shows of its past and of its space: series, events, LSAs; as JSON and CSV, page by page."""

import csv
import io

import pytest
from changed_node import ChangedNode

from edge.api.access import Caller
from edge.api.dispatch import Asked

ROOF = {"name": "roof", "kind": "pv", "power_w": 900.0}
HEATER = {"name": "heater", "kind": "load", "power_w": 400.0}


@pytest.fixture(scope="module")
def gym():
    gym = ChangedNode([ROOF, HEATER]).boot()
    gym.world.run(60 * 40)
    gym.node.history.write()
    for i in range(6):
        gym.say("PATCH", "/twins/heater", {"power_w": 300.0 + i})
    yield gym
    gym.world.close()


def ask(gym, path, status=200):
    found, content = gym.say("GET", path)
    assert found == status, content
    return content


def minute_now(gym):
    return int(gym.node.wall_s() // 60)


def text(gym, minute):
    return gym.node.zone.text(minute).replace("+", "%2B")


def test_a_series_has_a_column_for_each_variable_and_null_where_nothing_is_known(gym):
    now = minute_now(gym)
    found = ask(gym, f"/series?from={text(gym, now - 100)}&to={text(gym, now)}")
    assert (found["start"], found["step"]) == (now - 100, 1)
    assert found["start_s"] == 60 * (now - 100)
    assert list(found["columns"]) == [
        f"{each}_w" for each in ("requested", "produced", "consumed", "supplied", "missing", "available")
    ]
    column = found["columns"]["requested_w"]
    assert len(column) == 100
    assert column[0] is None
    assert 400.0 in column


@pytest.mark.parametrize("step", [15, 60])
def test_a_longer_step_is_the_mean_of_the_minutes_that_are_known(gym, step):
    now = minute_now(gym)
    span = f"from={text(gym, now - 200)}&to={text(gym, now)}"
    minutes = ask(gym, f"/series?{span}")
    found = ask(gym, f"/series?{span}&step={step}")
    assert found["start"] % step == 0
    by_step = {}
    for i, each in enumerate(minutes["columns"]["produced_w"]):
        if each is not None:
            by_step.setdefault((minutes["start"] + i - found["start"]) // step, []).append(each)
    for i, each in enumerate(found["columns"]["produced_w"]):
        known = by_step.get(i)
        assert each == (round(sum(known) / len(known), 1) if known else None)


def test_a_series_is_also_csv_by_parameter_or_by_header(gym):
    now = minute_now(gym)
    path = f"/api/v1/series?from={text(gym, now - 10)}&to={text(gym, now)}"
    by_parameter = gym.api.answer("GET", f"{path}&format=csv")
    by_header = gym.api.answer("GET", path, Asked(Caller(), accept="text/csv"))
    assert by_parameter.content == by_header.content
    assert by_parameter.media == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(by_parameter.content.decode())))
    assert len(rows) == 10
    assert rows[0]["time"].endswith("Z")
    assert rows[-2]["produced_w"] == "900"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2026-01-01T00:00Z&to=2026-01-08T00:01Z", "at most 10080 steps"),
        ("from=2026-01-02T00:00Z&to=2026-01-01T00:00Z", "`from` before `to`"),
        ("step=7", "1 or 15 or 60"),
        ("scope=all", "node or cluster"),
    ],
)
def test_a_series_that_is_too_long_or_makes_no_sense_is_refused(gym, query, words):
    assert words in ask(gym, f"/series?{query}", 400)["detail"]


def test_a_week_of_minutes_is_one_answer(gym):
    found = ask(gym, "/series?from=2026-01-01T00:00Z&to=2026-01-08T00:00Z")
    assert {len(each) for each in found["columns"].values()} == {10080}


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
def test_events_come_newest_first_and_whole_page_by_page(gym, limit):
    whole = ask(gym, "/events?limit=1000")["events"]
    assert len(whole) >= 9
    assert [each["at_s"] for each in whole] == sorted((each["at_s"] for each in whole), reverse=True)
    found, cursor = [], ""
    while True:
        page = ask(gym, f"/events?limit={limit}{cursor}")
        assert len(page["events"]) <= limit
        found += page["events"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == whole


def test_events_are_filtered_by_twin_kind_and_time(gym):
    whole = ask(gym, "/events?limit=1000")["events"]
    by_twin = ask(gym, "/events?twin=gym.roof&limit=1000")["events"]
    assert by_twin == [each for each in whole if each["twin"] == "gym.roof"]
    by_kind = ask(gym, "/events?kind=start&limit=1000")["events"]
    assert by_kind == [each for each in whole if each["kind"] == "start"]
    middle = int(whole[4]["at_s"] // 60)
    before = ask(gym, f"/events?to={text(gym, middle)}&limit=1000")["events"]
    after = ask(gym, f"/events?from={text(gym, middle)}&limit=1000")["events"]
    assert after + before == whole
    assert before
    assert after
    assert ask(gym, "/events?kind=nothing")["events"] == []


def test_events_are_also_csv(gym):
    answer = gym.api.answer("GET", "/api/v1/events?format=csv&limit=5")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert len(rows) == 5
    assert rows[0]["partner"].startswith("token (configure)")


@pytest.mark.parametrize("cursor", ["1", "x~y~z", "1~~2", "1~a~b", "9" * 30])
def test_a_cursor_that_nobody_gave_is_refused(gym, cursor):
    assert "cursor" in ask(gym, f"/events?cursor={cursor}", 400)["detail"]


def test_the_space_shows_public_values_and_that_others_are_sealed(gym):
    found = {each["name"]: each for each in ask(gym, "/space")["lsas"]}
    assert set(found) >= {"gym.roof", "gym.heater", "gym.recorder"}
    heater = found["gym.heater"]
    assert (heater["node"], heater["hops"], heater["kind"]) == ("gym", 0, "prosumer")
    contract = next(each for each in heater["properties"] if each["label"] == "CONTRACT1")
    assert contract["sealed"]
    assert contract["value"]["ok"] is True
    assert contract["bytes"] > 0


def test_the_space_is_filtered_and_comes_page_by_page(gym):
    assert [each["name"] for each in ask(gym, "/space?label=CONTRACT1")["lsas"]] == ["gym.heater"]
    assert next(each["name"] for each in ask(gym, "/space?text=ROOF&limit=1")["lsas"]) == "gym.roof"
    names, cursor = [], ""
    while cursor is not None:
        page = ask(gym, f"/space?limit=1{cursor}")
        names += [each["name"] for each in page["lsas"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert names == [each["name"] for each in ask(gym, "/space")["lsas"]]


def test_metrics_are_text_that_prometheus_reads(gym):
    import re

    answer = gym.api.answer("GET", "/metrics")
    assert answer.media.startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    sample = re.compile(r'edge_[a-z_]+\{node="gym"(,[a-z]+="[^"]*")*\} -?[0-9.e+-]+')
    assert all(each.startswith("# ") or sample.fullmatch(each) for each in lines)
    assert 'edge_power_watts{node="gym",variable="produced"} 900.0' in lines
    named = [each.split("{")[0] for each in lines if not each.startswith("#")]
    typed = [each.split()[2] for each in lines if each.startswith("# TYPE")]
    assert set(named) == set(typed)
    assert len(typed) == len(set(typed))


@pytest.mark.parametrize("path", ["/node", "/twins", "/scores", "/predictions", "/contracts"])
def test_an_old_path_is_answered_with_the_new_one(gym, path):
    answer = gym.api.answer("GET", f"{path}?a=b")
    assert (answer.status, dict(answer.headers)["Location"]) == (308, f"/api/v1{path}?a=b")


def test_health_is_at_both_paths(gym):
    both = [gym.api.answer("GET", path).content for path in ("/health", "/api/v1/health")]
    assert both[0].keys() == both[1].keys()
