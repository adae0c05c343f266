"""The place of the market of the next day: what it takes, how it clears, settles and continues."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.energy.day_market import STEPS, Bill
from edge.energy.day_messages import (
    BILL,
    METER,
    ORDERS,
    RESULT,
    Awarded,
    Call,
    Question,
    Reply,
    fitting,
    parse_call,
    parse_question,
    parse_reply,
)
from edge.energy.market_place import DAY_S, MarketPlace, Rules

RULES = Rules(members=3, member_w=10_000, gate_s=39_600, settle_s=3600, short=0.3, long=0.1)
DAY = 20_000
BEFORE_S, AFTER_S, OVER_S = (DAY - 1) * DAY_S, (DAY - 1) * DAY_S + 39_600, (DAY + 1) * DAY_S


def place_of(**changes):
    prices = changes.pop("prices", lambda at_s: None)
    fields = {name: getattr(RULES, name) for name in Rules.__slots__} | changes
    return MarketPlace(Rules(**fields), prices)


def ask(place, member, deed, rows=(), at_s=BEFORE_S, first=0, day=DAY):
    return place.answer(member, Question(7, deed, day, first, list(rows)).encode(), at_s)[0]


def order_all(place, orders):
    """The same orders for each step, by member."""
    for member, pieces in orders.items():
        assert ask(place, member, ORDERS, [pieces] * STEPS).next == STEPS


def clear(place, at_s=AFTER_S):
    while day := place.clearing(at_s):
        place.clear_step(day)


def result(place, member):
    steps = []
    while len(steps) < STEPS:
        steps += ask(place, member, RESULT, at_s=AFTER_S, first=len(steps)).steps
    return steps


def test_a_day_from_orders_to_bills():
    place = place_of()
    order_all(place, {"home": [[2800, 400]], "roof": [[1200, -300]], "hall": [[1100, -100]]})
    clear(place)
    assert [each.position_wh for each in result(place, "home")] == [400] * STEPS
    assert result(place, "roof")[0] == Awarded(pytest.approx(0.2), -300, (("home", 300),))
    assert sorted(result(place, "home")[9].partners) == [("hall", 100), ("roof", 300)]
    for member, need_wh in (("home", 450), ("roof", -300), ("hall", -100)):
        assert not ask(place, member, METER, [need_wh] * STEPS, OVER_S).refused
    assert place.settling(OVER_S) == DAY
    bills = place.settle(DAY)
    assert bills["home"].paid_market == pytest.approx(96 * 0.4 * 0.2)
    assert bills["home"].paid_balancing == pytest.approx(96 * 0.05 * 0.3)
    assert sum(bill.paid_market for bill in bills.values()) == pytest.approx(0.0)
    assert ask(place, "home", BILL, at_s=OVER_S).balancing == (pytest.approx(0.3),) * STEPS


def test_one_order_a_member_and_a_step():
    place = place_of()
    order_all(place, {"home": [[2800, 400]]})
    assert ask(place, "home", ORDERS, [[[3000, 500]]]).next == STEPS
    assert place.sheet_row(DAY, "home")["orders"][0] == ((2800, 400),)
    assert place.refused == {"twice": 1}
    ask(place, "home", ORDERS, [[[2800, 400]]])
    assert place.refused["twice"] == 1  # the same again is no other one


def test_orders_are_refused_late_early_beyond_means_and_beyond_the_number_of_members():
    place = place_of()
    assert ask(place, "home", ORDERS, [[]], AFTER_S).refused == "late"
    assert ask(place, "home", ORDERS, [[]], BEFORE_S, day=DAY + 1).refused == "early"
    ask(place, "home", ORDERS, [[[2800, 2501]], [[2800, 2500]]])
    assert place.sheet_row(DAY, "home")["orders"][:3] == [(), ((2800, 2500),), None]
    assert place.refused["means"] == 1
    ask(place, "roof", ORDERS, [[]])
    ask(place, "hall", ORDERS, [[]])
    assert ask(place, "shop", ORDERS, [[]]).refused == "full"


def test_questions_before_their_time_are_refused():
    place = place_of()
    order_all(place, {"home": [[2800, 400]]})
    assert ask(place, "home", RESULT).refused == "early"
    clear(place)
    assert ask(place, "home", METER, [1] * STEPS, AFTER_S).refused == "early"
    assert ask(place, "home", BILL, at_s=OVER_S).refused == "early"
    assert ask(place, "shop", RESULT, at_s=AFTER_S).refused == "late"


def test_prices_of_the_operator_hold_and_it_trades_what_is_left():
    place = place_of(priced=True, prices=lambda at_s: None if at_s % 3600 else 0.2)
    order_all(place, {"home": [[2800, 400], [1500, 100]], "roof": [[1200, -300], [2500, -50]]})
    clear(place)
    assert result(place, "home")[0] == Awarded(0.2, 400, (("roof", 300), ("", 100)))
    assert result(place, "home")[1] == Awarded(None, 0, ())  # a step without a price
    assert result(place, "roof")[4].position_wh == -300


def test_it_waits_for_the_prices_of_the_operator_until_the_day_begins():
    place = place_of(priced=True)
    order_all(place, {"home": [[2800, 400]]})
    assert place.clearing(AFTER_S) == 0
    assert place.clearing(DAY * DAY_S) == DAY


def test_who_does_not_say_what_it_measured_is_not_settled_but_the_others_are():
    place = place_of()
    order_all(place, {"home": [[2800, 400]], "roof": [[1200, -400]]})
    clear(place)
    ask(place, "home", METER, [300] * 48 + [None] * 48, OVER_S)
    assert place.settling(OVER_S) == 0
    assert place.settling(OVER_S + 3600) == DAY
    bills = place.settle(DAY)
    assert bills["roof"].unknown_steps == STEPS
    assert (bills["home"].less_wh, bills["home"].unknown_steps) == (48 * 100, 48)
    assert ask(place, "roof", METER, [1] * STEPS, OVER_S).refused == "late"


def kept(place, day=DAY):
    """What a restart finds."""
    names = list(place.days[day].sheets)
    row = orjson.loads(orjson.dumps(place.row(day)))
    sheets = [orjson.loads(orjson.dumps(place.sheet_row(day, name))) for name in names]
    return row, sheets


@pytest.mark.parametrize("cleared_steps", [0, 5, STEPS])
def test_a_restart_changes_no_outcome(cleared_steps):
    place = place_of()
    order_all(place, {"home": [[2800, 400]], "roof": [[1200, -300]]})
    for _ in range(cleared_steps):
        place.clear_step(DAY)
    row, sheets = kept(place)
    again = place_of()
    again.restore(row, lambda at: sheets[at])
    clear(place)
    clear(again)
    assert result(again, "home") == result(place, "home")


def test_a_day_with_a_lost_sheet_is_left_out_once_it_was_cleared():
    place = place_of()
    order_all(place, {"home": [[2800, 400]], "roof": [[1200, -300]]})
    clear(place)
    row, sheets = kept(place)
    with pytest.raises(ValueError, match="missing"):
        place_of().restore(row, lambda at: sheets[at] if at else None)


def test_only_some_days_are_held():
    place = place_of()
    for day in range(DAY, DAY + 9):
        ask(place, "home", ORDERS, [[]], (day - 1) * DAY_S, day=day)
        place.drop_old((day - 1) * DAY_S)
    assert sorted(place.days) == [DAY + 5, DAY + 6, DAY + 7, DAY + 8]


pieces = st.lists(st.tuples(st.integers(0, 5000), st.integers(-900, 900).filter(bool)), max_size=4)


@given(st.dictionaries(st.sampled_from("abc"), pieces, min_size=1), st.booleans())
@settings(max_examples=30, deadline=None)
def test_positions_and_partners_add_up_in_each_step(orders, priced):
    place = place_of(priced=priced, prices=lambda at_s: 0.25)
    for member, each in orders.items():
        ask(place, member, ORDERS, [each])
    place.clear_step(DAY)
    day = place.days[DAY]
    pairs = day.pairs(0)
    for member, sheet in day.sheets.items():
        bought = sum(pair.energy_wh for pair in pairs if pair.buyer == member)
        sold = sum(pair.energy_wh for pair in pairs if pair.seller == member)
        assert sheet.position_wh == [bought - sold]
        assert 0 in (bought, sold)
    assert all(pair.energy_wh > 0 for pair in pairs)
    assert priced or sum(sheet.position_wh[0] for sheet in day.sheets.values()) == 0


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries({"do": st.sampled_from([ORDERS, METER]), "n": st.just(1), "day": st.just(1)}),
    json_like,
)
@settings(max_examples=25, deadline=None)
def test_a_malformed_message_is_refused_and_nothing_else(fields, rows):
    for parse, data in (
        (parse_question, fields | {"rows": rows}),
        (parse_reply, {"n": 1, "next": 3, "rows": rows, "who": ["a"], "balancing": rows}),
        (parse_call, {"open": rows, "cleared": 1, "settled": 1, "until": 1, "short": rows, "long": 0.1}),
    ):
        try:
            parse(orjson.dumps(data))
        except (ValueError, KeyError, TypeError):
            continue


def test_messages_survive_the_wire():
    reply = Reply(
        number=3,
        next=2,
        steps=(Awarded(0.1234, -5, (("b", 5),)), Awarded(None, 0, ())),
        balancing=(0.3, None),
    )
    assert parse_reply(reply.encode()) == reply
    call = Call(5, 4 * DAY_S + 100, 3, 2, 0.3, -0.1)
    assert parse_call(call.encode()) == call
    question = parse_question(Question(1, ORDERS, 5, 90, [[[10, -3]], []]).encode())
    assert question.rows == (((10, -3),), ())


def test_a_message_holds_as_many_rows_as_find_room():
    rows = [[[3000, 10_000 + i]] * 12 for i in range(STEPS)]
    found = fitting(rows, 4)
    assert 1 <= len(found) < STEPS - 4
    assert len(orjson.dumps(found)) < 3500


def test_a_bill_counts_what_was_not_measured():
    bill = Bill()
    bill.add(100, 0.2, None, 0.3)
    bill.add(100, 0.2, 150, None)
    assert (bill.bought_wh, bill.unknown_steps, bill.paid) == (200, 2, pytest.approx(0.04))


@pytest.mark.parametrize(
    ("position_wh", "partners"),
    [(-5, []), (-5, [[0, 4]]), (-5, [[0, -5]]), (-5, [[0, 3], [0, 2]]), (0, [[0, 1]]), (5, [[0, 5], [1, 0]])],
)
def test_a_result_that_contradicts_itself_is_refused(position_wh, partners):
    row = [1000, position_wh, partners]
    with pytest.raises(ValueError, match="partners"):
        parse_reply(orjson.dumps({"n": 1, "next": 1, "who": ["a", "b"], "rows": [row]}))


@pytest.mark.parametrize("until_s", [0, 3 * DAY_S, 6 * DAY_S])
def test_a_market_that_closes_on_another_day_than_the_one_before_is_refused(until_s):
    with pytest.raises(ValueError, match="range"):
        parse_call(Call(5, until_s, 3, 2, 0.3, -0.1).encode())
