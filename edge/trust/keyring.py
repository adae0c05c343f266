"""The trust of a node with keys: it believes those whom the authority of its microgrid has certified.

**Dates.** A board without a real-time clock may start with any date. So a date is only believed when the
clock has been set (2023 or later) and is not before the time at which the own certificate and the list of
revoked ones were made, which prove how late it is at least. Until then every certificate counts, whatever
its dates: nobody is locked out for ever. When the date is believed, and at each second after, all
certificates are judged again, so nothing that has expired is accepted for ever. A certificate that is refused
for its dates is judged again each time that it is shown, so a wrong clock that is put right mends everything.

**Renewal.** A certificate with a higher serial number replaces the one before. Signatures and seals of the
old keys are believed until the old certificate expires or is revoked, since LSAs that carry them are around;
but not for a life that began after the certificate was replaced.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b

from ..clock import CLOCK_SET_S, Clock
from . import pulses
from .certificate import Certificate
from .files import KeyFileError
from .keys import Authority, verifies
from .members import Members
from .revocation import BadList, Revocations
from .seals import SharedKey
from .source import Own, Source
from .trust import FORGED, REASONS, SealBroken, Trust, TrustStats, Untrusted

log = logging.getLogger("edge.trust")

# No setting: a signature arrives again by another way within seconds; a forgotten one is verified again.
_VERIFIED = 512  # signatures that are remembered as verified
_EXPIRES_S = 30 * 86400  # health warns that long before the own certificate expires


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
        self._own = own
        self._own_before: Own | None = None
        self._clock = clock
        self._source = source
        self._chain = pulses.Chain(secret or os.urandom(32))
        self._members = Members(authority, own.certificate, nodes)
        self._verified: dict[bytes, None] = {}  # oldest first
        self._shared: dict[tuple[bytes, bytes], SharedKey] = {}
        self._shared_most = 2 * nodes
        self._refused: Counter[str] = Counter()
        self._file_trouble = ""
        if source:
            self._read_lists(source)

    @classmethod
    def load(cls, source: Source, clock: Clock, nodes: int) -> "Keyring":
        """From the files of a node. Raises KeyFileError."""
        own = source.own()
        return cls(own.certificate.node, source.authority, own, clock, nodes=nodes, source=source)

    # ---- signatures ----------------------------------------------------------------------------

    def sign(self, message: bytes) -> bytes:
        return self._own.keys.signing.sign(message)

    def verify(self, origin: str, message: bytes, signature: bytes, incarnation: int = 0) -> None:
        try:
            for certificate in self._members.get(origin).certificates_of(incarnation):
                if self._verifies(certificate.sign_key, message, signature):
                    return
            raise Untrusted(origin, FORGED)
        except Untrusted as refusal:
            self._refused[refusal.reason] += 1
            raise

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

    @property
    def first_incarnation(self) -> int:
        return self._own.certificate.first_incarnation

    def knows(self, origin: str) -> bool:
        return origin in self._members

    def introduce(self, origin: str, certificate: bytes) -> bool:
        try:
            return self._members.introduce(origin, certificate, self._date_s())
        except Untrusted as refusal:
            self._refused[refusal.reason] += 1
            raise

    def revocations(self) -> bytes:
        newest = self._members.revocations
        return (
            newest.data if newest and newest.serials else b""
        )  # nobody needs to know that nobody is revoked

    def revoke(self, data: bytes) -> bool:
        newest = self._members.revocations
        if newest and newest.data == data:
            return False
        try:
            found = Revocations(data)
        except BadList:
            return False
        if not self._members.revoke(found, self._date_s()):
            return False
        if self._source:
            self._source.keep(found)
        return True

    def second_passed(self) -> list[str]:
        self._members.judge(self._date_s())
        parted, self._members.parted = self._members.parted, []
        return parted

    def _date_s(self) -> float | None:
        """The date by which certificates are judged, in Unix seconds; None while it is not believed."""
        least_s = max(CLOCK_SET_S, self._own.certificate.serial)
        if self._members.revocations:
            least_s = max(least_s, self._members.revocations.number)
        now_s = self._clock.wall_s()
        return now_s if now_s >= least_s else None

    # ---- files that change ---------------------------------------------------------------------

    def look(self) -> bool:
        """A key and its certificate are two files: while they do not fit, the old pair stays in use."""
        source = self._source
        if source is None:
            return False
        troubled = self._file_trouble or source.list_trouble or source.kept_trouble
        if not (source.changed or troubled):
            return False
        news = self._read_lists(source)
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

    def _read_lists(self, source: Source) -> bool:
        """Take over the newest list of the files; True if it is news. A broken file takes nothing away."""
        news = False
        for each in source.revocations():
            news |= self._members.revoke(each, self._date_s())
        if self._members.revocations:
            source.keep(self._members.revocations)
        return news

    def _renew(self, own: Own) -> None:
        old, self._own = self._own, own
        self._members.renew(own.certificate)
        new_keys = own.keys.data != old.keys.data
        if new_keys:
            self._own_before = old
            self.generation += 1
        also = " and new keys" if new_keys else ""
        log.info("this node has a new certificate, number %d%s", own.certificate.serial, also)

    # ---- pulses --------------------------------------------------------------------------------

    def link(self, number: int) -> bytes:
        return self._chain.link(number)

    def follows(self, link: bytes, number: int, known: bytes, known_number: int) -> bool:
        return pulses.follows(link, number, known, known_number)

    def anchors(self, number: int) -> bool:
        return number % pulses.BEATS == 0

    # ---- seals ---------------------------------------------------------------------------------

    def seal(self, reader: str, context: bytes, plain: bytes) -> bytes:
        return self._newest_key(reader).seal(self.node, reader, context, plain)

    def open(self, author: str, context: bytes, sealed: bytes) -> bytes:
        for key in self._keys(author):
            with suppress(SealBroken):
                return key.open(author, self.node, context, sealed)
        self._refused["seal_broken"] += 1
        raise SealBroken(f"{author}: altered, or not sealed for this node and place")

    def tag(self, other: str, text: bytes) -> bytes:
        return self._newest_key(other).tag(text)

    def tags(self, other: str, text: bytes) -> list[bytes]:
        return [key.tag(text) for key in self._keys(other)]

    def _newest_key(self, other: str) -> SharedKey:
        """That of the certificates in use. Raises Untrusted."""
        return next(self._keys(other))

    def _keys(self, other: str) -> Iterator[SharedKey]:
        """Those of all certificates that count, the newest first. Raises Untrusted."""
        certificates = self._members.get(other).certificates
        for own in filter(None, (self._own, self._own_before)):
            for certificate in certificates:
                yield self._key(own, certificate)

    def _key(self, own: Own, certificate: Certificate) -> SharedKey:
        pair = own.keys.seal_key, certificate.seal_key
        shared = self._shared.get(pair)
        if shared is None:
            if len(self._shared) >= self._shared_most:
                self._shared.clear()
            try:
                shared = self._shared[pair] = SharedKey(own.keys.seal_secret, certificate.seal_key)
            except ValueError:
                raise Untrusted(certificate.node, FORGED) from None
        return shared

    # ---- what it shows -------------------------------------------------------------------------

    def stats(self) -> TrustStats:
        newest = self._members.revocations
        return {
            "authentic": True,
            "cluster": self._members.authority.cluster,
            "serial": self._own.certificate.serial,
            "ends_s": self._own.certificate.ends_s,
            "date_known": self._date_s() is not None,
            "members": self._members.names,
            "revocations": newest.number if newest else 0,
            "revoked": sorted(newest.serials) if newest else [],
            "refused": dict(self._refused),
        }

    def troubles(self) -> list[tuple[str, str]]:
        found = []
        if self._members.own_fault:
            found.append(
                ("identity_refused", f"others do not believe this node: {REASONS[self._members.own_fault]}")
            )
        elif (now_s := self._date_s()) and self._own.certificate.ends_s - now_s < _EXPIRES_S:
            days = (self._own.certificate.ends_s - now_s) / 86400
            found.append(("certificate_ending", f"the identity of this node expires in {days:.0f} days"))
        if self._file_trouble:
            found.append(("keys_unusable", f"{self._file_trouble}; the keys in use are kept"))
        if self._source and self._source.list_trouble:
            found.append(("list_unusable", f"{self._source.list_trouble}; the list before stays in force"))
        if self._source and self._source.kept_trouble:
            text = f"{self._source.kept_trouble}; neighbours have the newest list, too"
            found.append(("list_unusable", text))
        return found
