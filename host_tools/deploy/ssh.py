"""One connection to a node through the OpenSSH client, shared by all commands of a deployment.

The host key of a new node is accepted at the first connection and stored under the node's name; a different
key is rejected afterwards.
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
    "Permission denied": "the node rejected the key: is it that of the operator? (--identity FILE)",
    "IDENTIFICATION HAS CHANGED": "not the known host key of this node: another machine may be answering",
    "Host key verification failed": "the host key cannot be verified",
    "Connection refused": "connection refused: is the node running, and is the port right? (--port)",
    "Could not resolve": "unknown host name: is the node on and in this network? (--host)",
    "timed out": "no answer: is the node on and in this network?",
    "No route to host": "no route to the node: is it on and in this network?",
    "Network is unreachable": "this machine has no network",
}


class Unreachable(Exception):
    """There is no connection, or it was lost."""


class Failed(Exception):
    """A command on the node failed. `code` is its exit code, the message its error output."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said or f"exit code {code}")
        self.code = code


@dataclass(frozen=True)
class Address:
    """Host and user of a login; the host key is stored under `name`."""

    name: str
    host: str
    port: int = 22
    user: str = "operator"
    identity: Path | None = None
    known_hosts: Path | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + (f" port {self.port}" if self.port != 22 else "")

    def words(self) -> list[str]:
        """The ssh command line without the host."""
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
    """Runs commands on a node."""

    def __init__(self, address: Address, control: Path) -> None:
        """`control`: the socket of the shared connection."""
        shared = [*address.words(), "-o", f"ControlPath={control}"]
        self._ssh = [*shared, "-o", "ControlMaster=auto", "-o", "ControlPersist=60", address.host]
        self._end = [*shared, "-O", "exit", address.host]

    def run(self, command: str, given: bytes = b"") -> str:
        """Run a command and return its output. Raises Failed, Unreachable."""
        done = subprocess.run([*self._ssh, command], input=given, capture_output=True, check=False)
        _check(done.returncode, done.stderr)
        return done.stdout.decode(errors="replace")

    def send(self, command: str, write: Callable[[IO[bytes]], None]) -> None:
        """Run a command; `write` produces its input. Raises Failed, Unreachable."""
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(
                [*self._ssh, command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
            ) as process,
        ):
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # the reason is in its error output
                try:
                    write(process.stdin)
                finally:
                    process.stdin.close()
            code = process.wait()
            said.seek(0)
            _check(code, said.read())

    def follow(self, command: str, line: Callable[[str], None]) -> None:
        """Run a command and call `line` with each line of its output. Raises Failed, Unreachable."""
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
    """A connection that is opened by the first command and closed at the end."""
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
