"""A table that is wider than the terminal loses columns, and says which."""

import io

from rich.console import Console
from rich.table import Table

from host_tools.tables import fitted, output


def test_columns_leave_in_order_until_the_table_fits():
    def text(width):
        table = Table("name", "accuracy, percent", "log loss", "Brier score", box=None)
        table.add_row("gym", "85.1", "0.445", "0.210")
        console = Console(file=io.StringIO(), width=width)
        console.print(fitted(table, console, ("Brier score", "log loss")))
        return console.file.getvalue()

    assert "0.210" in text(80)
    assert "wider" not in text(80)
    narrow = text(42)
    assert "0.210" not in narrow
    assert "0.445" in narrow
    assert "a wider terminal also shows: Brier score" in " ".join(narrow.split())
    assert max(map(len, narrow.splitlines())) <= 42
    assert "0.445" not in text(30)


def test_where_there_is_no_terminal_nothing_is_cut(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = Table(*(f"column {number}" for number in range(30)), box=None)
    table.add_row(*(f"value {number}" for number in range(30)))
    console = output()
    console.print(fitted(table, console, ("column 29",)))
    told = capsys.readouterr().out
    assert all(f"column {number}" in told and f"value {number}" in told for number in range(30))
