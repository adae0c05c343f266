"""One serial bus with its meters and relays, served by one thread, one transaction at a time.

`step` holds the whole logic and needs no thread: it does the most urgent poll and returns when the next is
due. A failing device delays the others by its timeout, once every 2, 4, 6 ... 300 s. A failing port is closed
and opened again after 1, 2, 3 ... 30 s: looking for an adapter is cheap, and somebody may just have plugged
it in. If nothing on the bus answers, its port is closed and opened again as well, after 2, 4, 8 ... 60
minutes: a stalled adapter often needs just that.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from edge.clock import Clock

from .bus_device import BusDevice
from .errors import BusError, PortLost, SlaveException
from .health import LATE_S
from .polled import PolledMeter
from .port import Port
from .ports import open_port
from .reading import Deliver, Reading
from .relay import SwitchedRelay
from .rtu import RtuMaster
from .settings import BusSettings, MeterSettings, RelaySettings
from .steered import SteeredBattery

logger = logging.getLogger("edge.meter")

REOPEN_STEP_S = 1.0
REOPEN_MAX_S = 30.0
STALLED_S = 120.0
STALLED_MAX_S = 3600.0
STAGGER_S = 0.25  # between the first polls of two meters
STOP_S = 2.0


def _nowhere(reading: Reading) -> None:
    """Discards a reading; the default until `deliver` is set."""


class MeterBus:
    """Polls the meters and switches the relays of one bus.

    `deliver` is called from the bus thread; it can be replaced before `start`.
    """

    def __init__(
        self,
        settings: BusSettings,
        meters: Iterable[MeterSettings],
        relays: Iterable[RelaySettings],
        clock: Clock,
        deliver: Deliver = _nowhere,
        open_port: Callable[[BusSettings], Port] = open_port,
    ) -> None:
        """Raises ProfileError; ValueError if two devices share a name or two meters an address."""
        now_s = clock.now_s()
        self.settings = settings
        self.deliver = deliver
        self._clock = clock
        self._open_port = open_port
        self._meters = [
            PolledMeter(each, now_s + delay_s) for each, delay_s in zip(*_staggered(meters), strict=True)
        ]
        self._relays = {each.name: SwitchedRelay(each, now_s) for each in relays}
        self._batteries = {
            each.health.device: SteeredBattery(each.health.device, each.address, each.profile.steering, now_s)
            for each in self._meters
            if each.profile.steering
        }
        self._devices: list[BusDevice] = [
            *self._relays.values(),
            *self._batteries.values(),
            *self._meters,
        ]  # relays first if both are due
        _check_unique("name", (each.health.device for each in self._devices))
        _check_unique("address", (each.address for each in self._meters))
        self._port: Port | None = None
        self._master: RtuMaster | None = None
        self._port_failures = 0  # in a row, without a successful poll
        self._reopen_s = now_s
        self._port_losses = 0
        self._trouble = ""  # why the port is closed
        self._late_answers = self._foreign_frames = 0  # on ports that have been closed
        self._answered_s = self._fresh_s = now_s  # the last answer; it or the last opening
        self._patience_s = STALLED_S
        self._stalled = False  # nothing answers, and the port has been opened again for it
        self._reopened = 0
        self._delivery_errors = 0
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wake = threading.Event()

    def start(self) -> None:
        """Serve the bus in its own thread."""
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError(f"bus {self.settings.name} has already been started")
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, name=f"meter-{self.settings.name}", daemon=True)
        self._thread.start()

    def stop_soon(self) -> None:
        """Ask the thread to end without waiting for it. Nothing is delivered afterwards."""
        self._stopping.set()
        self._wake.set()

    def stop(self) -> None:
        """Stop the thread; returns within 2 s. Nothing is delivered afterwards."""
        self.stop_soon()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def switch(self, relay: str, on: bool) -> None:
        """Request a relay's state; returns at once, `stats` shows the result. Raises KeyError."""
        self._relays[relay].switch(on)
        self._wake.set()

    def steer(self, meter: str, power_w: float | None) -> None:
        """Ask a battery for a power; returns at once. Raises KeyError."""
        self._batteries[meter].steer(power_w)
        self._wake.set()

    @property
    def batteries(self) -> Sequence[str]:
        """The meters of batteries that take orders."""
        return list(self._batteries)

    @property
    def devices(self) -> Sequence[str]:
        """The names of all meters and relays on the bus."""
        return [each.health.device for each in self._devices]

    @property
    def relays(self) -> Sequence[str]:
        """The names of the relays."""
        return list(self._relays)

    def stats(self) -> dict[str, object]:
        """Counters of the port and of every device; safe from any thread."""
        now_s = self._clock.now_s()
        master = self._master
        return {
            "bus": self.settings.name,
            "port": self.settings.port,
            "open": master is not None,
            "trouble": "" if master else self._trouble,
            "port_losses": self._port_losses,
            "port_failures_in_a_row": self._port_failures,
            "late_answers": self._late_answers + (master.late_answers if master else 0),
            "foreign_frames": self._foreign_frames + (master.foreign_frames if master else 0),
            "distrusted": master is not None and master.distrusted,
            "reopened": self._reopened,
            "silent_s": now_s - self._answered_s if self._all_fail else 0.0,
            "delivery_errors": self._delivery_errors,
            "meters": [each.stats(now_s) for each in self._meters],
            "relays": [each.stats(now_s) for each in self._relays.values()],
            **(
                {"batteries": [each.stats(now_s) for each in self._batteries.values()]}
                if self._batteries
                else {}
            ),
        }

    def step(self) -> float:
        """Do the most urgent poll, if one is due; returns the seconds until the next is due."""
        now_s = self._clock.now_s()
        if self._master is None and (now_s < self._reopen_s or not self._open()):
            return max(0.0, self._reopen_s - self._clock.now_s())
        if not self._devices:
            return REOPEN_MAX_S
        device = min(self._devices, key=lambda each: each.due_s())
        if device.due_s() <= now_s:
            self._poll(device, now_s)
        return max(0.0, min(each.due_s() for each in self._devices) - self._clock.now_s())

    def _poll(self, device: BusDevice, now_s: float) -> None:
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
            self._failed(device, error)
        else:
            device.health.succeeded()
            self._answered()
            self._rest(device, device.health.retry_s)
            self._deliver(readings)
        if self._port_failures:
            logger.info(
                "bus %s is working again after %d port failures", self.settings.name, self._port_failures
            )
            self._port_failures = 0

    def _failed(self, device: BusDevice, error: BusError) -> None:
        now_s = self._clock.now_s()
        device.health.failed(error, now_s)
        if isinstance(error, SlaveException):
            self._answered()
        else:
            self._rest(device, now_s + LATE_S)
        self._deliver(device.undefined(error, now_s))
        if self._all_fail and now_s - self._fresh_s > self._patience_s:
            self._open_again()

    def _rest(self, device: BusDevice, until_s: float) -> None:
        """No device at this address is polled before `until_s`."""
        for each in self._devices:
            if each.address == device.address:
                each.health.rest_until(until_s)

    @property
    def _all_fail(self) -> bool:
        return bool(self._devices) and all(each.health.failures for each in self._devices)

    def _answered(self) -> None:
        """A device answered, so the adapter works."""
        self._answered_s = self._fresh_s = self._clock.now_s()
        self._patience_s = STALLED_S
        if self._stalled:
            logger.info("bus %s: its devices answer again", self.settings.name)
        self._stalled = False

    def _open_again(self) -> None:
        """Nothing answers: close the port; the next step opens it."""
        if not self._stalled:
            logger.warning(
                "bus %s: nothing has answered for %.0f s; its port is closed and opened again",
                self.settings.name,
                self._clock.now_s() - self._answered_s,
            )
        self._stalled = True
        self._reopened += 1
        self._patience_s = min(2 * self._patience_s, STALLED_MAX_S)
        self._close()
        self._reopen_s = self._clock.now_s()

    def _open(self) -> bool:
        try:
            self._port = self._open_port(self.settings)
        except PortLost as error:
            self._port_failed(error)
            return False
        self._master = RtuMaster(self._port, self.settings.timeout_s, self._clock, self.settings.pause_s)
        self._fresh_s = self._clock.now_s()
        for each in self._devices:
            if self._stalled:
                each.health.retry_now()
            else:
                each.health.recover()
                each.opened()
        return True

    def _port_failed(self, error: PortLost) -> None:
        """The port failed: all readings of the bus are undefined, and opening is retried later."""
        now_s = self._clock.now_s()
        self._port_failures += 1
        self._reopen_s = now_s + min(REOPEN_STEP_S * self._port_failures, REOPEN_MAX_S)
        reason = str(error)
        if self._port_failures == 1 or (self._port_failures > 2 and reason != self._trouble):
            logger.warning("bus %s: the port cannot be opened: %s", self.settings.name, reason)
        self._trouble = reason
        self._deliver(chain.from_iterable(each.undefined(error, now_s) for each in self._devices))

    def _close(self) -> None:
        if self._port is not None and self._master is not None:
            self._late_answers += self._master.late_answers
            self._foreign_frames += self._master.foreign_frames
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
                    logger.exception("bus %s: the node rejected a reading", self.settings.name)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                pause_s = self.step()
            except Exception as defect:  # a bug of ours: faults of the line are BusErrors
                logger.exception("bus %s: internal error", self.settings.name)
                self._close()
                self._port_failed(PortLost(str(defect)))
                pause_s = REOPEN_STEP_S
            self._wake.wait(pause_s)
        for relay in self._relays.values():
            if relay.pending and self._master:  # what the node requested when it stopped
                self._poll(relay, self._clock.now_s())
        self._close()


def _staggered(meters: Iterable[MeterSettings]) -> tuple[list[MeterSettings], list[float]]:
    """The meters, and how much later than the first each is polled first: not all at once, but soon."""
    each = list(meters)
    step_s = min([STAGGER_S, *(meter.power_period_s / len(each) for meter in each)])
    return each, [at * step_s for at in range(len(each))]


def _check_unique(what: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"duplicate {what} {value!r} on one bus")
        seen.add(value)
