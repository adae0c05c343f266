"""The errors of a bus: of the line, the frame and the slave. `kind` is the name of the error counter."""


class BusError(Exception):
    """A transaction failed."""

    kind = "bus_error"


class PortLost(BusError):
    """The serial port is missing or was lost: unplugged, not permitted, hung up."""

    kind = "port_lost"


class Noise(BusError):
    """The line was never silent, so no request could be sent."""

    kind = "noise"


class NoAnswer(BusError):
    """No byte was received before the deadline."""

    kind = "no_answer"


class BadCrc(BusError):
    """A frame of the right length with a wrong checksum."""

    kind = "bad_crc"


class WrongLength(BusError):
    """The answer does not have the expected length."""

    kind = "wrong_length"


class ShortFrame(WrongLength):
    """The answer is too short."""

    kind = "short_frame"


class LongFrame(WrongLength):
    """The answer is too long."""

    kind = "long_frame"


class WrongSlave(BusError):
    """A valid frame from a slave that was not addressed."""

    kind = "wrong_slave"


class WrongFunction(BusError):
    """A valid frame of the right slave that answers another request."""

    kind = "wrong_function"


class ForeignFrame(BusError):
    """A frame of a request that was not ours, or an answer that cannot be ours: a second master is there."""

    kind = "foreign_frame"


class SlaveException(BusError):
    """The slave refused the request; `code` is the Modbus exception (2: unknown register, 3: bad count)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"slave exception {code}")
        self.code = code
        self.kind = f"exception_{code}"

    @property
    def refuses_for_good(self) -> bool:
        """Whether the slave will never answer this request: unknown function, register or count."""
        return self.code in (1, 2, 3)


class WrongState(BusError):
    """A coil reads back another state than was written."""

    kind = "wrong_state"
