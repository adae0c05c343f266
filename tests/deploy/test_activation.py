"""How a node handles what it receives: completely or not at all, with a rollback when interrupted."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import tarfile
import threading
import time

import pytest
from fake_release import fake_release, signed
from node_stand_in import NodeStandIn, make_key

REFUSED, BUSY, DISK, WENT_BACK = 2, 3, 4, 5
DIGEST = "0" * 64


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


def announced(node, folder, key=None):
    return node.activate("wants", given=signed((folder / "release.json").read_bytes(), key or node.signer))


def announce(node, folder):
    done = announced(node, folder)
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
    places = [(node.releases / name / "lib/edge/__init__.py").stat().st_ino for name in ("one", "two")]
    assert places[0] != places[1], "a bad block would damage both"
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
        {"files": {"lib": DIGEST}},
        {"files": {"lib/a\0b": DIGEST}, "sizes": {"lib/a\0b": 0}},
        {"files": {"lib/a\nb": DIGEST}, "sizes": {"lib/a\nb": 0}},
        {"files": {"lib/\ud800": DIGEST}, "sizes": {"lib/\ud800": 0}},
        {"files": {f"lib/{'x' * 300}": DIGEST}, "sizes": {f"lib/{'x' * 300}": 0}},
        {"files": {"lib/a": DIGEST, "lib/a/b": DIGEST}, "sizes": {"lib/a": 0, "lib/a/b": 0}},
        {"files": {"lib/x": "../x"}, "sizes": {"lib/x": 0}},
        {"files": {f"lib/{i}": DIGEST for i in range(20_001)}},
        {"sizes": {}},
        {"sizes": {"lib/edge/__init__.py": -1, "lib/edge/__main__.py": 1}},
        {"sizes": {"lib/edge/__init__.py": 1 << 40, "lib/edge/__main__.py": 1}},
        {"sizes": {"lib/edge/__init__.py": True, "lib/edge/__main__.py": 1}},
        {"number": "7"},
        {"signers": ["ssh-ed25519 x\nroot"]},
        {"arch": "vax"},
    ],
)
def test_an_invalid_manifest_or_one_with_outside_paths_is_refused(changes, node, pc):
    manifest = json.loads((fake_release(pc, "one") / "release.json").read_text()) | changes
    done = node.activate("wants", given=signed(json.dumps(manifest).encode(), node.signer))
    assert done.returncode == REFUSED, done.stderr
    assert b"signed" not in done.stderr
    assert node.activate("wants", given=b"no json").returncode == REFUSED


@pytest.mark.parametrize("key", ["none", "stranger"])
def test_a_release_that_no_known_signer_signed_is_refused(key, node, pc, tmp_path):
    folder = fake_release(pc, "one")
    if key == "none":
        done = node.activate("wants", given=(folder / "release.json").read_bytes())
    else:
        done = announced(node, folder, make_key(tmp_path / "stranger"))
    assert (done.returncode, list(node.releases.glob("*"))) == (REFUSED, [])
    assert b"not signed" in done.stderr


def test_a_manifest_that_was_changed_after_it_was_signed_is_refused(node, pc):
    folder = fake_release(pc, "one")
    given = signed((folder / "release.json").read_bytes(), node.signer)
    assert node.activate("wants", given=given.replace(b'"number": 1', b'"number": 2')).returncode == REFUSED


def test_without_a_list_of_signers_nothing_is_taken(node, pc):
    (node.root / "etc/edge/signers").unlink()
    assert announced(node, fake_release(pc, "one")).returncode == REFUSED


def test_the_number_does_not_go_back_unless_the_release_is_still_there(node, pc):
    start_with(node, pc, "second", number=20)
    done = announced(node, fake_release(pc, "first", number=10))
    assert done.returncode == REFUSED
    assert b"number 10" in done.stderr
    start_with(node, pc, "third", number=30)
    assert node.activate("try", "second").returncode == 0  # it is the fallback, which must always be possible
    assert announced(node, fake_release(pc, "between", number=25)).returncode == REFUSED
    (node.base / "number").write_text("\0")
    assert announced(node, fake_release(pc, "other", number=25)).returncode == REFUSED


def test_a_confirmed_release_may_name_the_next_signers(node, pc, tmp_path):
    second = make_key(tmp_path / "second")
    names = [" ".join(second.with_suffix(".pub").read_text().split()[:2])]
    start_with(node, pc, "handover", signers=names)
    assert announced(node, fake_release(pc, "by_the_first")).returncode == REFUSED
    assert announced(node, fake_release(pc, "by_the_second"), second).returncode == 0


def test_a_file_larger_than_announced_is_refused(node, pc):
    folder = fake_release(pc, "one")
    files = content_of(folder, announce(node, folder)) | {"lib/edge/__init__.py": bytes(1 << 20)}
    assert node.activate("receive", "one", given=tar(files)).returncode == REFUSED
    assert size_of(node.releases) < 100_000


def test_a_sparse_archive_is_refused(node, pc):
    """10 kB that unpack to 64 MB, as GNU tar makes them."""
    folder = fake_release(pc, "one")
    announce(node, folder)
    (folder / "lib/edge/__init__.py").unlink()
    with (folder / "lib/edge/__init__.py").open("wb") as file:
        file.truncate(64 << 20)
    command = ["tar", "--sparse", "--format=gnu", "-C", str(folder), "-cf", "-", "lib/edge/__init__.py"]
    archive = subprocess.check_output(command)
    assert len(archive) < 20_000
    assert node.activate("receive", "one", given=archive).returncode == REFUSED
    assert size_of(node.releases) < 100_000


def test_no_more_is_read_than_was_announced(node, pc):
    folder = fake_release(pc, "one")
    announce(node, folder)
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    endless = header.tobuf() + bytes(4 << 20)
    done = node.activate("receive", "one", given=endless)
    assert (done.returncode, b"more was sent" in done.stderr) == (REFUSED, True)
    assert node.activate("stage", "config", given=endless).returncode == REFUSED


def test_a_file_sent_twice_is_refused(node, pc):
    folder = fake_release(pc, "one")
    announce(node, folder)
    member = tarfile.TarInfo("lib/edge/__init__.py")
    assert node.activate("receive", "one", given=member.tobuf() * 2).returncode == REFUSED


FULL_DISK = """
import collections, os, runpy, shutil, sys
usage = collections.namedtuple("usage", "total used free")
left = [{free}]
shutil.disk_usage = lambda path: usage(10**9, 10**9 - left[0], left[0])
real = shutil.rmtree
def rmtree(path, **options):
    if os.path.isdir(path) and "releases" in str(path):
        left[0] += {gain}
    real(path, **options)
