"""The port that the settings of a bus name: a serial line, or a gateway in the network."""

from .port import Port, SerialPort
from .settings import BusSettings


def open_port(settings: BusSettings) -> Port:
    """Raises PortLost."""
    scheme, found, _ = settings.port.partition("://")
    if not found:
        return SerialPort(settings)
    from .tcp import ModbusTcpPort, TcpPort  # only a bus in the network needs it

    return ModbusTcpPort(settings) if scheme == "tcp" else TcpPort(settings)
