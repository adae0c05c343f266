"""Day-ahead prices from a service or a file: kept when it fails, asked again, and what a supplier asks."""

import orjson
import pytest

from edge.energy.rules import PROD
from edge.energy.tariff import parse_production
from edge.twins.price_source import PriceSource, wait_s
from host_tools.world.clock import VirtualClock

NOW_S = int(VirtualClock().wall_s()) // 3600 * 3600


def answer(*prices):
    times = [NOW_S + 3600 * i for i in range(len(prices))]
    return orjson.dumps({"unix_seconds": times, "price": list(prices)}).decode()


def source(server, tmp_path):
    return PriceSource(server.address, tmp_path, lambda: NOW_S)


def test_the_last_good_prices_outlive_a_failure_and_a_restart(server, tmp_path):
    server.answer = (200, answer(100.0, 50.0))
    one = source(server, tmp_path)
    assert "no price" in one.trouble
    assert one.refresh()
    assert (one.prices.at(NOW_S), one.trouble, one.failures) == (0.1, "", 0)
    for broken in ((503, ""), (200, "<html>"), (200, answer(1e9)), (200, "x" * 2_000_000)):
        server.answer = broken
        assert not one.refresh()
        assert one.prices.at(NOW_S) == 0.1
    assert (one.failures, one.refused) == (4, 2)
    again = source(server, tmp_path)
    assert again.prices == one.prices


def test_a_price_that_has_ended_is_told_without_the_key_of_the_address(server, tmp_path):
    server.answer = (404, "")
    one = source(server, tmp_path)
    one.refresh()
    assert "404" in one.trouble
    assert "secret" not in one.trouble


def test_it_waits_longer_after_each_failure_up_to_an_hour():
    assert [wait_s(failures) for failures in range(9)] == [3600, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def shown(node):
    space = node.engine.space
    return parse_production(space.read(space.find("town.utility"), PROD))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("prices.json", answer(200.0, 100.0)),
        ("prices.csv", "timestamp,price_per_mwh\n2023-11-14T00:00Z,200\n2023-11-14T01:00Z,100\n"),
    ],
)
def test_a_supplier_asks_what_the_file_says(world, tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    world.add(
        "town",
        [],
        [
            {
                "name": "utility",
                "kind": "grid",
                "capacity_w": 1000.0,
                "price": 0.4,
                "prices_from": str(path),
                "price_factor": 1.2,
                "price_markup": 0.05,
            }
        ],
    )
    world.boot().run(3)
    node = world.nodes["town"].node
    assert [slot.rate for slot in shown(node).prices] == [pytest.approx(0.29), pytest.approx(0.17)]
    assert not [code for twin in node.prosumers for code, _ in twin.troubles()]


def test_without_prices_it_asks_its_own_and_says_so(world, tmp_path):
    utility = {"name": "utility", "kind": "grid", "capacity_w": 1000.0, "price": 0.4}
    world.add("town", [], [utility | {"prices_from": str(tmp_path / "none.json")}])
    world.boot().run(3)
    node = world.nodes["town"].node
    assert shown(node).prices[0].rate == 0.4
    assert [code for twin in node.prosumers for code, _ in twin.troubles()] == ["prices_unknown"]
