"""`host_tools market`: clearing by files, and the study on measured data."""

import csv
import gzip
import json
import math

import numpy as np
import pytest

from host_tools.__main__ import main
from host_tools.market import study
from host_tools.market.members import DAYS, Member

ORDERS = """timestamp,member,side,energy_wh,limit
2026-01-05T10:00Z,gym,buy,400,0.28
2026-01-05T10:00Z,school,sell,300,0.09
2026-01-05T10:00Z,hall,sell,200,0.12
2026-01-05T10:15Z,gym,buy,100,0.10
2026-01-05T10:15Z,school,sell,100,0.20
"""
BOOKS = """timestamp,member,injected_wh,withdrawn_wh,quality
2026-01-05T10:00Z,gym,0,450,measured
2026-01-05T10:00Z,hall,80,0,measured
2026-01-05T10:00Z,school,,,missing
2026-01-05T10:15Z,gym,0,50,measured
2026-01-05T10:15Z,hall,0,0,measured
2026-01-05T10:15Z,school,60,0,measured
"""


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def clear(tmp_path, orders, *more):
    (tmp_path / "orders.csv").write_text(orders)
    out = tmp_path / "out"
    return main(["market", "--orders", str(tmp_path / "orders.csv"), "--out", str(out), *more]), out


def test_orders_of_a_file_become_prices_positions_and_bills(tmp_path):
    (tmp_path / "books.csv").write_text(BOOKS)
    code, out = clear(tmp_path, ORDERS, "--books", str(tmp_path / "books.csv"))
    assert code == 0
    assert [(row["price"], row["energy_wh"]) for row in rows(out / "prices.csv")] == [
        ("0.12", "400"),
        ("", "0"),
    ]
    positions = {row["member"]: row["position_wh"] for row in rows(out / "positions.csv")}
    assert positions == {"gym": "400", "school": "-300", "hall": "-100"}
    bills = {row["member"]: row for row in rows(out / "bills.csv")}
    assert float(bills["gym"]["paid_market"]) == pytest.approx(0.048)
    assert float(bills["gym"]["paid_balancing"]) == pytest.approx(0.05 * 0.30 + 0.05 * 0.08)
    assert (bills["school"]["unknown_steps"], bills["school"]["less_wh"]) == ("1", "60")
    assert bills["hall"]["more_wh"] == "20"


def test_hours_are_settled_with_four_quarter_hours(tmp_path):
    orders = "".join(line + "\n" for line in ORDERS.splitlines()[:4])
    quarters = (f"2026-01-05T10:{m}Z,gym,0,100,measured\n" for m in ("00", "15", "30", "45"))
    (tmp_path / "books.csv").write_text(BOOKS.splitlines()[0] + "\n" + "".join(quarters))
    code, out = clear(tmp_path, orders, "--step-min", "60", "--books", str(tmp_path / "books.csv"))
    assert code == 0
    gym = next(row for row in rows(out / "bills.csv") if row["member"] == "gym")
    assert (gym["more_wh"], gym["less_wh"], gym["unknown_steps"]) == ("0", "0", "0")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2026-01-05T10:07Z,gym,buy,1,0.1", "begin of a step"),
        ("2026-01-05T11:00Z,gym,take,1,0.1", 'side = "take": must be buy or sell'),
        ("2026-01-05T11:00Z,gym,buy,1,cheap", "limit = cheap: is not a number"),
        ("2026-01-05T11:00Z,gym,buy,1,1e9", "limit = 1e9: must be between"),
        ("2026-01-05T11:00Z,gym,buy,1,nan", 'limit = "nan": must be a price'),
        ("2026-01-05T11:00Z,gym,buy,1,", 'limit = "": must be a price'),
        ("2026-01-05T11:00Z,gym,buy,10.5,0.1", 'energy_wh = "10.5": must be a whole number'),
        ("2026-01-05T11:00Z,gym,buy,,0.1", 'energy_wh = "": must be a whole number'),
        ("2026-01-05T11:00Z,gym,buy,-1,0.1", "energy_wh = -1: must be between"),
        ("2026-01-05T11:00Z,,buy,1,0.1", 'member = "": must be 1 to 32 of'),
        ("2026-01-05T11:00Z,=cmd|x,buy,1,0.1", 'member = "=cmd|x": must be 1 to 32 of'),
        ("2026-01-05T10:00Z,gym,buy,500,0.280", "limit = 0.280: a second order of gym after line 2"),
        ("2026-01-05T10:00Z,gym,sell,9,0.05", "limit = 0.05: gym would trade with itself, with limit = 0.28"),
        (
            "2026-01-05T10:00Z,hall,buy,9,0.12",
            "limit = 0.12: hall would trade with itself, with limit = 0.12",
        ),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, capsys, line, why):
    assert clear(tmp_path, f"{ORDERS}{line}\n")[0] == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'orders.csv'}, line 7: " in error
    assert why in error


