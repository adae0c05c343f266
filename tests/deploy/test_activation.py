"""How a node handles what it receives: completely or not at all, with a rollback when interrupted."""

import io
import json
import subprocess
import tarfile
import time

import pytest
from fake_release import fake_release
from node_stand_in import NodeStandIn

REFUSED, BUSY, WENT_BACK = 2, 3, 5


@pytest.fixture
def node(tmp_path):
    node = NodeStandIn(tmp_path / "node")
    yield node
    node.stop()


@pytest.fixture
def pc(tmp_path):
    (tmp_path / "pc").mkdir()
    return tmp_path / "pc"


def tar(files, **member):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in member.items():
                setattr(info, key, value)
            opened.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def content_of(folder, paths):
    return {path: (folder / path).read_bytes() for path in paths}


def announce(node, folder):
    done = node.activate("wants", given=(folder / "release.json").read_bytes())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def send(node, folder):
    lacking = announce(node, folder)
    done = node.activate("receive", folder.name, given=tar(content_of(folder, lacking)))
    assert done.returncode == 0, done.stderr
    return lacking


def start_with(node, pc, name="old", **faults):
    folder = fake_release(pc, name, **faults)
    send(node, folder)
    assert node.activate("switch", name).returncode == 0
    assert node.activate("confirm", name).returncode == 0
    assert node.start_service() == 0
    return folder


def test_only_files_that_no_release_has_are_requested(node, pc):
    first, second = fake_release(pc, "one"), fake_release(pc, "two", faults=7)
    assert sorted(send(node, first)) == ["lib/edge/__init__.py", "lib/edge/__main__.py"]
    assert send(node, second) == ["lib/edge/__main__.py"]
    shared = [(node.releases / name / "lib/edge/__init__.py").stat().st_ino for name in ("one", "two")]
    assert shared[0] == shared[1]
    assert node.activate("verify", "two").returncode == 0


def test_a_file_corrupted_on_the_card_is_requested_again(node, pc):
    send(node, fake_release(pc, "one"))
    (node.releases / "one/lib/edge/__init__.py").write_text("# rot")
    assert node.activate("verify", "one").returncode == REFUSED
    assert "lib/edge/__init__.py" in announce(node, fake_release(pc, "two", faults=7))


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_an_interrupted_copy_makes_no_release(cut, node, pc):
    folder = fake_release(pc, "one")
    data = tar(content_of(folder, announce(node, folder)))
    done = node.activate("receive", "one", given=data[: int(len(data.rstrip(b"\0")) * cut)])
    assert done.returncode == REFUSED
    assert node.status()["releases"] == {}
    send(node, folder)
    assert node.status()["releases"] == {"one": False}


def test_changed_bytes_are_refused(node, pc):
    folder = fake_release(pc, "one")
    files = content_of(folder, announce(node, folder))
    files["lib/edge/__init__.py"] = b"#"
    done = node.activate("receive", "one", given=tar(files))
    assert (done.returncode, node.status()["releases"]) == (REFUSED, {})
    assert b"lib/edge/__init__.py" in done.stderr


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/evil", "lib/../../evil", "lib/edge/other.py", "release.json"]
)
def test_files_that_are_not_part_of_the_release_are_refused(path, node, pc):
    folder = fake_release(pc, "one")
    announce(node, folder)
    assert node.activate("receive", "one", given=tar({path: b"x"})).returncode == REFUSED
    assert not list(node.root.parent.rglob("evil"))


def test_links_are_refused(node, pc):
    announce(node, fake_release(pc, "one"))
    link = tar({"lib/edge/__init__.py": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd")
    assert node.activate("receive", "one", given=link).returncode == REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../x"},
        {"id": ".x"},
        {"id": ""},
        {"id": 7},
        {"files": {"/etc/passwd": "0"}},
        {"files": ["lib/x"]},
        {"files": {"lib/../../x": "0"}},
        {"files": {"lib//x": "0"}},
        {"files": {"lib": "0"}},
        {"arch": "vax"},
    ],
)
def test_an_invalid_manifest_or_one_with_outside_paths_is_refused(changes, node, pc):
    manifest = json.loads((fake_release(pc, "one") / "release.json").read_text()) | changes
    assert node.activate("wants", given=json.dumps(manifest).encode()).returncode == REFUSED
    assert node.activate("wants", given=b"no json").returncode == REFUSED


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", ""])
def test_a_staged_file_lies_in_its_folder_or_is_refused(name, node):
    assert node.activate("stage", "config", given=tar({name or "lib/x": b"x"})).returncode == REFUSED


