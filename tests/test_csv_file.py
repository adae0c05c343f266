"""One reader for every CSV file: what it accepts, repairs and refuses, and that it names file and line."""

import gzip
import os
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from edge.csv_file import CsvError, Rules, first_offset, power_column, read, signed_power_column

ZURICH = ZoneInfo("Europe/Zurich")
WATTS = Rules(columns=(power_column("w"),), zone=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "past.csv"


def write(path, *rows, header="timestamp,w", start=""):
    path.write_text(start + "\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def found(path, rules=WATTS, **changes):
    told = []
    rules = Rules(
        **{name: getattr(rules, name) for name in Rules.__slots__} | {"tell": told.append} | changes
    )
    rows = [(moment(row.time_s), *row.key, *row.values) for row in read(path, rules)]
    return rows, told


def moment(time_s):
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M")


def refusal(path, rules=WATTS, **changes):
    with pytest.raises(CsvError) as caught:
        found(path, rules, **changes)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_byte_order_mark_and_empty_lines_mean_nothing(path):
    write(path, "2024-01-01T00:00Z,1", "", "2024-01-01T00:01Z,2", "", "", start="\ufeff")
    rows, told = found(path)
    assert rows == [("2024-01-01T00:00", 1.0), ("2024-01-01T00:01", 2.0)]
    assert told == []


def test_lines_may_end_as_on_any_system_and_columns_stand_in_any_order(path):
    path.write_bytes(b"w, timestamp ,more\r\n1,2024-01-01T00:00Z,x\r\n")
    assert found(path)[0] == [("2024-01-01T00:00", 1.0)]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-07-01T12:00Z", "2024-07-01T12:00"),
        ("2024-07-01T12:00+02:00", "2024-07-01T10:00"),
        ("2024-07-01T12:00+0200", "2024-07-01T10:00"),
        ("2024-07-01 12:00:30.5-05:30", "2024-07-01T17:30"),
        ("2024-07-01T12:00", "2024-07-01T10:00"),  # the zone of the node
        ("20240701T1200", "2024-07-01T10:00"),
        ("2024-07-01", "2024-06-30T22:00"),
    ],
)
def test_offsets_are_obeyed_and_other_times_are_civil(path, text, utc):
    write(path, f"{text},1")
    assert found(path, zone=ZURICH)[0] == [(utc, 1.0)]


def test_the_hour_that_comes_twice_in_autumn_is_two_hours(path):
    clock = [f"2024-10-27T0{hour}:{minute:02}" for hour in (1, 2, 2, 3) for minute in (0, 30)]
    write(path, *(f"{text},{i}" for i, text in enumerate(clock)))
    rows, _ = found(path, zone=ZURICH)
    assert [row[0][11:] for row in rows] == [
        "23:00", "23:30", "00:00", "00:30", "01:00", "01:30", "02:00", "02:30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "day", "clock", "utc"),
    [
        ("Europe/Zurich", "2024-10-27", "01:00 02:00 02:00 03:00", "23:00 00:00 01:00 02:00"),
        ("Europe/Zurich", "2024-10-27", "02:00 02:01 02:01 02:02", "00:00 00:01 00:02"),  # a duplicate
        ("Australia/Sydney", "2024-04-07", "01:00 02:00 02:00 03:00", "14:00 15:00 16:00 17:00"),
        ("Australia/Lord_Howe", "2024-04-07", "01:00 01:30 01:30 02:00", "14:00 14:30 15:00 15:30"),
    ],
)
def test_rows_an_hour_apart_have_the_same_text_twice_in_autumn(path, zone, day, clock, utc):
    write(path, *(f"{day}T{text},1" for text in clock.split()))
    rows, _ = found(path, zone=ZoneInfo(zone))
    assert " ".join(row[0][11:] for row in rows) == utc


def test_a_line_of_blanks_means_nothing_and_fields_may_have_blanks(path):
    write(path, "   ", " 2024-01-01T00:00Z , 1 ", " , ")
    assert found(path)[0] == [("2024-01-01T00:00", 1.0)]


def test_times_that_a_spring_night_skips_are_left_out_and_that_is_told(path):
    clock = [f"2024-03-31T0{hour}:{minute:02}" for hour in (1, 2, 3) for minute in (0, 30)]
    write(path, *(f"{text},{i}" for i, text in enumerate(clock)))
    rows, told = found(path, zone=ZURICH)
    assert [(row[0][11:], row[1]) for row in rows] == [
        ("00:00", 0.0), ("00:30", 1.0), ("01:00", 4.0), ("01:30", 5.0),
    ]  # fmt: skip
    assert told == [f"{path}, line 4: 2 rows were left out because civil time skips that hour"]


def test_the_offset_of_the_first_time_is_known(path):
    assert first_offset(write(path, "", "2024-01-01T00:00+0100,1")).total_seconds() == 3600
    assert first_offset(write(path, "2024-01-01T00:00,1")) is None
    assert first_offset(write(path)) is None


def test_rows_out_of_order_are_refused_with_their_lines_or_sorted_if_asked(path):
    write(path, "2024-01-01T00:01Z,1", "2024-01-01T00:02Z,2", "2024-01-01T00:00Z,0")
    assert "line 4: 2024-01-01T00:00Z comes after 2024-01-01T00:02Z of line 3" in refusal(path)
    assert [row[1] for row in found(path, sort=True)[0]] == [0.0, 1.0, 2.0]


