"""Scores, credits, what a supplier believes of them, and what follows from them."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.energy.book import Book, Promise, State
from edge.energy.conditions import Conditions, Response
from edge.energy.credits import MINUTES, Balance, Credits
from edge.energy.giving import GIVING, Case, Decisions, Learning
from edge.energy.messages import Priority, Request
from edge.energy.parsing import parse_request
from edge.energy.policies import SeenRequest
from edge.energy.prices import Slot
from edge.energy.scores import Award, Scene, Scores, Sight
from edge.energy.tariff import Tariff
from edge.twins.settings import GIVING as NAMES

POWER = st.floats(0, 1e5)
SCENE = st.builds(Scene, POWER, POWER, POWER, POWER, POWER, POWER, POWER)
SIGHT = st.builds(Sight, POWER, POWER, POWER, POWER, st.none() | POWER, st.booleans(), st.none() | POWER)


def minute(scores, sight, scene, seconds=60):
    for _ in range(seconds):
        scores.look(sight, scene)
    return scores.close()


# ---- scores ---------------------------------------------------------------------------------------


def test_who_supplies_more_than_its_part_gets_a_bonus():
    scene = Scene(asked_w=0.0, penalised_w=0.0, produced_w=200.0, supplied_w=80.0)
    award = minute(Scores(), Sight(capacity_w=100.0, supplied_w=80.0), scene, 61)
    assert award.supply_wh == pytest.approx((80 - 0.8 * 40) / 60)  # the first sample counts for nothing


def test_who_has_power_and_does_not_offer_it_to_those_who_wait_gets_a_malus():
    scene = Scene(asked_w=50.0, penalised_w=0.0, produced_w=200.0, supplied_w=0.0)
    scores = Scores()
    minute(scores, Sight(capacity_w=100.0), scene)  # the first twelve seconds are still open
    assert minute(scores, Sight(capacity_w=100.0), scene).supply_wh == pytest.approx(-50 / 60)


def test_nothing_is_owed_to_consumers_with_a_penalty():
    scene = Scene(asked_w=0.0, penalised_w=50.0, produced_w=200.0, supplied_w=0.0)
    assert minute(Scores(), Sight(capacity_w=100.0), scene).supply_wh == 0


def test_an_offer_within_twelve_seconds_makes_good_what_was_withheld():
    scene = Scene(asked_w=50.0, penalised_w=0.0, produced_w=200.0, supplied_w=0.0)
    scores = Scores()
    for _ in range(12):
        scores.look(Sight(capacity_w=100.0), scene)
    scores.look(Sight(capacity_w=100.0, offered_w=50.0), scene)
    assert minute(scores, Sight(capacity_w=100.0, offered_w=50.0), scene).supply_wh == pytest.approx(
        0, abs=0.02
    )


def test_supplying_a_penalised_consumer_is_beyond_duty():
    expected = Scene(0.0, 0.0, 200.0, 80.0, indulged_w=0.0).expected_w
    assert Scene(0.0, 0.0, 200.0, 80.0, indulged_w=80.0).expected_w == expected / 2


def test_consumption_is_scored_against_the_quota_only_while_power_is_short():
    short = Scene(asked_w=100.0, penalised_w=0.0, produced_w=100.0, supplied_w=100.0)
    plenty = short._replace(produced_w=500.0)
    modest, greedy = (Sight(consumed_w=power_w, quota_w=300.0) for power_w in (50.0, 450.0))
    assert minute(Scores(), modest, short).consumption_wh == pytest.approx((0.5 * 300 - 50) / 60)
    assert minute(Scores(), greedy, short).consumption_wh == pytest.approx((0.5 * 300 - 450) / 60)
    assert minute(Scores(), greedy, plenty).consumption_wh == 0
    assert minute(Scores(), greedy._replace(quota_w=None), short).consumption_wh == 0
    assert minute(Scores(), Sight(quota_w=300.0), short).consumption_wh == 0  # nobody is at home
    capped = plenty._replace(threshold_w=50.0)
    assert minute(Scores(), greedy, capped).consumption_wh < 0


def test_equity_compares_the_response_times_of_a_supplier():
    scores, scene = Scores(), Scene(0.0, 0.0, 100.0, 60.0)
    scores.served("n.a", 0.3)
    scores.served("n.b", 9.0)
    assert minute(scores, Sight(100.0, 60.0), scene).equity_wh == 0  # both at once
    scores.served("n.a", 5.0)
    scores.served("n.b", 40.0)
    assert minute(scores, Sight(100.0, 60.0), scene).equity_wh == pytest.approx(-0.1 * 0.75 * 1.0)


def test_green_consumption_is_compared_with_what_is_there_and_unknown_is_not_zero():
    scene = Scene(0.0, 0.0, 100.0, 60.0, green_w=50.0)
    assert minute(Scores(), Sight(consumed_w=60.0, green_w=60.0), scene).green_wh == pytest.approx(0.05)
    assert minute(Scores(), Sight(consumed_w=60.0, green_w=0.0), scene).green_wh == pytest.approx(-0.05)
    assert minute(Scores(), Sight(consumed_w=60.0, green_w=None), scene).green_wh == 0


@given(st.lists(st.tuples(SIGHT, SCENE), max_size=80))
def test_scores_are_bounded_by_the_energy_that_they_are_about(samples):
    scores, most_wh = Scores(), 0.0
    for sight, scene in samples:
        scores.look(sight, scene)
        most_wh += (sight.supplied_w + sight.capacity_w) / 3600
    award = scores.close()
    assert -most_wh - 1e-6 <= award.supply_wh <= most_wh + 1e-6
    assert award.equity_wh == 0


def test_a_total_is_weighed():
    assert Award(1.0, 2.0, 3.0, 4.0).total_wh((1.0, 0.5, 0.0, 2.0)) == 10.0


# ---- credits --------------------------------------------------------------------------------------


def test_a_balance_forgets_each_minute_after_an_hour():
    balance = Balance()
    balance.add(-5.0)
    for _ in range(MINUTES - 1):
        balance.close_minute()
        assert balance.credit_wh == -5.0
        balance.add(0.0)
    balance.close_minute()
    assert balance.credit_wh == 0.0
    assert balance.empty


@given(st.lists(st.floats(-1e3, 1e3), max_size=200))
def test_a_balance_is_the_sum_of_the_last_sixty_minutes(awards):
    balance = Balance()
    for award in awards:
        balance.add(award)
        balance.close_minute()
    kept = awards[-(MINUTES - 1) :]
    assert balance.credit_wh == pytest.approx(sum(kept))
    assert len(balance._minutes) < MINUTES


def test_a_supplier_believes_the_lower_of_claim_and_experience():
    credits = Credits("n", members=2)
    assert credits.believed("m.c", 100.0) == 0.0  # a liar gains nothing by a claim
    assert credits.believed("m.c", -3.0) == -3.0
    credits.experience("m", 2.0)
    assert credits.believed("m.c", 100.0) == 2.0
    credits.experience("m", -5.0)
    assert credits.believed("m.c", 100.0) == -3.0
    assert credits.believed("n.c", 7.0) == 7.0  # its own node it knows


def test_experience_is_bounded_and_forgotten():
    credits = Credits("n", members=2)
    for i in range(5):
        credits.experience(f"m{i}", 1.0)
    assert len(credits.state()[1]) == 2
    for _ in range(MINUTES):
        credits.close_minute()
    assert credits.state()[1] == {}


def test_a_newcomer_begins_with_its_credit_once():
    credits = Credits("n", members=2, newcomer_wh=5.0)
    assert credits.of("n.c") == 5.0
    credits.award("n.c", -5.0)
    assert credits.of("n.c") == 0.0
    for _ in range(MINUTES):
        credits.close_minute()
    assert credits.of("n.c") == 0.0
    credits.keep_only(set())
    assert credits.state()[0] == {}


# ---- what follows ---------------------------------------------------------------------------------


def conditions(kind="none", giving=None, experience=0.0, **more):
    credits = Credits("n", members=8)
    credits.experience("m", experience)
    policy = GIVING[giving](random.Random(1)) if giving else None
    return Conditions(
        Tariff(((0, 1.0),), dynamic=False),
        3,
        lambda: 1000.0,
        lambda: 0.0,
        credits,
        Response(kind=kind, tolerance_wh=0.1, spread_s=3600.0, **more),
        policy,
        "n.sun",
    )


def seen(consumer="m.c", credit_wh=0.0, power_w=100.0):
    return SeenRequest(consumer, Request(1, power_w, Priority.LOW, credit_wh=credit_wh), 1, 0.0)


def served(terms, *requests):
    return [each.consumer for each in terms.served(list(requests), Book(8, "n"), 1000.0, 0.0)]


def test_a_consumer_with_a_debt_is_excluded_and_an_altruist_waits_longer():
    poor, poorer = seen(credit_wh=-1.0), seen("k.c", credit_wh=-3.0)
    assert served(conditions(), poor, poorer) == ["m.c", "k.c"]
    assert served(conditions("exclude"), poor, poorer) == []
    assert served(conditions("exclude"), seen(credit_wh=-0.05)) == ["m.c"]
    assert served(conditions("exclude", "altruist"), poor, poorer) == ["m.c"]


def test_a_credit_lowers_the_price_and_a_debt_raises_it_up_to_ten_times_more():
    def price(credit_wh, experience=1e6):
        terms = conditions("price", experience=experience)
        return terms.quote(seen(credit_wh=credit_wh), Book(8, "n"), 1000.0, 0.0)[0].price

    assert price(0.0) == 1.0
    assert price(25.0) == 0.75
    assert price(1e6) == 0.0
    assert price(1e6, experience=0.0) == 1.0
    assert price(-50.0) == 1.5
    assert price(-1e6) == 11.0


def test_a_consumer_with_a_debt_comes_last():
    order = conditions("place").placed(
        [seen("a.c", -1.0), seen("m.c", 0.0), seen("b.c", -2.0), seen("d.c", 0.0)]
    )
    assert [each.consumer for each in order] == ["m.c", "d.c", "a.c", "b.c"]


def test_running_discounts_are_what_they_are_worth():
    book = Book(8, "n")
    book.add(Promise("m.c", 1, State.VALID, 100.0, 105.0, 1e9, Priority.LOW, 1, prices=(Slot(0, 2.0, 0.5),)))
    assert conditions("price").discounted_w(book, 10.0) == {"m": 25.0}


@given(st.integers(-(10**9), 10**9))
def test_a_request_states_its_credit(hundredths):
    request = Request(1, 10.0, Priority.LOW, credit_wh=hundredths / 100)
    assert parse_request(request.encode()) == request


@pytest.mark.parametrize("credit", ["1e99", '"5"', "true", "null"])
def test_an_invalid_credit_is_refused(credit):
    with pytest.raises(ValueError, match="number"):
        parse_request(b'{"id":1,"w":10.0,"prio":0,"credit":%s}' % credit.encode())


# ---- policies -------------------------------------------------------------------------------------


def case(**changes):
    given = {
        "power_w": 100.0,
        "credit_wh": 0.0,
        "own_wh": 0.0,
        "slot_wh": 25.0,
        "availability": 0.5,
        "price": 1.0,
    }
    return Case(**(given | changes))


def policy(name, seed=1):
    return GIVING[name](random.Random(seed))


def test_the_names_of_policies_are_those_of_the_settings():
    assert tuple(GIVING) == NAMES


def test_a_free_rider_serves_small_requests_only():
    assert not policy("free_rider").serves(case(power_w=10.1))
    assert policy("free_rider").serves(case(power_w=10.0))


def test_a_free_rider_serves_computers_only_where_requests_tell_what_they_are_for():
    assert policy("free_rider").serves(case(power_w=10.0, category="ICT"))
    assert not policy("free_rider").serves(case(power_w=10.0, category="heating"))
    assert not policy("free_rider").serves(case(power_w=10.1, category="ICT"))


def test_a_graded_policy_weighs_availability_price_and_credit():
    graded = policy("graded")
    assert graded.serves(case())
    assert not graded.serves(case(own_wh=100.0, availability=0.2))
    assert graded.serves(case(own_wh=100.0, availability=0.2, price=2.0))
    assert graded.serves(case(own_wh=100.0, availability=0.2, credit_wh=25.0))
    assert not graded.serves(case(credit_wh=-25.0, availability=0.2))


def test_a_learning_policy_finds_what_is_rewarded_and_is_the_same_for_a_seed():
    def learnt(reward_of_serving, seed):
        learning, chosen = policy("learning", seed), []
        for _ in range(300):
            serve = learning.serves(case())
            learning.rewarded(reward_of_serving if serve else 0.0)
            chosen.append(serve)
        return chosen

    assert sum(learnt(1.0, 1)[-100:]) > 90
    assert sum(learnt(-1.0, 1)[-100:]) < 10
    assert learnt(1.0, 7) == learnt(1.0, 7)


@given(
    st.lists(st.builds(Case, POWER, *[st.floats(-1e3, 1e3)] * 2, POWER, st.floats(0, 1), POWER), max_size=50)
)
def test_what_is_learnt_is_bounded(cases):
    learning = Learning(random.Random(0))
    for each in cases:
        learning.serves(each)
    assert len(learning.values) <= 27


def test_a_decision_holds_for_a_minute_and_decisions_are_bounded():
    decisions, asked = Decisions(policy("learning"), most=3), []

    def weigh():
        asked.append(1)
        return case()

    first = decisions.serves("m.c", 1, weigh, 0.0)
    assert all(decisions.serves("m.c", 1, weigh, float(second)) == first for second in range(60))
    assert len(asked) == 1
    decisions.serves("m.c", 2, weigh, 1.0)
    decisions.serves("m.c", 2, weigh, 61.0)
    assert len(asked) == 3
    for i in range(10):
        decisions.serves(f"m.{i}", 1, weigh, 0.0)
    assert len(decisions._decided) == 3


# ---- over a restart ---------------------------------------------------------------------------------

AWARDS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=90)


@given(AWARDS, st.integers(0, 70))
def test_what_is_kept_of_credits_is_what_they_were_less_what_is_forgotten_meanwhile(awards, minutes):
    def played():
        credits = Credits("n", members=4)
        for award in awards:
            credits.close_minute()
            credits.award("n.t", award)
            credits.experience("other", award)
        return credits

    before, after = played(), Credits("n", members=4)
    after.recall(json.loads(json.dumps(before.memory())), 60.0 * minutes)
    assert after.of("n.t") == pytest.approx(sum(sum_of(before, minutes)), abs=0.01)
    assert after.experienced("other") == pytest.approx(after.of("n.t"), abs=0.01)
    for _ in range(MINUTES):
        after.close_minute()
    assert after.of("n.t") == pytest.approx(0.0, abs=1e-9)


def sum_of(credits, minutes):
    """The minutes that still count so many minutes later, each a tenth of its ten minutes."""
    spans = credits.memory()["own"]["n.t"]
    return [span / 10 for span in spans for _ in range(10)][minutes:]


def test_a_restart_does_not_make_a_newcomer_of_a_member():
    credits = Credits("n", members=4, newcomer_wh=20.0)
    credits.award("n.t", -30.0)
    again = Credits("n", members=4, newcomer_wh=20.0)
    again.recall(credits.memory(), 0.0)
    assert again.of("n.t") == -10.0
    again.recall(credits.memory(), 7200.0)
    assert again.of("n.t") == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {"own": {}},
        {"own": [], "experienced": {}},
        {"own": {"n.t": [1.0]}, "experienced": {}},
        {"own": {"n.t": [float("nan")] * 6}, "experienced": {}},
        {"own": {"n.t": [1e12] * 6}, "experienced": {}},
        {"own": {"n.t": ["1"] * 6}, "experienced": {}},
        {"own": {"other.t": [1.0] * 6}, "experienced": {}},
        {"own": {}, "experienced": {f"m{i}": [1.0] * 6 for i in range(5)}},
    ],
)
def test_nothing_is_taken_from_a_memory_that_is_not_valid(wrong):
    credits = Credits("n", members=4)
    credits.award("n.t", 3.0)
    with pytest.raises(ValueError, match="invalid"):
        credits.recall(wrong, 0.0)
    assert credits.state() == ({"n.t": 3.0}, {})
