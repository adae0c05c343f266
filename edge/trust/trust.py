"""What a node believes of what it is told, and who can read what it says.

`Trust` is the interface, and as a class the trust of a node without keys: it believes everybody and seals
nothing. `Keyring` is the trust of a node with keys. The gateway, the courier and the twins use either alike.

Names of nodes are plain text, as in the configuration. Messages, signatures and sealed values are bytes.
"""

from hashlib import blake2b
from typing import TypedDict

IDENTITY, REVOKED = "IDENTITY", "REVOKED"  # labels of the properties of `<node>.identity`
TWIN = "identity"  # name of that twin within its node
SIGNATURE_BYTES = 64
LINK_BYTES = 12  # of a chain of pulses
TAG_BYTES = 4
SEAL_BYTES = 16  # a sealed value is longer by these

UNKNOWN, FORGED, REVOKED_NODE, EXPIRED = "unknown", "forged", "revoked", "expired"
NOT_YET_VALID, FOREIGN, OUTDATED = "not_yet_valid", "foreign", "outdated"
REASONS = {
    UNKNOWN: "no identity of this node has been seen",
    FORGED: "the signature is not that of the node or of the authority",
    REVOKED_NODE: "the authority has revoked the certificate",
    EXPIRED: "the certificate has expired",
    NOT_YET_VALID: "the certificate is not valid yet",
    FOREIGN: "the certificate belongs to another microgrid",
    OUTDATED: "a newer certificate of this node has been seen",
}


class Untrusted(Exception):
    """A node or what it says is not believed. `reason` is one of REASONS."""

    def __init__(self, origin: str, reason: str) -> None:
        super().__init__(f"{origin}: {REASONS[reason]}")
        self.origin = origin
        self.reason = reason


class SealBroken(ValueError):
    """A sealed value was altered, or was sealed for another reader or place, or by another author."""


class TrustStats(TypedDict):
    """State of a trust, and what it has refused since the start."""

    authentic: bool
    cluster: str
    serial: int  # of the own certificate
    ends_s: int  # of the own certificate, in Unix time
    date_known: bool  # whether certificates are judged by their dates
    members: list[str]  # nodes whose certificate has been verified
    revocations: int  # number of the newest list of revoked certificates
    revoked: list[str]
    refused: dict[str, int]  # by reason


class Trust:
    """Open: believes everybody, and signs and seals nothing."""

    authentic = False  # whether what is believed was proved
    generation = 0  # of the own signing key; when it rises, what the node has published must be signed again

    # ---- signatures ----------------------------------------------------------------------------

    def sign(self, message: bytes) -> bytes:
        """The own signature, 64 bytes; empty when open."""
        return b""

    def verify(self, origin: str, message: bytes, signature: bytes, incarnation: int = 0) -> None:
        """Raises Untrusted unless `origin` has signed the message, which is about that life of it."""

    # ---- identities ----------------------------------------------------------------------------

    def certificate(self) -> bytes:
        """The own identity; empty when open."""
        return b""

    @property
    def first_incarnation(self) -> int:
        """The earliest incarnation with which this node may begin a life."""
        return 1

    def introduce(self, origin: str, certificate: bytes) -> bool:
        """Learn the keys of a node; True if they are news. The same bytes again cost a comparison.

        Raises Untrusted.
        """
        return False

    def knows(self, origin: str) -> bool:
        """Whether what this node signs can be verified."""
        return True

    def revocations(self) -> bytes:
        """The newest signed list of revoked certificates; empty without one."""
        return b""

    def revoke(self, data: bytes) -> bool:
        """Take over a list of revoked certificates; True if it is news. A list that is not signed by the
        authority, or is older than the own one, changes nothing."""
        return False

    def look(self) -> bool:
        """Take over key files that have changed, to be called now and then; True if something has."""
        return False

    def second_passed(self) -> list[str]:
        """To be called each second: the nodes that have been revoked or have expired since the last call."""
        return []

    # ---- pulses --------------------------------------------------------------------------------

    def link(self, number: int) -> bytes:
        """Proof of the own beat `number`, 12 bytes that nobody can know before; empty when open."""
        return b""

    def follows(self, link: bytes, number: int, known: bytes, known_number: int) -> bool:
        """Whether a link proves a later beat than a known link of the same node. At most 255 hashes."""
        return number > known_number

    def anchors(self, number: int) -> bool:
        """Whether a new chain begins at this beat, so that it needs a signed statement."""
        return False

    # ---- seals ---------------------------------------------------------------------------------

    def seal(self, reader: str, context: bytes, plain: bytes) -> bytes:
        """Only `reader` can open it, and only with the same context; 16 bytes longer.

        The same in gives the same out. Raises Untrusted if the reader is not known.
        """
        return plain

    def open(self, author: str, context: bytes, sealed: bytes) -> bytes:
        """What `author` sealed for this node. Raises SealBroken, Untrusted."""
        return sealed

    def tag(self, other: str, text: bytes) -> bytes:
        """4 bytes that only this node and `other` can compute. Raises Untrusted if the other is not known.

        When open anybody can: the text must differ for each pair of nodes by itself.
        """
        return blake2b(text, digest_size=TAG_BYTES).digest()

    def tags(self, other: str, text: bytes) -> list[bytes]:
        """The tags that `other` may have computed: several while keys are replaced. Raises Untrusted."""
        return [self.tag(other, text)]

    # ---- what it shows -------------------------------------------------------------------------

    def stats(self) -> TrustStats:
        """Counters and state, for `/health`."""
        return {
            "authentic": False,
            "cluster": "",
            "serial": 0,
            "ends_s": 0,
            "date_known": False,
            "members": [],
            "revocations": 0,
            "revoked": [],
            "refused": {},
        }

    def troubles(self) -> list[tuple[str, str]]:
        """What is not well: code and text, for `/health`."""
        return []
