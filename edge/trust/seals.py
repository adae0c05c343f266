"""Values that one node writes and one node reads.

The key is the X25519 secret that the two nodes share, the cipher XSalsa20-Poly1305. The nonce in front is a
keyed hash of the author, the reader, the context and the plain text. So no random source is needed, the same
value seals to the same bytes, a nonce never serves two texts, and a sealed value that is moved to another
place, or sent back to its author, does not open. What it shows: its length, and that it has not changed.
"""

from hashlib import blake2b
from hmac import compare_digest

from nacl import bindings
from nacl.exceptions import CryptoError

from .trust import SEAL_BYTES, TAG_BYTES, SealBroken

_NONCE = 24


class SharedKey:
    """The secret of this node and one other."""

    __slots__ = ("_nonce_key", "_seal_key", "_tag_key")

    def __init__(self, own_secret: bytes, other_public: bytes) -> None:
        """Raises ValueError for a public key that gives no secret."""
        try:
            self._seal_key = bindings.crypto_box_beforenm(other_public, own_secret)
        except CryptoError:
            raise ValueError("the key gives no secret") from None
        self._nonce_key = blake2b(b"nonce", key=self._seal_key, digest_size=32).digest()
        self._tag_key = blake2b(b"tag", key=self._seal_key, digest_size=32).digest()

    def seal(self, author: str, reader: str, context: bytes, plain: bytes) -> bytes:
        """40 bytes longer than `plain`."""
        nonce = self._nonce(author, reader, context, plain)
        return nonce + bindings.crypto_box_easy_afternm(plain, nonce, self._seal_key)

    def open(self, author: str, reader: str, context: bytes, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        if len(sealed) < SEAL_BYTES:
            raise SealBroken("too short to be sealed")
        nonce = bytes(sealed[:_NONCE])
        try:
            plain = bindings.crypto_box_open_easy_afternm(bytes(sealed[_NONCE:]), nonce, self._seal_key)
        except CryptoError:
            raise SealBroken("altered, or sealed with another key") from None
        if not compare_digest(nonce, self._nonce(author, reader, context, plain)):
            raise SealBroken("sealed for another place")
        return plain

    def tag(self, text: bytes) -> bytes:
        """8 bytes that only the two nodes can compute."""
        return blake2b(text, key=self._tag_key, digest_size=TAG_BYTES).digest()

    def _nonce(self, author: str, reader: str, context: bytes, plain: bytes) -> bytes:
        hashed = blake2b(key=self._nonce_key, digest_size=_NONCE)
        for part in (author.encode(), reader.encode(), context, plain):
            hashed.update(len(part).to_bytes(4, "big"))
            hashed.update(part)
        return hashed.digest()
