"""The access lists of a node's broker: who may write into its inbox, and what the node itself may read.

On the outer listener a peer is identified by its certificate. If it is a sender of this node, it may write
the two topics with its own name; it may read nothing. On the inner listener (loopback) the node may read
exactly these topics, and nobody may write. The lists contain exact topics: a pattern would admit every node
of the cluster. `provision` makes them for a fleet; a node makes new ones when its links change.
"""

from collections.abc import Iterable
from pathlib import Path

from .links import frame_topic, presence_topic

OUTSIDE, INSIDE = "acl", "acl.inside"


def outside(node: str, senders: Iterable[str]) -> str:
    """The list of the outer listener; peers that are not in it have no access."""
    rules = [f"# The senders of {node}: the nodes that list it as a neighbour."]
    for peer in senders:
        rules += ["", f"user {peer}", *(f"topic write {topic}" for topic in _topics(node, peer))]
    return "\n".join(rules) + "\n"


def inside(node: str, senders: Iterable[str]) -> str:
    """The list of the inner listener. The node is anonymous there; rules without a user apply to it."""
    rules = [f"# The topics that {node} reads from its own inbox; writing is not allowed here."]
    for peer in senders:
        rules += [f"topic read {topic}" for topic in _topics(node, peer)]
    return "\n".join(rules) + "\n"


def write_lists(folder: Path, node: str, senders: Iterable[str]) -> list[Path]:
    """Put both lists into a folder, each at once. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(senders)
    for name, text in ((INSIDE, inside(node, names)), (OUTSIDE, outside(node, names))):
        new = folder / f"{name}.new"
        new.write_text(text)
        new.replace(folder / name)  # the outer one last: it is the one that is watched
    return [folder / OUTSIDE, folder / INSIDE]


def _topics(receiver: str, sender: str) -> tuple[str, str]:
    return frame_topic(receiver, sender), presence_topic(receiver, sender)
