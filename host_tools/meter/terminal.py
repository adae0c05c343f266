"""The simulated line on a pseudo terminal, served by a thread, with an adapter that can be unplugged."""

import contextlib
import heapq
import itertools
import os
import pty
import random
import select
import tempfile
import threading
import tty
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from edge.clock import Clock, SystemClock

from .fault import MeterFault
from .line import REQUEST_BYTES, PowerOf, SimulatedLine, TimedBytes, Unplugged

_LOOK_S = 0.02  # how often the thread checks for stop and unplug; also ends an incomplete request
_PIECE_BYTES = 16  # size of the pieces of a paced answer, similar to a USB adapter


class SimulatedMeter:
    """Meters on a pseudo terminal: open `port`, a path that stays the same when the adapter is replugged.

    With `baud` None it answers at once; otherwise every byte takes its time on the line.
    """

    def __init__(
        self,
        profiles: Mapping[int, str],
        power_w: PowerOf,
        *,
        baud: int | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Raises ProfileError."""
        self._clock = clock or SystemClock()
        self.line = SimulatedLine(profiles, power_w, rng or random.Random(0), self._clock.now_s())
        self._directory = tempfile.TemporaryDirectory(prefix="meter-")
        self.port = os.path.join(self._directory.name, "ttyMETER")
        self._char_s = 0.0 if baud is None else 10 / baud
        self._timer = SystemClock()
        self._queue: list[tuple[float, int, bytes]] = []  # due, order, bytes
        self._order = itertools.count()
        self._terminal: tuple[int, int] | None = None
        self._lock = threading.RLock()  # over the terminal and the queue
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="simulated-meter", daemon=True)

    def start(self) -> Self:
        """Plug in and start to answer."""
        self.replug()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Unplug and remove the port."""
        self._stopping.set()
        self._thread.join()
        self.unplug()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def inject(
        self, address: int, fault: MeterFault, probability: float = 1.0, count: int | None = None
    ) -> None:
        """Inject a fault into the answers of a slave, see FaultPlan.inject."""
        self.line.faults.inject(address, fault, probability, count)

    def clear(self, address: int) -> None:
        """Remove the fault of a slave."""
        self.line.faults.clear(address)

    def unplug(self) -> None:
        """Unplug the adapter: the path is removed and readers get a hang-up."""
        with self._lock:
            if self._terminal is not None:
                os.unlink(self.port)
                for descriptor in self._terminal:
                    os.close(descriptor)
            self._terminal = None
            self._queue.clear()

    def replug(self) -> None:
        """Plug the adapter in again, under the same path."""
        with self._lock:
            if self._terminal is None:
                # The slave side stays open here; otherwise the master hangs up when no reader has it open.
                master, slave = pty.openpty()
                tty.setraw(slave)
                os.set_blocking(master, False)
                os.symlink(os.ttyname(slave), self.port)
                self._terminal = master, slave

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wait()
            with self._lock:
                if self._terminal is None:
                    continue
                try:
                    self._listen(self._terminal[0])
                    self._speak(self._terminal[0])
                except Unplugged:
                    self.unplug()

    def _wait(self) -> None:
        """Wait until bytes arrive or are due, but not for long."""
        with self._lock:
            master = self._terminal[0] if self._terminal else None
            due_s = self._queue[0][0] - self._timer.now_s() if self._queue else _LOOK_S
        if master is None:
            self._stopping.wait(_LOOK_S)
            return
        with contextlib.suppress(OSError, ValueError):  # `unplug` may close it meanwhile
            select.select([master], [], [], min(max(0.0, due_s), _LOOK_S))

    def _listen(self, master: int) -> None:
        try:
            heard = os.read(master, 256)
        except BlockingIOError:
            self.line.silence()
        else:
            self._schedule(self.line.hear(heard, self._clock.now_s()))

    def _schedule(self, answer: TimedBytes) -> None:
        now_s = self._timer.now_s()
        for delay_s, data in answer:
            due_s = now_s + delay_s + REQUEST_BYTES * self._char_s
            step = _PIECE_BYTES if self._char_s else len(data)
            for piece in (data[at : at + step] for at in range(0, len(data), step)):
                due_s += len(piece) * self._char_s
                heapq.heappush(self._queue, (due_s, next(self._order), piece))

    def _speak(self, master: int) -> None:
        while self._queue and self._queue[0][0] <= self._timer.now_s():
            _, _, data = heapq.heappop(self._queue)
            with contextlib.suppress(BlockingIOError):  # nobody reads: the bytes are lost
                os.write(master, data)
