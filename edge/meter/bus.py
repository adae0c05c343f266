"""One serial bus and all that hangs on it, served by one thread, one transaction after another (DESIGN 10).

`step` is the whole logic and needs no thread: it does the most urgent poll and says when the next is due.
A failing device costs the others its timeout, once every 2, 4, 6 ... 300 s. A failing port is closed and
opened again after 1, 2, 3 ... 30 s: looking for an adapter costs nothing, and a person waits for it.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from edge.clock import Clock

from .device import Device
from .errors import BusError, PortLost, SlaveException
from .polled import PolledMeter
from .port import Port, SerialPort
from .reading import Deliver, Reading
from .relay import SwitchedRelay
from .rtu import RtuMaster
from .settings import BusSettings, MeterSettings, RelaySettings

logger = logging.getLogger("edge.meter")

REOPEN_STEP_S = 1.0
REOPEN_MAX_S = 30.0
LATE_S = 2.0  # an answer later than this no longer comes; until then a slave that failed is asked nothing
STOP_S = 2.0


def _nowhere(reading: Reading) -> None:
    """Where readings go until somebody wants them."""


class MeterBus:
    """Polls meters and switches relays.

    `deliver` is called from the bus thread; it may be set until `start`.
    """

    def __init__(
        self,
        settings: BusSettings,
        meters: Iterable[MeterSettings],
        relays: Iterable[RelaySettings],
        clock: Clock,
        deliver: Deliver = _nowhere,
        open_port: Callable[[BusSettings], Port] = SerialPort,
    ) -> None:
        """Raises ProfileError, and ValueError if two devices claim one name or two meters one address."""
        now_s = clock.now_s()
        self.settings = settings
        self.deliver = deliver
        self._clock = clock
        self._open_port = open_port
        self._meters = [PolledMeter(each, now_s) for each in meters]
        self._relays = {each.name: SwitchedRelay(each, now_s) for each in relays}
        self._devices: list[Device] = [*self._relays.values(), *self._meters]  # of two equally due, the relay
        _refuse_doubles("name", (each.health.device for each in self._devices))
        _refuse_doubles("address", (each.address for each in self._meters))
        self._port: Port | None = None
        self._master: RtuMaster | None = None
        self._port_failures = 0  # in a row, without a poll that got through
        self._reopen_s = now_s
        self._port_losses = 0
        self._late_answers = 0  # on ports that were closed since
        self._delivery_errors = 0
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()

    def start(self) -> None:
        """Serve the bus in a thread of its own."""
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError(f"bus {self.settings.name} is already served")
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, name=f"meter-{self.settings.name}", daemon=True)
        self._thread.start()

    def stop_soon(self) -> None:
        """Ask the thread to end, without waiting; nothing more is delivered."""
        self._stopping.set()
        self._wake.set()

    def stop(self) -> None:
        """Stop serving; returns within 2 s, and no reading is delivered afterwards."""
        self.stop_soon()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def switch(self, relay: str, on: bool) -> None:
        """Ask for a relay's state; returns at once, `stats` tells the outcome. Raises KeyError."""
        self._relays[relay].switch(on)
        self._wake.set()

    @property
    def devices(self) -> Sequence[str]:
        """The names of all that hangs on the bus."""
        return [each.health.device for each in self._devices]

    @property
    def relays(self) -> Sequence[str]:
        """The names that `switch` knows."""
        return list(self._relays)

    def stats(self) -> dict[str, object]:
        """Counters of the port and of every device; safe from any thread."""
        now_s = self._clock.now_s()
        master = self._master
        return {
            "bus": self.settings.name,
            "port": self.settings.port,
            "open": master is not None,
            "port_losses": self._port_losses,
            "port_failures_in_a_row": self._port_failures,
            "late_answers": self._late_answers + (master.late_answers if master else 0),
            "delivery_errors": self._delivery_errors,
            "meters": [each.health.stats(now_s) for each in self._meters],
            "relays": [each.stats(now_s) for each in self._relays.values()],
        }

    def step(self) -> float:
        """Do what is most urgent, if anything is due; seconds until there is something to do."""
        now_s = self._clock.now_s()
        if self._master is None and (now_s < self._reopen_s or not self._open()):
            return max(0.0, self._reopen_s - self._clock.now_s())
        if not self._devices:
            return REOPEN_MAX_S
        device = min(self._devices, key=lambda each: each.due_s())
        if device.due_s() <= now_s:
            self._poll(device, now_s)
        return max(0.0, min(each.due_s() for each in self._devices) - self._clock.now_s())

    def _poll(self, device: Device, now_s: float) -> None:
        assert self._master is not None
        try:
            readings = device.poll(self._master, now_s)
        except PortLost as error:
            device.health.count(error.kind)
            self._port_losses += 1
            self._close()
            self._port_failed(error)
            return
        except BusError as error:
            failed_s = self._clock.now_s()
            device.health.failed(error, failed_s)
            if not isinstance(error, SlaveException):
                for each in self._devices:
                    if each.address == device.address:
                        each.health.rest_until(failed_s + LATE_S)
            self._deliver(device.undefined(error, failed_s))
        else:
            device.health.succeeded()
            self._deliver(readings)
        if self._port_failures:
            logger.info("bus %s works again after %d port failures", self.settings.name, self._port_failures)
            self._port_failures = 0

    def _open(self) -> bool:
        try:
            self._port = self._open_port(self.settings)
        except PortLost as error:
            self._port_failed(error)
            return False
        self._master = RtuMaster(self._port, self.settings.timeout_s, self._clock)
        for each in self._devices:
            each.health.recover()
        return True

    def _port_failed(self, error: PortLost) -> None:
        """No port: everything on the bus is undefined, and the port is tried again later."""
        now_s = self._clock.now_s()
        self._port_failures += 1
        self._reopen_s = now_s + min(REOPEN_STEP_S * self._port_failures, REOPEN_MAX_S)
        if self._port_failures == 1:
            logger.warning("bus %s has no port: %s", self.settings.name, error)
        self._deliver(chain.from_iterable(each.undefined(error, now_s) for each in self._devices))

    def _close(self) -> None:
        if self._port is not None and self._master is not None:
            self._late_answers += self._master.late_answers
            self._port.close()
        self._port = self._master = None

    def _deliver(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            if self._stopping.is_set():
                return
            try:
                self.deliver(reading)
            except Exception:
                self._delivery_errors += 1
                if self._delivery_errors == 1:
                    logger.exception("bus %s: a reading was not accepted", self.settings.name)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                pause_s = self.step()
            except Exception as defect:  # ours: the line's own faults are BusErrors
                logger.exception("bus %s: a defect", self.settings.name)
                self._close()
                self._port_failed(PortLost(str(defect)))
                pause_s = REOPEN_STEP_S
            self._wake.wait(pause_s)
        self._close()


def _refuse_doubles(what: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"two devices with the {what} {value!r} on one bus")
        seen.add(value)
