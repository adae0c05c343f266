"""Nobody is believed beyond his means, and whoever wastes or breaks promises comes last for a while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market import Table, ask, contract, make_consumer, make_supplier, offered, show

from edge.energy.book import Promise, State
from edge.energy.members import DOUBT_MAX_S, DOUBT_S, FORGET_S, Members
from edge.energy.messages import Offer, Priority
from edge.energy.rules import IDLE_RATIO, PROVEN_S, REST_S, TAKE_S, USED_S
from edge.energy.urgency import LOST_MAX_S


def members(**settings):
    return Members("own", **settings)


def supplier_of(records, capacity_w=100.0):
    return make_supplier("own.p", capacity_w, members=records)


def held(number, power_w, **settings):
    return contract(number, power_w, supplier="own.p", **settings)


def answer(supplier, name):
    rows = supplier.answers().get(name, ())
    return [each.agreed for each in rows]


def served(supplier, name, power_w, number, now_s=0.0, priority=Priority.LOW):
    """An honest consumer that has a valid contract."""
    offered(supplier, name, power_w, priority, now_s)
    show(supplier, name, held(number, power_w, priority=priority), now_s=now_s)
    show(supplier, name, held(number, power_w, priority=priority, valid=True, revision=1), now_s=now_s)
    assert supplier.book.get(name, number).state is State.VALID


# ---- contracts -----------------------------------------------------------------------------------


def test_a_contract_that_no_offer_preceded_is_refused():
    records = members()
    supplier = supplier_of(records)
    show(supplier, "x.c", held(1, 10.0, valid=True, priority=Priority.HIGH))
    assert (answer(supplier, "x.c"), supplier.reserved_w) == ([False], 0.0)
    assert dict(records)["x"].refused == 1


def test_a_contract_over_more_than_was_offered_is_refused():
    supplier = supplier_of(members())
    offered(supplier, "x.c", 10.0)
    show(supplier, "x.c", held(1, 20.0))
    assert answer(supplier, "x.c") == [False]


def test_an_offer_serves_one_contract():
    supplier = supplier_of(members())
    offered(supplier, "x.c", 10.0)
    show(supplier, "x.c", held(1, 10.0), held(2, 10.0))
    assert sorted(answer(supplier, "x.c")) == [False, True]
    show(supplier, "x.c", held(3, 10.0))
    assert answer(supplier, "x.c") == [False]


def test_a_contract_is_not_valid_at_first_sight():
    supplier = supplier_of(members())
    offered(supplier, "x.c", 10.0)
    show(supplier, "x.c", held(1, 10.0, valid=True))
    assert supplier.book.get("x.c", 1).state is State.PENDING


def test_a_contract_that_grows_without_an_offer_keeps_what_it_had():
    supplier = supplier_of(members())
    served(supplier, "x.c", 10.0, 1)
    show(supplier, "x.c", held(1, 50.0, valid=True, revision=2))
    assert supplier.reserved_w == 10.5
    assert supplier.answers()["x.c"][0].limit_w == 10.5


def test_a_promise_from_before_a_restart_needs_no_offer():
    supplier = supplier_of(members())
    supplier.restore([Promise("x.c", 7, State.PENDING, 10.0, 10.5, 0.0, Priority.LOW, 0)], 0.0)
    show(supplier, "x.c", held(7, 10.0, valid=True, revision=1001))
    assert (answer(supplier, "x.c"), supplier.supplied_w) == ([True], 10.0)
    assert not list(supplier.members)


def test_a_promise_that_is_hardly_used_goes_back_and_its_member_is_in_doubt():
    records = members()
    supplier = supplier_of(records)
    served(supplier, "x.c", 50.0, 1)
    show(supplier, "x.c", held(1, 1.0, max_w=52.5, valid=True, revision=2), now_s=1.0)
    assert supplier.reserved_w == pytest.approx(1.05)
    assert records.is_doubted("x.d", 1.0)


# ---- shares --------------------------------------------------------------------------------------


def test_all_twins_of_a_node_share_what_a_member_may_claim():
    records = members(member_w=60.0)
    supplier = supplier_of(records, 1000.0)
    for i in range(5):
        ask(supplier, f"x.c{i}", 25.0, i)
    ask(supplier, "y.c", 25.0)
    supplier.step(0.0)
    assert sorted(supplier.offers()) == ["x.c0", "x.c1", "y.c"]
    supplier.step(1.0)
    assert dict(records)["x"].refused == 3  # each request is counted once


def test_open_offers_count_in_what_a_member_may_claim_whatever_it_requests_next():
    supplier = supplier_of(members(member_w=60.0), 1000.0)
    names = [f"x.c{i}" for i in range(5)]
    for name in names:
        ask(supplier, name, 1.0, 1)
    for number, name in enumerate(
        reversed(names), 2
    ):  # each is seen before the one that has just got an offer
        ask(supplier, name, 55.0, number)
        supplier.step(0.1 * number)
        assert sum(each.max_w for each in supplier.book) <= 1.05 * 60.0
    assert supplier.offers()["x.c4"].power_w == 55.0


def test_contracts_count_in_what_a_member_may_claim():
    supplier = supplier_of(members(member_w=60.0), 1000.0)
    served(supplier, "x.c", 40.0, 1)
    ask(supplier, "x.d", 25.0)
    supplier.step(1.0)
    assert not supplier.offers()


def two_suppliers(records):
    return [make_supplier(f"own.p{i}", 1000.0, members=records) for i in (1, 2)]


def test_what_a_member_holds_of_one_supplier_counts_at_the_others_of_that_node():
    first, second = two_suppliers(members(member_w=60.0))
    offered(first, "x.c", 40.0)
    show(first, "x.c", contract(1, 40.0, supplier="own.p1"))
    assert answer(first, "x.c") == [True]
    ask(second, "x.d", 25.0)
    ask(second, "y.c", 25.0)
    second.step(1.0)
    assert sorted(second.offers()) == ["y.c"]


def test_one_request_is_not_served_twice_beyond_what_a_member_may_hold():
    """Each supplier of a node offers all that is requested; a liar takes every offer."""
    records = members(member_w=60.0)
    both = two_suppliers(records)
    for supplier in both:
        offered(supplier, "x.c", 40.0)
    for number, supplier in enumerate(both, 1):
        show(supplier, "x.c", contract(number, 40.0, supplier=supplier.name))
    assert [answer(each, "x.c") for each in both] == [[True], [False]]
    assert sum(each.committed_w for each in both) <= 1.05 * 60.0
    assert dict(records)["x"].refused == 1


def test_suppliers_of_a_node_serve_the_same_twin_of_a_member_that_requests_too_much():
    first, second = two_suppliers(members(member_w=60.0))
    ask(first, "x.c", 40.0)
    ask(first, "x.d", 40.0)
    first.step(0.0)
    (name,) = first.offers()
    for each in ("x.d", "x.c") if name == "x.c" else ("x.c", "x.d"):
        ask(second, each, 40.0)
    second.step(0.0)
    assert list(second.offers()) == [name]


def test_a_supplier_that_is_gone_does_not_count():
    records = members(member_w=60.0)
    first, second = two_suppliers(records)
    offered(first, "x.c", 40.0)
    show(first, "x.c", contract(1, 40.0, supplier="own.p1"))
    first.stop()
    ask(second, "x.d", 50.0)
    second.step(1.0)
    assert sorted(second.offers()) == ["x.d"]


def test_high_priority_interrupts_no_more_than_a_members_share():
    supplier = supplier_of(members(urgent_share=0.25))
    served(supplier, "y.c", 90.0, 1)
    ask(supplier, "x.c", 50.0, priority=Priority.HIGH)
    ask(supplier, "x.d", 50.0, priority=Priority.HIGH)
    supplier.step(1.0)
    first, second = supplier.offers()["x.c"], supplier.offers().get("x.d")
    assert first.max_w + first.urgent_w == pytest.approx(25.0)
    supplier.see_request("x.c", None, 0, 1.0)
    show(supplier, "x.c", held(2, 23.0, max_w=25.0, priority=Priority.HIGH), now_s=1.0)
    assert answer(supplier, "x.c") == [True]
    show(supplier, "x.d", held(3, 23.0, max_w=25.0, priority=Priority.HIGH), now_s=1.0)
    assert answer(supplier, "x.d") == [False]
    assert supplier.book.get("y.c", 1).max_w >= 75.0 - 5.5
    assert second is None or second.max_w + second.urgent_w <= 25.0


# ---- promises that are not used ------------------------------------------------------------------


def test_an_offer_that_is_not_taken_is_given_to_another_member_that_waits():
    records = members()
    supplier = supplier_of(records)
    ask(supplier, "x.c", 90.0, priority=Priority.HIGH)
    supplier.step(0.0)
    ask(supplier, "y.c", 90.0)
    supplier.step(TAKE_S)
    assert list(supplier.offers()) == ["y.c"]
    assert records.is_doubted("x.c", TAKE_S)
    ask(supplier, "x.d", 90.0, 2, priority=Priority.HIGH, now_s=TAKE_S)
    supplier.see_request("y.c", None, 0, TAKE_S)
    ask(supplier, "y.d", 90.0, 3, now_s=TAKE_S)
    supplier.step(TAKE_S + 0.1)
    assert supplier.offers()["y.d"].power_w == 90.0  # high priority does not count in doubt


def test_an_offer_that_nobody_else_waits_for_stands_as_long_as_it_is_valid():
    supplier = supplier_of(members())
    ask(supplier, "x.c", 90.0)
    supplier.step(0.0)
    supplier.step(2 * TAKE_S)
    assert list(supplier.offers()) == ["x.c"]
    assert not list(supplier.members)


def test_contracts_shown_under_a_new_id_again_and_again_end_the_patience():
    records = members()
    supplier = supplier_of(records)
    for i in range(9):
        offered(supplier, "x.c", 90.0, now_s=i * 0.5)
        show(supplier, "x.c", held(i, 90.0), now_s=i * 0.5)
    assert records.is_doubted("x.c", 4.5)
    ask(supplier, "x.d", 90.0, 10, priority=Priority.HIGH, now_s=5.0)
    ask(supplier, "y.c", 90.0, now_s=5.0)
    supplier.step(9.0)
    assert supplier.offers()["y.c"].power_w == 90.0


def test_a_consumer_that_contracts_with_others_wastes_nothing():
    records = members()
    supplier = supplier_of(records)
    for i in range(20):
        ask(supplier, "x.c", 50.0, i, now_s=float(i))
        supplier.step(float(i))
        supplier.see_request("x.c", None, 0, float(i))
        supplier.see_contract("x.c", False, contract(i, 50.0, supplier="y.p"), 1)
        supplier.step(i + 0.2)
    assert not list(records)


def out_of_reach(seconds):
    """A supplier whose offers to its only consumer ran out for so long, since nothing arrived; when members
    were heard last; and the time, at which there is no offer."""
    records, heard_s = members(), {"x": 0.0, "y": 0.0}
    records.heard_s = heard_s.__getitem__
    supplier = supplier_of(records)
    ask(supplier, "x.c", 50.0)
    supplier.step(0.0)
    now_s = 0.0
    while now_s < seconds or "x.c" in supplier.offers():
        now_s += 1.0
        supplier.step(now_s)
    return records, supplier, heard_s, now_s


def test_a_member_out_of_reach_is_in_doubt_for_one_offer_when_it_is_heard_again():
    records, supplier, heard_s, now_s = out_of_reach(200.0)
    assert not list(records)
    now_s += REST_S
    heard_s["x"] = now_s
    supplier.step(now_s)
    assert dict(records)["x"].unused == 1
    assert records.is_doubted("x.c", now_s)
    assert not records.is_doubted("x.c", now_s + DOUBT_S)
    assert supplier.offers()["x.c"].power_w == 50.0


def test_a_member_out_of_reach_comes_last():
    records, supplier, heard_s, now_s = out_of_reach(20.0)
    now_s += REST_S
    ask(supplier, "y.c", 90.0, now_s=now_s)
    heard_s["y"] = now_s
    supplier.step(now_s)
    assert supplier.offers()["y.c"].power_w == 90.0
    assert not list(records)


def test_a_twin_of_the_own_node_is_never_out_of_reach():
    records = members()
    records.heard_s = lambda node: -1000.0
    supplier = supplier_of(records)
    ask(supplier, "own.c", 50.0)
    for second in range(100):
        supplier.step(float(second))
    assert not records.any_doubted(100.0)
    assert not list(records)


def test_a_member_that_is_heard_while_its_offers_run_out_is_in_doubt_at_once():
    records, supplier, heard_s, now_s = out_of_reach(20.0)
    for _ in range(30):
        now_s += 1.0
        heard_s["x"] = now_s
        supplier.step(now_s)
    assert dict(records)["x"].unused >= 2
    assert records.is_doubted("x.c", now_s)


def test_after_a_waste_only_members_that_have_used_a_contract_are_urgent():
    records = members()
    supplier = supplier_of(records)
    served(supplier, "y.c", 5.0, 1)
    supplier.step(PROVEN_S)
    records.waste("x.c", 100.0, PROVEN_S)
    assert records.may_hurry("y.d", PROVEN_S)
    assert not records.may_hurry("x.c", PROVEN_S)
    assert not records.may_hurry("z.c", PROVEN_S)
    assert records.may_hurry("own.c", PROVEN_S)
    assert records.may_hurry("z.c", PROVEN_S + 60.0)


def hoarded(supplier, name="x.c", power_w=20.0):
    """A contract that interrupts `y.c`, and of which hardly anything is used from 2.0 s on."""
    served(supplier, "y.c", 90.0, 1)
    ask(supplier, name, power_w, 2, Priority.HIGH, 1.0)
    supplier.step(1.0)
    offer = supplier.offers()[name]
    max_w = offer.max_w + offer.urgent_w
    supplier.see_request(name, None, 0, 1.0)
    for revision, valid, used_w in ((0, False, power_w), (1, True, power_w), (2, True, 0.1)):
        show(
            supplier,
            name,
            held(2, used_w, max_w=max_w, valid=valid, revision=revision, priority=Priority.HIGH),
            now_s=2.0,
        )


def test_what_was_taken_for_nothing_goes_back_to_those_who_had_it():
    records = members(urgent_share=0.25)
    supplier = supplier_of(records)
    hoarded(supplier)
    ask(supplier, "a.c", 19.0, 3, now_s=2.5)  # would come first by its name and its age
    ask(supplier, "y.c", 19.0, 4, now_s=2.6)
    supplier.step(3.0)
    offered_w = {name: each.power_w for name, each in supplier.offers().items()}
    assert offered_w["y.c"] == 19.0
    assert offered_w.get("a.c", 0.0) < 2.0


def test_who_hoards_is_not_urgent_for_an_hour_and_must_use_power_afterwards():
    records = members(urgent_share=0.25)
    supplier = supplier_of(records)
    hoarded(supplier)
    records.prove("x.c")
    records.use("x.c", 1e6, 3.0)
    for now_s in (3.1, 100.0, 3000.0, 3700.0):
        assert not records.may_hurry("x.d", now_s)
    records.draw("x.c", 25.0, 700.0, 100.0, 3700.0)
    assert records.may_hurry("x.d", 3700.0)
    records.hoard("x.c", 4000.0)
    records.draw("x.c", 25.0, 700.0, 100.0, 4000.0)
    assert not records.may_hurry("x.d", 4000.0 + 5000.0)
    assert records.may_hurry("x.d", 4000.0 + 7300.0)


def test_interruptions_are_paid_with_energy_that_is_used():
    records = members(urgent_share=0.25)
    for i in range(3):
        assert records.may_hurry("x.c", float(i))
        records.interrupt("x.c", 25.0, 100.0, float(i))
    assert not records.may_hurry("x.c", 3.0)
    records.draw("x.d", 25.0, 11.0, 100.0, 3.0)
    assert records.may_hurry("x.c", 3.0)
    records.interrupt("x.c", 25.0, 100.0, 3.0)
    assert not records.may_hurry("x.c", 3.0)
    assert records.may_hurry("x.c", 3.0 + 3600.0)


def test_an_honest_consumer_never_hoards():
    """It returns its reserve in the message in which it states a lower need."""
    records = members()
    consumer = make_consumer(members=records)
    supplier = supplier_of(Members("other"))
    table = Table({"x.c": consumer}, {"own.p": supplier})
    for i, need_w in enumerate([50.0, 3.0, 49.0, 46.0, 20.0, 21.0, 0.002, 90.0, 45.0] * 3):
        consumer.set_need(need_w)
        table.talk(2.0 + i % 3)
        for promise in supplier.book:
            assert not promise.committed or promise.power_w >= IDLE_RATIO * promise.max_w
    table.talk(30.0)
    assert dict(supplier.members)["x"].urgency.hoards == 0


# ---- suppliers -----------------------------------------------------------------------------------


def test_a_supplier_that_never_confirms_is_taken_last():
    records = members()
    consumer = make_consumer(members=records)
    suppliers = {"b.p": make_supplier("b.p", 100.0)}
    table = Table({"own.c": consumer}, suppliers)

    def lies():
        request = consumer.request
        consumer.see_offer("a.p", request and Offer(request.id, 50.0, 52.5, 0), 0, table.now_s)

    consumer.set_need(50.0)
    consumer.step(0.0)
    lies()
    consumer.step(0.0)
    assert consumer.main.part_of("a.p")
    for _ in range(11):
        table.pass_time(1.0)
    assert dict(records)["a"].unkept == 1
    lies()
    table.consumer_is_heard("own.c", "b.p")
    table.supplier_is_heard("own.c", "b.p")
    table.talk()
    assert consumer.satisfied
    assert consumer.main.part_of("b.p")


# ---- records -------------------------------------------------------------------------------------


def test_doubt_grows_with_each_waste_and_is_forgotten():
    records, now_s, lasted = members(), 0.0, []
    for _ in range(7):
        records.waste("x.c", 100.0, now_s)
        member = dict(records)["x"]
        lasted.append(member.doubted_until_s - now_s)
        now_s = member.doubted_until_s
        assert not records.is_doubted("x.c", now_s)
    assert lasted == [DOUBT_S, 2 * DOUBT_S, 4 * DOUBT_S, 8 * DOUBT_S, DOUBT_MAX_S, DOUBT_MAX_S, DOUBT_MAX_S]
    now_s += FORGET_S + 1.0
    records.waste("x.c", 100.0, now_s)
    assert member.doubted_until_s - now_s == DOUBT_S


def test_records_are_bounded_and_those_in_doubt_stay():
    records = members(size=8)
    records.waste("bad.c", 100.0, 0.0)
    for i in range(100):
        records.refuse(f"x{i}.c", 1.0)
    assert len(list(records)) == 8
    assert records.is_doubted("bad.d", 1.0)


def test_the_own_node_is_never_in_doubt():
    records = members()
    records.waste("own.c", 100.0, 0.0)
    records.refuse("own.c", 0.0)
    assert not list(records)


def test_who_uses_its_contracts_may_leave_offers():
    """Honest consumers of several suppliers take one offer of several."""
    records = members()
    records.use("x.c", 100.0, 0.0)
    for _ in range(3):
        records.waste("x.d", 100.0, 0.0)
        assert not records.is_doubted("x.c", 0.0)
    records.waste("x.d", 100.0, 0.0)
    assert records.is_doubted("x.c", 0.0)


def test_a_contract_that_is_not_used_gives_no_credit():
    records = members()
    supplier = supplier_of(records)
    served(supplier, "x.c", 50.0, 1)
    supplier.step(USED_S + 1.0)
    records.waste("x.c", 50.0, USED_S + 1.0)
    assert not records.is_doubted("x.c", USED_S + 1.0)
    other = members()
    supplier = supplier_of(other)
    served(supplier, "x.c", 50.0, 1)
    show(supplier, "x.c", held(1, 1.0, max_w=52.5, valid=True, revision=2), now_s=1.0)
    supplier.step(USED_S + 1.0)
    other.waste("x.c", 50.0, USED_S + 1.0)
    assert other.is_doubted("x.c", USED_S + 1.0)


@given(
    st.one_of(
        st.none(),
        st.integers(),
        st.dictionaries(
            st.text(max_size=3),
            st.one_of(st.none(), st.lists(st.one_of(st.integers(), st.floats(), st.booleans()), max_size=4)),
            max_size=6,
        ),
    )
)
def test_a_damaged_memory_of_members_is_ignored(memory):
    members = Members("n", size=4)
    members.recall(memory, 5.0)
    assert len(dict(members)) <= 4
    for _, each in members:
        assert each.urgency.hoards >= 1
        assert each.urgency.lost_until_s <= 5.0 + LOST_MAX_S
    again = Members("n", size=4)
    again.recall(members.memory(5.0), 5.0)
    assert again.memory(5.0) == members.memory(5.0)
