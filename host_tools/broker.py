"""One MQTT broker for one node on this machine; each real node also runs its own broker."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from .setup.debs import SetupError
from .setup.find_broker import BrokerProgram, find_broker

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 3.0
LOG_TAIL_LINES = 8
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: not safe after a fork

_PORTS = range(20_000, 32_000)  # below the ports that Linux uses for outgoing connections
_BLOCK = 500  # ports that one process claims at a time
_unused: list[int] = []
_claims: list[socket.socket] = []


class BrokerError(RuntimeError):
    """A broker is not available or does not start; the message says why."""


class Broker:
    """A broker on a loopback port, with its files in `directory`; a context manager.

    It is killed when the thread that started it ends, so start it from the main thread.
    """

    def __init__(
        self,
        name: str,
        port: int,
        directory: Path,
        *,
        max_packet_bytes: int = 256 * 1024,
        program: BrokerProgram | None = None,
    ) -> None:
        """Raises BrokerError if no broker can be found or downloaded and `program` is not given."""
        self.name = name
        self.port = port
        self._directory = directory
        self._max_packet_bytes = max_packet_bytes
        try:
            self.program = program or find_broker()
        except SetupError as error:
            raise BrokerError(str(error)) from error
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it is running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it and wait until it accepts connections. Raises BrokerError with the end of its log."""
        if not _is_free(self.port):
            raise BrokerError(f"broker of {self.name}: port {self.port} is in use")
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration, log = self._path(self.program.suffix), self._path("log")
        configuration.write_text(self.program.configuration(self.port, self._max_packet_bytes, log))
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self.program.command, str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.program.environment},
                start_new_session=True,  # Ctrl-C reaches only this process, which then stops the broker
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )
        self._wait_until_it_accepts(self._process)

    def stop(self) -> None:
        """Stop it regularly; clients are disconnected."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _path(self, suffix: str) -> Path:
        return self._directory / f"broker-{self.name}.{suffix}"

    def _wait_until_it_accepts(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline_s:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.kill()
        tail = self._path("log").read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        raise BrokerError(
            "\n  ".join(
                [
                    f"broker of {self.name} ({self.program.name}) accepts no connection on port {self.port}:",
                    *tail,
                ]
            )
        )

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def die_with_parent() -> None:
    """For a child process before exec: be killed when the thread that started it ends (Linux)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port() -> int:
    """A free TCP port on loopback that no outgoing connection will use meanwhile.

    Each port is given once, and no other process that uses this function gets it while this one runs.
    """
    while True:
        if not _unused:
            _claim_block()
        port = _unused.pop()
        if _is_free(port):
            return port


def _claim_block() -> None:
    """Claim ports for this process, until it ends, by a name that only one process can have."""
    dice = random.SystemRandom()
    for first in dice.sample(_PORTS[::_BLOCK], len(_PORTS[::_BLOCK])):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            if sys.platform == "linux":  # abstract names exist on Linux only
                claim.bind(f"\0microgrid-edge-ports-{first}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        _unused.extend(dice.sample(range(first, first + _BLOCK), _BLOCK))
        return
    raise BrokerError(f"no free port between {_PORTS.start} and {_PORTS.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
