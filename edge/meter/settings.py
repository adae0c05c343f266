"""The sections `[[bus]]`, `[[meter]]`, `[[relay]]` and `[[contact]]` of a configuration."""

from dataclasses import dataclass
from typing import Annotated

from ..option import NAME, Matching, OneOf, Within

PORT = Matching(
    r"(?!.*://).+|(tcp|socket)://(\[[0-9A-Fa-f:.]+\]|[^/:\[\]\s]+)"
    r"(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?",
    "a device file, tcp://HOST:PORT (Modbus TCP) or socket://HOST:PORT (RTU frames over TCP)",
)
PAUSE_S = 0.1  # some meters are deaf for 60 to 100 ms after any frame on the line


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """A line with Modbus devices on it: RS-485, or a gateway in the network.

    A file that does not state speed, parity, stop bits or pause gets those that the profiles of its meters
    know (`config/check.py`).
    """

    name: Annotated[str, NAME, "name of the line"]
    port: Annotated[
        str,
        PORT,
        "its device file, such as /dev/ttyUSB0; or tcp://HOST:502 (Modbus TCP); or socket://HOST:PORT (RTU)",
    ]
    baud: Annotated[
        int, Within(1200, 115200), "bits per second; if not given, what the meters' profiles know"
    ] = 9600
    parity: Annotated[
        str, OneOf("N", "E", "O"), "parity: none, even or odd; if not given, what the profiles know"
    ] = "N"
    stop_bits: Annotated[int, OneOf(1, 2), "number of stop bits; if not given, what the profiles know"] = 1
    pause_s: Annotated[
        float,
        Within(0.0, 1.0),
        "silence before each request; if not given, what the profiles need and the sampling periods allow",
    ] = PAUSE_S
    timeout_s: Annotated[float, Within(0.05, 5.0), "silence after a request that counts as no answer"] = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """A meter on a bus. Its inputs are then called "meter.total", "meter.l1" and so on."""

    name: Annotated[str, NAME, "name of the meter"]
    bus: Annotated[str, NAME, "the bus it is connected to"]
    address: Annotated[int, Within(1, 247), "its Modbus address"]
    profile: Annotated[str, "its register map: the name of a shipped profile, or a file"]
    power_period_s: Annotated[float, Within(0.05, 3600.0), "time between two readings of power"] = 10.0
    record_period_s: Annotated[float, Within(0.5, 3600.0), "time between two readings of everything"] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """A relay on a bus: one coil of a Modbus device."""

    name: Annotated[str, NAME, "name of the relay"]
    bus: Annotated[str, NAME, "the bus it is connected to"]
    address: Annotated[int, Within(1, 247), "Modbus address of the relay board"]
    coil: Annotated[int, Within(0, 65535), "number of its coil"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSettings:
    """A contact at a GPIO line of the board. Its input is then called "contact.closed": 1 or 0."""

    name: Annotated[str, NAME, "name of the contact"]
    line: Annotated[int, Within(0, 1023), "number of its line; on a Raspberry Pi that of the GPIO"]
    chip: Annotated[str, Matching(r"/dev/gpiochip[0-9]{1,3}", "a GPIO chip"), "its chip"] = "/dev/gpiochip0"
    closed: Annotated[
        str, OneOf("low", "high"), "level of the line while the contact is closed: to ground, or to 3.3 V"
    ] = "low"
