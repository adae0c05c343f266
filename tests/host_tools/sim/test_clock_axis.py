"""Time axes: ticks at round clock times, and dates where they are known."""

from datetime import UTC, datetime

import matplotlib as mpl
import pytest

mpl.use("Agg")
from matplotlib import pyplot as plt

from host_tools.sim.clock_axis import Begin, clock_axis
from host_tools.sim.job import Job


def ticks(begin, last_s):
    figure, axes = plt.subplots()
    try:
        clock_axis(axes, begin, last_s)
        return list(
            zip(axes.get_xticks().tolist(), [t.get_text() for t in axes.get_xticklabels()], strict=True)
        )
    finally:
        plt.close(figure)


def test_ticks_are_at_round_times_though_the_run_begins_between_them():
    assert ticks(Begin.hour(17.25), 2 * 3600)[:3] == [(300.0, "17:20"), (900.0, "17:30"), (1500.0, "17:40")]
    assert ticks(Begin.hour(17.1), 6 * 3600)[:2] == [(1440.0, "17:30"), (3240.0, "18:00")]


@pytest.mark.parametrize("last_s", [0.5, 7, 59, 600, 3600, 86_400, 10 * 86_400, 366 * 86_400])
def test_there_are_some_ticks_and_never_too_many(last_s):
    assert 1 <= len(ticks(Begin.hour(0), last_s)) <= 13


def test_seconds_are_shown_only_where_ticks_differ_by_them():
    assert [label for _, label in ticks(Begin.hour(8), 60)][:2] == ["08:00:00", "08:00:05"]


def test_a_date_stands_at_the_first_tick_and_at_each_midnight():
    labels = [label for _, label in ticks(Begin.date(datetime(2014, 6, 2, 18, tzinfo=UTC)), 12 * 3600)]
    assert labels[0] == "18:00\n2 Jun 2014"
    assert [label for label in labels if "\n" in label] == ["18:00\n2 Jun 2014", "00:00\n3 Jun 2014"]


def test_days_without_a_date_are_counted():
    labels = [label for _, label in ticks(Begin.hour(12), 24 * 3600)]
    assert labels[0] == "12:00"
    assert "00:00\nday 2" in labels


def test_a_run_begins_at_the_hour_of_its_scenario():
    assert Job("realistic").begin() == Begin.hour(17.0)
    assert Job("living_lab", start="2024-06-03T06:30").begin() == Begin.hour(6.5)
