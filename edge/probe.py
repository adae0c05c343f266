"""The command `probe`: finds the meters on a line and prints the TOML to paste.

Exit codes: 0 every slave that answers has a profile, 1 nothing answers or a slave has no profile, 2 wrong
usage, 3 the port cannot be opened (no such adapter, no permission, or a node uses it).
"""

import argparse
import re
import sys
from collections.abc import Callable

from .clock import SystemClock
from .meter.errors import PortLost
from .meter.port import Port
from .meter.ports import open_port
from .meter.probe import SPEEDS, as_toml, probe
from .meter.settings import BusSettings
from .option import options_of

FOUND, NOTHING, WRONG, NO_PORT = 0, 1, 2, 3


def run(options: argparse.Namespace, open_port: Callable[[BusSettings], Port] = open_port) -> int:
    """Run the command; returns the exit code."""
    try:
        addresses = _addresses(options.addresses)
        bus = _bus(options)
    except ValueError as error:
        print(error, file=sys.stderr)
        return WRONG
    speeds = [
        (options.baud or baud, options.parity or parity)
        for baud, parity in SPEEDS
        if (not options.parity or parity == options.parity or options.baud)
    ]
    if "://" in options.port:  # a gateway knows its own
        speeds = speeds[:1]
    try:
        result = probe(bus, addresses, list(dict.fromkeys(speeds)), SystemClock(), open_port, _progress())
    except PortLost as error:
        print(f"\n{options.port}: cannot be opened: {error}", file=sys.stderr)
        return NO_PORT
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if result is None:
        print(
            "nothing answers: check power, A and B (try to swap them), the addresses, and --timeout 1",
            file=sys.stderr,
        )
        return NOTHING
    print(as_toml(result), end="")
    return FOUND if all(each.profiles for each in result.slaves) else NOTHING


def _bus(options: argparse.Namespace) -> BusSettings:
    """Raises ValueError."""
    values = {"port": options.port, "stop_bits": options.stop_bits, "timeout_s": options.timeout}
    if options.baud:
        values["baud"] = options.baud
    known = {option.key: option for option in options_of(BusSettings)}
    for key, value in values.items():
        if refusal := known[key].refusal(value):
            raise ValueError(f"{key} = {value!r}: {refusal}")
    return BusSettings(name="rs485", **values)


def _progress() -> Callable[[str], None]:
    """On a terminal one line that changes; otherwise one line for each speed."""
    said: set[str] = set()

    def tell(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text:78}", end="", file=sys.stderr, flush=True)
        elif (speed := text.partition(":")[0]) not in said:
            said.add(speed)
            print(speed, file=sys.stderr, flush=True)

    return tell


def _addresses(text: str) -> list[int]:
    """1-16 or 1,2,40-60 as numbers. Raises ValueError."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip())
        if not match:
            raise ValueError(f"--addresses {text!r}: must be numbers such as 1-16 or 1,2,40-60")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not found or min(found) < 1 or max(found) > 247:
        raise ValueError(f"--addresses {text!r}: addresses are 1 to 247")
    return list(dict.fromkeys(found))
