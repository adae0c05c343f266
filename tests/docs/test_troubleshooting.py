"""docs/troubleshooting.md: one section for each trouble, sorted, none missing and none left over."""

from pathlib import Path

from edge.api.troubles import CODES

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


def sections():
    _, *parts = PAGE.read_text(encoding="utf-8").split("\n## ")
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def test_every_trouble_is_explained():
    assert list(sections()) == sorted(CODES)
    assert all(len(text) > 80 for text in sections().values())
