"""The files of keys: read strictly, written whole, taken up while the node runs."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from members import Cluster

from edge.trust import files
from edge.trust.certificate import Certificate
from edge.trust.files import KeyFileError
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.settings import TrustSettings
from edge.trust.source import Source

CLUSTER = Cluster()


class Node:
    """The key files of one node."""

    def __init__(self, folder, name="gym"):
        self.name, self.folder = name, folder
        self.settings = TrustSettings(
            key=folder / "node.key",
            certificate=folder / "node.identity",
            authority=folder / "authority",
            revocations=folder / "revocations",
        )
        files.write(self.settings.authority, files.AUTHORITY, CLUSTER.key.authority.data)
        self.install(CLUSTER.own(name))

    def install(self, own):
        files.write(self.settings.key, files.NODE_KEY, own.keys.data)
        files.write(self.settings.certificate, files.NODE_IDENTITY, own.certificate.data)

    def revoke(self, data):
        files.write(self.settings.revocations, files.REVOCATIONS, data)

    def keyring(self):
        (self.folder / "state").mkdir(exist_ok=True)
        source = Source(self.name, self.settings, self.folder / "state")
        return Keyring.load(source, CLUSTER.clock, 32)


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_private_keys_are_readable_by_their_owner_alone(node):
    assert node.settings.key.stat().st_mode & 0o777 == 0o600
    node.settings.key.chmod(0o640)
    with pytest.raises(KeyFileError, match=r"node\.key: others may read or write it"):
        node.keyring()


def test_files_read_as_they_were_written(tmp_path):
    key = AuthorityKey.new("village")
    files.write(tmp_path / "a", files.AUTHORITY_KEY, key.data)
    files.write(tmp_path / "b", files.AUTHORITY, key.authority.data)
    assert files.read_authority_key(tmp_path / "a").data == key.data
    assert files.read_authority(tmp_path / "b").data == key.authority.data
    keys = NodeKeys.new()
    files.write(tmp_path / "c", files.NODE_KEY, keys.data)
    assert files.read_node_keys(tmp_path / "c").data == keys.data != NodeKeys.new().data
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "is not a file with the title MICROGRID NODE IDENTITY"),
        ("-----BEGIN MICROGRID NODE KEY-----\nAAAA\n-----END MICROGRID NODE KEY-----\n", "title"),
        ("-----BEGIN MICROGRID NODE IDENTITY-----\nAAAA\n", "is not a file"),
        ("-----BEGIN MICROGRID NODE IDENTITY-----\nAAAA\nAAAA\n", "is cut short"),
        ("-----BEGIN MICROGRID NODE IDENTITY-----\n*\n-----END MICROGRID NODE IDENTITY-----", "is damaged"),
        ("-----BEGIN MICROGRID NODE IDENTITY-----\nAAAA\n-----END MICROGRID NODE IDENTITY-----", "length"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(node, content, message):
    path = node.settings.certificate
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(KeyFileError, match=rf"node\.identity: .*{message}"):
        node.keyring()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.binary(max_size=200))
def test_any_content_gives_a_named_error(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    path.chmod(0o600)
    readers = (files.read_node_keys, files.read_certificate, files.read_authority, files.read_revocations)
    for read in readers:
        with pytest.raises(KeyFileError, match="file"):
            read(path)


def test_files_that_do_not_belong_together_are_refused(node, tmp_path):
    files.write(node.settings.key, files.NODE_KEY, CLUSTER.own("gym", seed=50).keys.data)
    with pytest.raises(KeyFileError, match="does not belong to the key"):
        node.keyring()
    node.install(CLUSTER.own("lab"))
    with pytest.raises(KeyFileError, match="is the identity of node lab, not gym"):
        node.keyring()
    node.install(Cluster(seed=9).own("gym"))
    with pytest.raises(KeyFileError, match="is not signed by the authority"):
        node.keyring()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KeyFileError, match="is not a regular file"):
        files.read_authority(tmp_path / "pipe")


def test_a_renewed_certificate_is_taken_up_while_running(node):
    keyring = node.keyring()
    assert not keyring.look()
    old = Certificate(keyring.certificate())
    same_keys = CLUSTER.own("gym", after=old)
    node.install(same_keys)
    assert keyring.look()
    assert keyring.certificate() == same_keys.certificate.data
    assert keyring.generation == 0
    assert not keyring.look()


def test_new_keys_are_taken_up_when_both_files_are_there(node):
    keyring, lab = node.keyring(), CLUSTER.keyring("lab")
    lab.introduce("gym", keyring.certificate())
    keyring.introduce("lab", lab.certificate())
    sealed = lab.seal("gym", b"c", b"old")
    new = CLUSTER.own("gym", seed=77, after=Certificate(keyring.certificate()))
    files.write(node.settings.key, files.NODE_KEY, new.keys.data)
    assert not keyring.look()
    assert [code for code, _ in keyring.troubles()] == ["keys_unusable"]
    node.install(new)
    assert keyring.look()
    assert keyring.generation == 1
    assert keyring.troubles() == []
    lab.introduce("gym", keyring.certificate())
    lab.verify("gym", b"m", keyring.sign(b"m"))
    assert keyring.open("lab", b"c", sealed) == b"old"
    assert keyring.open("lab", b"c", lab.seal("gym", b"c", b"new")) == b"new"


def test_a_changed_list_is_taken_up_and_one_from_a_neighbour_survives_a_restart(node):
    keyring = node.keyring()
    first = CLUSTER.revocations({"school": 2**32 - 1})
    node.revoke(first)
    assert keyring.look()
    assert keyring.revocations() == first
    second = CLUSTER.revocations({"school": 2**32 - 1, "farm": 3}, now_s=CLUSTER.clock.wall_s() + 5)
    assert keyring.revoke(second)
    assert node.keyring().revocations() == second
    node.revoke(first)  # it does not go back
    assert not keyring.look()
    assert keyring.revocations() == second


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN MICROGRID REVOCATIONS-----\n"])
def test_an_unusable_list_stops_nobody(node, content):
    node.settings.revocations.write_bytes(content)
    keyring = node.keyring()
    assert keyring.revocations() == b""
    assert not keyring.look()


@pytest.mark.parametrize("content", [b"", b"x" * 300, b"-----BEGIN MICROGRID REVOCATIONS-----\n"])
def test_a_list_that_breaks_is_named_and_the_one_before_stays_in_force_across_a_restart(node, content):
    node.revoke(CLUSTER.revocations({"lab": 2**31}))
    keyring = node.keyring()
    good = keyring.revocations()
    assert good
    assert not keyring.troubles()
    node.settings.revocations.write_bytes(content)
    for each in (keyring, node.keyring()):
        each.look()
        assert each.revocations() == good
        assert [code for code, _ in each.troubles()] == ["list_unusable"]
    node.revoke(good)
    keyring.look()
    assert not keyring.troubles()


def test_a_list_of_another_authority_is_named(node):
    node.revoke(Cluster(seed=9).revocations({"gym": 2**31}))
    keyring = node.keyring()
    assert keyring.revocations() == b""
    assert [code for code, _ in keyring.troubles()] == ["list_unusable"]


BROKEN = [None, b"", b"garbage", b"\0" * 300]


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("file", ["key", "certificate", "authority"])
def test_a_file_that_breaks_is_named_and_the_keys_in_use_are_kept(node, file, content):
    keyring, path = node.keyring(), getattr(node.settings, file)
    good, signature = path.read_bytes(), keyring.sign(b"m")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(KeyFileError, match=path.name):
        node.keyring()  # a start is refused
    assert not keyring.look()
    ((code, text),) = keyring.troubles()
    assert code == "keys_unusable"
    assert path.name in text
    assert keyring.sign(b"m") == signature
    path.write_bytes(good)
    path.chmod(0o600)
    assert not keyring.look()
    assert not keyring.troubles()


def test_another_authority_is_not_taken_over_while_the_node_runs(node):
    keyring = node.keyring()
    files.write(node.settings.authority, files.AUTHORITY, Cluster(seed=9).key.authority.data)
    assert not keyring.look()
    assert [code for code, _ in keyring.troubles()] == ["keys_unusable"]
    with pytest.raises(KeyFileError, match="is not signed by the authority"):
        node.keyring()


@pytest.mark.parametrize("content", BROKEN[1:])
def test_a_damaged_list_of_the_state_folder_is_named_until_there_is_another(node, content):
    node.revoke(CLUSTER.revocations({"lab": 2**31}))
    good = node.keyring().revocations()
    kept = node.folder / "state" / "revocations"
    kept.write_bytes(content)
    keyring = node.keyring()
    assert keyring.revocations() == good  # of the operator, and kept again
    assert not keyring.troubles()
    assert files.read_revocations(kept).data == good
    node.settings.revocations.unlink()
    kept.write_bytes(content)
    keyring = node.keyring()
    assert keyring.revocations() == b""
    assert [code for code, _ in keyring.troubles()] == ["list_unusable"]
    assert keyring.revoke(good)  # a neighbour has it
    assert not keyring.troubles()
    assert node.keyring().revocations() == good
