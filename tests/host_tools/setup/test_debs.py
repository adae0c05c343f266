"""Installing Debian packages while another apt is running."""

import os

import pytest

from host_tools.setup import debs

_LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)"
_APT_GET = """#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> calls
case "$*" in
    *update) echo >> tries; if [ "$(wc -l < tries)" -lt 3 ]; then echo "{problem}" >&2; exit 100; fi ;;
esac
"""


@pytest.fixture
def apt_get(tmp_path, monkeypatch):
    """Makes an apt-get whose first two updates fail with a problem; returns the list of its calls so far."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(debs.os, "geteuid", lambda: 0)
    monkeypatch.setattr(debs, "_LOCK_RETRY_S", 0.01)

    def make(problem):
        (tmp_path / "apt-get").write_text(_APT_GET.replace("{problem}", problem))
        (tmp_path / "apt-get").chmod(0o755)
        return lambda: (tmp_path / "calls").read_text().splitlines()

    return make


def test_installing_waits_until_the_locks_are_free(apt_get, capsys):
    calls = apt_get(_LOCKED)
    debs.apt_install("mosquitto")
    *updates, install = calls()
    assert len(updates) == 3
    assert capsys.readouterr().out.count("another apt is running") == 1
    assert install.endswith("install -y --no-install-recommends mosquitto")
    assert install.startswith("-o DPkg::Lock::Timeout=600 ")  # apt itself waits for this one


def test_waiting_for_a_lock_has_an_end(apt_get, monkeypatch):
    monkeypatch.setattr(debs, "_LOCK_TIMEOUT_S", 0)
    apt_get(_LOCKED)
    with pytest.raises(debs.SetupError, match="Could not get lock"):
        debs.apt_install("mosquitto")


def test_another_problem_is_reported_at_once(apt_get):
    calls = apt_get("E: The repository does not have a Release file.")
    with pytest.raises(debs.SetupError, match="Release file"):
        debs.apt_install("mosquitto")
    assert len(calls()) == 1
