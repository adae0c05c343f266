"""A simulated meter: real Modbus RTU slaves on a pseudo terminal, with faults on demand.

Anything that reads a serial meter can be pointed at `SimulatedMeter.port`. It lays out registers by
the node's own profile files, but shares no line with the node's master, so that each checks the other.
"""

from .fault import Fault
from .terminal import SimulatedMeter

__all__ = ["Fault", "SimulatedMeter"]
