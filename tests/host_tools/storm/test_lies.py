"""One lying member in a storm: its lies are drawn from a grammar, and the judge notices when they do harm."""

from itertools import product

import pytest

from edge.energy.members import Members
from edge.energy.usage import Usage
from edge.net.allowance import Allowance
from edge.trust.keyring import Keyring
from host_tools.storm import harm, judge
from host_tools.storm.draw import draw
from host_tools.storm.liar.grammar import (
    FAMILIES,
    FIELDS,
    KINDS,
    RELAYED,
    SUBJECTS,
    TRICKS,
    VALUES,
    WORDS,
    Lie,
)
from host_tools.storm.liar.mouth import Mouth
from host_tools.storm.plan import LIE, Fault, Storm, StormBuilding
from host_tools.storm.play import play
from host_tools.storm.stage import Stage

SUN = {"name": "sun", "kind": "pv", "power_w": 100.0}
LOAD = {"name": "load", "kind": "load", "input": "m.total", "contract_s": 3600.0}
LATE = (24.0, "power", ("n2", "m.total", 45.0))


def storm(*lies, faults=(), liar="n3", trouble_s=45.0, **more):
    """A producer, a consumer, and a liar behind the consumer."""
    buildings = (
        StormBuilding("n1", ("n2",), (SUN,), {}),
        StormBuilding("n2", ("n1", "n3"), (LOAD,), {"m.total": 40.0}),
        StormBuilding("n3", ("n2",), (), {}),
    )
    told = [(at_s, LIE, lie.arguments) for at_s, lie in lies]
    happens = tuple(Fault(i, *each) for i, each in enumerate(sorted([*told, *faults])))
    return Storm(7, buildings, happens, trouble_s, liar, steady=True, **more)


def wire(what, field="power", value="random", subject="own", rate_hz=2.0, seconds=30.0):
    return Lie("wire", what, field, value, subject, rate_hz, seconds)


def trade(trick, power="all", priority="medium", twins="1", seconds=30.0):
    return Lie("energy", trick, power, priority, twins, 2.0, seconds)


# ---- the grammar -----------------------------------------------------------------------------------


def test_lies_are_drawn_from_all_of_the_grammar_at_any_place():
    storms = [draw(seed) for seed in range(1500)]
    lies = [Lie.of(fault.arguments) for each in storms for fault in each.faults if fault.kind == LIE]
    assert {lie.family for lie in lies} == {*FAMILIES, *WORDS}
    said = [lie for lie in lies if lie.family == "wire"]
    assert {lie.what for lie in said} == {*KINDS}
    assert {lie.field for lie in said} == {*FIELDS}
    assert {lie.value for lie in said} == {*VALUES}
    assert {lie.what for lie in lies if lie.family == "relay"} == {*RELAYED}
    assert {lie.what for lie in lies if lie.family == "energy"} == {*TRICKS}
    assert {bool(each.liar) for each in storms} == {True, False}
    assert {len(set(each.groups().values())) for each in storms if each.liar} >= {1, 2}  # in the middle, too
    assert {each.leaves for each in storms} == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_can_be_said_and_heard(kind):
    stage = Stage(storm())
    world = stage.world
    world.run(6)
    mouth = Mouth(world.nodes["n3"].node, stage._rng)
    mouth.hear(b"M123456789")
    for field, value, subject in product(FIELDS, VALUES, SUBJECTS):
        world.nodes["n2"].node.receive("n3", mouth.say(wire(kind, field, value, subject)))
    world.run(20)
    view = judge.View("n3", storm().groups())
    assert judge.alarms(world, view) == []
    assert judge.bonds(world, view) == {"n2.load": world.nodes["n2"].node.prosumers[0].consumer.main.id}
    world.close()


def test_a_storm_with_lies_is_always_the_same():
    lying = storm((10.0, wire("lsa", subject="other")), (12.0, trade("covet")))
    assert play(lying) == play(lying)


def test_the_storm_without_its_liar_keeps_all_else():
    lying = storm((10.0, wire("lsa")), faults=(LATE,))
    honest = lying.without_liar()
    assert honest.liar == ""
    assert [each.name for each in honest.buildings] == ["n1", "n2"]
    assert [fault.kind for fault in honest.faults] == ["power"]


# ---- it can fail -----------------------------------------------------------------------------------

ENDS_OTHERS = wire("tombstone", subject="other", rate_hz=5.0)
FORGES = wire("lsa", "version", "end", "other", 60.0)


def rules(outcome):
    return {line.split()[0] for line in outcome.violations}


def test_who_ends_contracts_in_anothers_name_is_noticed_without_signatures(monkeypatch):
    lying = storm((10.0, ENDS_OTHERS))
    assert play(lying).violations == ()
    monkeypatch.setattr(Keyring, "verify", lambda self, origin, message, signature, incarnation=0: None)
    assert rules(play(lying)) & {"I7-loyalty", "I7-energy", "I7"}


def test_work_without_end_is_noticed_without_budgets(monkeypatch):
    monkeypatch.setattr(harm, "CHECKS_PER_S", 10.0)  # the storm is short
    lying = storm((10.0, FORGES), trouble_s=40.0)
    assert play(lying).violations == ()
    monkeypatch.setattr(Allowance, "admits", lambda self, size, tick: True)
    monkeypatch.setattr(Allowance, "believed", True)
    assert rules(play(lying)) == {"I7-work"}


def test_urgency_without_bounds_is_noticed(monkeypatch):
    lying = storm((10.0, trade("hoard", "all", "high")), faults=(LATE,))
    assert play(lying).violations == ()
    honest = Members.__init__

    def unbounded(self, own_node, **limits):
        honest(self, own_node)

    monkeypatch.setattr(Members, "__init__", unbounded)
    monkeypatch.setattr(Members, "_weigh", lambda self, twin, now_s, small: False)
    monkeypatch.setattr(Members, "may_hurry", lambda self, twin, now_s: True)
    monkeypatch.setattr(Usage, "note", lambda self, promise, now_s: None)
    assert rules(play(lying)) & {"I7-loyalty", "I7-energy"}


def test_tables_that_grow_are_noticed(monkeypatch):
    monkeypatch.setattr(harm, "TABLE_MAX", 20)
    assert rules(play(storm((10.0, wire("question"))))) == {"I7-table"}
