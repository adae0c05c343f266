"""Deployments to a node on this machine, over a real sshd: successful, broken, interrupted, rejected.

What takes long is marked as a proof and runs in `make long-test`.
"""

import getpass
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from node_stand_in import REPOSITORY, NodeStandIn, append, deploy_command, make_key, source_tree

from host_tools.__main__ import main
from host_tools.broker import free_port
from host_tools.deploy.release import build_release

pytestmark = pytest.mark.system


class Operator:
    """The operator: a key, a build folder, a fleet with one or more nodes."""

    def __init__(self, folder, out):
        self.folder = folder
        self.key = make_key(folder / "id")
        self.out = out
        self.made = folder / "made"
        (folder / "fleet" / "nodes").mkdir(parents=True)

    def adopt(self, *nodes):
        for node in nodes:
            (self.folder / "fleet" / "nodes" / f"{node.name}.toml").write_text(node.toml)
        addresses = "".join(f'{node.name} = ["{node.address}"]\n' for node in nodes)
        (self.folder / "fleet" / "fleet.toml").write_text(f"[hosts]\n{addresses}")

    def words(self, node, **options):
        options = {
            "fleet": self.folder / "fleet",
            "made": self.made,
            "out": self.out,
            "identity": self.key,
            "known-hosts": self.folder / "known_hosts",
            "user": getpass.getuser(),
            "wait": 20,
            "port": node.port,
        } | options
        return [str(word) for key, value in options.items() for word in (f"--{key}", value)]

    def deploy(self, node, *words, **options):
        return main(["deploy", node.name, *words, *self.words(node, **options)])

    def version(self, name, change):
        return source_tree(self.folder / name, change)


@pytest.fixture(scope="session")
def out(tmp_path_factory):
    """The folder in which releases are built, shared by all tests."""
    return tmp_path_factory.mktemp("releases")


@pytest.fixture
def operator(tmp_path, out):
    (tmp_path / "operator").mkdir()
    return Operator(tmp_path / "operator", out)


@pytest.fixture
def node(tmp_path, operator):
    """A reachable node without a release."""
    node = NodeStandIn(tmp_path / "node").open_door(operator.key.with_suffix(".pub"))
    operator.adopt(node)
    yield node
    node.stop()


@pytest.fixture
def before(node, out):
    """The release of this tree, which runs on the node."""
    return node.install(build_release(*node.kind(), releases=out).folder)


def test_a_first_deployment_a_second_that_does_nothing_and_a_changed_version(node, operator, capsys):
    assert operator.deploy(node) == 0
    first = node.runs()
    assert first
    assert node.status()["releases"] == {first: True}
    capsys.readouterr()
    calls = len(node.systemctl_calls())
    assert operator.deploy(node) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert len(node.systemctl_calls()) == calls

    changed = operator.version("changed", append("__init__.py", "# another version\n"))
    began_s = time.monotonic()
    assert operator.deploy(node, source=changed) == 0
    seconds = time.monotonic() - began_s
    status, said = node.status(), capsys.readouterr().out
    assert node.runs() not in (first, None)
    assert (status["current"], status["previous"]) == (node.runs(), first)
    assert "copied 2 of " in said  # the source and what it is compiled to; all else was there
    assert seconds < 60
    tell(capsys, f"changed version over loopback: {seconds:.1f} s")


DOES_NOT_START = append("node.py", "\nraise RuntimeError('broken on purpose')\n")
STARTS_BUT_IS_UNWELL = append(
    "node.py", "\n\nNode.state_failures = property(lambda node: 1 / 0)  # GET /health fails\n"
)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(DOES_NOT_START, id="does not start"),
        pytest.param(STARTS_BUT_IS_UNWELL, id="is unwell", marks=pytest.mark.proof),
    ],
)
def test_a_broken_version_is_rolled_back_and_the_old_one_is_healthy(fault, node, before, operator, capsys):
    began_s = time.monotonic()
    assert operator.deploy(node, source=operator.version("broken", fault), wait=5) == 1
    seconds = time.monotonic() - began_s
    after = node.status()
    assert node.runs() == before
    assert (after["current"], after["previous"], after["trial"]) == (before, None, False)
    said = capsys.readouterr()
    assert f"rolled back to {before}" in said.err
    assert "rolled back" in said.out
    tell(capsys, f"broken version over loopback: {seconds:.1f} s until the old one is healthy")


