"""The trust of a node with keys: it believes those whom the authority of its microgrid has certified.

**Dates.** A board without a real-time clock may start with any date. So a date is only believed when the
clock has been set (2023 or later) and is not before the time at which the own certificate and the list of
revoked ones were made, which prove how late it is at least. Until then every certificate counts, whatever
its dates: nobody is locked out for ever. When the date is believed, and at each second after, all
certificates are judged again, so nothing that has expired is accepted for ever. A certificate that is refused
for its dates is judged again each time that it is shown, so a wrong clock that is put right mends everything.

**Renewal.** A certificate with a higher serial number replaces the one before. Signatures and seals of the
old keys are believed until the old certificate expires or is revoked, since LSAs that carry them are around.
"""

import logging
import os
from collections import Counter
from hashlib import blake2b

from ..clock import CLOCK_SET_S, Clock
from . import pulses
from .certificate import BadCertificate, Certificate
from .files import KeyFileError
from .keys import Authority, verifies
from .revocation import BadList, Revocations
from .seals import SharedKey
from .source import Own, Source
from .trust import (
    EXPIRED,
    FOREIGN,
    FORGED,
    NOT_YET_VALID,
    OUTDATED,
    REASONS,
    REVOKED_NODE,
    UNKNOWN,
    SealBroken,
    Trust,
    TrustStats,
    Untrusted,
)

log = logging.getLogger("edge.trust")

_VERIFIED = 512  # signatures that are remembered as verified
_EXPIRES_S = 30 * 86400  # health warns that long before the own certificate expires


class _Member:
    """A node whose certificate has been verified."""

    __slots__ = ("before", "certificate", "used")

    def __init__(self, certificate: Certificate, before: Certificate | None) -> None:
        self.certificate = certificate
        self.before = before  # an older one with other keys, while it is valid
        self.used = 0


