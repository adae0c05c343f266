"""Clearing by files, as the operator of a market does it: orders in, prices and positions out, then bills.

Orders are `timestamp,member,side,energy_wh,limit`: side is buy or sell, the time the begin of a step of an
hour or a quarter of an hour, the limit per kWh. The bills compare positions with the books of the members.
"""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge.csv_file import Column, CsvError, Rules, read, time_text
from edge.energy.auction import Clearing, Order, clear
from edge.energy.day_market import MOST_LIMIT, Bill, admitted, balancing_price
from edge.energy.day_messages import MOST_PIECES
from edge.option import NAME_OF_NODE, shown
from edge.terms import Quality
from host_tools.measured import complain
from host_tools.statement.books import Books, read_books, together

_MOST_ROWS = 5_000_000
_ENERGY = Column("energy_wh", 0.0, 1e9)
_LIMIT = Column("limit", -MOST_LIMIT, MOST_LIMIT)
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


class _Piece(NamedTuple):
    """One row: a part of what a member orders for a step."""

    line: int
    order: Order
    limit: str  # as it is written


def read_orders(path: Path, step_s: int) -> dict[int, list[Order]]:
    """The orders of each step, by its begin (Unix time). The rows of a member for a step are the pieces of
    its one order, as at a node. Raises CsvError."""
    keys = ("member", "side", "energy_wh", "limit")
    rules = Rules(keys=keys, most_rows=_MOST_ROWS, sort=True, tell=complain)
    found: dict[int, dict[str, list[_Piece]]] = {}
    for row in sorted(read(path, rules), key=lambda row: row.line):
        try:
            if row.time_s % step_s:
                time = time_text(row.time_s)
                raise ValueError(f"timestamp = {time}: is not the begin of a step of {step_s // 60} min")
            piece = _Piece(row.line, _order(*row.key), row.key[3])
            pieces = found.setdefault(row.time_s, {}).setdefault(piece.order.member, [])
            _check_piece(piece, pieces)
        except ValueError as error:
            raise CsvError(f"{path}, line {row.line}: {error}") from None
        pieces.append(piece)
    return {
        begin_s: [piece.order for pieces in step.values() for piece in pieces]
        for begin_s, step in sorted(found.items())
    }


def _order(member: str, side: str, energy: str, limit: str) -> Order:
    """An order from the texts of a row. Raises ValueError, which names the column."""
    _check_member(member)
    if side not in _SIDES:
        raise ValueError(f"side = {shown(side)}: must be buy or sell")
    energy_wh, per_kwh = _ENERGY.value(energy), _LIMIT.value(limit)
    if energy_wh % 1 or math.isnan(energy_wh):
        raise ValueError(f"energy_wh = {shown(energy)}: must be a whole number of Wh")
    if math.isnan(per_kwh):
        raise ValueError(f"limit = {shown(limit)}: must be a price per kWh")
    return Order(member, _SIDES[side], int(energy_wh), per_kwh)


def _check_member(name: str) -> None:
    """Members are nodes; what a spreadsheet would run as a formula is no name of one. Raises ValueError."""
    if not NAME_OF_NODE.allows(name):
        raise ValueError(f"member = {shown(name)}: must be {NAME_OF_NODE.words}")


def _check_piece(piece: _Piece, others: Sequence[_Piece]) -> None:
    """Whether it is a piece of one order with the others of its member and step. Raises ValueError."""
    order, limit = piece.order, piece.limit
    for other in others:
        same_side = order.sells == other.order.sells
        if same_side and order.limit == other.order.limit:
            raise ValueError(f"limit = {limit}: a second order of {order.member} after line {other.line}")
        ask, bid = (order, other.order) if order.sells else (other.order, order)
        if not same_side and ask.limit <= bid.limit:
            raise ValueError(
                f"limit = {limit}: {order.member} would trade with itself, "
                f"with limit = {other.limit} of line {other.line}"
            )
    if len(others) >= MOST_PIECES:
        raise ValueError(f"member = {order.member}: has more than {MOST_PIECES} orders for this step")


def read_members(paths: Sequence[Path]) -> Books:
    """The books of all members. Raises CsvError."""
    found = []
    for path in paths:
        books = read_books(path)
        found.append(books)
        try:
            for member in sorted({name for step in books.values() for name in step}):
                _check_member(member)
        except ValueError as error:
            raise CsvError(f"{path}: {error}") from None
    return together(found)


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
