"""One signature for all that an origin changed in one reaction: over the root of a tree of hashes (Merkle).

The leaves are the hashes of the manifests. What proves one of them alone is the signature, its place, and
the hashes beside its way to the root: 64 + 2 bytes, and 16 for each level. A frame that carries several
leaves of a tree carries its signature once, and only those hashes that do not follow from the leaves.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from ..trust.trust import SIGNATURE_BYTES

HASH_BYTES = 16
MAX_LEAVES = 32
Nodes = dict[tuple[int, int], bytes]  # (level, index): hash


class BadTree(ValueError):
    """Hashes that belong to no tree."""


def leaf(manifest: bytes) -> bytes:
    """The hash of a manifest."""
    return sha256(b"\0" + manifest).digest()[:HASH_BYTES]


def grown(count: int, leaves: Mapping[int, bytes], beside: Iterable[bytes] = ()) -> Nodes:
    """All nodes that follow from leaves, by place, and the hashes that `lacking` names. Raises BadTree."""
    nodes: Nodes = {(0, place): each for place, each in leaves.items()}
    rest = iter(beside)
    for key in lacking(count, leaves):
        nodes[key] = next(rest, b"")
        if len(nodes[key]) != HASH_BYTES:
            raise BadTree
    if next(rest, None) is not None:
        raise BadTree
    width, level = count, 0
    while width > 1:
        for left in [index for at, index in nodes if at == level and not index % 2]:
            right = nodes.get((level, left + 1), b"")
            node = nodes[level, left]
            nodes[level + 1, left // 2] = _joined(node, right) if right else node
        width, level = (width + 1) // 2, level + 1
    return nodes


def message(count: int, nodes: Nodes) -> bytes:
    """What the origin signs."""
    _, root = max(nodes.items())
    return b"tree" + bytes([count]) + root


def lacking(count: int, places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The nodes that do not follow from the leaves at some places, in the order in which they are sent."""
    known, width, level = set(places), count, 0
    while width > 1:
        for index in sorted(known):
            if index ^ 1 < width and index ^ 1 not in known:
                yield level, index ^ 1
        known = {index // 2 for index in known}
        width, level = (width + 1) // 2, level + 1


def proof(signature: bytes, count: int, place: int, nodes: Nodes) -> bytes:
    """What proves one leaf alone."""
    beside = b"".join(nodes[key] for key in lacking(count, [place]))
    return signature + bytes([count, place]) + beside


def is_shared(auth: bytes) -> bool:
    """Whether a proof is that of a leaf, not a signature of one manifest."""
    return len(auth) > SIGNATURE_BYTES


def parts_of(auth: bytes) -> tuple[bytes, int, int, Nodes]:
    """Signature, number of leaves, place, and the nodes beside its way."""
    count, place = auth[SIGNATURE_BYTES : SIGNATURE_BYTES + 2]
    beside = hashes(auth[SIGNATURE_BYTES + 2 :])
    return auth[:SIGNATURE_BYTES], count, place, dict(zip(lacking(count, [place]), beside, strict=True))


def hashes(data: bytes) -> list[bytes]:
    """Hashes that were sent one behind the other."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def _joined(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()[:HASH_BYTES]
