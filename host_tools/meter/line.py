"""The slaves on one simulated line: which one answers a request, with which fault, and when.

It has no terminal and no thread: tests drive it with a virtual clock, `SimulatedMeter` on a pseudo terminal.
"""

import random
from collections.abc import Callable, Mapping

from edge.meter.crc import crc16
from edge.meter.profile import load_profile

from .fault import FaultPlan, MeterFault
from .slave import Slave, sealed

REQUEST_BYTES = 8  # the same for all supported functions
LATE_S = 0.8
GARBAGE_S = 1.5
DEVICE_FAILURE = 4

PowerOf = Callable[[int, float], float]  # slave address, seconds -> W
TimedBytes = list[tuple[float, bytes]]  # (delay in s, bytes)


class Unplugged(Exception):
    """The adapter is unplugged at this moment."""


class SimulatedLine:
    """`profiles`: profile name or path by slave address; `power_w`: the power that each slave measures."""

    def __init__(
        self, profiles: Mapping[int, str], power_w: PowerOf, rng: random.Random, now_s: float
    ) -> None:
        """Raises ProfileError."""
        self.slaves = {
            address: Slave(address, load_profile(name), _power_of(power_w, address), now_s)
            for address, name in profiles.items()
        }
        self.asked = dict.fromkeys(profiles, 0)
        self.faults = FaultPlan(rng)
        self._rng = rng
        self._heard = bytearray()

    def hear(self, data: bytes, now_s: float) -> TimedBytes:
        """Process received bytes; returns the answers and their delays. Raises Unplugged."""
        self._heard += data
        answer: TimedBytes = []
        while len(self._heard) >= REQUEST_BYTES:
            request = bytes(self._heard[:REQUEST_BYTES])
            if crc16(request) != 0:
                del self._heard[0]
                continue
            del self._heard[:REQUEST_BYTES]
            if request[0] in self.slaves:
                answer += self._answer(self.slaves[request[0]], request, now_s)
        return answer

    def silence(self) -> None:
        """The line was silent: discard an incomplete request."""
        self._heard.clear()

    def _answer(self, slave: Slave, request: bytes, now_s: float) -> TimedBytes:
        self.asked[slave.address] += 1
        frame = slave.answer(request, now_s)
        match self.faults.draw(slave.address):
            case None:
                return [(0.0, frame)]
            case MeterFault.SILENT:
                return []
            case MeterFault.BAD_CRC:
                return [(0.0, frame[:-1] + bytes((frame[-1] ^ 0x55,)))]
            case MeterFault.WRONG_SLAVE:
                return [(0.0, sealed(bytes((slave.address % 247 + 1,)) + frame[1:-2]))]
            case MeterFault.WRONG_FUNCTION:
                return [(0.0, sealed(frame[:1] + bytes((frame[1] ^ 0x07,)) + frame[2:-2]))]
            case MeterFault.EXCEPTION:
                return [(0.0, slave.exception(request[1], DEVICE_FAILURE))]
            case MeterFault.SHORT:
                return [(0.0, frame[:-3])]
            case MeterFault.LONG:
                return [(0.0, frame + self._rng.randbytes(4))]
            case MeterFault.LATE:
                return [(LATE_S, frame)]
            case MeterFault.GARBAGE:
                return [(each / 100, self._rng.randbytes(40)) for each in range(int(GARBAGE_S * 100))]
            case MeterFault.UNPLUG:
                raise Unplugged


def _power_of(power_w: PowerOf, address: int) -> Callable[[float], float]:
    return lambda now_s: power_w(address, now_s)
