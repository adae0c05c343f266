"""Statements: books in, shares, pages, differences and fairness out."""

import csv

import numpy as np
import pytest

from edge.csv_file import CsvError
from edge.energy.sharing import WHOLE, Dynamic, Entry, Span, Static
from edge.terms import Quality
from host_tools.__main__ import main
from host_tools.statement.books import of_devices, read_books, write_books
from host_tools.statement.fairness import gini, judge, qoe, shapley
from host_tools.statement.keys import hours_of, key_of, read_hours, write_hours
from host_tools.statement.operator import differences, read_operator
from host_tools.statement.settlement import Prices, settle

DAY = 86_400
BOOKS = {
    0: {"home": Entry(0, 300), "roof": Entry(500, 0), "shop": Entry(0, 100, Quality.FILLED)},
    900: {"home": Entry(0, 200), "roof": Entry(150, 0), "shop": Entry(0, 100)},
    1800: {"home": Entry(0, 0, Quality.MISSING), "roof": Entry(100, 0), "shop": Entry(0, 100)},
}


def books_file(tmp_path):
    path = tmp_path / "books.csv"
    write_books(path, BOOKS)
    return path


def test_books_are_read_as_they_were_written(tmp_path):
    assert read_books(books_file(tmp_path)) == BOOKS


def test_energies_of_nodes_are_books_and_their_fractions_are_carried(tmp_path):
    path = tmp_path / "energy.csv"
    rows = [
        f"1970-01-01T{i // 4:02}:{i % 4 * 15:02}Z,home,{p},{w},0.0,measured"
        for i in range(20)
        for p, w in (("", 0.4), ("grid", 9))
    ]
    path.write_text("time,twin,partner,drawn_wh,given_wh,quality\n" + "\n".join(rows) + "\n")
    books = read_books(path)
    assert sum(step["home"].withdrawn_wh for step in books.values()) == 8


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("1970-01-01T00:05Z,home,1,1,measured", "quarter-hour"),
        ("1970-01-01T00:00Z,home,1,1,good", "quality"),
        ("1970-01-01T00:00Z,,1,1,measured", "no name"),
        ("1970-01-01T00:00Z,home,-5,1,measured", "injected_wh"),
    ],
)
def test_invalid_books_are_refused(tmp_path, row, says):
    path = tmp_path / "books.csv"
    path.write_text(f"timestamp,member,injected_wh,withdrawn_wh,quality\n{row}\n")
    with pytest.raises(CsvError, match=says):
        read_books(path)


def test_minutes_of_devices_become_quarter_hours_with_their_quality(tmp_path):
    path = tmp_path / "home.csv"
    rows = ["timestamp,device,kind,power_w,filled"]
    for minute in range(45):
        at = f"1970-01-01T00:{minute:02}Z"
        if minute != 20:  # one minute of the second quarter is not known
            rows.append(f"{at},fridge,load,100,{int(minute == 40)}")
        rows.append(f"{at},roof,pv,{500 if minute < 15 else 0},0")
    path.write_text("\n".join(rows) + "\n")
    books = of_devices(path)
    assert books[0]["home"] == Entry(100, 0)
    assert books[900]["home"] == Entry(0, 25, Quality.FILLED)
    assert books[1800]["home"].quality is Quality.FILLED


def test_a_settlement_sums_what_each_step_gave_and_leaves_out_what_is_missing():
    result = settle(Dynamic(), BOOKS)
    assert result.shared_wh == result.ceiling_wh == 400 + 150 + 100
    home = result.accounts["home"]
    assert (home.received_wh, home.residual_wh) == (400, 100)
    assert home.steps == {Quality.MEASURED: 2, Quality.FILLED: 0, Quality.MISSING: 1}
    assert home.unsure == 1  # in the first step the shop was filled
    assert result.accounts["roof"].unsure == 2


def test_only_members_take_part():
    result = settle(Dynamic(), BOOKS, {"home": [Span()], "roof": [Span(900)]})
    assert result.accounts.keys() == {"home", "roof"}
    assert result.accounts["home"].received_wh == 150


def test_the_file_of_the_operator_is_compared_step_by_step(tmp_path):
    path = tmp_path / "operator.csv"
    path.write_text(
        "timestamp,member,received_wh\n1970-01-01T00:00Z,home,300\n1970-01-01T00:15Z,home,90\n"
        "1970-01-01T00:45Z,home,5\n1970-01-01T00:00Z,other,7\n"
    )
    found = differences(settle(Dynamic(), BOOKS), read_operator(path))
    home = found["home"]
    assert (home.ours_wh, home.theirs_wh, home.compared) == (400, 390, 2)
    assert (home.only_ours, home.only_theirs) == (1, 1)
    assert home.apart == [(900, 100, 90)]
    assert found["other"].only_theirs == 1
    assert found["shop"].only_ours == 3


def test_coefficients_by_hour_come_from_the_books_and_are_read_back(tmp_path):
    path = tmp_path / "hours.csv"
    hours = hours_of(BOOKS)
    write_hours(path, hours)
    assert read_hours(path) == hours
    assert hours["home"][0] == 625_000  # 500 of 800 Wh
    assert key_of("hourly", path, ()).parts == hours


