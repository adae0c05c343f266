"""Access to a node as the operator over ssh: commands and the service's HTTP server."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVICE_GROUP = "/sys/fs/cgroup/system.slice/edge.service"  # the control group of the service
_COMMAND_S = 60.0
_NOT_REACHED, _ATTEMPTS = 255, 3  # exit code of ssh itself; an emulated machine may be slow to answer


class GuestError(RuntimeError):
    """The node did not answer as expected."""


class Guest:
    """A node behind a forwarded ssh port."""

    def __init__(self, port: int, key: Path, known_hosts: Path) -> None:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "20",
            "IdentitiesOnly": "yes",
            "LogLevel": "ERROR",
            "StrictHostKeyChecking": "accept-new",  # detects a host key that changes after a restart
            "UserKnownHostsFile": str(known_hosts),
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        self.port, self.key = port, key
        self._ssh = ["ssh", "-F", "none", "-p", str(port), "-i", str(key), *words, "operator@127.0.0.1"]

    def run(self, command: str) -> str:
        """Run a shell command and return its standard output. Raises GuestError."""
        for _ in range(_ATTEMPTS):
            try:
                done = subprocess.run(
                    [*self._ssh, command], capture_output=True, text=True, timeout=_COMMAND_S, check=False
                )
            except subprocess.TimeoutExpired:
                raise GuestError(f"no answer within {_COMMAND_S:g} s: {command}") from None
            if done.returncode != _NOT_REACHED:
                break
        if done.returncode:
            raise GuestError(f"{command}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def ask(self, path: str) -> Any:
        """GET JSON from the service's HTTP server, which listens on loopback only. Raises GuestError."""
        line = f"GET /api/v1{path} HTTP/1.0\\r\\n\\r\\n"
        request = f"exec 3<>/dev/tcp/127.0.0.1/8080 && printf '{line}' >&3 && cat <&3"
        head, _, body = self.run(request).partition("\n\n")
        if " 200 " not in head.partition("\n")[0]:
            raise GuestError(f"{path}: {head.partition(chr(10))[0]}")
        return json.loads(body)

    def wait_for(
        self, what: str, seconds: float, look: Callable[[], Any], going_on: Callable[[], bool]
    ) -> Any:
        """Call `look` until its result is true and return that. Raises GuestError after `seconds`."""
        deadline_s, last = time.monotonic() + seconds, "no answer"
        while time.monotonic() < deadline_s:
            if not going_on():
                raise GuestError(f"{what}: the machine has stopped")
            try:
                if answer := look():
                    return answer
                last = "not yet"
            except (GuestError, ValueError) as error:
                last = str(error)
            time.sleep(2.0)
        raise GuestError(f"{what}: not within {seconds:g} s; last result: {last}")