class Keyring(Trust):
    """Own keys, the authority's public key, and the members that are known."""

    authentic = True

    def __init__(
        self,
        node: str,
        authority: Authority,
        own: Own,
        clock: Clock,
        *,
        nodes: int = 32,
        source: Source | None = None,
        secret: bytes = b"",
    ) -> None:
        """At most `nodes` members are known, with this one. `secret` makes the pulses: new at each start."""
        self.node = node
        self._authority = authority
        self._own = own
        self._own_before: Own | None = None
        self._clock = clock
        self._nodes = nodes
        self._source = source
        self._chain = pulses.Chain(secret or os.urandom(32))
        self._members = {node: _Member(own.certificate, None)}
        self._uses = 0
        self._revocations: Revocations | None = None
        self._verified: dict[bytes, None] = {}  # oldest first
        self._shared: dict[tuple[bytes, bytes], SharedKey] = {}
        self._parted: list[str] = []
        self._refused: Counter[str] = Counter()
        self._own_reason = ""  # why others do not believe this node
        self._file_trouble = ""
        for each in source.revocations() if source else ():
            self._take(each)

    @classmethod
    def load(cls, source: Source, clock: Clock, nodes: int) -> "Keyring":
        """From the files of a node. Raises KeyFileError."""
        own = source.own()
        return cls(own.certificate.node, source.authority, own, clock, nodes=nodes, source=source)

    # ---- signatures ----------------------------------------------------------------------------

    def sign(self, message: bytes) -> bytes:
        return self._own.keys.signing.sign(message)

    def verify(self, origin: str, message: bytes, signature: bytes) -> None:
        member = self._member(origin)
        for certificate in (member.certificate, member.before):
            if certificate is not None and self._verifies(certificate.sign_key, message, signature):
                return
        raise self._refusal(origin, FORGED)

    def _verifies(self, sign_key: bytes, message: bytes, signature: bytes) -> bool:
        hashed = blake2b(sign_key, digest_size=16)
        hashed.update(signature)
        hashed.update(message)
        mark = hashed.digest()
        if mark in self._verified:
            return True
        if not verifies(sign_key, message, signature):
            return False
        if len(self._verified) >= _VERIFIED:
            del self._verified[next(iter(self._verified))]
        self._verified[mark] = None
        return True

    # ---- identities ----------------------------------------------------------------------------

    def certificate(self) -> bytes:
        return self._own.certificate.data

    def knows(self, origin: str) -> bool:
        return origin in self._members

    def introduce(self, origin: str, certificate: bytes) -> None:
        known = self._members.get(origin)
        if known and known.certificate.data == certificate:
            return
        try:
            found = Certificate(certificate)
        except BadCertificate:
            raise self._refusal(origin, FORGED) from None
        if found.node != origin:
            raise self._refusal(origin, FORGED)
        if reason := self._fault(found, self._date_s()):
            raise self._refusal(origin, reason)
        if known and (origin == self.node or found.serial <= known.certificate.serial):
            raise self._refusal(origin, OUTDATED)
        if not self._authority.verifies(found.signed, found.signature):
            raise self._refusal(origin, FORGED)
        self._admit(found)

    def revocations(self) -> bytes:
        newest = self._revocations
        return (
            newest.data if newest and newest.serials else b""
        )  # nobody needs to know that nobody is revoked

    def revoke(self, data: bytes) -> bool:
        if self._revocations and self._revocations.data == data:
            return False
        try:
            found = Revocations(data)
        except BadList:
            return False
        if not self._take(found):
            return False
        if self._source:
            self._source.keep(found)
        return True

    def look(self) -> bool:
        """A key and its certificate are two files: while they do not fit, the old pair stays in use."""
        source = self._source
        if source is None or not (source.changed or self._file_trouble):
            return False
        news = False
        for each in source.revocations():
            news |= self._take(each)
        try:
            own = source.own()
        except KeyFileError as error:
            if str(error) != self._file_trouble:
                log.warning("%s; the keys in use are kept", error)
            self._file_trouble = str(error)
            return news
        self._file_trouble = ""
        if own.certificate.data != self._own.certificate.data:
            self._renew(own)
            news = True
        return news

    def second_passed(self) -> list[str]:
        self._judge_all()
        parted, self._parted = self._parted, []
        return parted

    def _member(self, name: str) -> _Member:
        """Raises Untrusted."""
        member = self._members.get(name)
        if member is None:
            raise self._refusal(name, UNKNOWN)
        self._uses += 1
        member.used = self._uses
        return member

    def _admit(self, certificate: Certificate) -> None:
        """Whoever was not needed for longest leaves when there is no room."""
        known = self._members.get(certificate.node)
        if known is None and len(self._members) >= self._nodes:
            others = (name for name in self._members if name != self.node)
            del self._members[min(others, key=lambda name: self._members[name].used)]
        self._uses += 1
        member = _Member(certificate, known.certificate if known else None)
        member.used = self._uses
        self._members[certificate.node] = member

    def _renew(self, own: Own) -> None:
        old = self._own
        self._own = own
        member = self._members[self.node]
        member.certificate = own.certificate
        if own.keys.data != old.keys.data:
            self._own_before, member.before = old, old.certificate
            self.generation += 1
        log.info(
            "this node has a new certificate, number %d%s",
            own.certificate.serial,
            " and new keys" if own.keys.data != old.keys.data else "",
        )

    def _take(self, found: Revocations) -> bool:
        newest = self._revocations
        if (newest and found.number <= newest.number) or found.cluster != self._authority.cluster:
            return False
        if not self._authority.verifies(found.signed, found.signature):
            return False
        self._revocations = found
        if found.serials:
            log.info("revoked identities, list %d: %s", found.number, ", ".join(found.serials))
        self._judge_all()
        return True

    def _judge_all(self) -> None:
        now_s = self._date_s()
        for name, member in list(self._members.items()):
            if member.before and self._fault(member.before, now_s):
                member.before = None
            reason = self._fault(member.certificate, now_s)
            if name == self.node:
                self._note_own(reason)
            elif reason:
                log.warning("%s", Untrusted(name, reason))
                del self._members[name]
                self._parted.append(name)

    def _note_own(self, reason: str) -> None:
        if reason and reason != self._own_reason:
            log.error("this node is not believed by others: %s", Untrusted(self.node, reason))
        self._own_reason = reason

    def _fault(self, certificate: Certificate, now_s: float | None) -> str:
        """Why it does not count at that date, its signature apart; empty if it does."""
        if certificate.cluster != self._authority.cluster:
            return FOREIGN
        if self._revocations and self._revocations.revokes(certificate.node, certificate.serial):
            return REVOKED_NODE
        if now_s is not None and now_s < certificate.begins_s:
            return NOT_YET_VALID
        if now_s is not None and now_s >= certificate.ends_s:
            return EXPIRED
        return ""

    def _refusal(self, origin: str, reason: str) -> Untrusted:
        self._refused[reason] += 1
        return Untrusted(origin, reason)

    def _date_s(self) -> float | None:
        """The date by which certificates are judged, in Unix seconds; None while it is not believed."""
        least_s = max(CLOCK_SET_S, self._own.certificate.serial)
        if self._revocations:
            least_s = max(least_s, self._revocations.number)
        now_s = self._clock.wall_s()
        return now_s if now_s >= least_s else None

    # ---- pulses --------------------------------------------------------------------------------

    def link(self, number: int) -> bytes:
        return self._chain.link(number)

    def follows(self, link: bytes, number: int, known: bytes, known_number: int) -> bool:
        return pulses.follows(link, number, known, known_number)

    def anchors(self, number: int) -> bool:
        return number % pulses.BEATS == 0

    # ---- seals ---------------------------------------------------------------------------------

    def seal(self, reader: str, context: bytes, plain: bytes) -> bytes:
        return self._current(reader).seal(self.node, reader, context, plain)

    def open(self, author: str, context: bytes, sealed: bytes) -> bytes:
        member = self._member(author)
        for own in (self._own, self._own_before):
            for certificate in (member.certificate, member.before):
                if own and certificate:
                    try:
                        shared = self._key(own, certificate)
                        return shared.open(author, self.node, context, sealed)
                    except SealBroken:
                        continue
        self._refused["seal_broken"] += 1
        raise SealBroken(f"{author}: altered, or not sealed for this node and place")

    def tag(self, other: str, text: bytes) -> bytes:
        return self._current(other).tag(text)

    def tags(self, other: str, text: bytes) -> list[bytes]:
        member = self._member(other)
        pairs = [(o, c) for o in (self._own, self._own_before) for c in (member.certificate, member.before)]
        return [self._key(own, certificate).tag(text) for own, certificate in pairs if own and certificate]

    def _current(self, other: str) -> SharedKey:
        """Raises Untrusted."""
        return self._key(self._own, self._member(other).certificate)

    def _key(self, own: Own, certificate: Certificate) -> SharedKey:
        pair = own.keys.seal_key, certificate.seal_key
        shared = self._shared.get(pair)
        if shared is None:
            if len(self._shared) >= 2 * self._nodes:
                self._shared.clear()
            shared = self._shared[pair] = SharedKey(own.keys.seal_secret, certificate.seal_key)
        return shared

    # ---- what it shows -------------------------------------------------------------------------

    def stats(self) -> TrustStats:
        newest = self._revocations
        return {
            "authentic": True,
            "cluster": self._authority.cluster,
            "serial": self._own.certificate.serial,
            "ends_s": self._own.certificate.ends_s,
            "date_known": self._date_s() is not None,
            "members": sorted(self._members),
            "revocations": newest.number if newest else 0,
            "revoked": sorted(newest.serials) if newest else [],
            "refused": dict(self._refused),
        }

    def troubles(self) -> list[tuple[str, str]]:
        found = []
        if self._own_reason:
            found.append(
                ("identity_refused", f"others do not believe this node: {REASONS[self._own_reason]}")
            )
        elif (now_s := self._date_s()) and self._own.certificate.ends_s - now_s < _EXPIRES_S:
            days = (self._own.certificate.ends_s - now_s) / 86400
            found.append(("certificate_ending", f"the identity of this node expires in {days:.0f} days"))
        if self._file_trouble:
            found.append(("keys_unusable", f"{self._file_trouble}; the keys in use are kept"))
        return found
