"""Commands in README and docs run as printed: with make, or by their path in the virtual environment."""

import re
import shlex
import subprocess

import pytest
from repository import REPOSITORY

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
MAKE = ["make", "--no-print-directory", "-n", "-o", ".venv/.ready"]


def commands(page):
    """The lines of indented blocks and of `sh` blocks that are commands."""
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}(\S.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.M | re.S):
        lines += block.splitlines()
    return [line.split("  #")[0].strip() for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_needs_an_environment_that_nobody_has_activated(page):
    bare = [
        line for line in commands(page) if re.match(r"(python3?|pip|pytest|microgrid-edge|ruff|mypy)\b", line)
    ]
    assert bare == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_takes_each_command(page):
    for line in commands(page):
        if line.startswith("make "):
            asked = subprocess.run(
                [*MAKE, *_words(line)], cwd=REPOSITORY, capture_output=True, text=True, check=False
            )
            assert asked.returncode == 0, f"{line}: {asked.stderr}"


def test_make_refuses_a_variable_that_a_target_does_not_have():
    for words, named in (
        (["run", "HOURS=5"], "HOURS"),
        (["sim", "SPED=2"], "SPED"),
        (["bench", "SEED=1"], "SEED"),
    ):
        asked = subprocess.run([*MAKE, *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert asked.returncode == 2
        assert f"{named} is not a variable of `make {words[0]}`" in asked.stderr


def _words(line):

    words = shlex.split(line)[1:]
    return words[: words.index("&&")] if "&&" in words else words
