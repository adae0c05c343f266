"""The launcher runs the right release, and abandons one that never worked."""

import json

import pytest
from fake_release import fake_release
from node_stand_in import NodeStandIn


@pytest.fixture
def node(tmp_path):
    node = NodeStandIn(tmp_path / "node")
    yield node
    node.stop()


def add(node, name, confirmed=True, link=None, **faults):
    folder = fake_release(node.releases, name, **faults)
    if confirmed:
        (folder / "confirmed").touch()
    if link:
        (node.base / link).symlink_to(f"releases/{name}")
    return folder


def test_current_is_run_with_its_own_files(node):
    add(node, "one", link="previous")
    folder = add(node, "two", link="current")
    assert node.start_service() == 0
    assert node.status()["health"]["release"] == "two"
    assert node.status()["health"]["python_path"] == str(folder / "lib")


def test_without_any_release_the_one_of_the_image_is_run(node):
    fake_release(node.root / "opt" / "edge", "factory")
    assert node.start_service() == 0
    assert node.runs() == "factory"


def test_without_any_release_an_error_is_reported(node):
    assert node.start_service() == 1
    assert "no release can be run" in node.journal()


def test_an_unconfirmed_release_is_abandoned_after_three_starts_then_previous_then_factory(node):
    add(node, "good", link="previous")
    add(node, "bad", confirmed=False, link="current", dies=True)
    fake_release(node.root / "opt" / "edge", "factory")
    assert [node.start_service() for _ in range(4)] == [1, 1, 1, 0]
    assert node.runs() == "good"
    assert "failed 3 times: abandoned" in node.journal()
    (node.releases / "good" / "lib" / "edge" / "__main__.py").unlink()
    assert node.start_service() == 0
    assert node.runs() == "factory"


@pytest.mark.proof
def test_regular_ends_do_not_count_and_a_confirmed_release_is_never_abandoned(node):
    add(node, "good", link="previous")
    trial = add(node, "new", confirmed=False, link="current")
    assert [node.start_service() for _ in range(5)] == [0] * 5  # each ends the one before as asked
    assert node.runs() == "new"
    (trial / "confirmed").touch()
    (trial / "lib" / "edge" / "__main__.py").write_text("raise SystemExit(1)")
    assert [node.start_service() for _ in range(5)] == [1] * 5


def test_a_trial_whose_starts_cannot_be_counted_is_not_started(node):
    add(node, "good", link="previous")
    add(node, "new", confirmed=False, link="current")
    (node.base / "state").write_text("a file where a folder belongs")
    assert node.start_service() == 0
    assert node.runs() == "good"


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b'{"new": "many"}'])
def test_a_count_that_cannot_be_read_counts_as_none(content, node):
    add(node, "new", confirmed=False, link="current")
    (node.base / "state").mkdir()
    (node.base / "state" / "starts.json").write_bytes(content)
    assert node.start_service() == 0
    assert json.loads((node.base / "state" / "starts.json").read_bytes()) == {"new": 1}


@pytest.mark.parametrize("other", [{"arch": "riscv64"}, {"python": "3.99"}])
def test_a_release_for_another_machine_or_python_is_skipped(other, node):
    add(node, "other", link="current", **other)
    fake_release(node.root / "opt" / "edge", "factory")
    assert node.start_service() == 0
    assert node.runs() == "factory"
