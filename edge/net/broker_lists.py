"""The access lists of a node's broker: who may write into its inbox, and what the node itself may read.

On the outer listener a peer is identified by its certificate. If it is a sender of this node, it may write
the two topics with its own name; it may read nothing. On the inner listener (loopback) the node may read
exactly these topics, and nobody may write. The lists contain exact topics: a pattern would admit every node
of the cluster. Guests are what else uses the broker: Home Assistant and programs that order limits.
`provision` makes them for a fleet; a node rewrites them when its links change.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..files import replace_file
from .links import frame_topic, presence_topic

OUTSIDE, INSIDE = "acl", "acl.inside"
HOME_ASSISTANT = "home-assistant"  # its user at the brokers, and the name in its certificate


class Guests(NamedTuple):
    """Topics of what is no node. Home Assistant connects outside, with a certificate of the cluster like a
    peer: inside, every process of the machine could take its place."""

    said: Sequence[str] = ()  # what the node writes for Home Assistant
    told: Sequence[str] = ()  # what Home Assistant writes for the node
    local: Sequence[str] = ()  # what programs of this machine read and write


NO_GUESTS = Guests()


def outside(node: str, senders: Iterable[str], guests: Guests = NO_GUESTS) -> str:
    """The list of the outer listener; peers that are not in it have no access."""
    rules = [f"# The senders of {node}: the nodes that list it as a neighbour."]
    for peer in senders:
        rules += ["", f"user {peer}", *(f"topic write {topic}" for topic in _topics(node, peer))]
    if guests.said:
        rules += ["", f"user {HOME_ASSISTANT}", *(f"topic read {topic}" for topic in guests.said)]
        rules += [f"topic write {topic}" for topic in guests.told]
    return "\n".join(rules) + "\n"


def inside(node: str, senders: Iterable[str], guests: Guests = NO_GUESTS) -> str:
    """The list of the inner listener. The node is anonymous there; rules without a user apply to it."""
    rules = [f"# What {node} reads from its own inbox, and what it writes for Home Assistant, if it does."]
    for peer in senders:
        rules += [f"topic read {topic}" for topic in _topics(node, peer)]
    rules += [f"topic write {topic}" for topic in guests.said]
    rules += [f"topic read {topic}" for topic in guests.told]
    if guests.local:
        rules += ["", "# Programs on this machine may order limits, and see what holds."]
        rules += [f"topic readwrite {topic}" for topic in guests.local]
    return "\n".join(rules) + "\n"


def write_lists(folder: Path, node: str, senders: Iterable[str], guests: Guests = NO_GUESTS) -> list[Path]:
    """Put both lists into a folder, each at once. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(senders)
    for name, text in ((INSIDE, inside(node, names, guests)), (OUTSIDE, outside(node, names, guests))):
        # The outer one last: it is the one that is watched.
        replace_file(folder / name, text.encode(), synced=False)
    return [folder / OUTSIDE, folder / INSIDE]


def _topics(receiver: str, sender: str) -> tuple[str, str]:
    return frame_topic(receiver, sender), presence_topic(receiver, sender)