def test_the_order_is_that_of_each_device(path):
    write(path, *(f"2024-01-01T00:0{i}Z,{d},5" for d in "ab" for i in (0, 1)), header="timestamp,device,w")
    rows, _ = found(path, keys=("device",))
    assert [row[1] for row in rows] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("sort", [False, True])
def test_equal_duplicates_are_dropped_and_told_and_conflicting_ones_refused(path, sort):
    write(path, "2024-01-01T00:00Z,1", "2024-01-01T00:00Z,1.0", "2024-01-01T01:00+01:00,1")
    rows, told = found(path, sort=sort)
    assert rows == [("2024-01-01T00:00", 1.0)]
    assert told == [f"{path}, line 3: 2 rows were dropped because equal to an earlier one"]
    write(path, "2024-01-01T00:00Z,1", "2024-01-01T00:00Z,2")
    assert "line 3: other values than line 2 for the same time" in refusal(path, sort=sort)


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN"])
def test_no_value_and_nan_are_unknown(path, text):
    (row,), told = found(write(path, f"2024-01-01T00:00Z,{text}"))
    assert row[1] != row[1]
    assert told == []


@pytest.mark.parametrize(
    "text", ["1e12", "inf", "-inf", "-5000", "-100.1", "five", "0x10", "1_000", "\u0661"]
)
def test_values_that_cannot_be_are_refused_with_their_line(path, text):
    reason = refusal(write(path, "2024-01-01T00:00Z,1", f"2024-01-01T00:01Z,{text}"))
    assert "line 3: " in reason
    assert text in reason


def test_a_little_below_zero_is_zero_and_told(path):
    rows, told = found(write(path, "2024-01-01T00:00Z,-4", "2024-01-01T00:01Z,-0.5", "2024-01-01T00:02Z,3"))
    assert [row[1] for row in rows] == [0.0, 0.0, 3.0]
    assert told == [f"{path}, line 2: 2 rows were read as 0 because slightly below it"]
    assert found(path, columns=(signed_power_column("w"),))[0][0][1] == -4.0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "column timestamp, w is missing"),
        (
            b"timestamp;w\n2024-01-01T00:00Z;1\n",
            "column timestamp, w is missing; found timestamp;w; columns must be separated by commas",
        ),
        (b"timestamp\tw\n", "columns must be separated by commas"),
        (b"", "found nothing"),
        (b"timestamp,w,w\n2024-01-01T00:00Z,1,2\n", "column w occurs more than once"),
        (b"timestamp,w\n2024-01-01T00:00Z,1,5\n", "line 2: has 3 fields, expected 2"),  # 1,5 W
        (b'timestamp,w\n2024-01-01T00:00Z,"1,5"\n', "line 2: w = 1,5: is not a number"),
        (b"timestamp,w\n1711011200123,1\n", "line 2: timestamp = 1711011200123: is not a time"),
        (b"timestamp,w\n1969-12-31T23:59Z,1\n", "line 2: timestamp = 1969-12-31T23:59Z: is not a time"),
        (b"timestamp,w\n2016-12-31T23:59:60Z,1\n", "line 2: timestamp"),
        (b"timestamp,w\n\x1b[2J,1\n", r"line 2: timestamp = \u001b[2J: is not a time"),
        ("timestamp,w\n".encode("utf-16-le"), r"found t\u0000i"),
        ("timestamp,w\n".encode("utf-16"), "is not UTF-8"),
        (b"timestamp,w\n2024-01-01T00:00Z\n", "line 2: has 1 fields, expected 2"),
        (b"timestamp,w\nyesterday,1\n", "line 2: timestamp = yesterday: is not a time"),
        (b"timestamp,w\n1704067200,1\n", "line 2: "),
        (b'timestamp,w\n"2024,1\n', "line 2"),
        (b"timestamp,w\n\xff,1\n", "not UTF-8"),
        (b"timestamp,w\n" + b"9" * 20_000, "more than 16,384 characters"),
        (b"timestamp,w\n99999-01-01T00:00Z,1\n", "line 2: "),
    ],
)
def test_what_is_no_such_file_is_refused(path, content, reason):
    path.write_bytes(content)
    assert reason in refusal(path)


def test_packed_files_are_read_and_bounded_when_inflated(tmp_path):
    path = tmp_path / "past.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("timestamp,w\n2024-01-01T00:00Z,1\n" + "\n" * 1_000_000)
    assert len(found(path)[0]) == 1
    assert "more than 5,000 bytes" in refusal(path, most_bytes=5000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refusal(path)
    path.write_bytes(b"no gzip at all")
    assert "cannot be read" in refusal(path)
    path.write_bytes(whole[:200] + b"\xff" * 200 + whole[400:])
    assert refusal(path)


def test_rows_are_bounded(path):
    write(path, *(f"2024-01-01T00:0{i}Z,1" for i in range(9)))
    assert "line 6: the file has more than 4 rows" in refusal(path, most_rows=4)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: None])
def test_what_is_no_file_is_refused_at_once(path, make):
    make(path)
    assert "cannot be read: " in refusal(path)
