"""The network between the namespaces of nodes: one Ethernet segment that delays, loses and separates.

Two kinds:

- `bridge`: a veth pair for each node and bridges of the kernel, in a namespace of their own; `tc netem` at
  each node delays and loses. A part of the network is a bridge of its own.
- `switch`: a TAP device for each node, and a process that carries the frames (switch.py), for kernels without
  netem.
"""

import fcntl
import json
import os
import struct
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..broker import die_with_parent
from .namespace import Namespace, NetnsError

INTERFACE = "eth0"  # of each node
_SET_TAP = 0x400454CA  # TUNSETIFF
_TAP = 0x1002  # IFF_TAP | IFF_NO_PI
_END_S = 5.0


class Fabric(Protocol):
    """The segment."""

    kind: str

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        """Let nothing pass between these parts; without parts all are one again. Raises NetnsError."""

    def close(self) -> dict[str, Any]:
        """End it; returns what it has counted."""


def address(number: int) -> str:
    """The address of the n-th node."""
    return f"10.77.{number // 250}.{number % 250 + 1}"


def has_netem() -> bool:
    """Whether this kernel has `tc netem`. Raises NetnsError."""
    space = Namespace()
    try:
        space.run(_netem("lo", 1.0, 0.0))
    except NetnsError as error:
        if "unknown" in str(error):  # "Specified qdisc kind is unknown."
            return False
        raise
    finally:
        space.close()
    return True


def make(spaces: dict[str, Namespace], delay_ms: float, loss: float) -> Fabric:
    """Connect the namespaces. Raises NetnsError."""
    shapes = delay_ms > 0 or loss > 0
    fabric: Fabric = Switch(spaces, delay_ms, loss) if shapes and not has_netem() else Bridges(spaces)
    for number, space in enumerate(spaces.values()):
        space.ip(f"addr add {address(number)}/16 dev {INTERFACE}", f"link set {INTERFACE} up")
        if shapes and isinstance(fabric, Bridges):
            space.run(_netem(INTERFACE, delay_ms, loss))
            fabric.kind = "bridge, tc netem"
    return fabric


def _netem(interface: str, delay_ms: float, loss: float) -> list[str]:
    shape = ["delay", f"{delay_ms:g}ms", "loss", f"{100 * loss:g}%", "limit", "10000"]
    return ["tc", "qdisc", "add", "dev", interface, "root", "netem", *shape]


class Bridges:
    """Bridges of the kernel."""

    def __init__(self, spaces: dict[str, Namespace]) -> None:
        """Raises NetnsError."""
        self.kind = "bridge"
        self._space = Namespace()
        self._ports = {name: f"p{number}" for number, name in enumerate(spaces)}
        self._bridges = 0
        self._bridge()
        for name, space in spaces.items():
            port = self._ports[name]
            self._space.ip(
                f"link add {port} type veth peer name {INTERFACE} netns {space.path}",
                f"link set {port} master b0",
                f"link set {port} up",
            )

    def _bridge(self) -> None:
        self._space.ip(f"link add b{self._bridges} type bridge", f"link set b{self._bridges} up")
        self._bridges += 1

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        while self._bridges < len(parts):
            self._bridge()
        at = {name: number for number, part in enumerate(parts) for name in part}
        self._space.ip(*(f"link set {port} master b{at.get(name, 0)}" for name, port in self._ports.items()))

    def close(self) -> dict[str, Any]:
        self._space.close()
        return {}


class Switch:
    """A process that carries the frames."""

    kind = "user-space switch"

    def __init__(self, spaces: dict[str, Namespace], delay_ms: float, loss: float) -> None:
        """Raises NetnsError."""
        self._ports = {name: number for number, name in enumerate(spaces)}
        numbers: list[int] = []
        try:
            numbers.extend(_tap(space) for space in spaces.values())
            program = [sys.executable, "-m", "host_tools.netns.switch", str(delay_ms / 1000), str(loss)]
            self._process = subprocess.Popen(
                [*program, *map(str, numbers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=numbers,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
            )
        finally:
            for number in numbers:
                os.close(number)
        self.separate(())

    def separate(self, parts: Sequence[Collection[str]]) -> None:
        part = {self._ports[name]: number for number, each in enumerate(parts) for name in each}
        commands, answers = self._process.stdin, self._process.stdout
        assert commands is not None
        assert answers is not None
        try:
            commands.write(json.dumps(part) + "\n")
            commands.flush()
        except OSError:
            raise NetnsError("the switch has ended") from None
        if not answers.readline():
            raise NetnsError("the switch has ended")

    def close(self) -> dict[str, Any]:
        try:
            told, _ = self._process.communicate(timeout=_END_S)
            found: dict[str, Any] = json.loads(told.splitlines()[-1])
            return found
        except (subprocess.TimeoutExpired, ValueError, IndexError, OSError):
            self._process.kill()
            self._process.wait()
            return {}


def _tap(space: Namespace) -> int:
    """A TAP device in a namespace, as the number of its open file. Raises NetnsError."""
    with space.entered():
        try:
            number = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(number, _SET_TAP, struct.pack("16sH22x", INTERFACE.encode(), _TAP))
        except OSError as error:
            raise NetnsError(f"/dev/net/tun: {error.strerror}") from None
    return number
