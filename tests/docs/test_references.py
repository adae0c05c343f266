"""What README and docs refer to exists: links, headings, files, tests, make targets."""

import re

import pytest
from repository import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def name(page):
    return str(page.relative_to(REPOSITORY))


def anchors(page):
    """The fragments by which headings of a page are addressed, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_resolve(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, fragment = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and fragment not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_tests_that_are_named_exist():
    defined = {
        found
        for file in (REPOSITORY / "tests").rglob("*.py")
        for found in re.findall(r"^\s*def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    missing = [
        f"{name(page)}: {each}"
        for page in PAGES
        for each in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
        if each not in defined
    ]
    assert missing == []


def test_files_that_are_named_exist():
    missing = [
        f"{name(page)}: {each}"
        for page in PAGES
        for each in re.findall(
            r"`((?:edge|host_tools|tests|docs|models|deploy)/[\w./-]*)`", page.read_text(encoding="utf-8")
        )
        if not (REPOSITORY / each).exists()
    ]
    assert missing == []


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {
        each
        for page in PAGES
        for each in re.findall(r"(?:^    |`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M)
    }
    assert named - targets == set()


def test_every_row_of_the_coverage_has_a_status():
    text = (
        (REPOSITORY / "docs" / "thesis.md").read_text(encoding="utf-8").split("## Deliberate deviations")[0]
    )
    lines = re.findall(r"^\| (\d.*)\|$", text, re.M)
    rows = [[cell.strip() for cell in re.split(r" \| ?", line)] for line in lines]
    assert len(rows) > 130
    assert [row for row in rows if row[2] not in ("done", "partly", "not yet", "different")] == []
    assert [row for row in rows if row[2] != "not yet" and not row[3]] == []


def test_every_deviation_has_a_reason():
    text = (REPOSITORY / "docs" / "thesis.md").read_text(encoding="utf-8")
    coverage, deviations = text.split("## Deliberate deviations")
    reasons = dict(re.findall(r"^\| (\d+) \| .+ \| (.+) \|$", deviations, re.M))
    cited = set(re.findall(r" \((\d+)\)(?= \|)", coverage))
    assert cited == reasons.keys()
    assert all(reasons.values())
