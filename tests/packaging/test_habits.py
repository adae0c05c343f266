"""The files that say how this project is worked on agree with each other."""

import re
import tomllib

import yaml
from repository import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_constraints_are_exact_and_cover_what_the_project_needs():
    text = (REPOSITORY / "constraints.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[A-Za-z0-9._-]+==\S+ ; python_version == "3.11"', line) for line in lines)
    pinned = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    assert {re.split(r"[<>=;]", each)[0].lower() for needed in lists for each in needed} <= pinned


def test_hooks_use_the_projects_own_environment_and_are_those_of_make_lint():
    (local,) = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    linters = re.findall(r"^\t\$\(PYTHON\) -m (ruff check|ruff format|mypy)", MAKEFILE, re.MULTILINE)
    hooks = [hook["entry"] for hook in local["hooks"]]
    assert all(hook["language"] == "system" for hook in local["hooks"])
    for linter in set(linters):
        assert any(entry.startswith(f".venv/bin/python -m {linter}") for entry in hooks)


def test_pages_name_only_targets_that_exist():
    for page in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/releasing.md"):
        named = set(re.findall(r"`make ([a-z-]+)", (REPOSITORY / page).read_text()))
        assert named <= TARGETS, page


def test_links_between_pages_lead_somewhere():
    for page in ("CONTRIBUTING.md", "SECURITY.md", "docs/releasing.md"):
        path = REPOSITORY / page
        links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
        assert all((path.parent / link).exists() for link in links), page


def test_every_target_has_a_line_of_help():
    assert set(re.findall(r"^([a-z-]+):.*## \w", MAKEFILE, re.MULTILINE)) | {"storm", "provision"} >= TARGETS