@pytest.mark.proof
def test_a_first_version_that_is_broken_leaves_nothing_running_and_says_so(node, operator, capsys):
    assert operator.deploy(node, source=operator.version("broken", DOES_NOT_START), wait=3) == 1
    assert node.status()["current"] is None
    assert node.systemctl_calls()[-1] == "stop edge.service"
    assert "nothing" in capsys.readouterr().err


@pytest.mark.proof
def test_a_killed_copy_leaves_the_old_version_running_and_is_resumed(node, before, operator, capsys):

    def large(folder):
        for i in range(10):
            (folder / f"ballast{i}.bin").write_bytes(os.urandom(6_000_000))

    source = operator.version("large", large)
    process = subprocess.Popen(
        deploy_command(node.name, *operator.words(node, source=source)),
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    arrived = node.base / "releases"
    deadline_s = time.monotonic() + 60
    while len(list(arrived.glob(".*.partial/lib/edge/ballast*"))) < 3:
        assert process.poll() is None, "it was over before it could be killed"
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end_masters(operator)
    assert node.runs() == before
    assert node.status()["current"] == before
    wait_until_idle(node)
    capsys.readouterr()
    assert operator.deploy(node, source=source) == 0
    assert node.runs() != before
    copied = int(capsys.readouterr().out.split("copied ")[1].split()[0])
    assert copied < 10, "what had arrived was not sent again"


@pytest.mark.proof
def test_a_trial_is_completed_when_the_connection_is_lost(node, before, operator):
    source = operator.version("unwell", STARTS_BUT_IS_UNWELL)
    process = subprocess.Popen(
        deploy_command(node.name, *operator.words(node, source=source, wait=4)),
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + 60
    while not (node.base / "trial.json").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end_masters(operator)
    wait_until_idle(node)
    assert node.runs() == before
    assert not node.status()["trial"]


@pytest.mark.proof
def test_a_file_that_is_corrupted_on_the_way_is_refused(node, before, operator, capsys):
    source = operator.version("changed", append("__init__.py", "# to be corrupted\n"))
    built = build_release(*node.kind(), source, operator.out).folder
    file = built / "lib" / "edge" / "__init__.py"
    file.write_bytes(file.read_bytes().replace(b"corrupted", b"corrupxed"))
    capsys.readouterr()
    assert operator.deploy(node, source=source) == 1
    assert "lib/edge/__init__.py" in capsys.readouterr().err
    assert (node.runs(), set(node.status()["releases"])) == (before, {before})


def test_a_damaged_release_is_repaired_by_the_next_deployment(node, before, operator, capsys):
    (node.releases / before / "lib/edge/node.py").write_text("# rot")
    assert operator.deploy(node) == 0
    said = capsys.readouterr().out
    assert f"damaged on the card of the node: {before}" in said
    assert "copied 1 of " in said
    assert (node.runs(), node.status()["damaged"]) == (before, [])


@pytest.mark.proof
def test_an_older_version_is_only_taken_back_on_purpose(node, before, operator, capsys):
    (node.base / "number").write_text(f"{2**40}\n")  # a version of the far future was confirmed
    changed = operator.version("older", append("__init__.py", "# an older version\n"))
    assert operator.deploy(node, source=changed) == 1
    assert "add --reissue" in capsys.readouterr().err
    assert node.runs() == before
    assert operator.deploy(node, "--reissue", source=changed) == 0
    assert node.status()["number"] == 2**40 + 1


def test_a_release_signed_by_a_stranger_is_refused(node, before, operator, capsys):
    changed = operator.version("changed", append("__init__.py", "# another version\n"))
    stranger = make_key(operator.folder / "stranger")
    assert operator.deploy(node, "--sign-key", str(stranger), source=changed) == 1
    assert "not signed by a signer that this node knows" in capsys.readouterr().err
    assert operator.deploy(node, "--sign-key", str(operator.folder / "nothing"), source=changed) == 2
    assert "another key: --sign-key FILE" in capsys.readouterr().err
    assert node.runs() == before


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(node, before, operator, capsys):
    def files():
        paths = [path for path in node.base.rglob("*") if path.name != ".lock" and "state" not in path.parts]
        return {path: path.stat().st_mtime_ns for path in paths}

    make_folder(operator.made / node.name / "config", {"node.toml": node.toml + "# new\n"})
    changed = operator.version("changed", append("__init__.py", "# another version\n"))
    was = files()
    assert operator.deploy(node, "--dry", source=changed) == 0
    said = capsys.readouterr().out
    for words in ("would copy 2 of ", "would replace config", "would switch to"):
        assert words in said
    assert (files(), node.runs()) == (was, before)


@pytest.mark.proof
def test_a_new_configuration_and_keys_are_deployed_and_a_wrong_one_is_rolled_back(node, before, operator):
    made = operator.made / node.name
    make_folder(made / "config", {"node.toml": node.toml + "# second\n", "acl": "x\n"})
    make_folder(made / "keys", {"node.key": "secret\n", "node.crt": "public\n"})
    assert operator.deploy(node) == 0
    assert (node.base / "config" / "node.toml").read_text().endswith("# second\n")
    key = node.base / "keys" / "node.key"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("secret\n", 0o600)
    assert node.systemctl_calls()[-2:] == ["restart mosquitto.service", "restart edge.service"]
    assert not list(node.base.glob("*.new"))

    (made / "config" / "node.toml").write_text("[node]\nname = 7\n")
    (made / "keys" / "node.key").write_text("another\n")
    assert operator.deploy(node, wait=5) == 1
    assert (node.base / "config" / "node.toml").read_text().endswith("# second\n")
    assert (key.read_text(), node.runs()) == ("secret\n", before)


def test_a_wrong_key_is_reported(node, operator, capsys):
    stranger = make_key(operator.folder / "stranger")
    assert operator.deploy(node, identity=stranger) == 3
    assert "rejected the key" in capsys.readouterr().err


def test_an_unreachable_node_is_reported(node, operator, capsys):
    assert operator.deploy(node, port=free_port()) == 3
    assert "connection refused" in capsys.readouterr().err
    assert operator.deploy(node, host="no-such-host.invalid") == 3
    assert "unknown host name" in capsys.readouterr().err


@pytest.mark.proof
def test_another_machine_at_a_nodes_address_is_refused(node, operator, tmp_path, capsys):
    assert operator.deploy(node, "--dry") == 0
    impostor = NodeStandIn(tmp_path / "impostor").open_door(operator.key.with_suffix(".pub"))
    try:
        assert operator.deploy(node, port=impostor.port) == 3
    finally:
        impostor.stop()
    assert "another machine may be answering" in capsys.readouterr().err


def test_a_machine_that_is_not_a_node_is_reported(node, operator, capsys):
    (node.root / "usr" / "lib" / "edge" / "activate").unlink()
    assert operator.deploy(node) == 1
    assert "activate not found" in capsys.readouterr().err


@pytest.mark.proof
def test_all_continues_after_a_failed_node_and_prints_a_table(node, operator, tmp_path, capsys):
    other = NodeStandIn(tmp_path / "other", "primary", "127.0.0.2", node.port)
    other.open_door(operator.key.with_suffix(".pub"))
    away = NodeStandIn(tmp_path / "away", "afterschool", "127.0.0.3", node.port)
    operator.adopt(away, node, other)
    try:
        assert main(["deploy", "all", *operator.words(node)]) == 3
        assert (node.runs(), away.runs()) == (other.runs(), None)
    finally:
        other.stop()
    table = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    assert [row[0] for row in table] == ["afterschool", "gym", "primary"]
    assert [row[-1] for row in table] == ["unreachable", "deployed", "deployed"]


@pytest.mark.parametrize("words", [["nobody"], ["all", "--host", "127.0.0.1"]])
def test_wrong_usage_is_reported_before_anything_is_done(words, operator, tmp_path, capsys):
    operator.adopt(NodeStandIn(tmp_path / "node"))
    assert main(["deploy", *words, "--fleet", str(operator.folder / "fleet")]) == 2
    assert capsys.readouterr().err


def tell(capsys, text):
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


def make_folder(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)


def end_masters(operator):
    """The shared connection of a deployment that was killed lives on for a minute; a lost one would not."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if words.startswith(b"ssh") and str(operator.folder).encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)


def wait_until_idle(node):
    deadline_s = time.monotonic() + 60
    while node.busy():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
