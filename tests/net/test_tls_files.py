"""Files of `[tls]` that are missing, empty or damaged: refused at the start, named and left alone later."""

import os
from datetime import UTC, datetime

import pytest

from edge.net.settings import TlsSettings
from edge.net.tls import REFRESH_S, TlsFiles
from host_tools.fleet.authority import Authority

FILES = ["ca", "certificate", "key", "crl"]
BROKEN = [None, b"", b"garbage", b"-----BEGIN X509 CRL-----\nAAAA\n", b"\0" * 300]


class Site:
    """The files of one node, and the folder of its state."""

    def __init__(self, folder):
        self.authority = Authority(folder / "authority", "lab", datetime.now(UTC))
        identity = self.authority.identity("gym", ("localhost",), 100)
        (folder / "ca.crt").write_bytes((folder / "authority/ca.crt").read_bytes())
        (folder / "crl.pem").write_bytes(self.authority.crl)
        (folder / "node.crt").write_bytes(identity.certificate)
        (folder / "node.key").write_bytes(identity.key)
        names = {"ca": "ca.crt", "certificate": "node.crt", "key": "node.key", "crl": "crl.pem"}
        self.settings = TlsSettings(**{kind: str(folder / name) for kind, name in names.items()})
        (folder / "state").mkdir()
        self.kept = folder / "state" / "crl.pem"
        self.time_s = 1000.0

    def start(self, kept=True):
        return TlsFiles(self.settings, self.kept if kept else None)

    def break_file(self, kind, content):
        """What repairs it again."""
        path = getattr(self.settings, kind)
        with open(path, "rb") as file:
            good = file.read()
        os.unlink(path)
        if content is not None:
            self.write(path, content)
        return lambda: self.write(path, good)

    @staticmethod
    def write(path, content):
        with open(path + ".new", "wb") as file:
            file.write(content)
        os.replace(path + ".new", path)

    def look(self, files):
        self.time_s += REFRESH_S
        files.look(self.time_s)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("kind", FILES)
def test_a_start_with_a_broken_file_is_refused_and_names_it(site, kind, content):
    site.break_file(kind, content)
    for kept in (True, False):
        with pytest.raises(OSError, match=os.path.basename(getattr(site.settings, kind))):
            site.start(kept)


@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_breaks_later_is_named_and_the_ones_before_stay_in_use(site, kind, content):
    files = site.start(kept=False)
    before = files.context
    repair = site.break_file(kind, content)
    site.look(files)
    assert files.context is before
    assert os.path.basename(getattr(site.settings, kind)) in files.fault
    repair()
    site.look(files)
    assert files.fault == ""
    assert files.context is not before


@pytest.mark.parametrize("content", BROKEN)
def test_a_list_that_a_power_cut_has_damaged_is_replaced_by_the_last_valid_one(site, content):
    site.start()
    repair = site.break_file("crl", content)
    files = site.start()
    assert "crl.pem" in files.list_fault
    assert files.context.cert_store_stats()["crl"] == 1
    assert files.context.verify_flags & 0x4  # leaf certificates are looked up in the list
    repair()
    site.look(files)
    assert files.list_fault == ""
    site.kept.write_bytes(b"")  # both at once
    site.break_file("crl", content)
    with pytest.raises(OSError, match="no earlier list is kept"):
        site.start()


def test_the_newest_list_is_kept(site):
    files = site.start()
    first = site.kept.read_bytes()
    site.authority.revoke("gym")
    site.write(site.settings.crl, site.authority.crl)
    site.look(files)
    assert site.kept.read_bytes() == site.authority.crl != first


def test_a_new_certificate_ends_the_warning_of_the_old_one(site):
    files = site.start()
    ends_s = {each.kind: each.ends_s for each in files.certificates}
    identity = site.authority.identity("gym", ("localhost",), 500, rotate=True)
    site.write(site.settings.key, identity.key)
    site.write(site.settings.certificate, identity.certificate)
    site.look(files)
    assert {each.kind: each.ends_s for each in files.certificates}["certificate"] > ends_s["certificate"]
