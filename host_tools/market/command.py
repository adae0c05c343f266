"""`python -m host_tools market`: the market of the next day, by files or as a study on measured data.

Exit codes: 0 success, 1 the study missed its aim, 2 wrong usage or invalid data.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge.csv_file import CsvError
from edge.energy.day_market import Bill
from host_tools.arguments import number, whole
from host_tools.tables import output

from .bargains import ROUNDS, pairs
from .bargains import study as bargains
from .files import bills, clear_all, read_members, read_orders, write

AIM = 0.8  # share of the welfare of perfect foresight
_FIRST_DAY = 14  # two weeks are known before


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `market`."""
    parser = commands.add_parser(
        "market", help="clear the market of the next day, or study it on measured data"
    )
    add = parser.add_argument
    add("--orders", type=Path, metavar="FILE", help="CSV of timestamp,member,side,energy_wh,limit to clear")
    add("--step-min", type=int, choices=(15, 60), default=15, help="length of a step in FILE (default 15)")
    add("--books", type=Path, nargs="+", metavar="BOOKS", help="books of the members, to settle deviations")
    add("--member-w", type=number(1, 1e7), default=50_000.0, help="most power of one member (default 50000)")
    add("--data", type=Path, help="folder of measured data, for a study")
    add("--bargain", type=whole(1, 1_000_000), metavar="PAIRS", help="let so many pairs negotiate a price")
    add("--members", type=whole(2, 64), default=64, help="members of the study (default 64)")
    add("--seed", type=whole(0, 2**53), default=1, help="which members are drawn (default 1)")
    add("--import-price", type=number(0, 1e4), default=0.30, help="tariff of the grid per kWh (default 0.30)")
    add("--feed-in-price", type=number(0, 1e4), default=0.08, help="what it pays per kWh (default 0.08)")
    add("--out", type=Path, default=Path("build/market"), help="output folder (default build/market)")
    parser.set_defaults(command=market)


def market(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    console = output()
    ways = {"orders": _by_files, "data": _study, "bargain": _bargain}
    given = [name for name in ways if getattr(options, name) is not None]
    if len(given) != 1:
        print("market: needs one of --orders, --data and --bargain", file=sys.stderr)
        return 2
    try:
        _check_tariffs(options)
        return ways[given[0]](options, console)
    except (ValueError, OSError) as error:
        print(f"market: {error}", file=sys.stderr)
        return 2


def _check_tariffs(options: argparse.Namespace) -> None:
    """As at a node: else nothing is won by a market. Raises ValueError."""
    short, long = options.import_price, options.feed_in_price
    if long >= short:
        raise ValueError(f"--feed-in-price {long}: must be below --import-price {short}")


def _by_files(options: argparse.Namespace, console: Console) -> int:
    step_s = 60 * options.step_min
    steps, refused = clear_all(read_orders(options.orders, step_s), options.member_w * step_s / 3600)
    if not steps:
        raise CsvError(f"{options.orders}: has no orders")
    found = {}
    if options.books:
        books = read_members(options.books)
        found = bills(steps, books, step_s, options.import_price, options.feed_in_price)
    write(options.out, steps, found)
    if found:
        _show_bills(found, f"{_count(len(steps), 'step')} of {options.step_min} min", console)
    for member, count in sorted(refused.items()):
        print(f"{member}: {count} orders refused: without meaning, or beyond its means", file=sys.stderr)
    traded_wh = sum(step.outcome.energy_wh for step in steps.values())
    print(
        f"{traded_wh:,} Wh traded; written to {options.out}: prices.csv, positions.csv"
        + (", bills.csv" * bool(found))
    )
    return 0


def _show_bills(found: Mapping[str, Bill], title: str, console: Console) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("member", "bought Wh", "sold Wh", "needed more", "less", "market", "balancing", "paid"):
        table.add_column(heading, justify="left" if heading == "member" else "right")
    for member, each in sorted(found.items()):
        energies = (each.bought_wh, each.sold_wh, each.more_wh, each.less_wh)
        money = (each.paid_market, each.paid_balancing, each.paid)
        table.add_row(member, *(f"{wh:,}" for wh in energies), *(f"{value:.2f}" for value in money))
    console.print(table)
    if unknown := [each.unknown_steps for each in found.values() if each.unknown_steps]:
        print(
            f"not measured, not settled: {_count(sum(unknown), 'step')} of {_count(len(unknown), 'member')}"
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _bargain(options: argparse.Namespace, console: Console) -> int:
    short, long = options.import_price, options.feed_in_price
    table = Table(title=f"{options.bargain:,} pairs, at most {ROUNDS} rounds", title_justify="left")
    for heading in ("price", "pairs that agree", "mean price per kWh", "mean rounds"):
        first = heading == "price"
        table.add_column(heading, justify="left" if first else "right", no_wrap=first)
    fixed = (("import tariff", short), ("feed-in tariff", long), ("fixed in the middle", (short + long) / 2))
    for name, price in fixed:
        sides = pairs(options.bargain, short, long, options.seed)
        agreed = sum(seller.reservation <= price <= buyer.reservation for seller, buyer in sides)
        table.add_row(name, f"{agreed / options.bargain:.1%}", f"{price:.4f}", "-")
    for each in bargains(options.bargain, short, long, options.seed):
        means = ("-" if mean is None else f"{mean:.4f}" for mean in (each.price, each.rounds))
        table.add_row(each.way, f"{each.agreed:.1%}", *means)
    console.print(table)
    return 0


def _study(options: argparse.Namespace, console: Console) -> int:
    from .members import Member, members
    from .study import Forecast, Foresight, Medians, PastDays, Tariffs, Yesterday, run

    found = members(options.data, options.members, options.seed, options.out / "quarters")
    tariffs = Tariffs(options.import_price, options.feed_in_price)
    ways: dict[str, Callable[[Sequence[Member]], Forecast]] = {
        "quantiles of past days": PastDays,
        "their medians": Medians,
        "the day before": Yesterday,
        "perfect foresight": Foresight,
    }
    title = (
        f"{len(found)} members, days {_FIRST_DAY + 1} to 21, 96 steps a day (aim: {AIM:.0%} with quantiles)"
    )
    table = Table(title=title, title_justify="left")
    for heading in (
        "orders from",
        "welfare",
        "share",
        "kWh traded",
        "deviating",
        "orders",
        "ms a day",
        "worst gain",
    ):
        table.add_column(heading, justify="left" if heading == "orders from" else "right")
    results: dict[str, dict[str, Any]] = {}
    for name, way in ways.items():
        study = run(found, _FIRST_DAY, tariffs, way(found))
        share = study.welfare / study.programme
        results[name] = {
            "share": share,
            "welfare": study.welfare,
            "highest_welfare": study.programme,
            "traded_wh": study.traded_wh,
            "deviations_wh": study.deviations_wh,
            "orders": study.orders,
            "clearing_ms_a_day": 1000 * study.clearing_s / study.days,
            "bills": study.settled,
            "to_grid": study.to_grid,
            "gains": study.gains,
        }
        energies = f"{study.traded_wh / 1000:,.0f}", f"{study.deviations_wh / 1000:,.0f}"
        clearing = f"{1000 * study.clearing_s / study.days:.1f}"
        more = f"{study.orders:,}", clearing, f"{min(study.gains.values()):+.2f}"
        table.add_row(name, f"{study.welfare:.2f}", f"{share:.1%}", *energies, *more)
    (options.out / "study.json").write_text(json.dumps(results, indent=2) + "\n")
    console.print(table)
    print(f"written to {options.out}: study.json")
    return 0 if float(results["quantiles of past days"]["share"]) >= AIM else 1
