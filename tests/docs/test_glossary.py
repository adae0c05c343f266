"""Every identifier in the glossary's code column exists in the code."""

import re

from repository import REPOSITORY


def test_identifiers_of_the_glossary_exist():
    source = "\n".join(
        file.read_text(encoding="utf-8")
        for room in ("edge", "host_tools")
        for file in sorted((REPOSITORY / room).rglob("*.py"))
    )
    words = set(re.findall(r"\w+", source))
    rows = re.findall(
        r"^\| .+ \| .+ \| (.+) \|$", (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8"), re.M
    )
    named = [each for row in rows for each in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 60
    assert [each for each in named if each not in words] == []
