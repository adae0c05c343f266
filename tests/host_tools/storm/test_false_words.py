"""Lies about the market of the next day, negotiated prices and gates: drawn where there is such a thing, made
again from the same seed, and no honest member loses by them."""

import json
import random

import pytest

from edge.energy.day_messages import Question, parse_call, parse_question, parse_reply
from edge.energy.haggling import parse_counter
from edge.energy.market_place import DAY_S
from edge.energy.messages import Offer, Priority, Request
from edge.energy.parsing import lenient, parse_offer, parse_request
from edge.energy.rules import COUNTER, HOLON, LEFT, MARKET, MARKET_ANSWER, MARKET_ASK, OFFER, UPWARD
from edge.energy.surplus import parse_left, parse_surplus
from host_tools.storm import judge
from host_tools.storm.draw import draw
from host_tools.storm.liar.grammar import SPEAKERS, VALUES, WORDS, Lie
from host_tools.storm.liar.words import Heard, words
from host_tools.storm.plan import LIE, Fault, Storm, StormBuilding
from host_tools.storm.play import play
from host_tools.storm.stage import Stage

SENTENCES = [(family, what) for family, messages in WORDS.items() for what in messages]
READERS = {
    MARKET: parse_call,
    MARKET_ASK: parse_question,
    MARKET_ANSWER: parse_reply,
    COUNTER: parse_counter,
    OFFER: parse_offer,
    HOLON: parse_surplus,
    LEFT: parse_left,
    UPWARD: parse_request,
}
WALL_S = 1_700_000_000.0
TODAY = int(WALL_S // DAY_S)
HEARD = Heard(
    "n3",
    TODAY,
    WALL_S,
    "n1.market",
    ["n2.trader"],
    {"n2.trader": Question(7, "result", TODAY + 1)},
    {"n2.load": Request(5, 40.0, Priority.LOW)},
    {"n1.sun": Offer(1, 30.0, 31.5, 2, 0.2)},
)


def lie(family, what, field="", value="zero", speaker="own", seconds=60.0):
    return Lie(family, what, field, value, speaker, 1.0, seconds)


def said(told, seed=1):
    rng = random.Random(seed)
    return [word for count in range(4) for word in words(told, HEARD, count, rng)]


# ---- the grammar -----------------------------------------------------------------------------------


def test_they_are_drawn_where_there_is_something_to_lie_about():
    storms = [draw(seed) for seed in range(300)]
    found = []
    for storm in storms:
        told = [Lie.of(fault.arguments) for fault in storm.faults if fault.kind == LIE]
        told = [each for each in told if each.family in WORDS]
        sections = {key for building in storm.buildings for key in building.sections}
        negotiates = any(twin.get("bargain_rounds") for each in storm.buildings for twin in each.twins)
        there = {"market": "trader" in sections or "market" in sections, "price": negotiates}
        there["gate"] = bool(storm.gates)
        assert all(each.family != "market" or storm.liar for each in told)
        assert {each.family for each in told} <= {family for family, is_there in there.items() if is_there}
        found += told
    assert {(each.family, each.what) for each in found} == {*SENTENCES}
    assert {each.value for each in found if each.field} == {*VALUES}
    assert {each.subject for each in found} == {*SPEAKERS}


def test_a_liar_has_no_honest_trader_and_holds_some_markets():
    markets = 0
    for storm in (each for each in map(draw, range(300)) if each.liar and not each.steady):
        roles = {each.name: each.sections for each in storm.buildings}
        assert not {"market", "trader"} & {*roles[storm.liar]}
        places = {each["trader"]["market"] for each in roles.values() if "trader" in each}
        assert places <= {storm.liar, *(name for name, each in roles.items() if "market" in each)}
        markets += places == {storm.liar}
    assert markets > 5


@pytest.mark.parametrize(("family", "what"), SENTENCES)
def test_every_sentence_is_the_same_each_time_and_read_or_refused(family, what):
    true = said(lie(family, what))
    assert true
    assert all(READERS[word.label](word.plain) is not None for word in true)
    for field in WORDS[family][what]:
        for value in VALUES:
            told = said(lie(family, what, field, value))
            assert told == said(lie(family, what, field, value))
            for word in told:
                lenient(READERS[word.label])(word.plain)  # nothing else is raised
        assert any(said(lie(family, what, field, value)) != true for value in VALUES)


def test_what_is_not_a_number_and_what_is_too_large_travel_as_such():
    (word, *_) = said(lie("price", "counter", "price", "nan"))
    assert b"NaN" in word.plain
    (word, *_) = said(lie("gate", "left", "power", "huge"))
    assert json.loads(word.plain) == 1e308


# ---- what it costs ---------------------------------------------------------------------------------

SUN = {"name": "sun", "kind": "pv", "power_w": 200.0}
LOAD = {"name": "load", "kind": "load", "input": "m.total", "contract_s": 3600.0}
BARGAINS = {"bargain_rounds": 3, "bargain_first": 0.05, "bargain_price": 0.2, "price": 0.3}
BUYS = {"consumer_policy": "lowest_price"}
LATER = Fault(99, 20.0, "power", ("n2", "m.total", 60.0))


def town(*lies, market="n3", bargains=None):
    """A producer, a consumer and a liar, who all trade on a market; the consumer needs more after 20 s."""
    role = {"trader": {"market": market}, "learning": {"node_model": "persistence"}}
    rules = {"import_price": 0.30, "feed_in_price": 0.08, "gate_hour": 22.2334}
    buildings = (
        StormBuilding("n1", ("n2", "n3", "n4"), ({**SUN, **(bargains or {})},), {}, role),
        StormBuilding("n2", ("n1", "n3"), ({**LOAD, **(bargains or {}), **BUYS},), {"m.total": 40.0}, role),
        StormBuilding("n3", ("n1", "n2"), (), {}),
        StormBuilding("n4", ("n1",), (), {}, {"market": rules}),
    )
    told = [Fault(i, 0.5, LIE, each.arguments) for i, each in enumerate(lies)]
    return Storm(7, buildings, (*told, LATER), 40.0, "n3", steady=True)


def traders(stage):
    twins = [twin for node in stage.world.nodes.values() for twin in node.node.twins]
    return [twin for twin in twins if twin.kind == "trader"]


def run(storm, seconds):
    stage = Stage(storm)
    for fault in storm.faults:
        if fault.at_s < seconds:
            stage.world.run(fault.at_s - stage.world.clock.now_s())
            stage.strike(fault)
    stage.world.run(seconds - stage.world.clock.now_s())
    assert judge.alarms(stage.world, judge.View("n3")) == []
    stage.world.close()
    return stage


CALL = lie("market", "call")


def test_an_award_that_nobody_ordered_does_not_count():
    stage = run(town(CALL, lie("market", "answer")), 10.0)
    for trader in traders(stage):
        assert trader.days[TODAY + 1].awarded
        assert not any(trader.days[TODAY + 1].position_wh)
        assert not list(trader.contracts)
        assert trader.refused_awards == 96


@pytest.mark.parametrize("value", ["zero", "replayed", "others", "random", "huge"])
def test_a_market_of_another_day_is_not_believed(value):
    for trader in traders(run(town(lie("market", "call", "day", value)), 10.0)):
        assert set(trader.days) <= {TODAY + 1, TODAY + 2}


def test_a_market_that_lies_costs_no_member_energy():
    assert play(town(CALL, lie("market", "answer", "partner", "others"))).violations == ()


def test_a_trader_that_lies_costs_no_member_energy():
    told = [lie("market", what, "energy", "end") for what in ("orders", "meter", "result", "bill")]
    assert play(town(*told, market="n4")).violations == ()


def test_a_negotiation_without_sense_costs_no_member_energy():
    told = lie("price", "counter", "price", "end"), lie("price", "offer", "price")
    assert play(town(*told, bargains=BARGAINS)).violations == ()


def door(name):
    return {"name": name, "kind": "holon", "holon_wait_s": 0.1}


def holons(told):
    """The liar is a member of the microgrid that has no source."""
    buildings = (
        StormBuilding("a1", ("n2",), (door("up"),), {}),
        StormBuilding("n2", ("a1", "n3"), (LOAD,), {"m.total": 0.0}),
        StormBuilding("n3", ("n2",), (), {}),
        StormBuilding("b1", (), (SUN, door("up")), {}),
        StormBuilding("q-a1", ("q-b1",), (door("down"),), {}),
        StormBuilding("q-b1", ("q-a1",), (door("down"),), {}),
    )
    gates = (("a1.up", "q-a1.down"),), (("b1.up", "q-b1.down"),)
    faults = (Fault(0, 0.5, LIE, told.arguments), LATER)
    return Storm(7, buildings, faults, 40.0, "n3", gates=gates)


@pytest.mark.parametrize("what", WORDS["gate"])
def test_a_gate_that_leads_nowhere_costs_a_member_no_more_than_a_moment(what):
    stage = run(holons(lie("gate", what, "forecast", "end")), 24.0)
    consumer = stage.world.nodes["n2"].node.prosumer("load").consumer
    assert consumer.satisfied
    assert consumer.supplied_w == pytest.approx(60.0)
