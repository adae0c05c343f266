"""The layout of the live table: what a terminal of a given width shows, and in which order columns go."""

from collections.abc import Iterator, Sequence
from typing import Literal

from rich.table import Table

_GAP = 1  # between two columns
# A narrow terminal shows fewer columns. The last of these goes last; a column not listed goes first.
_FIRST_TO_GO = (
    *("RSS MB", "links", "contracts", "exported", "imported"),
    *("supplied", "ready", "available", "consumed", "health"),
)


def table(
    title: str,
    headings: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str]],
    total: Sequence[str],
    width: int,
) -> Table:
    """Rows and their total in at most `width` columns of a terminal. The first column is the name of a row.

    `headings`: the long and the short heading of each column; the long ones are used where all of them fit.
    """
    every = [*rows, total]
    shown = list(range(len(headings)))
    short = 0
    if _width(headings, every, shown, short) > width:
        short = 1
    for leaving in _leaving([long for long, _ in headings]):
        if _width(headings, every, shown, short) <= width:
            break
        shown.remove(leaving)
    made = Table(title=title, title_justify="left", box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for at in shown:
        side: Literal["left", "right"] = "right" if 0 < at < len(headings) - 1 else "left"
        made.add_column(headings[at][short], justify=side, no_wrap=True, overflow="ellipsis")
    for row in rows:
        made.add_row(*(row[at] for at in shown))
    made.add_row(*(total[at] for at in shown), style="bold")
    return made


def _leaving(names: Sequence[str]) -> Iterator[int]:
    """The columns in the order in which they go. What is asked always stays."""
    stay = {names[0], "requested", "missing"}
    yield from (i for i, name in enumerate(names) if name not in stay and name not in _FIRST_TO_GO)
    yield from (names.index(name) for name in _FIRST_TO_GO if name in names)


def _width(
    headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]], shown: Sequence[int], short: int
) -> int:
    return sum(max(len(headings[at][short]), *(len(row[at]) for row in rows)) + _GAP for at in shown) - _GAP
