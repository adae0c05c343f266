"""`python -m host_tools.meter.compare`: the cost of three Modbus RTU masters (see edge/meter/rtu.py).

Memory: what importing the master, including pyserial, adds to a process with paho-mqtt, orjson and the bus
settings. Time: one request for 36 registers (18 floats) of a simulated SDM630, answered at once and at 9600
baud; its CPU time; the time lost by a wrong checksum and by garbage. Needs the `dev` extra.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from edge.meter.rtu import RtuMaster
from edge.meter.settings import BusSettings

from .fault import MeterFault
from .terminal import SimulatedMeter

FUNCTION, START, COUNT = 4, 0, 36
TIMEOUT_S = 0.5

IMPORTS = {
    "ours": "import edge.meter.rtu",
    "minimalmodbus": "import minimalmodbus",
    "pymodbus": "from pymodbus.client import ModbusSerialClient",
}

_RESIDENT = """
def resident_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
import edge, orjson, paho.mqtt.client, sys, types
room = sys.modules["edge.meter"] = types.ModuleType("edge.meter")  # the package would import all of the room
room.__path__ = [edge.__path__[0] + "/meter"]
import edge.clock, edge.meter.settings
before_kb = resident_kb()
{statement}
print(resident_kb() - before_kb)
"""


def import_kb(statement: str) -> float:
    """Memory added by an import statement, in kB: the median of five new processes."""

    def once() -> int:
        command = [sys.executable, "-c", _RESIDENT.format(statement=statement)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    return median(once() for _ in range(5))


def _ours(port: str) -> tuple[Callable[[], Any], Callable[[], None]]:
    from edge.meter.port import SerialPort

    line = SerialPort(BusSettings(name="compare", port=port, timeout_s=TIMEOUT_S))
    master = RtuMaster(line, TIMEOUT_S)
    return lambda: master.read_registers(1, FUNCTION, START, COUNT), line.close


def _minimalmodbus(port: str) -> tuple[Callable[[], Any], Callable[[], None]]:
    import minimalmodbus

    instrument = minimalmodbus.Instrument(port, 1)
    instrument.serial.baudrate = 9600
    instrument.serial.timeout = TIMEOUT_S
    return lambda: instrument.read_registers(START, COUNT, FUNCTION), instrument.serial.close


def _pymodbus(port: str) -> tuple[Callable[[], Any], Callable[[], None]]:
    from pymodbus.client import ModbusSerialClient

    client = ModbusSerialClient(port, baudrate=9600, timeout=TIMEOUT_S)
    client.connect()
    return lambda: client.read_input_registers(START, count=COUNT, device_id=1), client.close


READERS = {"ours": _ours, "minimalmodbus": _minimalmodbus, "pymodbus": _pymodbus}


def read_ms(name: str, baud: int | None, times: int, fault: MeterFault | None = None) -> tuple[float, float]:
    """Median wall and CPU time of reading the block, in ms; with `fault`, of a failing read."""
    with SimulatedMeter({1: "sdm630"}, lambda address, now_s: 1200.0, baud=baud) as meter:
        read, close = READERS[name](meter.port)
        read()
        wall_ms, processor_ms = [], []
        for _ in range(times):
            if fault is not None:
                meter.inject(1, fault, count=1)
            begun_s, busy_s = time.perf_counter(), time.thread_time()
            try:
                read()
            except Exception:  # masters raise various exceptions for a bad frame
                assert fault is not None
            wall_ms.append((time.perf_counter() - begun_s) * 1000)
            processor_ms.append((time.thread_time() - busy_s) * 1000)
        close()
    return median(wall_ms), median(processor_ms)


def main() -> int:
    """Measure all masters and print a table."""
    columns = ("import kB", "read ms", "at 9600", "CPU ms", "bad CRC", "garbage")
    print(" " * 14, *(f"{each:>9}" for each in columns))
    for name, statement in IMPORTS.items():
        at_once_ms, processor_ms = read_ms(name, None, 100)
        at_9600_ms, _ = read_ms(name, 9600, 10)
        bad_crc_ms, _ = read_ms(name, None, 5, MeterFault.BAD_CRC)
        garbage_ms, _ = read_ms(name, None, 1, MeterFault.GARBAGE)
        row = (import_kb(statement), at_once_ms, at_9600_ms, processor_ms, bad_crc_ms, garbage_ms)
        print(f"{name:14}", *(f"{each:9.2f}" for each in row), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
