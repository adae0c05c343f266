"""README and docs are short where they should be, and written in plain English."""

import re
import subprocess
from pathlib import Path

import pytest
from repository import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
NEVER = (  # in no sentence of the repository, comments and messages included
    "foretell",
    "foretold",
    "hereby",
    "hereof",
    "thereof",
    "thereupon",
    "wherein",
    "hears of",
    "stands twice",
    "is taken back",
    "takes up the past",
    "nothing foretold",
    "what is new waits",
    "in vain",
    "anew",
    "from afar",
    "lest",
    "is ill",
)
ARCHAIC = (  # neither in README and docs
    *NEVER,
    "whatever",
    "what came",
    "taken back",
    "takes all back",
    "takes up",
    "taken up",
    "at ease",
    "no word of",
    "bites",
)


def tracked(*patterns):
    """Files under version control."""
    command = ["git", "ls-files", "-z", "--", *patterns]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return [REPOSITORY / name for name in listed.split("\0") if name]


def found(words, text):
    return [word for word in words if re.search(rf"\b{word}(s|ed|ing)?\b", text, re.I)]


def test_the_readme_has_at_most_120_lines():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_archaic_words(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    assert found(ARCHAIC, text) == []


def test_some_words_are_in_no_file():
    files = [file for file in tracked("*.py", "*.toml", "*.md", "Makefile") if file != Path(__file__)]
    assert len(files) > 300
    wrong = {str(file.relative_to(REPOSITORY)): found(NEVER, file.read_text("utf-8")) for file in files}
    assert {name: words for name, words in wrong.items() if words} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_papers_that_are_not_in_the_repository(page):
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"DESIGN|behaviour\.md|results\.md|anchors\d?\.md", text) == []
