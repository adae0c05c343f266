"""Meters behind a gateway in the network: RTU frames over TCP, or Modbus TCP.

The master always speaks RTU. `ModbusTcpPort` exchanges the checksum for the header of Modbus TCP, whose
transaction number also tells a late answer from the present one.
"""

import logging
import select
import socket
import struct
import time

from .crc import crc16
from .errors import PortLost
from .port import char_s
from .settings import BusSettings

logger = logging.getLogger("edge.meter")

PORT = 502
CONNECT_S = 2.0
SEND_S = 1.0
_HEADER = struct.Struct(">HHHB")  # transaction, protocol, length with the unit, unit
_LONGEST = 254


class TcpPort:
    """RTU frames over TCP. A gateway may close an idle connection; it is then opened again."""

    def __init__(self, settings: BusSettings) -> None:
        """Connect. Raises PortLost."""
        self.char_s = char_s(settings)
        self._address = _address(settings.port)
        self._asked = False
        self._socket: socket.socket | None = None
        self._connect()

    def send(self, frame: memoryview) -> None:
        if self._socket is None:
            self._connect()
        self._asked = True
        self._write(bytes(frame))

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        data = self._read(timeout_s, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connect(self) -> None:
        try:
            self._socket = socket.create_connection(self._address, CONNECT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(SEND_S)
        except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
            self.close()
            raise PortLost(f"{self._address[0]}:{self._address[1]}: {error}") from error

    def _write(self, data: bytes) -> None:
        assert self._socket is not None
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise PortLost(str(error)) from error

    def _read(self, timeout_s: float, most: int) -> bytes:
        """What has arrived after at most `timeout_s`; nothing if the other end ended an idle connection."""
        if self._socket is None:
            time.sleep(max(0.0, timeout_s))
            return b""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        why = "the other end closed the connection"
        try:
            if not poll.poll(max(0.0, timeout_s) * 1000):
                return b""
            data = self._socket.recv(most)
        except OSError as error:
            data, why = b"", str(error)
        if data:
            self._asked = False
            return data
        self.close()
        if self._asked:
            raise PortLost(why)
        return b""


class ModbusTcpPort(TcpPort):
    """Modbus TCP, as the meters and gateways with an Ethernet socket speak it."""

    def __init__(self, settings: BusSettings) -> None:
        super().__init__(settings)
        self._transaction = 0
        self._sent = 0
        self._answered = False
        self._complained = False
        self._arrived = bytearray()
        self._ready = bytearray()

    def send(self, frame: memoryview) -> None:
        if self._socket is None:
            self._arrived.clear()
            self._connect()
        self._transaction = (self._transaction + 1) & 0xFFFF
        self._sent += 1
        self._answered = False
        self._ready.clear()
        self._asked = True
        request = bytes(frame[1:-2])
        self._write(_HEADER.pack(self._transaction, 0, len(request) + 1, frame[0]) + request)

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        until_s = time.monotonic() + max(0.0, timeout_s)
        while not self._ready:
            data = self._read(until_s - time.monotonic(), _HEADER.size + _LONGEST)
            if not data:
                return 0
            self._arrived += data
            self._unpack()
        count = min(len(self._ready), len(buffer))
        buffer[:count] = self._ready[:count]
        del self._ready[:count]
        return count

    def _unpack(self) -> None:
        """Turn the answers that have arrived as a whole into RTU frames; late ones are dropped."""
        while len(self._arrived) >= _HEADER.size:
            transaction, protocol, length, _ = _HEADER.unpack_from(self._arrived)
            if protocol != 0 or not 2 <= length <= _LONGEST:
                raise PortLost("the other end does not speak Modbus TCP")
            end = _HEADER.size - 1 + length
            if len(self._arrived) < end:
                return
            body = bytes(self._arrived[_HEADER.size - 1 : end])
            del self._arrived[:end]
            if transaction == self._transaction and not self._answered:
                self._answered = True
                self._ready += body + struct.pack("<H", crc16(body))
            elif (self._transaction - transaction) & 0xFFFF >= self._sent:
                self._complain(transaction)

    def _complain(self, transaction: int) -> None:
        """Say once why nothing seems to answer."""
        if not self._complained:
            logger.warning(
                "%s:%d answers with a transaction number that was never asked (%d): its answers are not used",
                *self._address,
                transaction,
            )
        self._complained = True


def _address(port: str) -> tuple[str, int]:
    """Host and number of "tcp://host:502". Raises PortLost."""
    place = port.partition("://")[2]
    host, _, number = place.rpartition(":") if ":" in place.rpartition("]")[2] else (place, "", "")
    if number and not (number.isdecimal() and 0 < int(number) < 0x10000):
        raise PortLost(f"{port}: {number!r} is not a port number")
    return host.strip("[]"), int(number or PORT)
