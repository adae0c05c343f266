"""The root: no passwords, strict modes of our files, and files that are consistent."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from host_tools.fleet import network
from host_tools.image import configure, kernel, packages
from host_tools.image.build import BOOT, ROOTFS
from host_tools.image.disk import CardLayout
from host_tools.setup.debs import SetupError

PRESET = "usr/lib/systemd/system-preset/00-edge.preset"
_DEBIANS = {"ssh.service", "mosquitto.service"}  # units that come with packages


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shutil, "chown", lambda *_: None)  # only root may, and the tests need not be
    (tmp_path / "passwd").write_text(
        "root:$6$salt$hash:0:0:root:/root:/bin/bash\nedge:x:880:880::/:/bin/false\n"
        "operator::881:37::/home/operator:/bin/bash\n"
    )
    (tmp_path / "group").write_text("root:*:0:\nsystemd-journal:x:999:operator\n")
    return tmp_path


def test_nobody_has_a_password(etc: Path) -> None:
    configure.no_passwords(etc)
    assert (etc / "shadow").read_text().splitlines() == [
        "root:!*:::::::",
        "edge:*:::::::",
        "operator:*:::::::",
    ]
    assert [line.split(":")[1] for line in (etc / "passwd").read_text().splitlines()] == ["x"] * 3
    assert (etc / "gshadow").read_text().splitlines() == ["root:!::", "systemd-journal:!::operator"]
    assert (etc / "shadow").stat().st_mode & 0o777 == 0o640


def test_our_files_arrive_with_strict_modes(tmp_path: Path) -> None:
    tree, root = tmp_path / "tree", tmp_path / "root"
    for name in ("etc/sudoers.d", "usr/lib/edge/__pycache__"):
        (tree / name).mkdir(parents=True)
    for name in ("etc/sudoers.d/edge", "usr/lib/edge/launch", "usr/lib/edge/__pycache__/x.pyc", ".hidden"):
        (tree / name).write_text("x")
    (tree / "usr/lib/edge/launch").chmod(0o775)
    (tree / "etc/mtab").symlink_to("../proc/mounts")
    root.mkdir()
    configure.lay_over(tree, root)
    assert (root / "etc/sudoers.d/edge").stat().st_mode & 0o777 == 0o440
    assert (root / "usr/lib/edge/launch").stat().st_mode & 0o777 == 0o755
    assert (root / "etc/mtab").readlink() == Path("../proc/mounts")
    assert not (root / ".hidden").exists()
    assert not (root / "usr/lib/edge/__pycache__").exists()


def test_labels_agree() -> None:
    layout = CardLayout()
    assert f"root=LABEL={layout.root.label} " in (BOOT / "cmdline.txt").read_text()
    mounts = [line.split() for line in (ROOTFS / "etc/fstab").read_text().splitlines() if line[0] != "#"]
    by_place = {place: (source, options) for source, place, _, options, *_ in mounts}
    assert by_place["/data"][0] == f"LABEL={layout.data.label}"
    assert "x-systemd.growfs" in by_place["/data"][1]
    assert by_place["/boot/firmware"][0] == f"LABEL={layout.boot.label}"


def test_ssh_takes_keys_of_the_operator_only() -> None:
    lines = (ROOTFS / "etc/ssh/sshd_config").read_text().splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line and not line.startswith(("#", "Listen")))
    assert settings["PasswordAuthentication"] == settings["KbdInteractiveAuthentication"] == "no"
    assert (settings["PermitRootLogin"], settings["UsePAM"]) == ("no", "yes")
    assert settings["AllowUsers"] == "operator"
    assert settings["AuthorizedKeysFile"] == "/data/edge/config/authorized_keys"


def test_every_unit_that_is_enabled_exists() -> None:
    preset = (ROOTFS / "usr/lib/systemd/system-preset/00-edge.preset").read_text()
    ours = {path.name for path in (ROOTFS / "usr/lib/systemd/system").iterdir()}
    enabled = re.findall(r"^enable (\S+)$", preset, re.MULTILINE)
    unknown = [name for name in enabled if name not in ours | _DEBIANS and not name.startswith("systemd-")]
    assert not unknown
    assert preset.rstrip().endswith("disable *")


def _shell_scripts() -> list[Path]:
    ours = [path for path in sorted((ROOTFS / "usr/lib/edge").iterdir()) if path.is_file()]
    candidates = [BOOT / "initramfs/init", *ours]
    return [path for path in candidates if path.read_text().startswith(("#!/bin/sh", "#!/bin/busybox"))]


@pytest.mark.parametrize("script", _shell_scripts(), ids=lambda path: path.name)
def test_scripts_can_be_read_by_a_shell_and_run(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", str(script)], check=True)


def test_module_lists_name_what_an_initramfs_must_have() -> None:
    early, later = (kernel.listed(BOOT / f"modules-{name}.txt") for name in ("initramfs", "root"))
    assert {"ext4", "overlay", "bcm2835", "crc32c_generic"} <= set(early)
    assert {"bcm2835_wdt", "ftdi_sio", "smsc95xx", "lan78xx"} <= set(later)
    assert len({*early, *later}) == len(early) + len(later)


def test_names_of_the_local_network_are_resolved() -> None:
    """Everything that NAME.local needs: the resolver, its packages, the links, and how programs ask it."""
    resolved = (ROOTFS / "etc/systemd/resolved.conf.d/names.conf").read_text()
    network = (ROOTFS / "etc/systemd/network/10-wired.network").read_text()
    assert "MulticastDNS=yes" in resolved.splitlines()
    assert "DNSStubListener=no" in resolved.splitlines()
    assert "MulticastDNS=yes" in network.splitlines()
    assert {"libnss-resolve", "systemd-resolved"} <= set(packages.ROOT)
    assert "enable systemd-resolved.service" in (ROOTFS / PRESET).read_text()
    debians = "passwd: files\nhosts:          files dns\nnetworks: files\n"
    assert configure.by_multicast(debians) == (
        "passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\nnetworks: files\n"
    )
    with pytest.raises(SetupError):
        configure.by_multicast("passwd: files\n")


def test_a_static_address_comes_before_dhcp() -> None:
    link = ROOTFS / "etc/systemd/network/05-node.network"
    assert str(link.readlink()) == f"/data/edge/config/{network.FILE}"
    waits = ROOTFS / "etc/systemd/system/systemd-networkd.service.d/data.conf"
    assert "RequiresMountsFor=/data/edge" in waits.read_text()


def test_the_card_says_who_may_release(tmp_path: Path) -> None:
    (tmp_path / "signers").write_text("ssh-ed25519 AAAA\n")
    (tmp_path / "root/etc").mkdir(parents=True)
    configure.signers(tmp_path / "root", tmp_path / "signers")
    assert (tmp_path / "root/etc/edge/signers").read_text() == "ssh-ed25519 AAAA\n"
