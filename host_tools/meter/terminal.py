"""The simulated line on a pseudo terminal, served by a thread, with an adapter that can be pulled out."""

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

from .fault import Fault
from .line import REQUEST_BYTES, Answer, PowerOf, SimulatedLine, Unplugged

_LOOK_S = 0.02  # how often the thread looks whether it shall stop or unplug; also ends a broken request
_PIECE_BYTES = 16  # what a paced answer comes in, about a USB adapter's habit


class SimulatedMeter:
    """Meters on a serial line that exists: open `port`, a path that stays the same over unplugging.

    `baud` None answers at once; a number makes every byte take its time on the wire.
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
        """Plug in and answer."""
        self.replug()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Pull out and forget the port."""
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

    def inject(self, address: int, fault: Fault, probability: float = 1.0, count: int | None = None) -> None:
        """Let `fault` befall the answers of a slave, see FaultPlan.inject."""
        self.line.faults.inject(address, fault, probability, count)

    def clear(self, address: int) -> None:
        """End the faults of a slave."""
        self.line.faults.clear(address)

    def unplug(self) -> None:
        """Pull the adapter out: the path is gone, and who has it open is hung up on."""
        with self._lock:
            if self._terminal is not None:
                os.unlink(self.port)
                for descriptor in self._terminal:
                    os.close(descriptor)
            self._terminal = None
            self._queue.clear()

    def replug(self) -> None:
        """Put the adapter back, under the same path."""
        with self._lock:
            if self._terminal is None:
                # The slave side stays open here, or the master hangs up whenever nobody else has it open.
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
        """Until bytes come or go, but not long."""
        with self._lock:
            master = self._terminal[0] if self._terminal else None
            due_s = self._queue[0][0] - self._timer.now_s() if self._queue else _LOOK_S
        if master is None:
            self._stopping.wait(_LOOK_S)
            return
        with contextlib.suppress(OSError, ValueError):  # who unplugs now closes it under our hands
            select.select([master], [], [], min(max(0.0, due_s), _LOOK_S))

    def _listen(self, master: int) -> None:
        try:
            heard = os.read(master, 256)
        except BlockingIOError:
            self.line.silence()
        else:
            self._schedule(self.line.hear(heard, self._clock.now_s()))

    def _schedule(self, answer: Answer) -> None:
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
            with contextlib.suppress(BlockingIOError):  # nobody reads: the wire does not wait
                os.write(master, data)
