"""What a node shows of its history: energy, offers, records of meters, and a past moment."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from answer_schema import faults
from changed_node import ChangedNode

from edge.api.access import Caller
from edge.api.accounts import Accounts
from edge.api.dispatch import Asked
from edge.api.energy import EnergyPeriod
from edge.api.moment import PastMoment
from edge.api.offers import Offers
from edge.api.records import PastRecords
from edge.api.series import Series
from edge.api.statement import Statement
from edge.history.offers import MADE, RECEIVED, PastOffer
from edge.terms import DAY_MIN
from host_tools.world import World

ROOF = {"name": "roof", "kind": "pv", "power_w": 900.0}
HEATER = {"name": "heater", "kind": "load", "power_w": 400.0}


@pytest.fixture(scope="module")
def gym():
    gym = ChangedNode([ROOF, HEATER]).boot()
    gym.world.run(60 * 95)
    gym.node.history.write()
    yield gym
    gym.world.close()


def raw(gym, path, accept=""):
    """Status, media type and bytes of an answer."""
    answer = gym.api.answer("GET", f"/api/v1{path}", Asked(Caller(), accept=accept))
    return answer.status, answer.media, b"".join(answer.pieces())


def ask(gym, path, status=200):
    found, _, data = raw(gym, path)
    assert found == status, data
    return json.loads(data)


def minute_now(gym):
    return int(gym.node.wall_s() // 60)


def text(gym, minute):
    return gym.node.zone.text(minute).replace("+", "%2B")


def span(gym, minutes):
    now = minute_now(gym)
    return f"from={text(gym, now - minutes)}&to={text(gym, now)}"


def test_energy_is_that_of_the_devices_and_of_their_partners_by_quarter_hour(gym):
    found = ask(gym, f"/energy?{span(gym, 100)}")
    assert faults(found, EnergyPeriod) == []
    whole = [
        each
        for each in found["energies"]
        if (each["twin"], each["partner"], each["quality"]) == ("gym.heater", "gym.roof", "measured")
    ]
    assert len(whole) >= 4
    assert all(each["drawn_wh"] == pytest.approx(100.0, rel=0.03) for each in whole)
    assert [each["start_s"] for each in whole] == sorted({each["start_s"] for each in whole})
    assert all(each["start_s"] % 900 == 0 for each in found["energies"])
    roof = next(each for each in found["partners"] if (each["twin"], each["partner"]) == ("gym.roof", ""))
    assert roof["given_wh"] > 4 * 390 / 4


def test_the_sums_of_energy_are_those_of_its_rows_and_hours_are_made_of_quarters(gym):
    begin = minute_now(gym) // 60 * 60 - 120
    path = f"/energy?from={text(gym, begin)}&to={text(gym, begin + 120)}"
    quarters, hours = ask(gym, path), ask(gym, f"{path}&step=60")
    for found in (quarters, hours):
        sums = {}
        for each in found["energies"]:
            key = each["twin"], each["partner"]
            sums[key] = sums.get(key, 0.0) + each["drawn_wh"] + each["given_wh"]
        told = {(e["twin"], e["partner"]): e["drawn_wh"] + e["given_wh"] for e in found["partners"]}
        assert told == {key: pytest.approx(wh, abs=0.01) for key, wh in sums.items()}
        assert told
    assert {each["start_s"] % 3600 for each in hours["energies"]} == {0}


def test_energy_is_of_one_twin_and_one_partner(gym):
    whole = ask(gym, f"/energy?{span(gym, 100)}")["energies"]
    twin = ask(gym, f"/energy?{span(gym, 100)}&twin=gym.heater")["energies"]
    assert twin == [each for each in whole if each["twin"] == "gym.heater"]
    partner = ask(gym, f"/energy?{span(gym, 100)}&partner=gym.roof")["energies"]
    assert partner == [each for each in whole if each["partner"] == "gym.roof"]
    device = ask(gym, f"/energy?{span(gym, 100)}&partner=")["energies"]
    assert device == [each for each in whole if each["partner"] == ""]
    assert partner
    assert device


def test_energy_is_also_csv(gym):
    path = f"/energy?{span(gym, 100)}"
    status, media, data = raw(gym, path, accept="text/csv")
    assert (status, media) == (200, "text/csv; charset=utf-8")
    assert raw(gym, f"{path}&format=csv")[2] == data
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    whole = ask(gym, path)["energies"]
    assert [(each["twin"], each["partner"], float(each["drawn_wh"])) for each in rows] == [
        (each["twin"], each["partner"], each["drawn_wh"]) for each in whole
    ]
    assert rows[0]["time"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/energy?from=2026-01-01T00:00Z&to=2026-02-15T00:00Z", "at most 3000 steps"),
        ("/energy?from=2026-01-02T00:00Z&to=2026-01-01T00:00Z", "`from` before `to`"),
        ("/energy?step=1", "15 or 60"),
        ("/energy?from=2026-01-01T00:00Z&to=9999-12-31T23:59Z", "out of range"),
        ("/moment?at=0001-01-02T00:00Z", "out of range"),
        ("/offers?from=2026-01-02T00:00Z&to=2026-01-01T00:00Z", "`from` before `to`"),
        ("/offers?cursor=1~a", "cursor"),
        ("/records?meter=a.b", "meter = a.b"),
        ("/records?meter=m1&from=2026-01-01T00:00Z&to=2026-03-01T00:00Z", "at most 31 days"),
        ("/moment?at=noon", "at = noon"),
    ],
)
def test_what_makes_no_sense_is_refused(gym, path, words):
    assert words in ask(gym, path, 400)["detail"]


def test_energy_of_a_month_is_one_answer(gym):
    assert ask(gym, "/energy?from=2026-01-01T00:00Z&to=2026-02-01T00:00Z")["energies"] == []


@pytest.fixture(scope="module")
def offers(gym):
    """Forty offers of a day long ago, several of them at the same time."""
    begin_ms = 60_000 * (minute_now(gym) - 10 * DAY_MIN)
    for i in range(40):
        at_ms = begin_ms + i // 4 * 60_000
        role = MADE if i % 2 else RECEIVED
        fate = ("accepted", "refused", "elsewhere", "ended")[i % 4]
        twin = "gym.roof" if role == MADE else "gym.heater"
        who = (twin, f"n{i % 3}.other")
        gym.node.history.note_offer(PastOffer(at_ms, *who, i, role, 100.0 + i, 0.25, fate, at_ms + 5000))
    assert gym.node.history.write()
    return f"from={text(gym, begin_ms // 60_000)}&to={text(gym, begin_ms // 60_000 + 60)}"


@pytest.mark.parametrize("limit", [1, 3, 7, 39, 40, 1000])
def test_offers_come_newest_first_and_whole_page_by_page(gym, offers, limit):
    found, cursor = [], ""
    while cursor is not None:
        page = ask(gym, f"/offers?{offers}&limit={limit}{cursor}")
        assert faults(page, Offers) == []
        assert len(page["offers"]) <= limit
        found += page["offers"]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert sorted(each["request"] for each in found) == list(range(40))
    assert [each["at_s"] for each in found] == sorted((each["at_s"] for each in found), reverse=True)


def test_an_offer_says_who_made_it_to_whom_and_what_became_of_it(gym, offers):
    found = {each["request"]: each for each in ask(gym, f"/offers?{offers}")["offers"]}
    assert (found[0]["supplier"], found[0]["consumer"]) == ("n0.other", "gym.heater")
    assert (found[1]["supplier"], found[1]["consumer"]) == ("gym.roof", "n1.other")
    assert (found[1]["local"], found[1]["outcome"], found[1]["power_w"]) == ("supplier", "refused", 101.0)
    assert found[1]["ended_s"] == found[1]["at_s"] + 5
    of_twin = ask(gym, f"/offers?{offers}&twin=gym.roof")["offers"]
    assert {each["request"] for each in of_twin} == set(range(1, 40, 2))


def test_records_of_a_meter_are_those_of_the_period(gym):
    begin = minute_now(gym) - 5 * DAY_MIN
    for i in range(600):
        gym.node.history.note_record(begin + i, "m1", {"voltage_v": 230.0 + i % 7, "l1.current_a": 1.5})
    gym.node.history.note_record(begin, "m2", {"voltage_v": 1.0})
    assert gym.node.history.write()
    path = f"/records?meter=m1&from={text(gym, begin + 10)}&to={text(gym, begin + 590)}"
    found = ask(gym, path)
    assert faults(found, PastRecords) == []
    assert [each["at_s"] for each in found["records"]] == [60 * (begin + i) for i in range(10, 590)]
    assert found["records"][0]["values"] == {"voltage_v": 233.0, "l1.current_a": 1.5}
    assert {each["meter"] for each in found["records"]} == {"m1"}
    assert ask(gym, "/records?meter=m3")["records"] == []
    assert ask(gym, "/records") == {"records": []}


def test_a_past_moment_says_who_supplied_whom(gym):
    assert ask(gym, "/moment")["at_s"] == 60 * minute_now(gym)
    found = ask(gym, f"/moment?at={text(gym, minute_now(gym) - 30)}")
    assert faults(found, PastMoment) == []
    assert found["known"]
    assert [(each["supplier"], each["consumer"], each["w"]) for each in found["flows"]] == [
        ("gym.roof", "gym.heater", 400.0)
    ]
    assert found["powers_w"]["consumed"] == 400.0
    assert {each["twin"] for each in found["twins"]} == {"gym.roof", "gym.heater"}
    assert next(each for each in found["twins"] if each["twin"] == "gym.roof")["settings"]["power_w"] == 900.0


@pytest.mark.parametrize("minutes", [-10, 20 * DAY_MIN])
def test_of_the_future_and_of_times_before_it_ran_nothing_is_known(gym, minutes):
    found = ask(gym, f"/moment?at={text(gym, minute_now(gym) - minutes)}")
    assert faults(found, PastMoment) == []
    assert (found["known"], found["flows"], found["twins"]) == (False, [], [])


@pytest.mark.parametrize("step", [15, 60])
def test_a_longer_step_has_the_least_and_the_most_also_when_the_minutes_are_gone(gym, step):
    history = gym.node.history
    begin = minute_now(gym) // 60 * 60 - 50 * DAY_MIN
    for i in range(180):
        history.note_minute("node", begin + i, [float(i), *[0.0] * 5])
    assert history.write()
    path = f"/series?from={text(gym, begin)}&to={text(gym, begin + 120)}"
    assert ask(gym, path)["least"] is None
    before = ask(gym, f"{path}&step={step}")
    history.file.write(lambda c: c.execute("DELETE FROM minutes WHERE minute < ?", (begin + 180,)))
    assert ask(gym, path)["columns"]["requested_w"] == [None] * 120
    found = ask(gym, f"{path}&step={step}")
    assert faults(found, Series) == []
    assert found == before
    starts = range(0, 120, step)
    assert found["least"]["requested_w"] == [float(each) for each in starts]
    assert found["most"]["requested_w"] == [float(each + step - 1) for each in starts]
    assert found["columns"]["requested_w"] == [each + (step - 1) / 2 for each in starts]
    rows = list(csv.DictReader(io.StringIO(raw(gym, f"{path}&step={step}&format=csv")[2].decode())))
    assert rows[0]["requested_most_w"] == str(step - 1)


def test_the_statement_of_a_month_is_the_sum_of_the_energies(gym):
    found = ask(gym, "/statement")
    assert faults(found, Statement) == []
    assert found["month"] == gym.node.zone.text(minute_now(gym))[:7]
    heater, roof = found["twins"]
    assert [heater["twin"], roof["twin"]] == ["gym.heater", "gym.roof"]
    period = f"from={text(gym, found['from_s'] // 60)}&to={text(gym, found['to_s'] // 60)}&step=60"
    sums = {(each["twin"], each["partner"]): each for each in ask(gym, f"/energy?{period}")["partners"]}
    assert heater["drawn_wh"] == pytest.approx(sums["gym.heater", ""]["drawn_wh"], abs=0.01)
    [partner] = heater["partners"]
    assert partner["partner"] == "gym.roof"
    assert partner["drawn_wh"] == pytest.approx(sums["gym.heater", "gym.roof"]["drawn_wh"], abs=0.01)
    _, media, data = raw(gym, "/statement?format=csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert media.startswith("text/csv")
    assert [(each["twin"], each["partner"]) for each in rows][:2] == [
        ("gym.heater", ""),
        ("gym.heater", "gym.roof"),
    ]
    assert float(rows[0]["drawn_wh"]) == heater["drawn_wh"]


def test_the_statement_has_lines_of_the_market_of_the_next_day_for_who_may_see_them(gym):
    month_min = int(datetime(2001, 12, 1, tzinfo=UTC).timestamp() // 60)
    for day, known in ((0, 0), (1, 4)):
        gym.node.history.note_market_day(month_min + 1440 * day, "gym", 400, 100, 30, 20, 0.05, -0.01, known)
    gym.node.history.write()
    line = ask(gym, "/statement?month=2001-12")["market"][0]
    assert (line["member"], line["days"], line["bought_wh"], line["more_wh"]) == ("gym", 2, 800, 60)
    assert (line["paid"], line["paid_balancing"], line["unknown_steps"]) == (0.1, -0.02, 4)
    _, _, data = raw(gym, "/statement?month=2001-12&format=csv")
    assert data.decode().splitlines()[-2:] == [
        "2001-12,gym,market of the next day,800.0,200.0,0.1,0.0,measured",
        "2001-12,gym,deviations,60.0,40.0,0.0,0.02,missing",
    ]


def test_a_month_that_has_not_begun_has_no_statement(gym):
    assert "has not begun" in ask(gym, "/statement?month=2099-01", 400)["detail"]
    assert ask(gym, "/statement?month=2001-12")["twins"] == []
    ask(gym, "/statement?month=2026-13", 400)


def test_accounts_prices_and_levels_of_the_past_and_the_money_of_a_statement():
    world = World(seed=1)
    rules = {"name": "ours"}
    cells = {"name": "cells", "kind": "storage", "battery_wh": 500.0}
    world.add("sun", ["gym"], [{**ROOF, "price": 0.2, "donates": 1.0}, cells], community=rules)
    node = ChangedNode([HEATER], ["sun"], world=world)
    node.raw["community"] = rules
    node.boot()
    world.run(60 * 50)
    node.node.history.write()
    found = ask(node, "/accounts")
    assert faults(found, Accounts) == []
    rows = [each for each in found["accounts"] if each["twin"] == "gym.heater"]
    assert len(rows) >= 3
    assert all(each["start_s"] % 900 == 0 for each in rows)
    assert rows[1]["paid"] == pytest.approx(0.1 * 0.2, rel=0.05), "a quarter of 400 W at 0.2 per kWh"
    assert [(each["supplier"], each["rate"]) for each in found["prices"]] == [("sun.roof", 0.2)]
    heater = ask(node, "/statement")["twins"][0]
    assert heater["paid"] == pytest.approx(sum(each["paid"] for each in rows), abs=1e-5)
    far = world.nodes["sun"].node.history
    far.write()
    assert [each.twin for each in far.levels(0, 2**40)][:2] == ["sun.cells", "sun.cells"]
    world.close()


def test_the_last_minutes_are_shown_before_they_are_written_by_themselves():
    gym = ChangedNode([ROOF, HEATER]).boot()
    try:
        gym.node.history.write()
        gym.world.run(60 * 2.5)
        now = minute_now(gym)
        assert now % 5 not in (0, 1)  # the node itself writes at the end of five minutes
        found = ask(gym, f"/series?{span(gym, 2)}")
        assert None not in found["columns"]["requested_w"]
    finally:
        gym.world.close()
