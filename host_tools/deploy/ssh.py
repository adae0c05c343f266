"""One connection to a node: OpenSSH's own client, shared by all commands of a deployment.

A node that is met for the first time is believed to be who it says, and remembered under its name; after that
another key is refused.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_CONNECT_S, _SILENCE_S = 10, 5
_LOST = 255  # the exit code of ssh itself
_REASONS = {
    "Permission denied": "the node refuses our key: is it the operator's? (--identity FILE)",
    "IDENTIFICATION HAS CHANGED": "another machine answers: its host key is not the one known for this node",
    "Host key verification failed": "its host key cannot be checked",
    "Connection refused": "nothing listens there: is it up, and the port right? (--port)",
    "Could not resolve": "no such name: is the node on, and in this network? (--host)",
    "timed out": "no answer: is it on, and in this network?",
    "No route to host": "no way to it: is it on, and in this network?",
    "Network is unreachable": "this machine has no network",
}


class Unreachable(Exception):
    """There is no connection, or it was lost."""


class Failed(Exception):
    """A command on the node failed. `code` is its exit code, the message what it said."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said or f"exit code {code}")
        self.code = code


@dataclass(frozen=True)
class Address:
    """Where and as whom to log in. `name`: under which the host key is remembered."""

    name: str
    host: str
    port: int = 22
    user: str = "operator"
    identity: Path | None = None
    known_hosts: Path | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + (f" port {self.port}" if self.port != 22 else "")

    def words(self) -> list[str]:
        """The command line up to the host."""
        options = {
            "BatchMode": "yes",
            "Compression": "yes",
            "ConnectTimeout": str(_CONNECT_S),
            "ServerAliveInterval": str(_SILENCE_S),
            "ServerAliveCountMax": "3",
            "StrictHostKeyChecking": "accept-new",
            "HostKeyAlias": f"microgrid-{self.name}",
        }
        if self.known_hosts:
            options["UserKnownHostsFile"] = str(self.known_hosts)
        words = ["ssh", "-T", "-p", str(self.port), "-l", self.user]
        if self.identity:
            words += ["-i", str(self.identity), "-o", "IdentitiesOnly=yes"]
        return words + [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


class Connection:
    """Commands on a node."""

    def __init__(self, address: Address, control: Path) -> None:
        """`control` is the socket that all of them share."""
        self._ssh = [
            *address.words(),
            "-o",
            "ControlMaster=auto",
            "-o",
            f"ControlPath={control}",
            "-o",
            "ControlPersist=60",
            address.host,
        ]
        self._end = [*address.words(), "-o", f"ControlPath={control}", "-O", "exit", address.host]

    def run(self, command: str, given: bytes = b"") -> str:
        """What a command prints. Raises Failed, Unreachable."""
        done = subprocess.run([*self._ssh, command], input=given, capture_output=True, check=False)
        _check(done.returncode, done.stderr)
        return done.stdout.decode(errors="replace")

    def send(self, command: str, write: Callable[[IO[bytes]], None]) -> None:
        """Run a command whose input `write` produces. Raises Failed, Unreachable."""
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [*self._ssh, command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
            ) as process,
        ):
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # the reason stands in what it said
                try:
                    write(process.stdin)
                finally:
                    process.stdin.close()
            code = process.wait()
            said.seek(0)
            _check(code, said.read())

    def follow(self, command: str, line: Callable[[str], None]) -> None:
        """Run a command and hand over each line it prints. Raises Failed, Unreachable."""
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [*self._ssh, command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            for each in process.stdout:
                line(each.rstrip())
            code = process.wait()
            said.seek(0)
            _check(code, said.read())

    def close(self) -> None:
        """End the shared connection."""
        subprocess.run(self._end, capture_output=True, check=False)


@contextmanager
def connected(address: Address) -> Iterator[Connection]:
    """A connection for as long as it is wanted; it is made by the first command."""
    with tempfile.TemporaryDirectory(prefix="edge-", dir=os.environ.get("XDG_RUNTIME_DIR")) as folder:
        connection = Connection(address, Path(folder) / "s")
        try:
            yield connection
        finally:
            connection.close()


def _check(code: int, stderr: bytes) -> None:
    if code == 0:
        return
    said = stderr.decode(errors="replace").strip()
    if code != _LOST:
        raise Failed(code, said)
    reason = next((reason for words, reason in _REASONS.items() if words in said), "the connection was lost")
    raise Unreachable(f"{reason}\n{said}" if said else reason)
