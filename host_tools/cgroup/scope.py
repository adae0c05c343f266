"""A memory limit set by systemd, for users who cannot create control groups, such as over ssh on a Pi."""

import os
import shutil
import subprocess
from pathlib import Path

from .group import MOUNTINFO, V2, mounts, read_usage
from .limit import Janitor, LimitError, MemoryLimit, Usage


class Scope(MemoryLimit):
    """A transient scope. Its limit is read back, because systemd accepts limits that it cannot apply."""

    backend = "systemd scope"
    _HOLD = 'sleep infinity & exec "$@"'  # the scope, with its count of kills, ends with its last process

    def __init__(self, limit_bytes: int) -> None:
        """Raises LimitError."""
        if not (Path("/run/systemd/system").is_dir() and shutil.which("systemd-run")):
            raise LimitError("systemd scope: systemd is not running here")
        user = [] if os.geteuid() == 0 else ["--user"]
        self._limit_bytes = limit_bytes
        self._unit = f"memtest-{os.getpid()}-{os.urandom(4).hex()}.scope"
        self._systemctl = ["systemctl", *user]
        run = [
            "systemd-run",
            *user,
            "--scope",
            "--quiet",
            "--collect",
            f"--property=MemoryMax={limit_bytes}",
            "--property=MemorySwapMax=0",
            "--property=Delegate=yes",
        ]
        trial = subprocess.run([*run, "true"], capture_output=True, text=True, check=False)
        if trial.returncode != 0:
            raise LimitError(f"systemd scope: {trial.stderr.strip()}")
        self.wrapper = [*run, f"--unit={self._unit}", "/bin/sh", "-c", self._HOLD, "sh"]
        self._janitor = Janitor('"$@"; exit 0', "sh", *self._systemctl, "stop", self._unit)

    def usage(self) -> Usage:
        for _, mount in mounts(V2, MOUNTINFO):
            directory = mount / self._group().lstrip("/")
            if (directory / V2.limit).exists():
                if (directory / V2.limit).read_text().strip() != str(self._limit_bytes):
                    raise LimitError(f"systemd scope: {self._unit} does not have the limit that was set")
                return read_usage(directory, V2)
        raise LimitError(f"systemd scope: there is no memory accounting for {self._unit}")

    def close(self) -> None:
        self._janitor.call()

    def _group(self) -> str:
        command = [*self._systemctl, "show", "--property=ControlGroup", "--value", self._unit]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        return shown.stdout.strip()
