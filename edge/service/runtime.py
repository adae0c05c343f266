"""The main loop of a node, in real time.

Links, meters and HTTP handlers run in threads of their own. What they bring waits in mailboxes; only the
thread of `Runtime.run` touches the node. `Beats` decides what is due.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ..api.answer import Problem
from ..api.context import Unavailable
from ..api.parameters import BadRequest
from ..clock import Clock
from ..config.changes import Changes, Overlay
from ..config.settings import NodeConfig
from ..history.writer import Writer
from ..node import Node
from ..recent import Recent
from ..space.errors import SpaceError
from ..twins.registry import TwinError
from .beats import TICK_S, Beats, Step
from .changing import Changing
from .lateness import Lateness
from .limits import tell_limit
from .mailbox import Mailbox
from .pressure import Pressure

log = logging.getLogger("edge.runtime")

T = TypeVar("T")
_REFUSALS = (BadRequest, Problem, TwinError, SpaceError)  # of a question, which are no defects
ASK_TIMEOUT_S = 2.0
SAVE_S, PART_S = 4.0, 2.5  # most time for a step of the end; the service manager waits 20 s in all
_REST_S = 0.001
_LIMITS_AT_ONCE = 32  # messages of controllers that may wait
_FRAMES_AT_A_TIME = 16  # between them a tick or a reaction may be due


class NodeStuck(Unavailable):
    """The main thread did not answer in time."""


class Runtime:
    """Drives one node in real time."""

    def __init__(
        self,
        node: Node,
        clock: Clock,
        ticked: Callable[[], None] = lambda: None,
        changes: Changes | None = None,
        others: "Sequence[Runtime]" = (),
        wake: threading.Event | None = None,
    ) -> None:
        """`ticked` is called from the main thread after each tick that succeeded. Without `changes` the node
        cannot be changed. `others`: of further nodes of this process, which the same thread runs; `wake` is
        common to them.
        """
        self._node, self._clock = node, clock
        limits, learning = node.config.limits, node.config.learning
        self._others = others
        self._wake = wake or threading.Event()
        now_s = clock.now_s
        self._frames = Mailbox(limits.inbox_frames, self._wake, limits.inbox_kb * 1024, now_s)
        self._links = Mailbox(limits.nodes, self._wake, now_s=now_s)
        self._readings = Mailbox(limits.lsas, self._wake, now_s=now_s)
        self._limits = Mailbox(_LIMITS_AT_ONCE, self._wake, now_s=now_s)
        self._questions = Mailbox(2 * limits.http_requests, self._wake, now_s=now_s)
        self._mail = (self._links, self._readings, self._frames, self._limits, self._questions)
        self._lateness = Lateness()
        self._pressure = Pressure(learning.pause_load, learning.pause_free_mb, clock) if learning else None
        self._beats = Beats(
            node,
            clock.now_s() + TICK_S,
            pause_s=limits.reaction_ms / 1000,
            rest_s=_REST_S,
            lasting_s=limits.react_every_s,
            guard=self._guard,
            ticked=ticked,
            waits_for=lambda: self.waits_for,
        )
        node.gateway.timer = time.thread_time
        self._writer = Writer(node.history)
        self._changing = Changing(changes, self.ask) if changes else None
        self._stopping = False
        self.failures = 0
        self.recent = Recent()
        self.pieces = 0  # of work
        self.work_s = self.longest_piece_s = 0.0  # CPU time of work

    @property
    def node(self) -> Node:
        """The node it drives; only the main thread may touch it, other threads `ask`."""
        return self._node

    @property
    def waits_for(self) -> str:
        """Why training has to wait; empty if it does not."""
        return self._pressure.reason if self._pressure else ""

    @property
    def dropped(self) -> dict[str, int]:
        """How many items were dropped because a mailbox was full."""
        boxes = {
            "frames": self._frames,
            "links": self._links,
            "readings": self._readings,
            "limits": self._limits,
        }
        return {name: box.dropped for name, box in boxes.items()}

    @property
    def longest_reaction_s(self) -> float | None:
        """How late the latest reaction of the last 10 to 20 s was, None without one; for the main thread."""
        return self._lateness.longest_s(self._clock.now_s())

    @property
    def settings_changed(self) -> Mapping[str, Mapping[str, object]]:
        """The keys that were changed while the node ran, by section."""
        return self._changing.changes.overlay.settings if self._changing else {}

    def run(self) -> None:
        """Start links and meters, run the node until `stop`, then close everything."""
        everyone = (self, *self._others)
        for each in everyone:
            each._begin()
        try:
            while not self._stopping:
                turned = [each._turn() for each in everyone]
                if not any(turned):
                    self._rest(everyone)
        finally:
            for each in everyone:
                each._end()

    def _begin(self) -> None:
        node = self._node
        self._writer.start()
        node.links.start(
            lambda peer, frame: self._frames.put((peer, frame), len(frame), peer),
            lambda peer, up: self._links.put((peer, up)),
        )
        node.meters.start(self._readings.put)
        for outlet in node.outlets:
            outlet.start()

    def _turn(self) -> bool:
        """Returns whether anything was due."""
        self._take_mail()
        return self._step()

    def _rest(self, everyone: "Sequence[Runtime]") -> None:
        """Wait until something is due, or until there is mail."""
        now_s = self._clock.now_s()
        next_s = min(each._beats.next_s(now_s) for each in everyone)
        if self._wake.wait(max(0.0, next_s - self._clock.now_s())):
            for each in everyone:
                each._beats.end_rest()
        self._wake.clear()

    def _end(self) -> None:
        """Save first: the service manager kills a node that takes too long to part from the rest.

        What is noted while it parts is not kept. A step that hangs is left behind.
        """
        node = self._node
        for what, most_s, step in (
            ("saving", SAVE_S, node.save),
            *(("leaving others", PART_S, outlet.stop) for outlet in node.outlets),
            ("writing the history", SAVE_S, self._writer.stop),
            ("leaving the neighbours", PART_S, lambda: self._guard(node.leave)),
            ("closing links", PART_S, node.links.stop),
            ("closing meters", PART_S, node.meters.stop),
        ):
            _within(most_s, what, step)

    def tell_limit(self, source: str, message: bytes) -> None:
        """A controller says something about limits; from any thread."""
        self._limits.put((source, message), sender=source)

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler."""
        self._stopping = True
        self._wake.set()

    def ask(self, question: Callable[[Node], T]) -> T:
        """Let the main thread answer a question. Raises NodeStuck if it does not within 2 s, and what
        `question` raises."""
        answered = threading.Event()
        answers: list[T] = []
        errors: list[Exception] = []

        def answer() -> None:
            try:
                answers.append(question(self._node))
            except Exception as error:
                errors.append(error)
                if not isinstance(error, _REFUSALS):  # it is logged and counted, too
                    raise
            finally:
                answered.set()

        self._questions.put(answer)
        if not answered.wait(ASK_TIMEOUT_S):
            raise NodeStuck("the node does not answer")
        if errors:
            raise errors[0]
        return answers[0]

    def change(
        self, edit: Callable[[Changes], Overlay], done: Callable[[Node], None] = lambda _: None
    ) -> NodeConfig:
        """See `Changing`."""
        if self._changing is None:
            raise Unavailable("this node was started without a file, so it cannot be changed")
        try:
            return self._changing.change(edit, done)
        except (TwinError, SpaceError) as error:  # it has no room for it
            raise Unavailable(str(error)) from None

    def _take_mail(self) -> None:
        node = self._node
        since_s = min(box.since_s for box in self._mail)
        for peer, up in self._links.drain():
            self._guard(node.link_changed, peer, up)
        for reading in self._readings.drain():
            self._guard(node.read, reading)
        for peer, frame in self._frames.take(_FRAMES_AT_A_TIME):
            self._guard(node.receive, peer, frame)
        for source, message in self._limits.drain():
            self._guard(tell_limit, node, source, message)
        for answer in self._questions.drain():
            self._guard(answer)
        if since_s < math.inf and node.busy:
            self._lateness.waits(since_s)

    def _step(self) -> bool:
        """Do what is due; returns whether there was anything. Mail goes before work."""
        began_s, cpu_s = self._clock.now_s(), time.thread_time()
        step = self._beats.due(began_s)
        if step is None or (step is Step.WORK and self._wake.is_set()):
            return False
        due_s = self._beats.tick_s if step is Step.TICK else self._node.wake_s
        self._beats.do(step)
        self._note_lateness(step, due_s)
        if step is Step.TICK:
            for name, count in (("failures", self.failures), *self.dropped.items()):
                self.recent.note(name, count, began_s)
            for outlet in self._node.outlets:
                self._guard(outlet.second_passed, self._node)
        self._beats.done(step, began_s, self._clock.now_s())
        if step is Step.WORK:
            used_s = time.thread_time() - cpu_s
            self.pieces += 1
            self.work_s += used_s
            self.longest_piece_s = max(self.longest_piece_s, used_s)
        return True

    def _note_lateness(self, step: Step, due_s: float) -> None:
        """`due_s`: of the tick that was done, or when a twin wanted to act by itself."""
        now_s = self._clock.now_s()
        if step is Step.REACTION:
            self._lateness.reacted(now_s, due_s)
        if self._node.busy:
            self._lateness.waits(due_s if step is Step.TICK else now_s)

    def _guard(self, step: Callable[..., None], *arguments: Any) -> bool:
        """Run a step, return whether it succeeded: a defect is logged, counted and shown in /health, and the
        node goes on."""
        try:
            step(*arguments)
        except Exception:
            self.failures += 1
            if self.failures & (self.failures - 1) == 0:  # the first, second, fourth ...
                log.exception("%d failures so far, the latest:", self.failures)
            return False
        return True


def _within(most_s: float, what: str, step: Callable[[], object]) -> None:
    """Do a step, but wait no longer than that: a disk, a port or a name server may never answer."""

    def run() -> None:
        try:
            step()
        except Exception:
            log.exception("%s failed", what)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(most_s)
    if thread.is_alive():
        log.error("%s takes more than %g s and is given up", what, most_s)
