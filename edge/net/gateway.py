"""The gateway of a node: translates frames into calls of the kernel; its outbox does the reverse.

No frame, however malformed, raises an exception here, grows memory or changes the space in part.
"""

from typing import Any

from ..space.digest import Digest
from ..space.errors import BadPath, NotOwner, SpaceError, UnknownBase
from ..space.exchange import absorb, absorb_near, complete
from ..space.lsa import Delta, Lsa, Near
from ..space.tuplespace import TupleSpace
from .frame import Frame, FrameError, Pulse, WrongVersion, decode
from .hearing import Hearing
from .links import Links
from .outbox import Outbox
from .refusals import BAD_PATH, INVALID, NOT_OWNER, WIRE_VERSION, Refusals
from .statements import Statements, Unstated, beat_of
from .wire import Statement

_ASK_AGAIN_S = 2
_QUESTIONS = 256  # that are remembered, so that they are not asked twice at once
_OLD_S = 60  # so long a neighbour counts as one of another version


class Gateway:
    """Joins a space and its links. The engine of the space uses `outbox` as its courier."""

    def __init__(self, space: TupleSpace, links: Links) -> None:
        self._space, self._links = space, links
        self._statements = Statements(space)
        self.outbox = Outbox(space, links, self._statements)
        self.refusals = Refusals()
        self.no_room = 0  # LSAs that did not fit into the space
        self.absorbed = 0
        self.without_base = 0  # deltas whose base was not held
        self._digest = Digest(space, self.outbox)
        space.set_neighbours(list(links.neighbours))
        self.hearing = Hearing(space, self.outbox)
        self._puzzling: set[str] = set()  # neighbours that referred to a statement that they have not sent
        self._asked: dict[tuple[str, str], int] = {}  # (neighbour, LSA or origin): tick
        self._versions: dict[str, tuple[str, int]] = {}  # neighbours of another version, and when, as ticks

    def tick(self) -> None:
        """A second has passed."""
        self._statements.second_passed()
        self._digest.tick()

    def link_up(self, peer: str) -> None:
        """A neighbour can be reached again."""
        self.hearing.came(peer)
        self.outbox.forget_sent(peer)
        self._digest.introduce(peer)

    def link_down(self, peer: str) -> None:
        """The link to a neighbour is lost, or its last will has arrived."""
        self.hearing.went(peer)
        self.outbox.answering.discard(peer)

    @property
    def waiting(self) -> bool:
        """Whether something is to leave at the end of the next reaction."""
        return self.outbox.waiting

    def flush(self) -> None:
        """A reaction is over: send one frame to each neighbour."""
        if self.outbox.waiting:
            self._digest.beat_early()
            for peer in self._links.neighbours:
                if self.outbox.waits_for(peer):
                    self.hearing.tell(peer)
            self.outbox.flush()

    # ---- what comes in ------------------------------------------------------------------------

    def receive(self, peer: str, data: bytes) -> None:
        """A frame from a neighbour."""
        try:
            frame = decode(data)
        except WrongVersion as error:
            self._versions[peer] = str(error), self._space.tick
            self.refusals.note(peer, WIRE_VERSION, str(error))
            return
        except FrameError as error:
            self.refusals.note(peer, INVALID, str(error))
            return
        self.hearing.heard(peer)
        if self._space.is_neighbour(peer):
            self.outbox.answering.add(peer)
        self._take_lsas(peer, frame)
        for statement in frame.statements:
            self._state(peer, statement)
        for pulse in frame.pulses:
            self._pulse(peer, pulse)
        for origin in frame.ask_roster:
            self._digest.answer_roster(peer, origin)
        for roster in frame.rosters:
            if roster.origin == self._space.node:
                self.hearing.reported(peer, roster)
            self._digest.compare(peer, roster)
        self._digest.answer_lsas(peer, frame.ask_lsas)

    def _take_lsas(self, peer: str, frame: Frame) -> None:
        for lsa in frame.lsas:
            self._absorb(peer, lsa)
        for delta in frame.deltas:
            self._absorb_delta(peer, delta)
        for near in frame.near:
            self._absorb_near(peer, near)

    def _absorb_delta(self, peer: str, delta: Delta) -> None:
        try:
            lsa = complete(self._space, delta, peer)
        except UnknownBase:
            self.without_base += 1
            self._ask_lsa(peer, delta.name)
            return
        if lsa is not None:
            self._absorb(peer, lsa)

    def _absorb(self, peer: str, lsa: Lsa) -> None:
        try:
            self.absorbed += absorb(self._space, lsa, peer)
        except BadPath as error:
            self.refusals.note(peer, BAD_PATH, str(error))
        except NotOwner as error:
            self.refusals.note(peer, NOT_OWNER, str(error))
        except SpaceError as error:
            self._note_no_room(peer, error)

    def _absorb_near(self, peer: str, near: Near) -> None:
        try:
            absorb_near(self._space, near, peer)
        except SpaceError as error:
            self._note_no_room(peer, error)

    def _note_no_room(self, peer: str, error: SpaceError) -> None:
        self.no_room += 1
        self.refusals.note_no_room(peer, str(error))

    def _state(self, peer: str, statement: Statement) -> None:
        if statement.origin == self._space.node:  # what is remembered of an earlier start
            self._digest.heard(peer, beat_of(statement, statement.number, 0, 1))
            return
        news = self._statements.take(statement)
        if peer == statement.origin:
            if not news and self._statements.contradicts(statement):
                self._digest.remind(peer)
            if not news and peer in self._puzzling:  # the pulse was of another node with that name
                self._digest.note_reminder(peer)
            self._puzzling.discard(peer)

    def _pulse(self, peer: str, pulse: Pulse) -> None:
        if pulse.origin == self._space.node:
            return
        try:
            beat = self._statements.incoming(pulse)
        except Unstated:
            if peer == pulse.origin and self._statements.knows(peer):
                self._puzzling.add(peer)
            self._ask_roster(peer, pulse.origin)
            return
        self._digest.heard(peer, beat)

    # ---- questions ----------------------------------------------------------------------------

    def _ask_lsa(self, peer: str, name: str) -> None:
        if self._may_ask(peer, name):
            self.outbox.ask_lsas(peer, [name])

    def _ask_roster(self, peer: str, origin: str) -> None:
        if self._may_ask(peer, origin):
            self.outbox.ask_roster(peer, origin)

    def _may_ask(self, peer: str, what: str) -> bool:
        tick = self._space.tick
        asked = self._asked.get((peer, what))
        if not self._space.is_neighbour(peer) or (asked is not None and tick < asked + _ASK_AGAIN_S):
            return False
        self._asked.pop((peer, what), None)
        self._asked[peer, what] = tick
        if len(self._asked) > _QUESTIONS:
            del self._asked[next(iter(self._asked))]
        return True

    # ---- what it shows ------------------------------------------------------------------------

    @property
    def refused(self) -> int:
        """Invalid frames and LSAs."""
        return self.refusals.total

    @property
    def last_refusal(self) -> str:
        """Whose, and why."""
        return self.refusals.last

    @property
    def other_versions(self) -> dict[str, str]:
        """Neighbours that have just sent frames of another wire version, and which."""
        since = self._space.tick - _OLD_S
        return {peer: text for peer, (text, tick) in self._versions.items() if tick > since}

    def stats(self) -> dict[str, Any]:
        """Counters for people."""
        return {
            "absorbed": self.absorbed,
            "refused": self.refused,
            "refusals": {peer: dict(reasons) for peer, reasons in self.refusals.by_peer.items()},
            "no_room": self.no_room + self._digest.no_room + self._statements.no_room,
            "too_large": self.outbox.too_large,
            "healed": self._digest.asked,
            "without_base": self.without_base,
            "last_refusal": self.last_refusal,
            "reincarnations": self._digest.reincarnations,
            "reminders": dict(self._digest.reminders),
            "silent": self.hearing.silent,
            "deaf": self.hearing.deaf,
            "strangers": self.hearing.strangers,
            "other_versions": self.other_versions,
        }