def test_an_order_of_a_member_has_pieces_as_at_a_node(tmp_path, capsys):
    pieces = [f"2026-01-05T11:00Z,gym,buy,10,0.{10 + i}\n" for i in range(13)]
    apart = "2026-01-05T11:00Z,gym,sell,10,0.25\n"
    assert clear(tmp_path, "".join([ORDERS, *pieces[:11], apart]))[0] == 0
    assert clear(tmp_path, "".join([ORDERS, *pieces]))[0] == 2
    assert "line 19: member = gym: has more than 12 orders for this step" in capsys.readouterr().err


def test_a_row_that_is_there_twice_counts_once_and_is_told(tmp_path, capsys):
    code, out = clear(tmp_path, ORDERS + ORDERS.splitlines()[1] + "\n")
    assert code == 0
    assert "line 7: 1 row was dropped because equal" in capsys.readouterr().err
    assert {row["member"]: row["position_wh"] for row in rows(out / "positions.csv")}["gym"] == "400"


def test_what_was_not_measured_is_told_where_the_bills_are_shown(tmp_path, capsys):
    orders = "".join(line + "\n" for line in ORDERS.splitlines()[:4])
    first = "".join(line + "\n" for line in BOOKS.splitlines()[:3])
    (tmp_path / "books.csv").write_text(first)
    books = ("--books", str(tmp_path / "books.csv"))
    assert clear(tmp_path, orders, "--step-min", "60", *books)[0] == 0
    assert "not measured, not settled: 3 steps of 3 members" in capsys.readouterr().out
    (tmp_path / "books.csv").write_text(BOOKS)
    assert clear(tmp_path, ORDERS, *books)[0] == 0
    assert "not measured, not settled: 1 step of 1 member\n" in capsys.readouterr().out
    (tmp_path / "books.csv").write_text(BOOKS.replace(",,missing", "0,0,measured"))
    assert clear(tmp_path, ORDERS, *books)[0] == 0
    assert "not settled" not in capsys.readouterr().out


@pytest.mark.parametrize(("feed_in", "code"), [("0.3", 2), ("0.05", 2), ("0.04", 0)])
@pytest.mark.parametrize("way", ["--orders", "--bargain", "--data"])
def test_feeding_in_must_bring_less_than_import_costs(tmp_path, capsys, way, feed_in, code):
    (tmp_path / "orders.csv").write_text(ORDERS)
    what = {"--orders": str(tmp_path / "orders.csv"), "--bargain": "10", "--data": str(tmp_path)}[way]
    tariffs = ("--import-price", "0.05", "--feed-in-price", feed_in)
    found = main(["market", way, what, *tariffs, "--out", str(tmp_path / "out")])
    refusal = f"--feed-in-price {feed_in}: must be below --import-price 0.05"
    assert (refusal in capsys.readouterr().err) == bool(code)
    assert found == (2 if way == "--data" else code)  # the folder has no data


def test_a_member_of_books_is_a_node(tmp_path, capsys):
    books = tmp_path / "books.csv"
    books.write_text(BOOKS.replace("hall", "Hall"))
    assert clear(tmp_path, ORDERS, "--books", str(books))[0] == 2
    assert f'{books}: member = "Hall": must be 1 to 32 of' in capsys.readouterr().err
    devices = tmp_path / "=cmd|x.csv"
    devices.write_text("timestamp,device,kind,power_w\n2026-01-05T10:00Z,lamp,load,60\n")
    assert clear(tmp_path, ORDERS, "--books", str(devices))[0] == 2
    assert "a spreadsheet would run it" in capsys.readouterr().err


