"""The tests of this folder use programs that not every machine has."""

import shutil

import pytest

PACKAGES = {
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "systemd-analyze": "systemd",
    "visudo": "sudo",
}


@pytest.fixture(scope="session", autouse=True)
def programs():
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if missing:
        pytest.fail(f"missing programs: apt-get install {' '.join(missing)}", pytrace=False)
