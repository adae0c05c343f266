"""`python -m host_tools statement`: divide what a community shared in a month, and write its statements.

Exit codes: 0 success, 2 wrong usage or invalid data.
"""

import argparse
import csv
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.table import Table

from edge.csv_file import CsvError
from edge.terms import Quality
from host_tools.arguments import number
from host_tools.tables import output

from .books import read_books, together, write_books, write_shares
from .fairness import Fairness, judge
from .keys import KEYS, during, hours_of, key_of, read_spans, write_hours
from .operator import Difference, differences, read_operator, write_differences
from .page import page
from .settlement import Prices, Settlement, settle

_COLUMNS = (
    *("withdrawn_wh", "received_wh", "residual_wh", "injected_wh", "given_wh", "surplus_wh"),
    *("cost", "earned", "gain"),
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `statement`."""
    parser = commands.add_parser("statement", help="divide what a community shared, and write its statements")
    add = parser.add_argument
    add(
        "books",
        nargs="+",
        type=Path,
        metavar="BOOKS",
        help="books (timestamp,member,injected_wh,withdrawn_wh,quality), energies of nodes as GET /energy "
        "gives them, or files of measured devices, one a member; a folder of them",
    )
    add("--key", choices=KEYS, default="dynamic", help="sharing key (default dynamic)")
    add("--parts", type=Path, metavar="FILE", help="CSV of member,part, or member,hour,part for key hourly")
    add(
        "--members", type=Path, metavar="FILE", help="CSV of member,from_s,until_s (Unix time, quarter-hours)"
    )
    add("--month", metavar="YYYY-MM", help="month of UTC to settle (default: all of the books)")
    add(
        "--operator",
        type=Path,
        metavar="FILE",
        help="what the grid operator gave: timestamp,member,received_wh",
    )
    add("--retail", type=number(0.0, 1e6), default=0.30, help="price of the supplier per kWh (default 0.30)")
    add("--feed-in", type=number(0.0, 1e6), default=0.08, help="price for feeding in (default 0.08)")
    add("--community", type=number(0.0, 1e6), default=0.18, help="price within the community (default 0.18)")
    add("--currency", default="EUR", help="name of the currency (default EUR)")
    add("--out", type=Path, default=Path("build/statement"), help="output folder (default build/statement)")
    parser.set_defaults(command=statement)


def statement(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    console = output()
    prices = Prices(options.retail, options.feed_in, options.community)
    try:
        first_s, last_s, period = _period(options.month)
        books = together([read_books(path) for path in options.books])
        books = during(books, first_s, last_s) if options.month else books
        if not books:
            raise CsvError("the books are empty")
        members = {member for step in books.values() for member in step}
        year_s = datetime(datetime.fromtimestamp(min(books), UTC).year, 1, 1, tzinfo=UTC).timestamp()
        key = key_of(options.key, options.parts, members, year_s)
        spans = read_spans(options.members) if options.members else None
        theirs = read_operator(options.operator) if options.operator else None
        settlement = settle(key, books, spans)
    except (ValueError, OSError) as error:
        print(f"statement: {error}", file=sys.stderr)
        return 2
    fairness = _fairness(settlement, prices)
    write(options.out, settlement, prices, period, options.currency)
    write_books(options.out / "books.csv", books)
    write_hours(options.out / "hours.csv", hours_of(books))
    console.print(_table(settlement, prices, fairness))
    if theirs is not None:
        found = differences(settlement, theirs)
        write_differences(options.out / "differences.csv", found)
        console.print(_compared(found))
    print(
        f"written to {options.out}: statement-MEMBER.html, statement.csv, shares.csv, books.csv, hours.csv"
        + (", differences.csv" if theirs is not None else "")
    )
    return 0


def write(folder: Path, settlement: Settlement, prices: Prices, period: str, currency: str) -> None:
    """The statements of all members, and what each received in each step."""
    with (folder / "statement.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["member", *_COLUMNS, *(f"{each}_steps" for each in Quality), "unsure_steps"])
        for member, each in sorted(settlement.accounts.items()):
            energies = (getattr(each, name) for name in _COLUMNS[:6])
            money = (
                f"{amount:.4f}" for amount in (each.cost(prices), each.earned(prices), each.gain(prices))
            )
            writer.writerow([member, *energies, *money, *each.steps.values(), each.unsure])
    write_shares(folder / "shares.csv", ((begin_s, shares) for begin_s, _, shares in settlement.steps))
    for member, name in _file_names(settlement.accounts).items():
        text = page(member, period, settlement, prices, currency)
        (folder / f"statement-{name}.html").write_text(text, encoding="utf-8")


def _file_names(members: Iterable[str]) -> dict[str, str]:
    """A name for the page of each member; a number is added to those that would be the same."""
    names: dict[str, str] = {}
    for member in sorted(members):
        name = plain = re.sub(r"[^A-Za-z0-9._-]", "_", member)
        number = 1
        while name.casefold() in map(str.casefold, names.values()):
            number += 1
            name = f"{plain}-{number}"
        names[member] = name
    return names


def _period(month: str | None) -> tuple[int, int, str]:
    if month is None:
        return 0, 2**40, "all of the books"
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise CsvError(f"--month {month!r}: must be YYYY-MM") from None
    last = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return int(first.timestamp()), int(last.timestamp()), month


def _fairness(settlement: Settlement, prices: Prices) -> Fairness:
    members = list(settlement.accounts)
    energies = np.zeros((2, len(settlement.steps), len(members)), dtype=np.int64)
    for row, (_, step, _) in enumerate(settlement.steps):
        for column, member in enumerate(members):
            if member in step:
                energies[:, row, column] = step[member][:2]
    return judge(settlement.accounts, prices, *energies)


def _table(settlement: Settlement, prices: Prices, fairness: Fairness) -> Table:
    shared, most = settlement.shared_wh, settlement.ceiling_wh
    table = Table(
        title=f"key {settlement.key.name}: {shared:,} of at most {most:,} Wh shared", title_justify="left"
    )
    for heading in ("member", "drawn Wh", "received", "share", "fed in Wh", "given", "gain", "missing"):
        table.add_column(heading, justify="left" if heading == "member" else "right")
    for member, each in sorted(settlement.accounts.items()):
        ratio = f"{each.received_wh / each.withdrawn_wh:.1%}" if each.withdrawn_wh else "-"
        energies = f"{each.withdrawn_wh:,}", f"{each.received_wh:,}", ratio, f"{each.injected_wh:,}"
        gain, missing = f"{each.gain(prices):,.2f}", f"{each.steps[Quality.MISSING]:,}"
        table.add_row(member, *energies, f"{each.given_wh:,}", gain, missing)
    ratio = "-" if fairness.worst_ratio is None else f"{fairness.worst_ratio:.1%}"
    table.caption = (
        f"Jain {_index(fairness.jain)}, Gini {_index(fairness.gini)}, QoE of price {_index(fairness.qoe)}, "
        f"distance to Shapley {_index(fairness.shapley)}, worst served {fairness.worst or '-'} ({ratio})"
    )
    table.caption_justify = "left"
    return table


def _index(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _compared(found: dict[str, Difference]) -> Table:
    table = Table(title="beside the file of the operator", title_justify="left")
    for heading in (
        "member",
        "ours Wh",
        "theirs Wh",
        "difference",
        "steps compared",
        "apart",
        "ours only",
        "theirs only",
    ):
        table.add_column(heading, justify="left" if heading == "member" else "right")
    for member, each in sorted(found.items()):
        sums = f"{each.ours_wh:,.0f}", f"{each.theirs_wh:,.0f}", f"{each.difference_wh:+,.0f}"
        counts = (each.compared, len(each.apart), each.only_ours, each.only_theirs)
        table.add_row(member, *sums, *(f"{count:,}" for count in counts))
    return table
