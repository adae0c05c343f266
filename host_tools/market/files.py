"""Clearing by files, as the operator of a market does it: orders in, prices and positions out, then bills.

Orders are `timestamp,member,side,energy_wh,limit`: side is buy or sell, the time the begin of a step of an
hour or a quarter of an hour, the limit per kWh. The bills compare positions with the books of the members.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.csv_file import Column, CsvError, Rules, read, time_text
from edge.energy.auction import Clearing, Order, clear
from edge.energy.day_market import MOST_LIMIT, Bill, admitted, balancing_price
from edge.terms import Quality
from host_tools.statement.books import Books

_MOST_WH, _MOST_ROWS = 1e9, 5_000_000
_SIDES = {"buy": False, "sell": True}
QUARTER_S = 900


@dataclass
class Step:
    """One step: what was ordered, and what became of it."""

    orders: list[Order]
    outcome: Clearing

    def positions_wh(self) -> dict[str, int]:
        """By member: bought above 0, sold below it."""
        found: dict[str, int] = {}
        for order, filled_wh in zip(self.orders, self.outcome.filled_wh, strict=True):
            found[order.member] = found.get(order.member, 0) + (-filled_wh if order.sells else filled_wh)
        return found


def read_orders(path: Path, step_s: int) -> dict[int, list[Order]]:
    """The orders of each step, by its begin (Unix time). Raises CsvError."""
    rules = Rules(
        columns=(Column("energy_wh", 0.0, _MOST_WH),),
        keys=("member", "side", "limit"),
        most_rows=_MOST_ROWS,
        sort=True,
    )
    limit = Column("limit", -MOST_LIMIT, MOST_LIMIT)
    found: dict[int, list[Order]] = {}
    for row in read(path, rules):
        member, side, text = row.key
        where = f"{path}, line {row.line}"
        if row.time_s % step_s:
            raise CsvError(
                f"{where}: {time_text(row.time_s)} is not the begin of a step of {step_s // 60} min"
            )
        if not member or side not in _SIDES:
            raise CsvError(f"{where}: needs a member, and side buy or sell")
        try:
            per_kwh = limit.value(text)
        except ValueError as error:
            raise CsvError(f"{where}: {error}") from None
        energy_wh = row.values[0]
        if energy_wh != energy_wh or per_kwh != per_kwh or energy_wh % 1:
            raise CsvError(f"{where}: needs a limit, and an energy in whole Wh")
        found.setdefault(row.time_s, []).append(Order(member, _SIDES[side], int(energy_wh), per_kwh))
    return dict(sorted(found.items()))


def clear_all(orders: Mapping[int, list[Order]], most_wh: float) -> tuple[dict[int, Step], Counter[str]]:
    """All steps, and how many orders were refused by member."""
    refused: Counter[str] = Counter()
    steps = {}
    for begin_s, book in orders.items():
        valid, dropped = admitted(book, most_wh)
        refused += dropped
        steps[begin_s] = Step(valid, clear(valid))
    return steps, refused


def bills(steps: Mapping[int, Step], books: Books, step_s: int, short: float, long: float) -> dict[str, Bill]:
    """What each member pays: of those with positions or books, for the steps that were cleared."""
    found: dict[str, Bill] = {}
    for begin_s, step in steps.items():
        needs = _needs(books, begin_s, step_s)
        balancing = balancing_price({name: wh for name, wh in needs.items() if wh is not None}, short, long)
        positions = step.positions_wh()
        for member in sorted(needs.keys() | positions.keys()):
            bill, position_wh = found.setdefault(member, Bill()), positions.get(member, 0)
            bill.add(position_wh, step.outcome.price, needs.get(member), balancing)
    return found


def _needs(books: Books, begin_s: int, step_s: int) -> dict[str, int | None]:
    """What each member drew less what it gave, in Wh; None where a part was not measured."""
    quarters = [books.get(at_s, {}) for at_s in range(begin_s, begin_s + step_s, QUARTER_S)]
    members = {member for quarter in quarters for member in quarter}
    needs: dict[str, int | None] = {}
    for member in members:
        entries = [quarter.get(member) for quarter in quarters]
        known = [each for each in entries if each is not None and each.quality is not Quality.MISSING]
        whole = len(known) == len(entries)
        needs[member] = sum(each.withdrawn_wh - each.injected_wh for each in known) if whole else None
    return needs


def write(folder: Path, steps: Mapping[int, Step], found: Mapping[str, Bill]) -> None:
    """`prices.csv`, `positions.csv`, and `bills.csv` if there are any."""
    with (folder / "prices.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", "price", "energy_wh"])
        for begin_s, step in steps.items():
            price = "" if step.outcome.price is None else f"{step.outcome.price:.6g}"
            writer.writerow([time_text(begin_s), price, step.outcome.energy_wh])
    with (folder / "positions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["timestamp", "member", "position_wh"])
        for begin_s, step in steps.items():
            rows = sorted(step.positions_wh().items())
            writer.writerows([time_text(begin_s), member, wh] for member, wh in rows if wh)
    if not found:
        return
    with (folder / "bills.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        energies = ("bought_wh", "sold_wh", "more_wh", "less_wh")
        writer.writerow(["member", *energies, "paid_market", "paid_balancing", "paid", "unknown_steps"])
        for member, bill in sorted(found.items()):
            money = (f"{each:.6f}" for each in (bill.paid_market, bill.paid_balancing, bill.paid))
            writer.writerow([member, *(getattr(bill, each) for each in energies), *money, bill.unknown_steps])
