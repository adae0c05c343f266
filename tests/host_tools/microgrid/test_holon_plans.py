"""Holons of `make run`: their buildings and gates, contracts that cross them, and both books of a gate."""

import pytest

from host_tools.microgrid.audit import Audit
from host_tools.microgrid.gates import Gate, GateWatch, gates_of, lines
from host_tools.microgrid.holons import connect, members

GATE = Gate("h2-gym.up", "q-h2-gym.down")


@pytest.fixture
def plans():
    found = members(2, seed=1, start_hour=12.0, speed=1.0)
    connect(found)
    return {each.name: each for each in found}


def test_one_holon_has_the_roofs_and_each_has_two_gates(plans):
    kinds = {name: {device.kind for device in plan.devices} for name, plan in plans.items()}
    assert "pv" in kinds["h1-primary"] & kinds["h1-gym"]
    assert all(kinds[name] == {"load"} for name in ("h2-primary", "h2-afterschool", "h2-gym"))
    assert [gate.inside for gate in gates_of(plans.values())] == [
        f"{holon}-{building}.up" for holon in ("h1", "h2") for building in ("primary", "afterschool")
    ]


def test_holons_are_neighbours_in_the_parent_only(plans):
    assert plans["h1-gym"].neighbours == ["h1-afterschool"]
    outside = ["q-h1-primary", "q-h1-afterschool", "q-h2-primary", "q-h2-afterschool"]
    around = [*outside[1:], outside[0]]  # a ring, so that no gate that ends cuts others off
    assert all(after in plans[name].neighbours for name, after in zip(outside, around, strict=True))
    assert all(len(plans[name].neighbours) == 2 for name in outside)
    order = "h1-primary=q-h1-primary, h1-afterschool=q-h1-afterschool"
    assert [plans[f"h1-{name}"].sections["holon"]["order"] for name in ("primary", "afterschool")] == [
        order
    ] * 2


def books(sold_w, bought_w):
    """A device of the holon buys of its gate, whose other side buys of another holon."""

    def contract(consumer, supplier, max_w):
        part = {"supplier": supplier, "power_w": max_w / 1.05, "max_w": max_w}
        begun = {"valid": True, "begins_in_s": None, "revision": 1}
        return {"consumer": consumer, "id": 7, "parts": [part], **begun}

    promise = {"supplier": GATE.inside, "consumer": "h2-pool.lamp", "state": "valid", "id": 7, "revision": 1}
    promise |= {"power_w": sold_w, "max_w": 1.05 * sold_w, "begins_in_s": None}
    return {
        "h2-pool": {"consumed": [contract("h2-pool.lamp", GATE.inside, 1.05 * sold_w)], "supplied": []},
        "h2-gym": {"consumed": [], "supplied": [promise]},
        "q-h2-gym": {"consumed": [contract(GATE.outside, "q-h1-gym.down", bought_w)], "supplied": []},
    }


def test_a_contract_of_a_device_with_a_gate_crosses_it_once():
    watch = GateWatch([GATE])
    for _ in range(3):
        watch.look(books(100.0, 105.0))
    found = watch.findings()
    assert found["contracts_across_gates"] == 1
    [gate] = found["gates"]
    assert (gate["contracts"], gate["in_w"], gate["out_w"]) == (1, 100.0, 0.0)
    assert (
        "h2-gym, in the parent q-h2-gym: 1 of them; now 100 W from the parent, 0 W to it" in lines(found)[1]
    )


@pytest.mark.parametrize(("bought_w", "broken"), [(105.0, False), (90.0, True)])
def test_the_audit_compares_both_books_of_a_gate(bought_w, broken):
    audit = Audit([GATE])
    for second in range(30):
        audit.look(books(100.0, bought_w), float(second))
    assert any("I6 h2-gym.up supplies 100.0 W" in each for each in audit.broken) == broken
    assert len(audit.broken) == broken


def test_books_of_a_gate_that_differ_for_a_moment_are_no_fault():
    audit = Audit([GATE])
    for second in range(60):
        audit.look(books(100.0, 105.0 if second % 20 else 90.0), float(second))
    assert audit.broken == []
