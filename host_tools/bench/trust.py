"""What trust costs: signatures, seals and pulses of a node, and the two libraries that could do them."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from edge.clock import SystemClock
from edge.trust.certificate import Certificate
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.source import Own
from host_tools.fleet.identities import issue_identity

from .sheet import Part, Sheet

_REPEATS = 500
_MESSAGE, _VALUE = bytes(400), bytes(120)
# After what every node has imported anyway. RssAnon is what the limit of memory counts for ever.
_IMPORTER = """
import sys, asyncio, ssl, sqlite3, json, hashlib
def memory():
    lines = [line.split() for line in open('/proc/self/status')]
    return [int(line[1]) / 1024 for line in lines if line[0] in ('VmRSS:', 'RssAnon:')]
before = memory()
for name in sys.argv[1:]:
    __import__(name)
if 'nacl.bindings' in sys.argv:
    from nacl import bindings
    public, secret = bindings.crypto_sign_seed_keypair(b'1' * 32)
    bindings.crypto_sign(b'x', secret)
else:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    Ed25519PrivateKey.from_private_bytes(b'1' * 32).sign(b'x')
print(*[after - was for was, after in zip(before, memory())])
"""
_LIBRARIES = {
    "PyNaCl": ("nacl.bindings",),
    "cryptography": (
        "cryptography.hazmat.primitives.asymmetric.ed25519",
        "cryptography.hazmat.primitives.asymmetric.x25519",
        "cryptography.hazmat.primitives.ciphers.aead",
    ),
}


def costs_us() -> dict[str, float]:
    """Microseconds of each step of a keyring, and of `cryptography` where it has the same."""
    first, second = _keyrings()
    texts = [_MESSAGE + number.to_bytes(4, "big") for number in range(_REPEATS)]
    signed = [(text, first.sign(text)) for text in texts]
    sealed = first.seal("b", b"context", _VALUE)
    chained = first.link(1), first.link(2)
    steps: dict[str, Callable[[int], Any]] = {
        "sign": lambda i: first.sign(texts[i]),
        "verify": lambda i: second.verify("a", *signed[i]),
        "verify what is known": lambda i: second.verify("a", *signed[-1]),
        "seal": lambda i: first.seal("b", b"context", _VALUE),
        "open": lambda i: second.open("a", b"context", sealed),
        "tag": lambda i: first.tag("b", _VALUE),
        "follow a pulse": lambda i: second.follows(chained[1], 2, chained[0], 1),
    }
    found = {name: _us(step) for name, step in steps.items()}
    return found | {f"{name}, cryptography": us for name, us in _others(texts).items()}


def libraries_mb() -> dict[str, list[float]]:
    """Resident memory, and the anonymous part of it, that each library adds."""
    found = {}
    for name, modules in _LIBRARIES.items():
        command = [sys.executable, "-c", _IMPORTER, *modules]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found[name] = [float(text) for text in done.stdout.split()]
    return found


def _keyrings() -> tuple[Keyring, Keyring]:
    authority, clock = AuthorityKey.new("bench"), SystemClock()
    made = []
    for name in ("a", "b"):
        keys = NodeKeys.new()
        own = Own(keys, Certificate(issue_identity(authority, name, keys)))
        made.append(Keyring(name, authority.authority, own, clock))
    for one, other in (made, made[::-1]):
        one.introduce(other.node, other.certificate())
    return made[0], made[1]


def _others(texts: list[bytes]) -> dict[str, float]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    public, signatures = key.public_key(), [key.sign(text) for text in texts]
    return {
        "sign": _us(lambda i: key.sign(texts[i])),
        "verify": _us(lambda i: public.verify(signatures[i], texts[i])),
    }


def _us(step: Callable[[int], Any]) -> float:
    began_s = time.process_time()
    for i in range(_REPEATS):
        step(i)
    return 1e6 * (time.process_time() - began_s) / _REPEATS


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    yield Sheet(
        "signatures and seals (a Pi 3 takes about ten times as long)",
        ("step", "us"),
        [(name, f"{us:.1f}") for name, us in found["us"].items()],
    )
    yield Sheet(
        "libraries for them, in a process like that of a node",
        ("library", "RSS MB", "anonymous MB"),
        [(name, *(f"{mb:.2f}" for mb in sizes)) for name, sizes in found["libraries_mb"].items()],
    )


PART = Part("trust", lambda folder: {"us": costs_us(), "libraries_mb": libraries_mb()}, _sheets)
