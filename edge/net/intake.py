"""How what neighbours show enters the space: checked in the order of what a check costs, signatures last.

Path and owner, whether it is news, whether it fits what its origin said before, whether there is room; then
whether its origin has signed it. An identity comes first: it makes all the others of its origin credible.
"""

from collections.abc import Iterable, Mapping

from ..space.errors import BadPath, NotOwner, SpaceError, UnknownBase
from ..space.exchange import (
    absorb,
    check_room,
    complete,
    contradicts,
    export,
    is_news,
)
from ..space.lsa import Delta, Lsa, Near
from ..space.names import NIL
from ..space.nearby import RENEWED, absorb_near, is_near_news
from ..space.origins import WAY_S
from ..space.tuplespace import SELF, TupleSpace
from ..trust.trust import FORGED, IDENTITY, OUTDATED, SIGNATURE_BYTES, TWIN, UNKNOWN, Trust, Untrusted
from . import manifest, tree
from .allowance import Allowance, Allowances
from .bundle import Bundle, Record, bundles
from .frame import Frame
from .latest import Latest
from .questions import Questions
from .refusals import BAD_PATH, CHANGES, CONTRADICTION, NOT_OWNER, Refusals
from .tree import BadTree

_NOTHING = 0, 0, 0
_OVERTAKEN = 256  # changes of one origin, by which a message on one way may be overtaken by others


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
        # By origin: incarnation, version and tick of the newest near property that brought its LSA along.
        self._newest: Latest[str, tuple[int, int, int]] = Latest(space.nodes.capacity)
        # By origin: its identity in that life. It proves it to those that know only an earlier one.
        self._identities: Latest[str, Lsa] = Latest(space.nodes.capacity)
        self.homeless: set[str] = set()  # origins whose LSAs have just found no room
        self.outlived: set[str] = set()  # origins of which an earlier life than is known was just shown
        self.own_life = 0  # the latest of which this node has seen what it had signed
        self.no_room = 0  # what did not fit into the space
        self.without_base = 0  # deltas that did not lead to what their origin has signed

    def take(self, peer: str, frame: Frame, allowance: Allowance) -> None:
        """The LSAs, deltas and near properties of a frame, signature by signature, while it is believed."""
        for bundle in sorted(bundles(frame.records, frame.bundled), key=_order):
            if allowance.believed:
                self._take(peer, bundle)

    def distrust(self, peer: str, error: Untrusted) -> None:
        """Something that a neighbour sent is not believed. Who is unknown is asked for."""
        if error.reason == UNKNOWN:
            self._refusals.note_quietly(peer, UNKNOWN)
            self._questions.identity(peer, error.origin)
            return
        if error.reason == OUTDATED:  # it was on its way while the node got new keys
            self._refusals.note_quietly(peer, OUTDATED)
            return
        self._refusals.note(peer, error.reason, str(error))
        if error.reason == FORGED:
            self._allowances.of(peer).forged()
            self._questions.identity(peer, error.origin)  # it may have new keys

    def forget(self, origin: str) -> None:
        """A node is no longer believed: nor is what it said last."""
        self._newest.pop(origin, None)
        self._identities.pop(origin, None)

    def later_life(self, origin: str) -> Lsa | None:
        """What an origin has signed in a later life than the space knows of it, which has left the space."""
        identity = self._identities.get(origin)
        return identity if identity and identity.incarnation > self._life_of(origin) else None

    def verify(self, origin: str, message: bytes, signature: bytes, incarnation: int) -> None:
        """Raises Untrusted. A member that was forgotten is looked for in the space."""
        try:
            self._trust.verify(origin, message, signature, incarnation)
        except Untrusted as error:
            handle = self._space.find(f"{origin}.{TWIN}") if error.reason == UNKNOWN else 0
            certificate = self._space.read(handle, IDENTITY) if handle else None
            if certificate is None:
                raise
            self._trust.introduce(origin, certificate)
            self._trust.verify(origin, message, signature, incarnation)

    def _take(self, peer: str, bundle: Bundle) -> None:
        """What one signature proves: first all that costs little, and the signature last."""
        shown = {place: self._completed(peer, each) for place, each in bundle.records.items()}
        if not all(self._introduce(peer, each) for each in shown.values() if each):
            return
        wanted = {place: each for place, each in shown.items() if each and self._is_wanted(peer, each)}
        if not wanted:
            return
        try:
            signed = self._trust.authentic
            text = self._proven(bundle, shown, wanted) if signed else b""
            fit = [each for each in wanted.values() if self._fits(peer, each)]
            if fit and signed:
                latest = max(each.incarnation for each in fit)
                self.verify(fit[0].origin, text, fit[0].auth[:SIGNATURE_BYTES], latest)
        except BadTree:
            self._ask_again(peer, wanted.values())
        except Untrusted as error:
            if error.reason == FORGED and any(isinstance(each, Delta) for each in bundle.records.values()):
                self._allowances.of(peer).forged()
                self._ask_again(peer, wanted.values())
            else:
                self.distrust(peer, error)
        else:
            for each in fit:
                self._absorb(peer, each, len(fit) == 1)

    def _completed(self, peer: str, record: Record) -> Lsa | Near | None:
        """A delta becomes a whole LSA; None if it cannot, or is no news."""
        if not isinstance(record, Delta):
            return record
        try:
            return complete(self._space, record, peer)
        except UnknownBase:
            self.without_base += 1
            self._questions.lsa(peer, record.name)
            return None

    def _is_own_past(self, record: Lsa | Near) -> bool:
        """Whether this node would have said it in a life that it does not remember."""
        space = self._space
        return record.origin == space.node and record.incarnation > space.origins.incarnation[SELF]

    def _note_life(self, record: Lsa | Near) -> None:
        """What is no news may be of an earlier life than is known of its origin."""
        origin = record.origin
        known = max(self._life_of(origin), self._newest.get(origin, _NOTHING)[0])
        if origin != self._space.node and record.incarnation < known:
            self.outlived.add(origin)

    def _life_of(self, origin: str) -> int:
        number = self._space.origin_number(origin)
        return 0 if number == NIL else self._space.origins.incarnation[number]

    def _is_wanted(self, peer: str, record: Lsa | Near) -> bool:
        if self._is_own_past(record):
            return True
        try:
            if not self._is_news(peer, record):
                self._note_life(record)
                return False
        except BadPath as error:
            self._refusals.note(peer, BAD_PATH, str(error))
            return False
        except NotOwner as error:
            self._refusals.note(peer, NOT_OWNER, str(error))
            return False
        if self._is_too_much(peer, record.origin):
            return False
        if isinstance(record, Lsa) and contradicts(self._space, record):
            text = f"{record.name} is not what its origin showed before"
            self._refusals.note(peer, CONTRADICTION, text)
            return False
        return True

    def _is_news(self, peer: str, record: Lsa | Near) -> bool:
        """Raises BadPath, NotOwner."""
        if isinstance(record, Near):
            return is_near_news(self._space, record, peer) and not self._is_replayed(record)
        return is_news(self._space, record, peer)

    def _is_replayed(self, near: Near) -> bool:
        """Whether it is from long before what its origin has said last, though nothing of it is held here."""
        newest = self._newest.get(near.origin)
        if not (near.alone and newest):
            return False
        incarnation, version, tick = newest
        if (near.incarnation, near.version) > (incarnation, version):
            return False
        if near.incarnation < incarnation and self._lives_again(near):
            return False
        late = self._space.tick - tick > WAY_S or near.version < version - _OVERTAKEN
        if near.incarnation == incarnation and not late:
            return False
        slot = self._space.slot_of_name(near.name)
        return slot == NIL or self._space.property_of(slot, near.label, near.query) == NIL

    def _lives_again(self, near: Near) -> bool:
        """Whether it is of the present life of its origin, though that is an earlier one than the newest.

        A node that lost its memory is told of its later life by those that can prove it. Where nobody could,
        its heartbeats are those of this one.
        """
        origins, number = self._space.origins, self._space.origin_number(near.origin)
        if number == NIL:
            return not self._trust.authentic
        return bool(origins.beat[number]) and origins.incarnation[number] == near.incarnation

    def _proven(
        self, bundle: Bundle, shown: Mapping[int, Lsa | Near | None], wanted: Mapping[int, Lsa | Near]
    ) -> bytes:
        """What the origin must have signed; each record gets what proves it alone. Raises BadTree."""
        shared = bundle.shared
        if shared is None:
            return manifest.of(wanted[0])
        if len({each.origin for each in wanted.values()}) > 1:
            raise BadTree
        leaves = {
            place: tree.leaf(self._manifest(each, shown[place])) for place, each in bundle.records.items()
        }
        nodes = tree.grown(shared.count, leaves, tree.hashes(shared.beside))
        for place, each in wanted.items():
            each.auth = tree.proof(shared.signature, shared.count, place, nodes)
        return tree.message(shared.count, nodes)

    def _manifest(self, record: Record, shown: Lsa | Near | None) -> bytes:
        """Also of a delta that leads to what is held. Raises BadTree."""
        if shown is None:
            slot = self._space.slot_of_name(record.name)
            shown = export(self._space, slot) if slot != NIL else None
            if shown is None or (shown.incarnation, shown.version) != (record.incarnation, record.version):
                raise BadTree
        return manifest.of(shown)

    def _fits(self, peer: str, record: Lsa | Near) -> bool:
        if isinstance(record, Near) or not record.life_s or record.origin == self._space.node:
            return True
        try:
            check_room(self._space, record)
        except SpaceError as error:
            self.homeless.add(record.origin)
            self._note_no_room(peer, error)
            return False
        return True

    def _introduce(self, peer: str, record: Lsa | Near) -> bool:
        """Learn who a node is; False if that is not believed.

        Also from an earlier life than is known: it may have lost its keys, and come back with new ones.
        """
        if isinstance(record, Near) or not _is_identity(record.name) or record.origin == self._space.node:
            return True
        known = self._trust.knows(record.origin)
        try:
            for each in record.properties:
                news = each.label == IDENTITY and not each.query
                if news and self._trust.introduce(record.origin, each.value) and not known:
                    self._questions.introduced(peer, record.origin)
        except Untrusted as error:
            self.distrust(peer, error)
            return False
        return True

    def _absorb(self, peer: str, record: Lsa | Near, checked: bool) -> None:
        """`checked`: nothing has been absorbed since it was found to be news, and to fit."""
        origin = record.origin
        if origin == self._space.node:
            self.own_life = max(self.own_life, record.incarnation)
            return
        try:
            if isinstance(record, Near):
                taken = absorb_near(self._space, record, peer, checked)
                self._count(origin, bool(taken), taken == RENEWED)
                if record.alone and taken:
                    self._note_newest(record)
            else:
                self._count(origin, absorb(self._space, record, peer, checked))
        except SpaceError as error:
            if isinstance(record, Lsa):
                self.homeless.add(origin)
            self._note_no_room(peer, error)

    def _note_newest(self, near: Near) -> None:
        origin, said = near.origin, (near.incarnation, near.version, self._space.tick)
        before = self._newest.get(origin, said)
        self._newest.note(origin, max(before, said) if before[0] == near.incarnation else said)
        identity = self._identities.get(origin)
        if self._trust.authentic and (identity is None or identity.incarnation != near.incarnation):
            slot = self._space.slot_of_name(f"{origin}.{TWIN}")
            if slot != NIL and self._space.lsa_version[slot]:
                self._identities.note(origin, export(self._space, slot))

    def _ask_again(self, peer: str, records: Iterable[Lsa | Near]) -> None:
        """What does not lead to what its origin has signed may be due to the base held here."""
        self.without_base += 1
        for each in records:
            self._questions.lsa(peer, each.name)

    def _is_too_much(self, peer: str, origin: str) -> bool:
        """Whether an origin changes too often; the digest finds what is left out."""
        if self._allowances.may_change(origin):
            return False
        self._refusals.note_quietly(peer, CHANGES)
        return True

    def _count(self, origin: str, taken: bool, renewed: bool = False) -> None:
        self.absorbed += taken
        if taken:
            self._allowances.changed(origin, renewed)

    def _note_no_room(self, peer: str, error: SpaceError) -> None:
        self.no_room += 1
        self._refusals.note_no_room(peer, str(error))


def _order(bundle: Bundle) -> int:
    """Identities come first, near properties after their LSAs."""
    order = 1
    for each in bundle.records.values():
        if isinstance(each, Near):
            order = 2
        elif _is_identity(each.name):
            return 0
    return order


def _is_identity(name: str) -> bool:
    return name.partition(".")[2] == TWIN
