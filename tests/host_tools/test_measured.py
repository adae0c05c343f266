"""One reading of a file of measured devices, whether it is replayed or evaluated."""

import gzip
import math
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.csv_file import CsvError
from host_tools.__main__ import main
from host_tools.eval.command import reading_of
from host_tools.eval.data import records
from host_tools.measured import measured
from host_tools.microgrid.replay import files_of, parse_start, replayed, sunny_morning

HEAD = "timestamp,device,kind,power_w"


def write(path, *rows, head=HEAD):
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def evaluated(path):
    return list(records(path))


def run(path):
    return replayed([path], datetime(2024, 1, 1, tzinfo=UTC), 600, 1.0)


WAYS = pytest.mark.parametrize("read", [lambda path: list(measured(path)), evaluated, run])


@WAYS
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-01-01T00:01Z,a,load,1e12", "line 3: power_w = 1e12: must be between 0 and 1e"),
        ("2024-01-01T00:01Z,a,load,inf", "line 3: power_w = inf"),
        ("2024-01-01T00:01Z,roof,pv,-5000", "line 3: power_w = -5000"),
        ("2024-01-01T00:00Z,a,load,6", "line 3: other values than line 2 for the same time"),
        ("2023-12-31T23:59Z,a,load,6", "line 3: 2023-12-31T23:59Z comes after 2024-01-01T00:00Z of line 2"),
        ("2024-01-01T00:01Z,a,pv,6", "line 3: a is a pv, and a load above"),
        ("2024-01-01T00:01Z,a,wind,6", "line 3: kind 'wind' is not one of load, pv, battery"),
        ("2024-01-01T00:01Z,a,load,six", "line 3: power_w = six: is not a number"),
        ("1704067260,a,load,6", "line 3: "),
        ("2024-01-01T00:01Z,a", "line 3: has 2 fields"),
    ],
)
def test_what_is_refused_is_refused_by_all_with_file_and_line(tmp_path, read, row, reason):
    path = write(tmp_path / "house.csv", "2024-01-01T00:00Z,a,load,5", row)
    with pytest.raises(CsvError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


@WAYS
def test_a_damaged_gzip_file_is_refused_by_all(tmp_path, read):
    path = tmp_path / "house.csv.gz"
    whole = gzip.compress(f"{HEAD}\n2024-01-01T00:00Z,a,load,5\n".encode() * 50)
    for content in (whole[:40], b"no gzip", whole[:20] + b"\xff" * 9 + whole[29:]):
        path.write_bytes(content)
        with pytest.raises(CsvError, match=r"house\.csv\.gz"):
            read(path)


def test_both_read_offsets_a_byte_order_mark_gaps_and_a_little_below_zero_alike(tmp_path, capsys):
    rows = [
        "2024-01-01T01:00+01:00,a,load,5",
        "2024-01-01T00:01Z,a,load,",
        "2024-01-01T00:02,a,load,nan",
        "2024-01-01T00:03Z,a,load,-2",
        "2024-01-01T00:03Z,a,load,-2",
    ]
    path = write(tmp_path / "house.csv", *rows, "", head="\ufeff" + HEAD)
    (record,) = records(path)
    (building,) = run(path)
    seen = [building.devices[0].power_w(60.0 * minute) for minute in range(4)]
    assert record.powers_w[:, 0].tolist()[0::3] == [seen[0], seen[3]] == [5.0, 0.0]
    assert np.isnan(record.powers_w[1:3, 0]).all()
    assert all(map(math.isnan, seen[1:3]))
    assert record.first_minute % 1440 == 60  # the clock of the first time, as written
    told = capsys.readouterr().err
    assert f"{path}, line 6: 1 row was dropped" in told
    assert f"{path}, line 5: 2 rows were read as 0" in told


def test_the_zone_of_data_is_stated(tmp_path, capsys):
    (tmp_path / "delhi").mkdir()
    path = write(tmp_path / "delhi" / "house.csv", "2024-01-01T00:00Z,a,load,5", "2024-01-01T05:31,a,load,6")

    class Options:
        zone = ["delhi=Asia/Kolkata"]
        sort = False

    (record,) = records(path, reading=reading_of(Options))
    assert record.first_minute % 1440 == 5 * 60 + 30
    assert len(record.powers_w) == 2
    assert main(["eval", "--data", str(path), "--zone", "Asia/Nowhere"]) == 2
    assert "--zone 'Asia/Nowhere': unknown time zone" in capsys.readouterr().err


def test_rows_can_be_sorted(tmp_path, capsys):
    path = write(tmp_path / "house.csv", "2024-01-01T00:01Z,a,load,6", "2024-01-01T00:00Z,a,load,5")
    assert main(["eval", "--data", str(path)]) == 2
    assert "rows must be in order of time" in capsys.readouterr().err

    class Options:
        zone = ()
        sort = True

    (record,) = records(path, reading=reading_of(Options))
    assert record.powers_w[:, 0].tolist() == [5.0, 6.0]


def test_times_within_a_minute_are_averaged(tmp_path):
    rows = [f"2024-01-01T00:{m:02}:{s:02}Z,a,load,{s + m}" for m in range(3) for s in (0, 10, 20, 30, 40, 50)]
    (record,) = records(write(tmp_path / "house.csv", *rows))
    assert record.powers_w[:, 0].tolist() == [25.0, 26.0, 27.0]


def test_names_that_differ_only_in_accents_stay_apart(tmp_path):
    for name in ("Küche", "Kuche", "_x", "Ku\u0308che2"):
        write(tmp_path / f"{name}.csv", "2024-01-01T10:00Z,Öfen,load,5", "2024-01-01T10:00Z,Ofen,load,6")
    files = files_of(tmp_path)
    buildings = replayed(files, sunny_morning(files), 60, 1.0)
    names = [building.name for building in buildings]
    assert sorted(names) == ["kuche", "kuche2", "kuche_2", "n_x"]
    assert [device.name for device in buildings[0].devices] == ["Ofen", "Ofen_2"]


def test_a_start_may_have_an_offset():
    assert parse_start("2024-01-01T12:00+02:00").hour == 10