shutil.rmtree = rmtree
if {copying_fails}:
    def copyfileobj(source, target):
        raise OSError(28, "No space left on device")
    shutil.copyfileobj = copyfileobj
sys.argv = ["activate", *{words!r}]
runpy.run_path({program!r}, run_name="__main__")
"""


def on_a_full_disk(node, *words, given, free=1 << 20, gain=0, copying_fails=False):
    program = str(node.root / "usr/lib/edge/activate")
    code = FULL_DISK.format(free=free, gain=gain, copying_fails=copying_fails, words=words, program=program)
    return subprocess.run(
        ["/usr/bin/python3", "-c", code], env=node.environment, input=given, capture_output=True, check=False
    )


def test_a_reserve_is_kept_and_what_is_not_used_gives_way(node, pc):
    for name in "abc":
        send(node, fake_release(pc, name))
        time.sleep(0.02)
    for name in "ab":
        node.activate("switch", name)
    (node.releases / ".x.partial").mkdir()
    folder = fake_release(pc, "new", faults=1)
    given = signed((folder / "release.json").read_bytes(), node.signer)
    done = on_a_full_disk(node, "wants", given=given)
    assert (done.returncode, b"8 MB for a roll-back" in done.stderr) == (DISK, True)
    assert {path.name for path in node.releases.iterdir()} == {"a", "b"}
    send(node, fake_release(pc, "c2", dies=True))
    done = on_a_full_disk(node, "wants", given=given, gain=16 << 20)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in node.releases.iterdir()} == {"a", "b", ".new.partial"}


def test_after_a_full_disk_nothing_is_left_and_a_trial_still_works(node, pc):
    start_with(node, pc)
    send(node, fake_release(pc, "good", faults=0, dies=False))
    folder = fake_release(pc, "new", faults=1)
    archive = tar(content_of(folder, announce(node, folder)))
    done = on_a_full_disk(node, "receive", "new", given=archive, free=1 << 30, copying_fails=True)
    assert done.returncode == DISK
    assert {path.name for path in node.releases.iterdir()} == {"old", "good"}
    assert on_a_full_disk(node, "try", "good", given=b"", free=0).returncode == 0
    assert node.runs() == "good"


def test_a_damaged_release_can_be_sent_again_while_another_runs_in_its_place(node, pc):
    start_with(node, pc, "one")
    two = fake_release(pc, "two", number=2)
    send(node, two)
    assert node.activate("try", "two").returncode == 0
    (node.releases / "two/lib/edge/__init__.py").write_text("x")
    assert node.start_service() == 0
    assert node.status()["damaged"] == ["two"]
    assert node.runs() == "one"
    assert send(node, two) == []  # the release that runs has the file
    assert node.activate("try", "two").returncode == 0
    assert (node.runs(), node.status()["damaged"]) == ("two", [])


def test_a_rollback_passes_over_a_damaged_previous_release(node, pc):
    fake_release(node.root / "opt/edge", "factory")
    start_with(node, pc, "one")
    send(node, fake_release(pc, "two", faults=0))
    assert node.activate("try", "two").returncode == 0
    (node.releases / "one/lib/edge/__main__.py").write_text("x")
    done = node.activate("rollback")
    assert (done.returncode, b"damaged" in done.stdout) == (0, True)
    assert node.runs() == "factory"


BROKEN_RECORDS = [
    b"",
    b"{",
    b"[]",
    b'{"folders": 7}',
    b'{"folders": {}, "current": "../x", "previous": null}',
    b'{"folders": {"state": 1}, "current": null, "previous": null}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("verb", ["recover", "rollback", "try"])
@pytest.mark.parametrize("record", BROKEN_RECORDS, ids=range(len(BROKEN_RECORDS)))
def test_a_broken_record_of_a_trial_is_set_aside(record, verb, node, pc):
    start_with(node, pc)
    (node.base / "trial.json").write_bytes(record)
    (node.base / "previous").symlink_to("releases/old")
    done = node.activate(verb, *(["old"] if verb == "try" else []))
    assert (done.returncode, done.stderr) == (0, b"")
    assert not (node.base / "trial.json").exists()
    assert (node.base / "trial.invalid").exists()
    assert node.runs() == "old"


def test_a_pipe_in_place_of_the_record_does_not_hang(node, pc):
    start_with(node, pc)
    os.mkfifo(node.base / "trial.json")
    assert node.activate("recover").returncode == 0
    assert node.start_service() == 0


def size_of(folder):
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", ""])
def test_a_staged_file_lies_in_its_folder_or_is_refused(name, node):
    assert node.activate("stage", "config", given=tar({name or "lib/x": b"x"})).returncode == REFUSED


def test_the_files_of_another_node_of_the_machine_are_staged_and_its_keys_are_private(node):
    given = {"node.key": b"1", "q-gym.node.key": b"2", "q-gym.trust.key": b"3", "q-gym.trust.identity": b"4"}
    assert node.activate("stage", "keys", given=tar(given)).returncode == 0
    staged = {each.name: each for each in (node.base / "keys.new").iterdir()}
    assert {name: each.read_bytes() for name, each in staged.items()} == given
    private = {name for name, each in staged.items() if each.stat().st_mode & 0o777 == 0o600}
    assert private == {"node.key", "q-gym.node.key", "q-gym.trust.key"}


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
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):  # a roll-back is not interrupted
        trial.send_signal(number)
        time.sleep(0.05)
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


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"release',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n[1]",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n{}",
    ],
)
def test_whatever_a_release_answers_the_status_is_said(answer, node):
    """So a deployment can replace it."""
    port = int(node.toml.rpartition("port = ")[2])
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as client:
                        client.recv(1000)
                        client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        done = node.activate("status")
        server.shutdown(socket.SHUT_RDWR)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["health"] is None


@pytest.mark.parametrize(
    "api", ['[api]\nhost = "::1"', "api = 7", "[api]\nhost = 7", '[api]\nport = "x"', "x"]
)
def test_whatever_the_configuration_says_the_status_is_said(api, node):
    (node.base / "config/node.toml").write_text(api)
    done = node.activate("status")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("wait", ["nan", "-1", "inf", "1e9", "x"])
def test_a_wait_that_never_ends_is_refused(wait, node):
    assert node.activate("try", "x", "--wait", wait).returncode == REFUSED


def wait_for_trial(node):
    deadline_s = time.monotonic() + 20
    while not (node.base / "trial.json").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
