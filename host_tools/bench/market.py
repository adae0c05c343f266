"""How long one step of a market takes to clear, and what its welfare is, beside two other ways to do it.

The others are a linear programme (scipy, HiGHS), which finds the highest welfare, and matching one order
after the other as it arrives, each at the price of who came first, as on a message board.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

from edge.energy.auction import Order, clear, welfare

from .learning import with_estimate
from .sheet import Part, Sheet

AIM_MS = 10.0
_SIZES = (64, 1000, 4000)  # orders of each side
_RUNS = 7
Filled = Sequence[float]


def orders_of(count: int, seed: int = 1) -> list[Order]:
    """So many buyers and as many sellers, in the order of their arrival."""
    rng = random.Random(f"{seed}/market/{count}")
    book = []
    for i in range(2 * count):
        sells = i % 2 == 1
        limit = round(rng.uniform(0.05, 0.25) if sells else rng.uniform(0.10, 0.35), 4)
        book.append(Order(f"member_{i:04}", sells, rng.randint(10, 3000), limit))
    rng.shuffle(book)
    return book


def measure() -> dict[str, Any]:
    """The figures `market`: by number of orders and way, ms and the share of the highest welfare."""
    found: dict[str, Any] = {}
    for count in _SIZES:
        book = orders_of(count)
        ways: dict[str, Callable[[Sequence[Order]], Filled]] = {
            "one price": lambda book: clear(book).filled_wh,
            "linear programme": _by_programme,
            "as they arrive": _as_they_arrive,
        }
        rows = {name: _timed(way, book) for name, way in ways.items()}
        best = max(value for _, value in rows.values())
        found[f"{count} + {count}"] = {
            name: {"ms": ms, "welfare": value / best} for name, (ms, value) in rows.items()
        }
    return found


def _timed(way: Callable[[Sequence[Order]], Filled], book: Sequence[Order]) -> tuple[float, float]:
    """Median ms of CPU time, and the welfare."""
    times_s, filled = [], way(book)
    for _ in range(_RUNS):
        began_s = time.process_time()
        filled = way(book)
        times_s.append(time.process_time() - began_s)
    return 1000 * median(times_s), welfare(book, filled)


def _by_programme(book: Sequence[Order]) -> Filled:
    from scipy.optimize import linprog

    signs = [-1.0 if each.sells else 1.0 for each in book]
    solved = linprog(
        [-sign * each.limit / 1000 for sign, each in zip(signs, book, strict=True)],
        A_eq=[signs],
        b_eq=[0.0],
        bounds=[(0.0, each.energy_wh) for each in book],
        method="highs",
    )
    return [float(each) for each in solved.x]


def _as_they_arrive(book: Sequence[Order]) -> Filled:
    """Each order takes from the best of the other side that wait, at what that asks."""
    filled = [0] * len(book)
    waiting: dict[bool, list[int]] = {False: [], True: []}
    for i, order in enumerate(book):
        others = waiting[not order.sells]
        others.sort(key=lambda j: book[j].limit, reverse=not order.sells)
        while others and filled[i] < order.energy_wh:
            other = others[-1]
            met = book[other].limit - order.limit
            if (met < 0) if order.sells else (met > 0):
                break
            energy_wh = min(order.energy_wh - filled[i], book[other].energy_wh - filled[other])
            filled[i] += energy_wh
            filled[other] += energy_wh
            if filled[other] == book[other].energy_wh:
                others.pop()
        if filled[i] < order.energy_wh:
            waiting[order.sells].append(i)
    return filled


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        f"one step of a market (aim: {AIM_MS:g} ms for 1000 + 1000 orders; in brackets: Pi 3, x10)",
        ("orders", "way", "ms", "of the highest welfare"),
        [
            (count, name, with_estimate(row["ms"]), f"{row['welfare']:.2%}")
            for count, rows in found.items()
            for name, row in rows.items()
        ],
    )


PART = Part("market", lambda folder: measure(), _sheets)
