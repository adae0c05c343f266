"""Values of command lines that make no sense are refused by name, with the range."""

import socket

import pytest

from host_tools.__main__ import main
from host_tools.broker import fixed_port
from host_tools.run import plan


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--grid-w", "-5"], "--grid-w: '-5' must be a number between 0 and 10,000,000"),
        (["--grid-w", "nan"], "--grid-w: 'nan'"),
        (["--duration", "nan"], "--duration: 'nan'"),
        (["--duration", "0"], "--duration: '0'"),
        (["--duration", "1e9999"], "--duration: '1e9999'"),
        (["--duration", "1e12"], "--duration: '1e12'"),
        (["--speed", "nan"], "--speed: 'nan'"),
        (["--speed", "inf"], "--speed: 'inf'"),
        (["--speed", "fast"], "--speed: 'fast'"),
        (["--max-power-w", "0"], "--max-power-w: '0'"),
        (["--seed", "-1"], "--seed: '-1' must be a whole number"),
        (["--seed", "1.5"], "--seed: '1.5' must be a whole number"),
    ],
)
def test_a_number_out_of_range_is_refused(arguments, named, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments])
    assert ended.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("hour", ["25", "-1", "nan", "noon"])
def test_an_hour_that_no_day_has_is_refused(hour, capsys, tmp_path):
    assert main(["run", f"--start={hour}", "--out", str(tmp_path)]) == 2
    assert f"'{hour}' must be a number between 0 and 24" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["run"], ["sim", "urgent"], ["memtest"], ["storm"], ["bench"]])
def test_a_folder_that_cannot_be_made_is_refused(command, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in ("/proc/x", str(tmp_path / "file"), str(tmp_path / "file" / "below")):
        assert main([*command, "--out", folder]) == 2
        assert f"--out {folder}: cannot be created" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["nan", "inf", "-1"])
def test_a_memory_test_has_a_duration(wrong, capsys, tmp_path):
    assert main(["memtest", f"--duration={wrong}", "--out", str(tmp_path)]) == 2
    assert "--duration" in capsys.readouterr().err


def test_the_simulated_time_follows_the_speed():
    class Options:
        data, start, seed, speed, duration = None, "22.5", 1, 60.0, None
        grid_w, learn, max_power_w, gossip, community, holons, push = 0.0, None, 1e4, False, 0, 0, None

    _, title, moment = plan(Options)
    assert "from 22.5 h" in title
    assert (moment(0), moment(60), moment(120)) == ("22:30", "23:30", "00:30")


def test_a_fixed_port_is_given_up_where_it_is_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fixed_port(port) != port
    assert fixed_port(port) == port
