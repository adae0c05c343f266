"""Weather and powers that others forecast: from a file or a server, kept, checked, never waited for."""

import time

import numpy as np
import pytest
from learners import build, codes, scope, twin

from edge.csv_file import CsvError
from edge.learn.external import PowerTable
from edge.twins.past import POWERS, forecast_of
from edge.twins.source import Source, download
from host_tools.world import World

HEADER = "timestamp,produced_w,requested_w\n"
ROWS = "2023-11-14T00:00Z,100,\n2023-11-14T00:15Z,200,50\n"
FIRST = 28_332_000  # that midnight
MANY = np.datetime64("2023-11-14T00:00") + np.arange(10_001)


@pytest.fixture
def server(server):
    server.answer = (200, HEADER + ROWS)
    return server


def read(path):
    times_s, values = forecast_of(path, None)
    return np.array(times_s, np.int64) // 60, np.array(values, np.float32).reshape(-1, 6)


def source(place, tmp_path):
    return Source(str(place), tmp_path / "sources" / "node.csv", read, PowerTable, [c.name for c in POWERS])


def test_a_forecast_holds_until_the_next_row_and_an_hour_at_most(tmp_path):
    (tmp_path / "f.csv").write_text(HEADER + ROWS)
    given = source(tmp_path / "f.csv", tmp_path).at(FIRST + np.array([-1, 0, 14, 15, 74, 75]))
    np.testing.assert_array_equal(given[:, 1], [np.nan, 100, 100, 200, 200, np.nan])
    np.testing.assert_array_equal(given[:, 0], [np.nan, np.nan, np.nan, 50, 50, np.nan])
    assert np.isnan(given[:, 2:]).all()


def test_an_address_is_fetched_and_kept_for_a_start_without_a_network(tmp_path, server):
    one = source(server.address, tmp_path)
    assert np.isnan(one.at(np.array([FIRST]))).all()
    assert one.refresh()
    assert server.asked == ["/forecast?key=secret"]
    assert one.at(np.array([FIRST]))[0, 1] == 100
    server.answer = (503, "")
    two = source(server.address, tmp_path)
    assert not two.refresh()
    assert two.at(np.array([FIRST]))[0, 1] == 100
    assert "503" in two.trouble
    assert "secret" not in two.trouble


def test_older_rows_stay_so_that_errors_can_be_known(tmp_path, server):
    one = source(server.address, tmp_path)
    one.refresh()
    server.answer = (200, HEADER + "2023-11-14T00:15Z,300,\n")
    assert one.refresh()
    assert one.at(FIRST + np.array([0, 15]))[:, 1].tolist() == [100, 300]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, "none"), "404"),
        ((301, ""), "301"),
        ((200, ""), "none of the columns"),
        ((200, HEADER), "no rows"),
        ((200, HEADER + "2023-11-14T00:00Z,x,\n"), "its answer, line 2"),
        ((200, HEADER + "2023-11-14T00:00Z,-5000,\n"), "between"),
        ((200, "\0" * 2_000_000), "1048576 bytes"),
        ((200, HEADER + "".join(f"{at}Z,1,\n" for at in MANY)), "more than 10,000 rows"),
    ],
)
def test_an_answer_that_is_no_good_changes_nothing(tmp_path, server, answer, why):
    one = source(server.address, tmp_path)
    one.refresh()
    server.answer = answer
    assert not one.refresh()
    assert why in one.trouble
    assert one.at(np.array([FIRST]))[0, 1] == 100
    assert [each.name for each in (tmp_path / "sources").iterdir()] == ["node.csv"]


def test_a_server_that_does_not_end_is_left(tmp_path, server, monkeypatch):
    monkeypatch.setattr("edge.twins.download._LONGEST_S", 0.3)
    server.answer = (200, _Slow())
    began_s = time.monotonic()
    with pytest.raises(ValueError, match=r"more than 0\.3 s"):
        download(server.address)
    assert time.monotonic() - began_s < 5


class _Slow(list):
    def __iter__(self):
        for _ in range(100):
            time.sleep(0.05)
            yield "x" * 100


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(HEADER + ROWS)
    one = source(path, tmp_path)
    path.write_text(HEADER + "2023-11-14T00:00Z,700,\n")
    assert one.refresh()
    assert one.at(np.array([FIRST]))[0, 1] == 700
    path.write_text("timestamp\n")
    assert not one.refresh()
    assert one.at(np.array([FIRST]))[0, 1] == 700


def test_a_forecast_without_any_power_is_refused(tmp_path):
    (tmp_path / "f.csv").write_text("timestamp,other_w\n2023-11-14T00:00Z,1\n")
    with pytest.raises(CsvError, match="none of the columns"):
        forecast_of(tmp_path / "f.csv", None)


@pytest.fixture
def world():
    world = World(seed=3)
    yield world
    world.close()


def test_a_node_goes_on_while_a_server_is_silent_and_says_so(world, tmp_path):
    build(world, "persistence", names=["n1"], node_forecast="http://127.0.0.1:9/none")
    world.run(130)
    until_s = time.monotonic() + 10
    while not twin(world).sources["node"].failures and time.monotonic() < until_s:
        time.sleep(0.01)
    assert codes(world)["past_not_used"].startswith("forecast of the node: http://127.0.0.1:9/none: ")
    assert scope(world, "node").prediction is not None


def test_a_node_uses_the_file_of_a_forecast(world, tmp_path):
    (tmp_path / "f.csv").write_text(HEADER + ROWS)
    build(world, "persistence", names=["n1"], node_forecast=str(tmp_path / "f.csv"))
    world.run(70)
    assert scope(world, "node").learner.settings.others is twin(world).sources["node"]
    assert codes(world) == {}