def test_the_text_file_of_spain_is_read(tmp_path):
    path = tmp_path / "coefficients.txt"
    path.write_text("\n".join(f"ES01;{hour:04};0,250000\nES02;{hour:04};0,750000" for hour in range(1, 8761)))
    assert read_hours(path)["ES02"] == [750_000] * 8760


@pytest.mark.parametrize("line", ["a;1;0,3333333", "a;0;0,5", "a;1;1,5", "a;1", ";1;0,5", "a;1;x"])
def test_invalid_coefficients_are_refused_by_line(tmp_path, line):
    path = tmp_path / "coefficients.txt"
    path.write_text(line + "\n")
    with pytest.raises(CsvError, match="line 1"):
        read_hours(path)


def test_indices_of_fairness_at_their_ends():
    assert gini([1, 1, 1]) == pytest.approx(0)
    assert gini([0, 0, 3]) == pytest.approx(2 / 3)
    assert qoe([0.2, 0.2], 0.1, 0.3) == pytest.approx(1)
    assert gini([]) is gini([0, 0]) is qoe([], 0, 1) is None


def test_shapley_values_of_a_small_game_are_those_by_hand():
    # a roof gives 100, two homes draw 60 each: orders give the roof 2/3 of 100 when it is last, 60 in between
    values = shapley(np.array([[100, 0, 0]]), np.array([[0, 60, 60]]))
    assert values == pytest.approx([(100 * 2 + 60 * 2) / 6, 340 / 12 - 5, 340 / 12 - 5])
    assert values.sum() == pytest.approx(100)


def test_the_worst_served_member_is_named():
    result = settle(Static(parts={"home": WHOLE}), BOOKS)
    fairness = judge(result.accounts, Prices())
    assert (fairness.worst, fairness.worst_ratio) == ("shop", 0.0)
    assert fairness.jain == pytest.approx(0.5)


def test_the_command_writes_a_statement_of_each_member_without_the_names_of_others(tmp_path, capsys):
    books, out = books_file(tmp_path), tmp_path / "out"
    assert main(["statement", str(books), "--month", "1970-01", "--out", str(out)]) == 0
    with (out / "statement.csv").open() as file:
        rows = {row["member"]: row for row in csv.DictReader(file)}
    assert rows["home"]["received_wh"] == "400"
    assert rows["home"]["missing_steps"] == "1"
    page = (out / "statement-home.html").read_text()
    assert "400" in page
    assert "roof" not in page
    assert "shop" not in page
    assert main(["statement", str(books), "--operator", str(out / "shares.csv"), "--out", str(out)]) == 0
    assert (out / "differences.csv").read_text().count("\n") == 1
    assert "650 of at most 650" in capsys.readouterr().out


def test_wrong_months_and_files_are_told(tmp_path, capsys):
    books, out = books_file(tmp_path), tmp_path / "out"
    for wrong in (["--month", "1970-13"], ["--month", "1980-01"], ["--key", "hourly"]):
        assert main(["statement", str(books), *wrong, "--out", str(out)]) == 2
    assert "1980-01-01" in capsys.readouterr().err


HEAD = "timestamp,member,injected_wh,withdrawn_wh,quality\n"


def test_members_with_similar_names_have_a_page_each(tmp_path):
    rows = [f"2026-01-01T00:00Z,{name},0,5,measured" for name in ("a/b", "a_b", "A b")]
    (tmp_path / "books.csv").write_text(HEAD + "\n".join(rows) + "\n")
    assert main(["statement", str(tmp_path / "books.csv"), "--out", str(tmp_path / "out")]) == 0
    pages = [each.read_text() for each in (tmp_path / "out").glob("statement-*.html")]
    assert len(pages) == 3
    for name in ("a/b", "a_b", "A b"):
        assert sum(name in page for page in pages) == 1


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["1971-01-01T00:00Z,a,1,1,measured", "2026-01-01T00:00Z,a,1,1,measured"], "is a date wrong"),
        ([f"2026-01-01T00:00Z,{'x' * 300},1,1,measured"], "at most 100 characters"),
        (["2026-01-01T00:00Z,,1,1,measured"], "has no name"),
        (["2026-01-01T00:00Z,=cmd|x,1,1,measured"], "no name of a member"),
    ],
)
def test_damaged_books_are_refused_by_name(tmp_path, capsys, rows, says):
    (tmp_path / "books.csv").write_text(HEAD + "\n".join(rows) + "\n")
    assert main(["statement", str(tmp_path / "books.csv"), "--out", str(tmp_path / "out")]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"timestamp,member,received_wh\n2026-01-01T00:00Z,,3\n", "no name"),
        (b"timestamp,member,received_wh\n2026-01-01T00:00Z,a,1e400\n", "must be between"),
        (b"timestamp,member,received_wh\n2026-01-01T00:00Z,a,-5\n", "must be between"),
        (b"timestamp;member;received_wh\n2026-01-01T00:00Z;a;3\n", "separated by commas"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"", "is missing"),
        (b"timestamp,member,received_wh\n2026-01-01T00:00Z,a,3\n2026-01-01T00:00Z,a,4\n", "other values"),
    ],
)
def test_a_damaged_file_of_the_operator_is_refused(tmp_path, content, says):
    (tmp_path / "operator.csv").write_bytes(content)
    with pytest.raises(CsvError, match=says):
        read_operator(tmp_path / "operator.csv")