@pytest.mark.proof
def test_only_one_activation_at_a_time(node, pc):
    start_with(node, pc)
    send(node, fake_release(pc, "unwell", faults=1))
    trial = subprocess.Popen(
        [node.root / "usr/lib/edge/activate", "try", "unwell", "--wait", "2"],
        env=node.environment,
        stdout=subprocess.DEVNULL,
    )
    wait_for_trial(node)
    assert node.activate("prune").returncode == BUSY
    assert node.activate("recover").returncode == 0  # as the start that is part of the trial does
    assert trial.wait(30) == WENT_BACK
    assert node.runs() == "old"


@pytest.mark.proof
def test_a_trial_that_is_terminated_is_rolled_back(node, pc):
    start_with(node, pc)
    send(node, fake_release(pc, "unwell", faults=1))
    trial = subprocess.Popen(
        [node.root / "usr/lib/edge/activate", "try", "unwell", "--wait", "60"],
        env=node.environment,
        stdout=subprocess.DEVNULL,
    )
    wait_for_trial(node)
    trial.terminate()
    assert trial.wait(30) == WENT_BACK
    assert (node.runs(), node.status()["trial"]) == ("old", False)


@pytest.mark.proof
def test_rollback_returns_to_previous_and_back_again_and_at_last_to_the_factory(node, pc):
    fake_release(node.root / "opt/edge", "factory")
    start_with(node, pc, "one")
    send(node, fake_release(pc, "two", faults=0, dies=False))
    assert node.activate("try", "two").returncode == 0
    assert node.status()["releases"] == {"one": True, "two": True}
    for release in ("one", "two"):
        assert node.activate("rollback").returncode == 0
        assert node.runs() == release
    (node.base / "previous").unlink()
    assert node.activate("rollback").returncode == 0
    assert node.runs() == "factory"


def test_three_releases_are_kept_with_current_and_previous_among_them(node, pc):
    for name in "abcde":
        send(node, fake_release(pc, name))
        time.sleep(0.02)
    for name in "ba":
        node.activate("switch", name)
    (node.releases / ".x.partial").mkdir()
    assert node.activate("prune").stdout.split() == [b"d", b"c"]
    assert {path.name for path in node.releases.iterdir()} == {"a", "b", "e"}


POWER_CUT = """
import os, runpy, sys
left = [{step}]
real = os.fsync
def fsync(descriptor):
    real(descriptor)
    left[0] -= 1
    if left[0] == 0:
        os._exit(9)
os.fsync = fsync
sys.argv = ["activate", "try", "new", "--with", "config", "--with", "keys", "--wait", "5"]
runpy.run_path({program!r}, run_name="__main__")
"""


@pytest.mark.proof
def test_a_power_cut_at_any_step_leaves_the_old_version_with_its_configuration(node, pc):
    """The machine goes down at the n-th sync, for every n until a trial gets through."""
    start_with(node, pc)
    (node.base / "keys").mkdir()
    (node.base / "keys/node.key").write_text("old")
    send(node, fake_release(pc, "new"))
    toml = f"{node.toml}# new\n"
    program, code, steps = str(node.root / "usr/lib/edge/activate"), 9, 0
    while code:
        steps += 1
        node.activate("stage", "config", given=tar({"node.toml": toml.encode()}))
        node.activate("stage", "keys", given=tar({"node.key": b"new"}))
        power_cut = ["/usr/bin/python3", "-c", POWER_CUT.format(program=program, step=steps)]
        code = subprocess.run(power_cut, env=node.environment, check=False).returncode
        settled = (node.releases / "new/confirmed").exists() and not node.status()["trial"]
        assert node.start_service() == 0  # which recovers first, as at boot
        seen = (node.base / "config/node.toml").read_text(), (node.base / "keys/node.key").read_text()
        if settled:
            assert (node.runs(), *seen) == ("new", toml, "new"), f"after step {steps}"
            break
        assert code == 9
        assert (node.runs(), *seen) == ("old", node.toml, "old"), f"after step {steps}"
    assert steps > 6


def wait_for_trial(node):
    deadline_s = time.monotonic() + 20
    while not (node.base / "trial.json").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
