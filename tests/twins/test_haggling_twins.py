"""Twins negotiate the price of a contract across nodes."""

import pytest

ROOF = {
    "name": "roof",
    "kind": "pv",
    "power_w": 800.0,
    "price": 0.30,
    "bargain_rounds": 6,
    "bargain_price": 0.10,
}
LOAD = {
    "name": "load",
    "kind": "load",
    "power_w": 500.0,
    "consumer_policy": "lowest_price",
    "bargain_rounds": 6,
    "bargain_price": 0.25,
    "bargain_first": 0.05,
}


def contract_of(world, roof, load, most_s=12):
    world.add("school", ["home"], [ROOF | roof])
    world.add("home", ["school"], [LOAD | load])
    world.boot()
    consumer = world.nodes["home"].node.prosumers[0].consumer
    for _ in range(10 * most_s):
        world.run(0.1)
        if consumer.satisfied:
            return consumer.main
    raise AssertionError("there is no contract")


def test_they_agree_on_a_price_between_their_limits_soon(world):
    contract = contract_of(world, {}, {})
    price = contract.parts[0].prices[0].price
    assert 0.10 <= price <= 0.25
    consumer = world.nodes["home"].node.prosumers[0].consumer
    assert (consumer.buying.agreed, consumer.buying.failed) == (1, 0)
    assert consumer.response_s < 3.0
    promise = next(iter(world.nodes["school"].node.prosumers[0].supplier.book))
    assert promise.prices[0].price == price


@pytest.mark.parametrize(
    ("roof", "load"),
    [({"bargain_price": 0.28}, {}), ({"bargain_rounds": 0}, {}), ({}, {"bargain_rounds": 0})],
)
def test_without_an_agreement_the_first_price_holds(world, roof, load):
    contract = contract_of(world, roof, load)
    assert not contract.parts[0].prices
