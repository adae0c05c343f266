"""The launcher runs the right release, and abandons one that never worked."""

import json
import os
import subprocess
import time

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
    assert node.status()["health"]["fallback"] == ""
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
def test_regular_ends_do_not_count(node):
    add(node, "good", link="previous")
    add(node, "new", confirmed=False, link="current")
    assert [node.start_service() for _ in range(5)] == [0] * 5  # each ends the one before as asked
    assert node.runs() == "new"


def rot(folder):
    (folder / "lib/edge/__init__.py").write_text("# rot")


def test_a_release_with_one_corrupt_file_is_not_run(node):
    rot(add(node, "new", link="current"))
    add(node, "good", link="previous")
    assert node.start_service() == 0
    assert node.runs() == "good"
    reason = "release new is damaged: 1 files, such as lib/edge/__init__.py"
    assert reason in node.journal()
    assert node.status()["health"]["fallback"] == reason


def test_a_corrupt_file_of_the_same_size_and_time_is_found(node):
    folder = add(node, "new", link="current")
    add(node, "good", link="previous")
    file = folder / "lib/edge/__main__.py"
    was = file.stat()
    file.write_bytes(file.read_bytes().replace(b"json", b"jsom", 1))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert node.start_service() == 0
    assert node.runs() == "good"


def test_when_all_else_is_damaged_the_factory_release_runs_even_if_it_is_damaged_too(node):
    for name, link in (("new", "current"), ("good", "previous")):
        rot(add(node, name, link=link))
    factory = fake_release(node.root / "opt/edge", "factory")
    assert node.start_service() == 0
    assert node.runs() == "factory"
    rot(factory)
    assert node.start_service() == 0
    assert node.runs() == "factory"
    assert "no release is intact" in node.journal()


@pytest.mark.parametrize(
    "spoil", ["manifest of another", "manifest is a pipe", "no manifest", "link to nothing"]
)
def test_a_release_whose_manifest_is_wrong_is_skipped(spoil, node):
    folder = add(node, "new", link="current")
    add(node, "good", link="previous")
    manifest = folder / "release.json"
    text = manifest.read_text()
    manifest.unlink()
    if spoil == "manifest of another":
        manifest.write_text(text.replace('"id": "new"', '"id": "nez"'))
    elif spoil == "manifest is a pipe":
        os.mkfifo(manifest)
    elif spoil == "link to nothing":
        folder.rename(folder.with_name("elsewhere"))
    assert node.start_service() == 0
    assert node.runs() == "good"


def test_a_confirmed_release_that_fails_three_times_gives_way_until_the_next_switch(node):
    add(node, "bad", link="current", dies=1)
    add(node, "good", link="previous")
    assert [node.start_service() for _ in range(4)] == [1, 1, 1, 0]
    assert node.runs() == "good"
    assert node.start_service() == 0  # a regular end
    assert node.runs() == "good"
    assert node.status()["health"]["fallback"] == "release bad failed 3 times: the others come first"
    assert node.activate("switch", "bad").returncode == 0
    assert node.start_service() == 1


def test_if_all_fail_they_take_turns(node):
    add(node, "bad", link="current", dies=1)
    add(node, "worse", link="previous", dies=1)
    fake_release(node.root / "opt/edge", "factory", dies=1)
    assert [node.start_service() for _ in range(12)] == [1] * 12
    started = [line.split()[-1] for line in node.journal().splitlines() if "launch: release" in line]
    assert started == ["bad"] * 3 + ["worse"] * 3 + ["factory"] * 3 + ["bad"] * 3


def test_reasons_outside_of_a_release_do_not_count(node):
    add(node, "new", link="current", dies=3)  # it cannot start here: a port is taken, for example
    add(node, "good", link="previous")
    assert [node.start_service() for _ in range(5)] == [1] * 5


@pytest.mark.parametrize(("ran_s", "gives_way"), [(5.0, True), (3600.0, False)])
def test_a_failure_after_a_long_run_is_the_first_of_its_kind(ran_s, gives_way, node):
    add(node, "new", link="current")
    state = node.base / "state"
    state.mkdir()
    (state / "starts.json").write_text('{"new": 2}')
    started = {"place": "new", "began_s": time.monotonic() - ran_s, "confirmed": True}
    (state / "started.json").write_text(json.dumps(started))
    given = node.environment | {"SERVICE_RESULT": "watchdog", "EXIT_STATUS": "6"}
    subprocess.run([node.root / "usr/lib/edge/launch", "--ended"], env=given, check=True)
    assert json.loads((state / "starts.json").read_text()) == {"new": 3 if gives_way else 1}


@pytest.mark.parametrize("name", ["starts.json", "started.json", "starts.partial", "started.partial"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_folder_among_the_counts_does_not_stop_the_node(make, name, node):
    add(node, "good", link="current")
    (node.base / "state").mkdir()
    make(node.base / "state" / name)
    assert node.start_service() == 0
    assert node.start_service() == 0


def test_a_trial_whose_starts_cannot_be_counted_is_not_started(node):
    add(node, "good", link="previous")
    add(node, "new", confirmed=False, link="current")
    (node.base / "state").write_text("a file where a folder belongs")
    assert node.start_service() == 0
    assert node.runs() == "good"


@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b'{"new": "many"}', b'{"new": 1e999}', b"[" * 100_000]
)
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
