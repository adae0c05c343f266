"""The examples of docs/architecture.md are applied to a copy of the sources and run.

Each "### ..." section under "## How to add" has fenced blocks: `python FILE`, `toml FILE` is a new file,
`diff FILE` changes one, `python check` proves that it works. All blocks of a section belong together.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest
from repository import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
CHAPTER = PAGE.split("\n## How to add")[1].split("\n## ")[0]
SECTIONS = {
    title: re.findall(r"^```(\w+) ([^\n]+)\n(.*?)^```$", text, re.M | re.S)
    for title, text in re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", CHAPTER, re.M | re.S)
}


def changed(text: str, diff: str) -> str:
    """The text after a diff; the lines it keeps or removes must be there exactly once."""
    lines = diff.splitlines()
    old = "\n".join(line[1:] for line in lines if line[:1] != "+") + "\n"
    new = "\n".join(line[1:] for line in lines if line[:1] != "-") + "\n"
    assert text.count(old) == 1, f"not there exactly once:\n{old}"
    return text.replace(old, new)


def style_faults(files):
    """What ruff says of these files; empty if nothing."""
    ruff, config = [sys.executable, "-m", "ruff"], ["--config", REPOSITORY / "pyproject.toml"]
    runs = [
        subprocess.run([*ruff, *command, "-q", *config, *files], capture_output=True, text=True, check=False)
        for command in (["check"], ["format", "--diff"])
        if files
    ]
    return "".join(run.stdout + run.stderr for run in runs)


@pytest.fixture
def sources(tmp_path):
    for room in ("edge", "host_tools"):
        shutil.copytree(REPOSITORY / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "models", tmp_path / "models")
    return tmp_path


@pytest.mark.parametrize(
    "title",
    SECTIONS,
)
def test_an_example_works(title, sources):
    checks, written = [], set()
    for language, target, body in SECTIONS[title]:
        path = sources / target
        if target == "check":
            checks.append(body)
        elif language == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), body), encoding="utf-8")
        else:
            assert not path.exists(), f"{target} is there already"
            path.write_text(body, encoding="utf-8")
        if path.suffix == ".py":
            written.add(path)
    assert len(checks) == 1, "each example has one check"
    assert style_faults(written) == ""
    result = subprocess.run(
        [sys.executable, "-c", checks[0]],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_kind_of_part_has_an_example():
    kinds = ("law", "operator", "meter profile", "policy", "model", "twin", "route", "setting", "scenario")
    assert [kind for kind in kinds if not any(kind in title for title in SECTIONS)] == []


@pytest.mark.parametrize("title", SECTIONS)
def test_an_example_is_a_file_and_a_few_lines(title):
    kinds = [language for language, target, _ in SECTIONS[title] if language != "diff" and target != "check"]
    diffs = [(target, body) for language, target, body in SECTIONS[title] if language == "diff"]
    added = [line for _, body in diffs for line in body.splitlines() if line.startswith("+")]
    assert len(kinds) <= 1
    assert len({target for target, _ in diffs}) <= 1
    assert len(added) <= 4  # an import and an entry
