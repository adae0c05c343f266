"""Past minutes from measured devices, from sensors and from the utility of the living lab."""

import math
import os
import struct
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from edge.csv_file import CsvError
from edge.twins.past import minutes_of
from host_tools.__main__ import main
from host_tools.lab_files import clemap, is_clemap, is_sig, sig

SENSOR, OTHER = bytes(range(12)), bytes(range(50, 62))
NOON_S = 1_671_192_000  # 2022-12-16T12:00Z


def ten_seconds(time_s, phase, *powers_w, sensor=SENSOR):
    return struct.pack("=Bd12sB6q", 16, time_s, sensor, phase, *(round(1000 * w) for w in powers_w), 7, 7, 7)


def minute(time_s, phase, *powers_w, sensor=SENSOR):
    others = [230_000] * 9, [9] * 9
    milliwatts = [round(1000 * w) for w in powers_w]
    return struct.pack(
        "=Bd12sB21i3q", 17, time_s, sensor, phase, *others[0], *milliwatts, *others[1], 1, 2, 3
    )


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def made(tmp_path, *arguments):
    out = tmp_path / "past.csv"
    assert main(["past", *map(str, arguments), "--out", str(out)]) == 0
    return [((time_s - NOON_S) // 60, *powers_w) for time_s, powers_w in minutes_of(out, UTC)]


def test_records_have_the_size_that_the_lab_sent():
    assert (len(ten_seconds(0, 0, 1, 2, 3)), len(minute(0, 0, 1, 2, 3))) == (70, 130)


def test_the_phases_of_a_sensor_are_added_without_their_sign(tmp_path):
    records = [minute(NOON_S, phase, 100, -20, 3) for phase in (1, 2, 3)]
    (sent,) = clemap(write(tmp_path / "SE1", b"".join(records)))
    assert sent == (NOON_S, SENSOR.hex(), 123.0)
    (sent,) = clemap(write(tmp_path / "SE1", minute(NOON_S, 0, 100, -20, 3)))
    assert sent.power_w == 123.0
    from_zero = [ten_seconds(NOON_S, phase, 100, -20, 3) for phase in (0, 1, 2, 2)]
    (sent,) = clemap(write(tmp_path / "SE1", b"".join(from_zero)))
    assert sent.power_w == 123.0


def test_minutes_of_a_sensor_go_before_its_ten_seconds(tmp_path):
    both = ten_seconds(NOON_S + 10, 0, 500, 0, 0) + minute(NOON_S, 0, 100, 0, 0)
    assert [each.power_w for each in clemap(write(tmp_path / "SE1", both))] == [100.0]


@pytest.mark.parametrize(
    "content",
    [minute(NOON_S, 0, 1, 2, 3)[:-1], minute(NOON_S, 9, 1, 2, 3), minute(math.inf, 0, 1, 2, 3), b"\x10"],
)
def test_a_payload_that_is_no_whole_chain_is_refused(tmp_path, content):
    with pytest.raises(CsvError, match=r"SE1, byte 70: "):
        clemap(write(tmp_path / "SE1", ten_seconds(NOON_S, 0, 1, 2, 3) + content))


def test_the_utility_counts_energy_in_quarters_of_civil_time(tmp_path):
    rows = "Compteur;Date;Heure;kWh\nCH1;30.10.2022;02:45;0,25\nCH1;30.10.2022;02:00;1.5\n\n"
    first, second = sig(write(tmp_path / "sig.csv", "\ufeff" + rows), ZoneInfo("Europe/Zurich"))
    assert (first.device, first.power_w, second.power_w) == ("CH1", 1000.0, 6000.0)
    assert second.time_s - first.time_s == 900  # the clock was set back between them


@pytest.mark.parametrize(
    "row",
    ["CH1;1.1.2023;25:00;1", "CH1;x;00:00;1", "CH1;01.01.2023;00:00"]
    + [f"CH1;01.01.2023;00:00;{energy}" for energy in ("x", "nan", "inf", "1e9", "1_0")],
)
def test_a_row_of_the_utility_that_cannot_be_read_is_refused_with_its_line(tmp_path, row):
    path = write(tmp_path / "sig.csv", f"a;b;c;d\nCH1;31.12.2022;23:45;1\n{row}\n")
    with pytest.raises(CsvError, match=r"sig\.csv, line 3: "):
        sig(path, UTC)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_file_of_the_lab_is_refused_at_once(tmp_path, make):
    make(tmp_path / "SE1")
    for ask in (is_clemap, is_sig, clemap, lambda path: sig(path, UTC)):
        with pytest.raises(CsvError, match="SE1: cannot be read: is not a regular file"):
            ask(tmp_path / "SE1")


def test_what_no_file_of_the_lab_can_hold_is_refused(tmp_path):
    with pytest.raises(CsvError, match="a phase 0 and a phase 3"):
        clemap(write(tmp_path / "SE1", ten_seconds(NOON_S, 0, 1, 2, 3) + ten_seconds(NOON_S, 3, 1, 2, 3)))
    with pytest.raises(CsvError, match="field larger"):
        sig(write(tmp_path / "sig.csv", 'a;b;c;d\n"' + "x" * 200_000), UTC)
    with pytest.raises(CsvError, match="not UTF-8"):
        sig(write(tmp_path / "sig.csv", "a;b;c;d".encode("utf-16")), UTC)


def test_the_past_of_a_house_is_what_a_node_reads(tmp_path):
    rows = ["timestamp,device,kind,power_w"]
    for at in range(3):
        rows += [f"2022-12-16T12:0{at}Z,tv,load,100", f"2022-12-16T12:0{at}Z,box,battery,{[50, -50, ''][at]}"]
    rows += ["2022-12-16T12:00Z,roof,pv,120", "2022-12-16T12:01Z,roof,pv,200"]
    found = made(tmp_path, write(tmp_path / "house.csv", "\n".join(rows)))
    assert found == [(0, 150, 120, 120, 120, 30, 0), (1, 100, 250, 100, 100, 0, 150)]


def test_sensors_and_utility_are_one_past(tmp_path):
    load = b"".join(minute(NOON_S + 60 * at, 0, 1000 + at, 0, 0) for at in range(20))
    sun = b"".join(minute(NOON_S + 60 * at, 0, 300, 0, 0, sensor=OTHER) for at in range(20))
    supply = "p;d;h;kWh\nSIG;16.12.2022;13:00;0,1\nSIG;16.12.2022;13:15;0,2\n"
    files = write(tmp_path / "SE1", load), write(tmp_path / "SE2", sun), write(tmp_path / "sig.csv", supply)
    kinds = "--kind", f"{OTHER.hex()}=pv", "--kind", "SIG=pv", "--zone", "Europe/Zurich"
    found = made(tmp_path, *files, *kinds)
    assert found[0][:3] == (0, 1000, 700)
    assert found[19][:3] == (19, 1019, 1100)
    assert len(found) == 20  # the sensors sent no more, so nothing is known about the last ten minutes


@pytest.mark.parametrize(
    "arguments", [["--kind", "x"], ["--kind", "x=pv"], ["--zone", "Nowhere/At"], ["/no/file"]]
)
def test_wrong_usage_is_refused(tmp_path, capsys, arguments):
    path = write(tmp_path / "SE1", minute(NOON_S, 0, 1, 2, 3))
    assert main(["past", str(path), *arguments, "--out", str(tmp_path / "past.csv")]) == 2
    assert capsys.readouterr().err.startswith("past: ")
