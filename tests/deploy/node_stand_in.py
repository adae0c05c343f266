"""A node on this machine: files under a folder of its own, a real sshd, a systemctl that really starts it."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from repository import REPOSITORY

from host_tools.broker import free_port

ROOTFS = REPOSITORY / "deploy" / "rootfs"
SYSTEMCTL = '''#!/usr/bin/python3 -I
"""What systemd does for edge.service: recover, start and wait for READY=1, stop."""
import os, signal, socket, subprocess, sys, time
root, words = os.environ["EDGE_ROOT"], [word for word in sys.argv[1:] if word != "--no-block"]
with open(f"{root}/systemctl.log", "a") as log:
    log.write(" ".join(words) + "\\n")
if words[1] != "edge.service":
    sys.exit(0)
lib, pid_file = f"{root}/usr/lib/edge", f"{root}/edge.pid"

def ended(result, status=0):
    given = {"SERVICE_RESULT": result, "EXIT_STATUS": str(status)}
    subprocess.run([f"{lib}/launch", "--ended"], env=os.environ | given)

try:
    pid = int(open(pid_file).read())
    os.kill(pid, signal.SIGTERM)
    while os.path.exists(f"/proc/{pid}") and "Z" not in open(f"/proc/{pid}/stat").read().split()[2]:
        time.sleep(0.02)
    ended("success")
except (FileNotFoundError, ProcessLookupError):
    pass
if os.path.exists(pid_file):
    os.unlink(pid_file)
if words[0] == "stop":
    sys.exit(0)
subprocess.run([f"{lib}/activate", "recover"])
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = f"@edge-stand-in-{os.getpid()}"
notify.bind("\\0" + address[1:])
notify.settimeout(0.05)
with open(f"{root}/journal", "a") as journal:
    service = subprocess.Popen(
        [f"{lib}/launch"], env=os.environ | {"NOTIFY_SOCKET": address}, stdin=subprocess.DEVNULL,
        stdout=journal, stderr=journal, start_new_session=True)
with open(pid_file, "w") as file:
    file.write(str(service.pid))
while service.poll() is None:
    try:
        if b"READY=1" in notify.recv(4096):
            sys.exit(0)
    except TimeoutError:
        pass
ended("exit-code", service.returncode)
sys.exit(1)
'''


class NodeStandIn:
    """Like a node after its first boot: no release yet, a configuration, and access for one key."""

    def __init__(self, root, name="gym", address="127.0.0.1", port=None):
        self.root, self.name, self.address = root, name, address
        self.port = port or free_port()
        self.base = root / "data" / "edge"
        shutil.copytree(ROOTFS / "usr" / "lib" / "edge", root / "usr" / "lib" / "edge")
        (root / "usr" / "bin").mkdir(parents=True)
        systemctl = root / "usr" / "bin" / "systemctl"
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)
        (self.base / "config").mkdir(parents=True)
        self.toml = (
            f'[node]\nname = "{name}"\nstate_dir = "{self.base}/state"\n'
            f"[mqtt]\nport = {free_port()}\n[api]\nport = {free_port()}\n"
        )
        (self.base / "config" / "node.toml").write_text(self.toml)
        self._sshd = None
        self.signer = make_key(root / "signer")
        self.trust(self.signer.with_suffix(".pub"))

    def trust(self, *public_keys):
        """Who may release, as the card of the node says."""
        keys = [" ".join(file.read_text().split()[:2]) for file in public_keys]
        (self.root / "etc/edge").mkdir(parents=True, exist_ok=True)
        (self.root / "etc/edge/signers").write_text("".join(f"{key}\n" for key in keys))

    # ---- as the node itself would ----------------------------------------------------------

    @property
    def environment(self):
        return os.environ | {"EDGE_ROOT": str(self.root)}

    def activate(self, *words, given=b""):
        return subprocess.run(
            [self.root / "usr/lib/edge/activate", *words],
            env=self.environment,
            input=given,
            capture_output=True,
            check=False,
        )

    @property
    def releases(self):
        return self.base / "releases"

    def install(self, folder):
        """A confirmed release that runs, as after an earlier deployment."""
        shutil.copytree(folder, self.releases / folder.name)
        (self.releases / folder.name / "confirmed").touch()
        assert self.activate("switch", folder.name).returncode == 0
        assert self.start_service() == 0
        return folder.name

    def busy(self):
        """Whether an activation is running."""
        with (self.base / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def start_service(self):
        return subprocess.run(
            [self.root / "usr/bin/systemctl", "restart", "edge.service"], env=self.environment, check=False
        ).returncode

    def status(self):
        return json.loads(self.activate("status").stdout)

    def kind(self):
        """Architecture and Python version."""
        status = self.status()
        return status["arch"], status["python"]

    def runs(self):
        """The release that answers, None if nothing does."""
        return (self.status()["health"] or {}).get("release")

    def journal(self):
        return (self.root / "journal").read_text()

    def systemctl_calls(self):
        return (self.root / "systemctl.log").read_text().splitlines()

    def stop(self):
        for pid in [self._sshd and self._sshd.pid, self._service_pid()]:
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if self._sshd:
            self._sshd.wait()

    def _service_pid(self):
        file = self.root / "edge.pid"
        return int(file.read_text()) if file.exists() else None

    # ---- its door --------------------------------------------------------------------------

    def open_door(self, public_key):
        """Start sshd for that key, which may also release."""
        self.trust(public_key)
        folder = self.root / "ssh"
        folder.mkdir()
        make_key(folder / "host_key")
        (folder / "authorized_keys").write_text(public_key.read_text())
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress {self.address}\nHostKey {folder}/host_key\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nPermitRootLogin prohibit-password\nSetEnv EDGE_ROOT={self.root}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        with (folder / "log").open("w") as log:
            self._sshd = subprocess.Popen(
                [shutil.which("sshd"), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log
            )
        deadline_s = time.monotonic() + 10
        while "Server listening" not in (folder / "log").read_text():
            assert time.monotonic() < deadline_s, (folder / "log").read_text()
            time.sleep(0.02)
        return self


def make_key(file):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(file)], check=True)
    return file


def source_tree(folder, change=lambda folder: None):
    """The package edge of this tree, changed."""
    shutil.copytree(REPOSITORY / "edge", folder, ignore=shutil.ignore_patterns("__pycache__"))
    change(folder)
    return folder


def append(file, text):
    """A change to one file of a source tree."""

    def change(folder):
        path = folder / file
        path.write_text(path.read_text() + text)

    return change


def deploy_command(*words):
    return [sys.executable, "-m", "host_tools", "deploy", *map(str, words)]
