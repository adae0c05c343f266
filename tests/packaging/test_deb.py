"""The Debian package: what it contains, that its unit is valid, and that the service in it starts."""

import platform
import re
import subprocess

import pytest

from host_tools.package.deb import ARCHITECTURES, build_deb, contents, unit


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    return build_deb(platform.machine(), tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def root(deb, tmp_path_factory):
    """The files of the package, as dpkg unpacks them."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(root)], check=True)
    return root


def field(deb, name):
    return subprocess.check_output(["dpkg-deb", "--field", str(deb), name], text=True).strip()


def test_the_package_says_what_it_is_and_needs(deb):
    assert field(deb, "Architecture") == ARCHITECTURES[platform.machine()]
    assert field(deb, "Depends") == "python3 (>= 3.11), python3 (<< 3.12), systemd"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", field(deb, "Version"))
    assert int(field(deb, "Installed-Size")) < 150_000


def test_its_files_belong_to_root_and_nobody_else_may_write_them(deb):
    lines = [line.split() for line in contents(deb).splitlines()]
    assert {owner for _, owner, *_ in lines} == {"root/root"}
    assert not [line for line in lines if line[0][5] == "w" or line[0][8] == "w"]
    paths = {line[5] for line in lines}
    assert {"./usr/bin/microgrid-edge", "./usr/lib/systemd/system/microgrid-edge.service"} <= paths
    assert {"./opt/edge/lib/edge/__main__.py", "./opt/edge/lib/orjson/"} <= paths
    assert not [path for path in paths if path.startswith(("./etc/microgrid-edge/n", "./data"))]


def test_scripts_are_valid_and_executable(root):
    for name in ("postinst", "prerm", "postrm"):
        script = root / "DEBIAN" / name
        assert script.stat().st_mode & 0o777 == 0o755
        subprocess.run(["sh", "-n", str(script)], check=True)


def configured(root, *words):
    """What the script after the installation says to systemctl, on a machine that runs systemd or not."""
    said = root / "said"
    said.unlink(missing_ok=True)
    commands = root / "commands"
    commands.mkdir(exist_ok=True)
    for name in ("systemctl", "systemd-sysusers"):
        (commands / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {said}\n[ "$1" != start ]\n')
        (commands / name).chmod(0o755)
    script = (root / "DEBIAN/postinst").read_text().replace("/run/systemd/system", str(root / "running"))
    done = subprocess.run(
        ["sh", "-c", script, "postinst", "configure", *words],
        env={"PATH": f"{commands}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, "a unit that does not start must not leave the package half installed"
    return [line.removeprefix("systemctl ") for line in said.read_text().splitlines()[1:]]


def test_it_is_enabled_in_an_image_that_is_being_made_and_left_as_it_is_by_an_update(root):
    assert configured(root) == ["enable --quiet microgrid-edge.service"]
    assert configured(root, "0.1.0") == []
    (root / "running").mkdir()
    assert configured(root)[1:] == ["daemon-reload", "start microgrid-edge.service"]
    assert configured(root, "0.1.0") == ["daemon-reload", "try-restart microgrid-edge.service"]


def test_the_example_has_the_state_folder_that_the_unit_may_write(root):
    example = (root / "usr/share/doc/microgrid-edge/node.toml").read_text()
    assert 'state_dir = "/var/lib/microgrid-edge"' in example
    assert "fleet.toml" not in example


def test_the_service_in_it_runs(root):
    command = ["/usr/bin/python3", "-sP", "-m", "edge"]
    given = {"PYTHONPATH": str(root / "opt/edge/lib"), "PATH": "/usr/bin"}
    version = subprocess.check_output([*command, "--version"], env=given, text=True)
    assert version.split() == ["microgrid-edge", field_of(root, "Version")]
    example = root / "usr/share/doc/microgrid-edge/node.toml"
    said = subprocess.run(
        [*command, "check", "--config", str(example)], env=given, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr


def field_of(root, name):
    return re.search(rf"^{name}: (.*)$", (root / "DEBIAN/control").read_text(), re.MULTILINE)[1]


def test_its_unit_is_that_of_the_image_with_other_paths(root):
    text = (root / "usr/lib/systemd/system/microgrid-edge.service").read_text()
    for line in ("MemoryMax=64M", "NoNewPrivileges=yes", "StateDirectory=microgrid-edge", "Type=notify"):
        assert line in text.splitlines()
    assert "/data" not in text
    assert "/usr/lib/edge" not in text
    assert "ConditionPathExists=/etc/microgrid-edge/node.toml" in text
    for name in ("sysinit", "shutdown", "basic", "network", "multi-user"):
        target = root / f"usr/lib/systemd/system/{name}.target"
        target.write_text("[Unit]\nDefaultDependencies=no\n")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nedge:x:880:880::/:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nedge:x:880:\n")
    words = ["systemd-analyze", "verify", "--man=no", f"--root={root}", "microgrid-edge.service"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_unit_of_the_image_that_changes_its_start_is_noticed():
    assert "ExecStart=/usr/bin/microgrid-edge run" in unit("[Unit]\nExecStart=/usr/lib/edge/launch\n")
