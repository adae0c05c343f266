"""The sections `[[bus]]`, `[[meter]]` and `[[relay]]` of a configuration."""

from dataclasses import dataclass
from typing import Annotated

from ..option import NAME, OneOf, Within


@dataclass(frozen=True, slots=True, kw_only=True)
class BusSettings:
    """A serial line (RS-485) with Modbus RTU devices on it."""

    name: Annotated[str, NAME, "name of the serial line"]
    port: Annotated[str, "its device file, such as /dev/ttyUSB0"]
    baud: Annotated[int, Within(1200, 115200), "bits per second"] = 9600
    parity: Annotated[str, OneOf("N", "E", "O"), "parity: none, even or odd"] = "N"
    stop_bits: Annotated[int, OneOf(1, 2), "number of stop bits"] = 1
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
