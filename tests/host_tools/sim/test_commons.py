"""The tragedy of the commons: what the thesis reports, and more."""

import pytest

from host_tools.sim.job import Job
from host_tools.sim.virtual import Simulation


@pytest.mark.parametrize("dynamic", [True, False])
def test_ten_loads_run_in_four_slots_and_dynamic_prices_spare_the_wait(dynamic):
    simulation = Simulation(Job("commons", values={"dynamic": dynamic}, check_s=10))
    try:
        outcome = simulation.run()
    finally:
        simulation.close()
    assert [each.ours for each in outcome.figures] == [3, 10, 4]
    assert [each.thesis for each in outcome.figures] == ([3, 10, 4] if dynamic else [3, 3, 1])
    assert outcome.broken == 0
    missing_wh = outcome.recorder.log.missing_wh
    assert missing_wh < 0.1 if dynamic else missing_wh > 1.5
