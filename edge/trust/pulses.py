"""Proofs of life without a signature for each: a chain of hashes, shown from its end to its beginning.

The link of a beat is the hash of the link of the next beat, so whoever knows one link can check a later one,
and nobody but its maker can know the next. A chain serves 256 beats; then a new one begins, with a signed
statement. (Lamport's one-time passwords, 1981, are made this way.)
"""

from hashlib import blake2b

from .trust import LINK_BYTES

BEATS = 256  # of a chain
MOST_STEPS = BEATS - 1  # hashes to check one link; no chain has more


def follows(link: bytes, number: int, known: bytes, known_number: int) -> bool:
    """Whether a link proves beat `number`, given a known link of an earlier beat of the same chain."""
    steps = number - known_number
    if not 0 < steps <= MOST_STEPS or number // BEATS != known_number // BEATS or len(link) != LINK_BYTES:
        return False
    for _ in range(steps):
        link = _hash(link)
    return link == known


class Chain:
    """The own links. Only the current chain is in memory (3 kB)."""

    def __init__(self, secret: bytes) -> None:
        """`secret` has at most 64 bytes and must never be used again after a restart."""
        self._secret = secret
        self._number = -1  # of the chain
        self._links = b""

    def link(self, number: int) -> bytes:
        """The link of beat `number`."""
        chain, place = divmod(number, BEATS)
        if chain != self._number:
            self._number, self._links = chain, self._made(chain)
        return self._links[place * LINK_BYTES : (place + 1) * LINK_BYTES]

    def _made(self, chain: int) -> bytes:
        link = blake2b(chain.to_bytes(8, "big"), key=self._secret, digest_size=LINK_BYTES).digest()
        links = [link]
        for _ in range(BEATS - 1):
            links.append(link := _hash(link))
        return b"".join(reversed(links))


def _hash(link: bytes) -> bytes:
    return blake2b(link, digest_size=LINK_BYTES).digest()