def test_who_orders_beyond_its_means_is_named_and_left_out(tmp_path, capsys):
    code, out = clear(tmp_path, ORDERS + "2026-01-05T10:00Z,liar,sell,900000,0.01\n")
    assert code == 0
    assert "liar: 1 orders refused" in capsys.readouterr().err
    assert "liar" not in {row["member"] for row in rows(out / "positions.csv")}


def test_it_needs_orders_or_data(capsys):
    assert main(["market"]) == 2
    assert "--orders, --data and --bargain" in capsys.readouterr().err


def test_more_pairs_agree_by_negotiation_than_at_a_fixed_price(capsys):
    assert main(["market", "--bargain", "500"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "%" in line]
    rows = {line.split("│")[1].strip(): line for line in lines}
    shares = {name: float(line.split("%")[0].split()[-1]) for name, line in rows.items()}
    assert {"the buyer concedes late", "the seller concedes late", "both concede late"} <= shares.keys()
    assert shares["both by equal steps"] > 1.5 * shares["fixed in the middle"]


def homes():
    """Two homes of which each day is like the other: one draws in the evening, one has the sun."""
    hours = np.arange(DAYS * 96) / 4 % 24
    sun_w = 3000 * np.maximum(0, np.sin((hours - 6) / 12 * math.pi))
    return [
        Member("a", "made up", np.full(len(hours), 800.0), np.zeros(len(hours))),
        Member("b", "made up", np.full(len(hours), 200.0), sun_w),
    ]


def test_with_foresight_the_market_brings_what_a_linear_programme_finds():
    found = homes()
    result = study.run(found, 19, study.Tariffs(), study.Foresight(found))
    assert result.welfare == pytest.approx(result.programme)
    assert result.welfare == pytest.approx(result.foresight)
    assert result.traded_wh == result.shared_wh


def test_days_that_repeat_are_forecast_and_the_bills_balance():
    found = homes()
    result = study.run(found, 20, study.Tariffs(), study.PastDays(found))
    assert result.share > 0.9
    assert result.settled == pytest.approx(result.to_grid)
    assert min(result.gains.values()) >= 0


OTHER_BUILDINGS = (
    "uci_house_1min/house.csv.gz",
    "gjwo_house_1min/house.csv.gz",
    "combed_1min/floor.csv.gz",
    "mix_1min/n3_flat_de.csv.gz",
    "mix_1min/n4_office_de.csv.gz",
)


def test_files_that_the_study_lacks_are_named(tmp_path, capsys):
    (tmp_path / "data" / "combed_1min").mkdir(parents=True)
    (tmp_path / "data" / "combed_1min" / "floor.csv.gz").touch()
    (tmp_path / "data" / "ucsd_15min").mkdir()
    arguments = ["market", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "lacks uci_house_1min/*.csv.gz, gjwo_house_1min/*.csv.gz, mix_1min/n3_flat_de.csv.gz, " in error
    assert "ucsd_15min/*.csv.gz: " in error
    assert "timestamp,device,kind,power_w" in error
    assert "combed" not in error


def test_the_study_reads_measured_files(tmp_path):
    folder = tmp_path / "data" / "ucsd_15min"
    folder.mkdir(parents=True)
    for home in ("home_a", "home_b"):
        with gzip.open(folder / f"{home}.csv.gz", "wt") as file:
            file.write("timestamp,device,kind,power_w\n")
            for begin in ("2018-01-08", "2018-05-07"):
                for i in range(DAYS * 96):
                    at = np.datetime64(begin) + np.timedelta64(15 * i, "m")
                    sun_w = max(0, 24 - abs(i % 96 - 48))
                    file.write(f"{at}Z,load,load,{500 + i % 7}\n{at}Z,roof,pv,{sun_w}\n")
    for name in OTHER_BUILDINGS:
        (tmp_path / "data" / name).parent.mkdir(exist_ok=True)
        with gzip.open(tmp_path / "data" / name, "wt") as file:
            file.write("timestamp,device,kind,power_w\n")
    out = tmp_path / "out"
    main(["market", "--data", str(tmp_path / "data"), "--members", "2", "--out", str(out)])
    results = json.loads((out / "study.json").read_text())
    assert results["perfect foresight"]["share"] == pytest.approx(1.0)
    assert results["quantiles of past days"]["orders"] > 0
