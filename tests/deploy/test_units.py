"""The files in the root of a node, checked by systemd, sudo and others."""

import configparser
import platform
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from node_stand_in import ROOTFS

from host_tools.deploy.release import build_release
from host_tools.microgrid.launch import NODE_ENVIRONMENT

UNITS = Path("usr/lib/systemd/system")
EXECUTE, WRITE, READ = 1, 2, 4  # of a segment of an ELF file
LOAD, GNU_STACK = 1, 0x6474E551
# Debian's own, as far as the drop-in builds on it.
MOSQUITTO = """[Unit]
After=network.target
[Service]
Type=notify
ExecStart=/usr/sbin/mosquitto -c /etc/mosquitto/mosquitto.conf
ExecStartPre=/bin/mkdir -m 740 -p /var/log/mosquitto
Restart=on-failure
"""


@pytest.fixture
def root(tmp_path):
    """A root that holds our files and, as empty stand-ins, what they refer to."""
    root = tmp_path / "root"
    shutil.copytree(ROOTFS, root, symlinks=True)
    (root / UNITS / "mosquitto.service").write_text(MOSQUITTO)
    for name in ("sysinit", "shutdown", "basic", "network", "multi-user"):
        (root / UNITS / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    for program in ("usr/sbin/mosquitto", "usr/bin/systemctl"):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).write_text("")
        (root / program).chmod(0o755)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\ndialout:x:20:\nsystemd-journal:x:101:\n")
    return root


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def unit(file):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(ROOTFS / UNITS / file)
    return parser["Service"]


@pytest.mark.parametrize("service", ["edge.service", "mosquitto.service"])
def test_a_service_is_exposed_to_1_5_at_most(service, root):
    code, said = run("systemd-analyze", "security", "--offline=true", f"--root={root}", service)
    assert code == 0, said
    assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1]) <= 1.5, said


def test_a_node_started_on_a_pc_has_the_environment_of_the_unit():
    given = dict(each.split("=", 1) for each in unit("edge.service")["Environment"].split())
    assert NODE_ENVIRONMENT.items() <= given.items()


def test_systemd_verifies_the_units(root):
    code, said = run(
        "systemd-analyze",
        "verify",
        "--man=no",
        f"--root={root}",
        "edge.service",
        "mosquitto.service",
        "broker-keys.path",
    )
    assert (code, said) == (0, "")


def test_the_limits_of_the_service_are_those_promised():
    service = unit("edge.service")
    promised = {
        "Type": "notify",
        "User": "edge",
        "MemoryMax": "64M",
        "MemorySwapMax": "0",
        "WatchdogSec": "30",
        "Restart": "always",
        "OOMPolicy": "kill",
        "DevicePolicy": "closed",
        "MemoryDenyWriteExecute": "yes",
        "ExecStart": "/usr/lib/edge/launch",
    }
    assert {key: service[key] for key in promised} == promised
    assert "OPENBLAS_NUM_THREADS=1" in service["Environment"]


def test_the_service_may_open_every_kind_of_serial_line():
    """USB adapters (ttyUSB, and ttyACM of class CDC), and the board's own lines (ttyAMA, ttyS)."""
    lines = (ROOTFS / UNITS / "edge.service").read_text().splitlines()
    allowed = {line.removeprefix("DeviceAllow=") for line in lines if line.startswith("DeviceAllow=")}
    assert allowed == {f"char-{major} rw" for major in (188, 166, 204, 4)}


def test_no_library_of_a_release_needs_memory_that_is_writable_and_executable():
    """Otherwise MemoryDenyWriteExecute would keep it from being loaded; the header is the same on ARM."""
    python = subprocess.check_output(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    )
    release = build_release(platform.machine(), python.decode().strip())
    libraries = [path for path in release.folder.rglob("*.so*") if path.read_bytes()[:4] == b"\x7fELF"]
    assert libraries
    for path in libraries:
        stack, loads = program_headers(path.read_bytes())
        assert stack == READ | WRITE, path
        assert not any(flags & WRITE and flags & EXECUTE for flags in loads), path


def program_headers(data):
    """The flags of the stack and of all loaded segments of a 64-bit ELF file."""
    offset, (size, count) = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<II", data, offset + size * number) for number in range(count)]
    stack = [flags for kind, flags in headers if kind == GNU_STACK]
    return (stack[0] if stack else EXECUTE), [flags for kind, flags in headers if kind == LOAD]


def test_the_files_for_sudo_are_right_and_allow_no_more_than_is_named():
    file = ROOTFS / "etc/sudoers.d/edge"
    code, said = run("visudo", "-cf", file)
    assert code == 0, said
    commands = re.search(r"NOPASSWD: (.*)", file.read_text())[1].split(", ")
    assert commands == [
        "/usr/lib/edge/activate",
        "/usr/bin/systemctl restart edge.service",
        "/usr/bin/systemctl restart edge",
    ]


def test_users_and_folders_are_made(root):
    code, said = run("systemd-sysusers", f"--root={root}", root / "usr/lib/sysusers.d/edge.conf")
    assert code == 0, said
    users = {
        line.split(":")[0]: line.split(":")[2:] for line in (root / "etc/passwd").read_text().splitlines()
    }
    assert [users["edge"][0], users["operator"][0], users["mosquitto"][0]] == ["880", "881", "882"]
    assert users["edge"][-1] == "/usr/sbin/nologin"
    assert "dialout:x:20:edge" in (root / "etc/group").read_text()
    for line in (ROOTFS / "usr/lib/tmpfiles.d/edge.conf").read_text().splitlines():
        assert line.startswith("#") or line.split()[3] in {"root", "edge", "mosquitto"}


def test_programs_are_executable():
    for file in ("launch", "activate"):
        assert (ROOTFS / "usr/lib/edge" / file).stat().st_mode & 0o111 == 0o111
