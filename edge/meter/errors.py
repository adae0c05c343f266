"""What can go wrong on a bus, by origin: the line, the frame, the slave. `kind` is what it is counted as."""


class BusError(Exception):
    """A transaction that yielded nothing."""

    kind = "bus_error"


class PortLost(BusError):
    """The serial port is gone, or never was there: unplugged, not permitted, hung up."""

    kind = "port_lost"


class Noise(BusError):
    """The line never fell silent, so nothing could be asked."""

    kind = "noise"


class NoAnswer(BusError):
    """Not one byte came before the deadline."""

    kind = "no_answer"


class BadCrc(BusError):
    """A frame of the right length whose checksum is wrong."""

    kind = "bad_crc"


class WrongLength(BusError):
    """The answer does not have the length that the request implies."""

    kind = "wrong_length"


class ShortFrame(WrongLength):
    """The answer stopped early."""

    kind = "short_frame"


class LongFrame(WrongLength):
    """The answer went on after its end."""

    kind = "long_frame"


class WrongSlave(BusError):
    """An intact frame, from a slave that was not asked."""

    kind = "wrong_slave"


class WrongFunction(BusError):
    """An intact frame of the slave asked, answering another question."""

    kind = "wrong_function"


class SlaveException(BusError):
    """The slave understood and refused; `code` is Modbus' reason (2: no such register, 3: bad count ...)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"slave exception {code}")
        self.code = code
        self.kind = f"exception_{code}"


class WrongState(BusError):
    """A coil that was written reads back otherwise."""

    kind = "wrong_state"
