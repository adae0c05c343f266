"""The table of docs/architecture.md is that of tests/test_architecture.py."""

import re
import runpy

from repository import REPOSITORY


def test_the_table_of_the_rooms_is_current():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("| room or module | may import |\n")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.M)
    rules = runpy.run_path(str(REPOSITORY / "tests" / "test_architecture.py"))["MAY_IMPORT"]
    assert {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in rows} == rules
    assert [room for room, _ in rows] == list(rules)  # from the bottom to the top
