"""Values that one node writes and one node reads.

The key is the X25519 secret that the two nodes share. In front stands a keyed hash of the author, the reader,
the context and the plain text. It is the nonce of the cipher, XSalsa20, and what proves the text to its
reader (a synthetic initialisation vector: Rogaway and Shrimpton, 2006). So no random source is needed, a
nonce never serves two texts, no second proof is needed, and a sealed value that is moved to another place,
or sent back to its author, does not open. What it shows: its length, and that it has not changed.
"""

from hashlib import blake2b
from hmac import compare_digest

from nacl import bindings
from nacl.exceptions import CryptoError

from .trust import SEAL_BYTES, TAG_BYTES, SealBroken

_FILL = bytes(24 - SEAL_BYTES)  # of the nonce
_MAC_BYTES = 16  # which libsodium puts in front; not sent


class SharedKey:
    """The secret of this node and one other."""

    __slots__ = ("_hash_key", "_seal_key", "_tag_key")

    def __init__(self, own_secret: bytes, other_public: bytes) -> None:
        """Raises ValueError for a public key that gives no secret."""
        try:
            self._seal_key = bindings.crypto_box_beforenm(other_public, own_secret)
        except CryptoError:
            raise ValueError("the key gives no secret") from None
        self._hash_key = blake2b(b"nonce", key=self._seal_key, digest_size=32).digest()
        self._tag_key = blake2b(b"tag", key=self._seal_key, digest_size=32).digest()

    def seal(self, author: str, reader: str, context: bytes, plain: bytes) -> bytes:
        """16 bytes longer than `plain`."""
        proof = self._hash(author, reader, context, plain)
        return proof + self._cipher(plain, proof)

    def open(self, author: str, reader: str, context: bytes, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        if len(sealed) < SEAL_BYTES:
            raise SealBroken("too short to be sealed")
        proof = bytes(sealed[:SEAL_BYTES])
        plain = self._cipher(bytes(sealed[SEAL_BYTES:]), proof)
        if not compare_digest(proof, self._hash(author, reader, context, plain)):
            raise SealBroken("altered, or sealed with another key or for another place")
        return plain

    def tag(self, text: bytes) -> bytes:
        """4 bytes that only the two nodes can compute."""
        return blake2b(text, key=self._tag_key, digest_size=TAG_BYTES).digest()

    def _cipher(self, text: bytes, proof: bytes) -> bytes:
        """Encrypts, and decrypts: the cipher is a stream of bits that are added to the text."""
        return bindings.crypto_box_easy_afternm(text, proof + _FILL, self._seal_key)[_MAC_BYTES:]

    def _hash(self, author: str, reader: str, context: bytes, plain: bytes) -> bytes:
        hashed = blake2b(key=self._hash_key, digest_size=SEAL_BYTES)
        for part in (author.encode(), reader.encode(), context, plain):
            hashed.update(len(part).to_bytes(4, "big"))
            hashed.update(part)
        return hashed.digest()
