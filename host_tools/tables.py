"""Tables that fit the terminal; where there is none, they are as wide as they need."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

_WIDEST = 10_000  # of a table that no terminal limits


def output() -> Console:
    """The standard output. A file or a pipe has room for every column."""
    return Console(width=None if sys.stdout.isatty() else _WIDEST)


def fitted(table: Table, console: Console, leaving: Sequence[str]) -> Table:
    """The table without the columns that do not fit, which leave in this order; its caption names them."""
    left = []
    unbounded = console.options.update(width=_WIDEST)
    for heading in leaving:
        if console.measure(table, options=unbounded).maximum <= console.width:
            break
        columns = [each for each in table.columns if each.header == heading]
        for column in columns:
            table.columns.remove(column)
            left.append(heading)
    if left:
        note = f"a wider terminal also shows: {', '.join(left)}"
        table.caption = f"{table.caption}\n{note}" if table.caption else note
        table.caption_justify = "left"
    return table
