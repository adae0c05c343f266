"""The keys of a node and of the authority of a microgrid, and what is done with them.

PyNaCl is used through its bindings: its classes cost memory and give nothing more here.
"""

import os
from hashlib import blake2b

from nacl import bindings
from nacl.exceptions import CryptoError

from .certificate import name_bytes, read_name
from .trust import SIGNATURE_BYTES

_KEY = 32


def verifies(sign_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature of the message was made with the private part of that key."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        bindings.crypto_sign_open(bytes(signature) + bytes(message), sign_key)
    except CryptoError:
        return False
    return True


class SigningKey:
    """A private Ed25519 key."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        self.public, self._secret = bindings.crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES]


class NodeKeys:
    """The private keys of a node: one for signatures, one for seals."""

    __slots__ = ("data", "seal_key", "seal_secret", "signing")

    def __init__(self, data: bytes) -> None:
        """`data` are the two private keys, 64 bytes. Raises ValueError."""
        if len(data) != 2 * _KEY:
            raise ValueError(f"must be {2 * _KEY} bytes")
        self.data = bytes(data)
        self.signing = SigningKey(self.data[:_KEY])
        self.seal_secret = self.data[_KEY:]
        self.seal_key = bindings.crypto_scalarmult_base(self.seal_secret)

    @classmethod
    def new(cls) -> "NodeKeys":
        """New ones, from the random source of the system."""
        return cls(os.urandom(2 * _KEY))


class Authority:
    """The public part of the authority of a microgrid: what every node holds of it."""

    __slots__ = ("cluster", "sign_key")

    def __init__(self, cluster: str, sign_key: bytes) -> None:
        self.cluster = cluster
        self.sign_key = sign_key

    @classmethod
    def read(cls, data: bytes) -> "Authority":
        """From a file. Raises ValueError."""
        return cls(*_named(data))

    @property
    def data(self) -> bytes:
        """As it stands in a file."""
        return name_bytes(self.cluster) + self.sign_key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the authority has signed that."""
        return verifies(self.sign_key, message, signature)


class AuthorityKey:
    """The private part. It stays with the operator and never comes near a node."""

    __slots__ = ("_seed", "cluster", "sign")

    def __init__(self, cluster: str, seed: bytes) -> None:
        self.cluster = cluster
        self._seed = seed
        self.sign = SigningKey(seed).sign

    @classmethod
    def read(cls, data: bytes) -> "AuthorityKey":
        """From a file. Raises ValueError."""
        return cls(*_named(data))

    @classmethod
    def new(cls, cluster: str) -> "AuthorityKey":
        """A new one, from the random source of the system. Raises ValueError for an invalid name."""
        name_bytes(cluster)
        return cls(cluster, os.urandom(_KEY))

    @property
    def data(self) -> bytes:
        """As it stands in a file."""
        return name_bytes(self.cluster) + self._seed

    @property
    def authority(self) -> Authority:
        """Its public part."""
        return Authority(self.cluster, SigningKey(self._seed).public)


def fingerprint(data: bytes) -> str:
    """Short, for people to compare."""
    return blake2b(data, digest_size=8).hexdigest()


def _named(data: bytes) -> tuple[str, bytes]:
    name, at = read_name(data, 0)
    if not name or len(data) != at + _KEY:
        raise ValueError("is damaged")
    return name, bytes(data[at:])
