"""Finds an MQTT broker that this machine can run, and downloads one if there is none.

The order is: the installed Mosquitto; Mosquitto from Debian's packages, unpacked without root; iotcore from
PyPI, for `make run` only, as it ignores a client's packet limit and retain handling. Our links use MQTT 5,
so pure Python brokers, which support 3.1.1 only, cannot be used.
"""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .debs import TOOLS, SetupError, one_at_a_time, run, unpack

_SEARCH = os.pathsep.join(["/usr/sbin", "/usr/local/sbin"])  # on Debian not in a user's PATH


class NoBrokerError(SetupError):
    """No broker was found or could be downloaded."""


@dataclass(frozen=True)
class BrokerProgram:
    """How to run a broker: the path of a file with the text of `configuration` is appended to `command`.

    `configuration(port, max_packet_bytes, log)` returns the text of that file.
    """

    name: str
    command: tuple[str, ...]
    configuration: Callable[[int, int, Path], str]
    environment: Mapping[str, str] = field(default_factory=dict)
    suffix: str = "conf"  # rumqttd reads the format from it


@cache
def find_broker() -> BrokerProgram:
    """The first broker that is available. Raises NoBrokerError, which lists what was tried."""
    problems = []
    for find in (installed_mosquitto, unpacked_mosquitto, iotcore_from_pypi):
        try:
            return find()
        except SetupError as problem:
            problems.append(f"  {find.__name__}: {problem}")
    raise NoBrokerError(
        "\n".join(["no MQTT broker found; install one, for example: apt-get install mosquitto", *problems])
    )


def installed_mosquitto() -> BrokerProgram:
    """Mosquitto on the PATH, or in the folder where Debian installs it."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path=_SEARCH)
    if path is None:
        raise SetupError("not installed")
    return BrokerProgram(f"Mosquitto ({path})", (path, "-c"), mosquitto_configuration)


@one_at_a_time()
def unpacked_mosquitto() -> BrokerProgram:
    """Mosquitto from Debian's packages in our own directory."""
    root = TOOLS / "mosquitto"
    program = root / "usr" / "sbin" / "mosquitto"
    if not program.exists():
        unpack("mosquitto", root)
    libraries = sorted({str(path.parent) for path in (root / "usr" / "lib").rglob("*.so*")})
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    return BrokerProgram(
        f"Mosquitto unpacked in {root}", (str(program), "-c"), mosquitto_configuration, environment
    )


@one_at_a_time()
def iotcore_from_pypi() -> BrokerProgram:
    """rumqttd from the PyPI package iotcore, which is installed into this Python if it is missing."""
    if importlib.util.find_spec("iotcore") is None:
        run([sys.executable, "-m", "pip", "install", "--quiet", "iotcore>=0.4,<1"])
    command = (sys.executable, "-m", "iotcore", "--log-level", "ERROR", "--config")
    return BrokerProgram("iotcore (PyPI)", command, iotcore_configuration, suffix="toml")


def mosquitto_configuration(port: int, max_packet_bytes: int, log: Path) -> str:
    """Loopback only, nothing stored on disk, bounded queues; without set_tcp_nodelay a frame takes 40 ms."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "set_tcp_nodelay true",
        "persistence false",
        "max_queued_messages 64",
        "max_queued_bytes 4194304",
        f"max_packet_size {max_packet_bytes}",
        f"log_dest file {log}",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # changing the user would clear the death signal and close the log
    return "\n".join(lines) + "\n"


def iotcore_configuration(port: int, max_packet_bytes: int, log: Path) -> str:
    """The same for rumqttd; its default limit of 20 kB a message would reject our frames."""
    return f"""\
id = 0

[router]
id = 0
max_connections = 64
max_outgoing_packet_count = 64
max_segment_size = 1048576
max_segment_count = 4

[v5.1]
name = "node"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {max_packet_bytes}
max_inflight_count = 64
"""
