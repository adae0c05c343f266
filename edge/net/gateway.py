"""The gateway of a node: translates frames into calls of the kernel; its outbox does the reverse.

No frame, however malformed, raises an exception here, grows memory or changes the space in part.
"""

from collections.abc import Callable
from typing import Any

from ..space.digest import Digest
from ..space.names import NIL
from ..space.tuplespace import SELF, TupleSpace
from ..trust.trust import TWIN, Trust, Untrusted
from . import manifest
from .allowance import Allowance, Allowances
from .frame import Frame, WrongVersion, decode
from .hearing import Hearing
from .intake import Intake
from .latest import Latest
from .links import Links
from .outbox import Outbox
from .pulse import Pulse
from .questions import Questions
from .refusals import ANSWERS, FLOOD, INVALID, WIRE_VERSION, Refusals
from .schema import FrameError, Statement
from .settings import Rates
from .statements import Outdated, Statements, Unstated, beat_of

_OTHERS = 64  # of another version, that are named; no setting: only names for a person to read
_ROSTER_SHARE = 5  # so many times its size is left when a roster is sent: the rest is for LSAs
_UNKNOWN_TO = 256  # no setting: who is forgotten here is heard when it speaks again
_OLD_S = 60  # so long a neighbour counts as one of another version


class Gateway:
    """Joins a space and its links. The engine of the space uses `outbox` as its courier."""

    def __init__(
        self, space: TupleSpace, links: Links, trust: Trust | None = None, rates: Rates | None = None
    ) -> None:
        """Without `trust` it believes everybody. `rates` bound what a neighbour may cost."""
        self.timer: Callable[[], float] = float  # of processor time in s; time stands still without one
        self._space, self._links = space, links
        space.set_neighbours(list(links.neighbours))
        self._trust = trust or Trust()
        self._generation = self._trust.generation
        self._statements = Statements(space, self._trust)
        self.refusals = Refusals()
        self.allowances = Allowances(space, rates)
        self.outbox = Outbox(space, links, self._statements, self._trust, self.allowances)
        self._questions = Questions(space, self.outbox)
        self.intake = Intake(space, self._trust, self._questions, self.refusals, self.allowances)
        self._digest = Digest(space, self.outbox)
        self.hearing = Hearing(space, self.outbox)
        self._cut: set[str] = set()  # neighbours that were cut off while the node runs
        self._puzzling: set[str] = set()  # neighbours that referred to a statement that they have not sent
        # Neighbours that asked who an origin is: it is unknown to them, and what it says is dropped.
        self._unknown_to: Latest[tuple[str, str], bool] = Latest(_UNKNOWN_TO)
        self._versions: Latest[str, tuple[str, int]] = Latest(_OTHERS)  # neighbours; text and tick

    def tick(self) -> None:
        """A second has passed."""
        for name in self._trust.second_passed():
            self._part(name)
        if self._trust.generation != self._generation:
            self._sign_again()
        self._statements.second_passed()
        self._space.shun(self.allowances.forging)
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
        if self._space.is_neighbour(peer):
            self._space.lose_ways(peer)

    def include(self, peer: str) -> None:
        """Send to another node from now on, which `links` reach already. Raises SpaceFull."""
        self._space.set_neighbours([peer])
        self.outbox.include(peer)
        self.hearing.include(peer)
        self._cut.discard(peer)

    def exclude(self, peer: str) -> None:
        """Neither send to a neighbour any more nor listen to it."""
        self._space.drop_neighbour(peer)
        self.outbox.exclude(peer)
        self.hearing.exclude(peer)
        self._cut.add(peer)

    @property
    def waiting(self) -> bool:
        """Whether something is to leave at the end of the next reaction."""
        return bool(self.outbox.waiting)

    def flush(self) -> None:
        """A reaction is over: send one frame to each neighbour."""
        if self.outbox.waiting:
            self._digest.beat_early()
            for peer in self.outbox.waiting:
                self.hearing.tell(peer)
            self.outbox.flush()

    # ---- what comes in ------------------------------------------------------------------------

    def receive(self, peer: str, data: bytes) -> None:
        """A frame from a neighbour."""
        if peer in self._cut:
            return
        allowance = self.allowances.of(peer)
        if not allowance.admits(len(data), self._space.tick):
            self.refusals.note(peer, FLOOD, f"sends {allowance.lacking}")
            return
        began_s = self.timer()
        self._receive(peer, data, allowance)
        allowance.worked(self.timer() - began_s)

    def _receive(self, peer: str, data: bytes, allowance: Allowance) -> None:
        try:
            frame = decode(data)
        except WrongVersion as error:
            self._versions.note(peer, (str(error), self._space.tick))
            self.refusals.note(peer, WIRE_VERSION, str(error))
            return
        except FrameError as error:
            self.refusals.note(peer, INVALID, str(error))
            return
        self.hearing.heard(peer)
        if self._space.is_neighbour(peer):
            self.outbox.answering.add(peer)
        self.intake.take(peer, frame, allowance)
        while self.intake.homeless:
            self._digest.postpone(self.intake.homeless.pop())
        self._tell_lives(peer, allowance)
        for statement in frame.statements:
            if allowance.believed:
                self._state(peer, statement)
        for pulse in frame.pulses:
            self._pulse(peer, pulse)
        for roster in frame.rosters:
            if roster.origin == self._space.node:
                self.hearing.reported(peer, roster)
            self._digest.compare(peer, roster)
        self._answer(peer, frame, allowance)

    def _tell_lives(self, peer: str, allowance: Allowance) -> None:
        """A node that lost its memory begins a later life than all that it had, once it is told of them.

        Who remembers one without a heartbeat has no statement of it to show, but an identity.
        """
        self._digest.outlived(self.intake.own_life)
        while self.intake.outlived:
            origin = self.intake.outlived.pop()
            if allowance.may_ask():
                identity = self.intake.later_life(origin)
                if identity:
                    allowance.answered(self.outbox.show(peer, identity))
                else:
                    self._answer_lsa(peer, f"{origin}.{TWIN}")

    def _answer(self, peer: str, frame: Frame, allowance: Allowance) -> None:
        """Answer questions, as long as the answers stay in proportion.

        A roster leads to questions for LSAs: without room for their answers, too, it would only be asked for
        again and again.
        """
        for name in dict.fromkeys(frame.ask_lsas):
            if not allowance.may_ask():
                self.refusals.note_quietly(peer, ANSWERS)
                return
            origin, _, twin = name.partition(".")
            if twin == TWIN and self._space.origin_number(origin) != NIL:
                self._unknown_to.note((peer, origin), True)
            self._answer_lsa(peer, name)
        for origin in dict.fromkeys(frame.ask_roster):
            size = self.outbox.roster_bytes(peer, origin)
            if not allowance.may_ask(_ROSTER_SHARE * size):
                self.refusals.note_quietly(peer, ANSWERS)
                return
            self._digest.answer_roster(peer, origin)
            allowance.answered(size)
            if f"{origin}.{TWIN}" not in frame.ask_lsas:  # it asks what is shown by whom it knows
                self._state_again(peer, origin, allowance)

    def _state_again(self, peer: str, origin: str, allowance: Allowance) -> None:
        """Nothing else repairs what goes alone: much of it is renewed once a minute, or never."""
        if self._unknown_to.pop((peer, origin), False):
            before = self.outbox.near_bytes(peer)
            self._digest.state_again(peer, origin)
            allowance.answered(self.outbox.near_bytes(peer) - before)

    def _answer_lsa(self, peer: str, name: str) -> None:
        origin, _, suffix = name.partition(".")
        number = self._space.origin_number(origin)
        if number != NIL and suffix != TWIN and self._space.origins.hops[number] >= self._space.horizon:
            return  # it would not hear of later versions
        before = self.outbox.lsa_bytes(peer, name)
        self._digest.answer_lsas(peer, [name])
        self.allowances.of(peer).answered(self.outbox.lsa_bytes(peer, name) - before)

    def _state(self, peer: str, statement: Statement) -> None:
        try:
            if statement.origin == self._space.node:  # what is remembered of an earlier start
                self._verify(statement)
                self._digest.heard(peer, beat_of(statement, statement.number, 0, 1))
                return
            if self._statements.outlives(statement):
                self._doubt(statement.origin)
            news = self._statements.take(statement, self._verify)
        except Untrusted as error:
            self.intake.distrust(peer, error)
            if statement.origin == self._space.node:  # the neighbour may not know the keys of this life
                self._answer_lsa(peer, f"{statement.origin}.{TWIN}")
            return
        if news:
            believer = self._digest.believer(statement.origin, statement.incarnation, peer)
            self.outbox.remind(believer, statement)
        elif self._statements.outlives(statement):
            # By the statement itself: of an LSA alone the space may have learned only the earlier life.
            self.outbox.remind(peer, self._statements.held(statement.origin))
        if peer == statement.origin:
            if not news and self._statements.contradicts(statement):
                self._digest.remind(peer)
                if self._space.origin_number(peer) == NIL:
                    self.outbox.remind(peer, self._statements.held(peer))
            if not news and peer in self._puzzling:  # the pulse was of another node with that name
                self._digest.note_reminder(peer)
            self._puzzling.discard(peer)

    def _verify(self, said: Statement) -> None:
        """Raises Untrusted."""
        self.intake.verify(said.origin, manifest.of_statement(said), said.signature, said.incarnation)

    def _doubt(self, origin: str) -> None:
        """A node shows an earlier life than is known: is the later one proved by keys that still count?"""
        held = self._statements.held(origin)
        try:
            if held:
                self._verify(held)
        except Untrusted:
            self._part(origin)

    def _pulse(self, peer: str, pulse: Pulse) -> None:
        if pulse.origin == self._space.node:
            return
        try:
            beat = self._statements.incoming(pulse)
        except Unstated:
            if peer == pulse.origin and self._statements.knows(peer):
                self._puzzling.add(peer)
            self._questions.roster(peer, pulse.origin)
            if not self._trust.knows(pulse.origin):
                self._questions.identity(peer, pulse.origin)
            return
        except Outdated:
            return
        if self._digest.is_news(beat):
            if not self.allowances.may_change(beat.origin, beat=True):
                return
            self.allowances.changed(beat.origin)
        self._digest.heard(peer, beat)

    # ---- trust --------------------------------------------------------------------------------

    def _part(self, name: str) -> None:
        """A node is no longer believed: what it shows leaves."""
        number = self._space.origin_number(name)
        if number not in (NIL, SELF):
            self._space.part(number)
        self._statements.forget(name)
        self.intake.forget(name)

    def _sign_again(self) -> None:
        """This node has a new key: what it has published gets a new version, with a new signature."""
        self._generation = self._trust.generation
        space = self._space
        slot = space.origins.first[SELF]
        while slot != NIL:
            if space.lsa_version[slot]:
                space.touch(slot)
            slot = space.lsa_next[slot]

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
            "absorbed": self.intake.absorbed,
            "refused": self.refused,
            "refusals": {peer: dict(reasons) for peer, reasons in self.refusals.by_peer.items()},
            "no_room": self.intake.no_room + self._digest.no_room + self._statements.no_room,
            "too_large": self.outbox.too_large,
            "healed": self._digest.asked,
            "without_base": self.intake.without_base,
            "last_refusal": self.last_refusal,
            "reincarnations": self._digest.reincarnations,
            "reminders": dict(self._digest.reminders),
            "silent": self.hearing.silent,
            "deaf": self.hearing.deaf,
            "strangers": self.hearing.strangers,
            "flooding": list(self.allowances.flooding),
            "restless": self.allowances.restless,
            "other_versions": self.other_versions,
        }
