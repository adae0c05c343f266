"""Simulated meters: real Modbus RTU slaves on a pseudo terminal, with faults on request.

Any program that reads a serial meter can open `SimulatedMeter.port`. The registers follow the node's own
profile files, but the code is independent of the node's master, so that each checks the other.
"""

from .fault import MeterFault
from .terminal import SimulatedMeter

__all__ = ["MeterFault", "SimulatedMeter"]
