"""How much of the gain of perfect foresight can a common battery have that knows nothing of the future?

    python -m host_tools.sim.battery_rules --data FOLDER --first 2014-06-15 --days 16

The site is that of the scenario `six_buildings`, minute by minute, without contracts, margins and delays. The
battery takes what would be exported, and draws from the grid what is free until it is filled to a share of
its capacity; it gives whenever power lacks, after the own battery of the building that lacks it, which takes
the surplus of its building as far as nobody lacks it. With share 1 no rule that only knows the past can miss
less: charging sooner never hurts where prices do not count.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from edge.energy.battery import Battery
from host_tools.microgrid.replay import DataError, parse_start
from host_tools.tables import output

from .ceiling import Site, least_missing_wh
from .job import Job
from .scenario import ScenarioError
from .scenarios.six_buildings import site_of

_DAY_MIN, _MINUTE_S = 1440, 60.0
_FILLS = (0.0, 0.6, 1.0)


class Played(NamedTuple):
    """What became of the energy of a site, in Wh: missing, drawn from the grid for the common battery, and
    produced without anybody to take it."""

    missing_wh: float
    bought_wh: float
    exported_wh: float


def play(site: Site, fill: float) -> Played:
    """Both batteries begin empty. `fill`: the share of the common one that free power fills."""
    common = Battery(site.common) if site.common else None
    own = Battery(site.own) if site.own else None
    missing_wh = bought_wh = exported_wh = 0.0
    for others_w, own_w in zip(site.others_w.tolist(), site.own_w.tolist(), strict=True):
        net_w = others_w + own_w
        if own:
            net_w += own.charge(min(max(0.0, -own_w), max(0.0, site.grid_w - net_w)), _MINUTE_S) * 60.0
        lacks_w, surplus_w = max(0.0, net_w - site.grid_w), max(0.0, -net_w)
        short = lacks_w > 0.0
        if own:
            lacks_w -= own.discharge(min(lacks_w, max(0.0, own_w)), _MINUTE_S) * 60.0
        if common:
            lacks_w -= common.discharge(lacks_w, _MINUTE_S) * 60.0
            taken_wh = common.charge(surplus_w, _MINUTE_S)
            surplus_w -= taken_wh * 60.0
            room_wh = (fill * common.limits.capacity_wh - (common.level_wh or 0.0)) / common.limits.efficiency
            free_w = 0.0 if short else min(site.grid_w - max(0.0, net_w), common.limits.charge_w)
            bought_wh += common.take(max(0.0, min(room_wh, free_w / 60.0 - taken_wh)))
        missing_wh += lacks_w / 60.0
        exported_wh += surplus_w / 60.0
    return Played(missing_wh, bought_wh, exported_wh)


def day_of(site: Site, number: int) -> Site:
    """One day of a longer time."""
    part = slice(number * _DAY_MIN, (number + 1) * _DAY_MIN)
    return replace(site, others_w=site.others_w[part], own_w=site.own_w[part])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of days, each begun with empty batteries, and one of all days in a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of measured buildings")
    parser.add_argument("--first", default="2014-06-15", help="first day, as YYYY-MM-DD")
    parser.add_argument("--days", type=int, default=16, help="number of days (default 16)")
    options = parser.parse_args(arguments)
    try:
        start = parse_start(f"{options.first}T00:00")
        job = Job("six_buildings", hours=24.0 * options.days, data=options.data, start=start.isoformat()[:16])
        site = site_of(job.setting(()))
    except (DataError, ScenarioError) as error:
        print(error, file=sys.stderr)
        return 2
    console = output()
    days = Table(title="share of the gain of perfect foresight, by what free power may fill")
    for heading in ("day", "missing, Wh", "at best, Wh", *(f"{fill:.0%}" for fill in _FILLS)):
        days.add_column(heading, justify="right")
    for number in range(options.days):
        day = day_of(site, number)
        lacks_wh, least_wh = float(day.lacks_w.sum()) / 60, least_missing_wh(day)
        gain_wh = lacks_wh - least_wh
        gains_wh = [lacks_wh - play(day, fill).missing_wh for fill in _FILLS]
        shares = [f"{each / gain_wh:.1%}" if gain_wh > 1.0 else "-" for each in gains_wh]
        date = f"{start + timedelta(days=number):%m-%d}"
        days.add_row(date, f"{lacks_wh:,.0f}", f"{least_wh:,.0f}", *shares)
    console.print(days)
    sums = Table(title="all days in a row, kWh")
    for heading in ("filled to", "missing", "from the grid", "exported"):
        sums.add_column(heading, justify="right")
    for fill in _FILLS:
        sums.add_row(f"{fill:.0%}", *(f"{each / 1000:,.1f}" for each in play(site, fill)))
    console.print(sums)
    return 0


if __name__ == "__main__":
    sys.exit(main())
