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
        ("2026-01-05T11:00Z,gym,take,1,0.1", "buy or sell"),
        ("2026-01-05T11:00Z,gym,buy,1,cheap", "not a number"),
        ("2026-01-05T11:00Z,gym,buy,1,1e9", "between"),
        ("2026-01-05T11:00Z,gym,buy,1.5,0.1", "whole Wh"),
        ("2026-01-05T11:00Z,gym,buy,-1,0.1", "between"),
        ("2026-01-05T11:00Z,,buy,1,0.1", "member"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, capsys, line, why):
    assert clear(tmp_path, f"{ORDERS}{line}\n")[0] == 2
    assert why in capsys.readouterr().err


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
    rows = {line[1:24].strip(): line for line in capsys.readouterr().out.splitlines() if "%" in line}
    shares = {name: float(line.split("%")[0].split()[-1]) for name, line in rows.items()}
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
    for other in ("uci_house_1min", "gjwo_house_1min", "combed_1min", "mix_1min"):
        (tmp_path / "data" / other).mkdir()
    for name in ("n3_flat_de", "n4_office_de"):
        with gzip.open(tmp_path / "data" / "mix_1min" / f"{name}.csv.gz", "wt") as file:
            file.write("timestamp,device,kind,power_w\n")
    out = tmp_path / "out"
    main(["market", "--data", str(tmp_path / "data"), "--members", "2", "--out", str(out)])
    results = json.loads((out / "study.json").read_text())
    assert results["perfect foresight"]["share"] == pytest.approx(1.0)
    assert results["quantiles of past days"]["orders"] > 0
