"""How what neighbours show enters the space: checked in the order of what a check costs, signatures last.

Path and owner, whether it is news, whether it fits what its origin said before, whether there is room; then
whether its origin has signed it. An identity comes first: it makes all the others of its origin credible.
"""

from ..space.errors import BadPath, NotOwner, SpaceError, UnknownBase
from ..space.exchange import (
    absorb,
    absorb_near,
    check_room,
    complete,
    contradicts,
    is_near_news,
    is_news,
)
from ..space.lsa import Delta, Lsa, Near
from ..space.tuplespace import TupleSpace
from ..trust.trust import FORGED, IDENTITY, TWIN, UNKNOWN, Trust, Untrusted
from . import manifest
from .allowance import Allowances
from .frame import Frame
from .questions import Questions
from .refusals import BAD_PATH, CHANGES, CONTRADICTION, NOT_OWNER, Refusals


class Intake:
    """The door of a space."""

    def __init__(
        self,
        space: TupleSpace,
        trust: Trust,
        questions: Questions,
        refusals: Refusals,
        allowances: Allowances,
    ) -> None:
        self._space = space
        self._trust = trust
        self._questions = questions
        self._refusals = refusals
        self._allowances = allowances
        self.absorbed = 0
        self.homeless: set[str] = set()  # origins whose LSAs have just found no room
        self.no_room = 0  # what did not fit into the space
        self.without_base = 0  # deltas that did not lead to what their origin has signed

    def take(self, peer: str, frame: Frame) -> None:
        """The LSAs, deltas and near properties of a frame."""
        shown: list[Lsa | Delta] = [*frame.lsas, *frame.deltas]
        shown.sort(key=lambda each: not _is_identity(each.name))
        for each in shown:
            if isinstance(each, Lsa):
                self._take(peer, each)
            else:
                self._take_delta(peer, each)
        for near in frame.near:
            self._take_near(peer, near)

    def distrust(self, peer: str, error: Untrusted) -> None:
        """Something that a neighbour sent is not believed. Who is unknown is asked for."""
        if error.reason == UNKNOWN:
            self._refusals.note_quietly(peer, UNKNOWN)
            self._questions.identity(peer, error.origin)
            return
        self._refusals.note(peer, error.reason, str(error))
        if error.reason == FORGED:
            self._allowances.of(peer).forged()

    def verify(self, origin: str, message: bytes, signature: bytes) -> None:
        """Raises Untrusted. A member that was forgotten is looked for in the space."""
        try:
            self._trust.verify(origin, message, signature)
        except Untrusted as error:
            handle = self._space.find(f"{origin}.{TWIN}") if error.reason == UNKNOWN else 0
            certificate = self._space.read(handle, IDENTITY) if handle else None
            if certificate is None:
                raise
            self._trust.introduce(origin, certificate)
            self._trust.verify(origin, message, signature)

    def _take(self, peer: str, lsa: Lsa) -> None:
        try:
            if self._is_worth_it(peer, lsa):
                self._introduce(peer, lsa)
                self.verify(lsa.origin, manifest.of_lsa(lsa), lsa.auth)
                self._count(lsa.origin, absorb(self._space, lsa, peer))
        except Untrusted as error:
            self.distrust(peer, error)
        except BadPath as error:
            self._refusals.note(peer, BAD_PATH, str(error))
        except NotOwner as error:
            self._refusals.note(peer, NOT_OWNER, str(error))
        except SpaceError as error:
            self.homeless.add(lsa.origin)
            self._note_no_room(peer, error)

    def _is_worth_it(self, peer: str, lsa: Lsa) -> bool:
        """Whether an LSA is worth the price of a signature. Raises BadPath, NotOwner, SpaceFull."""
        if not is_news(self._space, lsa, peer) or self._is_too_much(peer, lsa.origin):
            return False
        if contradicts(self._space, lsa):
            text = f"{lsa.name} is not what its origin showed before"
            self._refusals.note(peer, CONTRADICTION, text)
            return False
        if lsa.life_s:
            check_room(self._space, lsa)
        return True

    def _introduce(self, peer: str, lsa: Lsa) -> None:
        """Learn who a node is. Raises Untrusted."""
        if not _is_identity(lsa.name):
            return
        known = self._trust.knows(lsa.origin)
        for each in lsa.properties:
            if each.label == IDENTITY and not each.query:
                self._trust.introduce(lsa.origin, each.value)
                if not known:  # what else it shows was not believed so far
                    self._questions.roster(peer, lsa.origin)

    def _take_delta(self, peer: str, delta: Delta) -> None:
        """A delta that does not lead to what its origin has signed may be due to the base held here."""
        try:
            lsa = complete(self._space, delta, peer)
            if lsa is None or self._is_too_much(peer, lsa.origin):
                return
            self._introduce(peer, lsa)
            self.verify(lsa.origin, manifest.of_lsa(lsa), lsa.auth)
        except UnknownBase:
            self.without_base += 1
            self._questions.lsa(peer, delta.name)
            return
        except Untrusted as error:
            if error.reason != FORGED:
                self.distrust(peer, error)
                return
            self._allowances.of(peer).forged()
            self.without_base += 1
            self._questions.lsa(peer, delta.name)
            return
        self._take(peer, lsa)

    def _take_near(self, peer: str, near: Near) -> None:
        try:
            origin = near.name.partition(".")[0]
            if is_near_news(self._space, near) and not self._is_too_much(peer, origin):
                self.verify(origin, manifest.of_near(near), near.auth)
                self._count(origin, absorb_near(self._space, near, peer))
        except Untrusted as error:
            self.distrust(peer, error)
        except SpaceError as error:
            self._note_no_room(peer, error)

    def _is_too_much(self, peer: str, origin: str) -> bool:
        """Whether an origin changes too often; the digest finds what is left out."""
        if self._allowances.may_change(origin):
            return False
        self._refusals.note_quietly(peer, CHANGES)
        return True

    def _count(self, origin: str, taken: bool) -> None:
        self.absorbed += taken
        if taken:
            self._allowances.changed(origin)

    def _note_no_room(self, peer: str, error: SpaceError) -> None:
        self.no_room += 1
        self._refusals.note_no_room(peer, str(error))


def _is_identity(name: str) -> bool:
    return name.partition(".")[2] == TWIN
