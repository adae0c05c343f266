"""The schema of a frame's body: typed, bounded lists in msgpack, so that decoding costs no more than it may.

Every list, text and number has a limit that is checked before anything is built of it. LSAs, deltas, near
properties and rosters are decoded one after the other, and each counts against one budget of items a frame:
limits of single lists would multiply.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from ..space.courier import MAX_LSAS
from ..space.lsa import EVERYWHERE, MAX_PATH
from ..space.origins import CHECKSUM_BYTES, MAX_INCARNATION, MAX_SEQUENCE
from ..space.tuplespace import MAX_TO
from ..terms import NODE_NAME
from .tree import HASH_BYTES, MAX_LEAVES

# No settings: these are the format of the wire, which must be the same at all nodes. They bound one frame;
# what does not fit goes into the next one, but no more than MAX_BEATS heartbeats wait for a neighbour.
MAX_BEATS = 128  # pulses, statements and rosters, and origins asked for
MAX_FRAME_LSAS = 64  # whole ones; as many deltas and near properties
MAX_ASKED = 256
MAX_VALUE_BYTES = 16 * 1024
MAX_ITEMS = 4096  # of one frame; see `items`
MAX_LIFE_S = 3600
_MAX_PROPERTY_LIFE_S = 0x7FFFFFFF
_MAX_PROPERTIES = 64
_MAX_SPECS = 16

Node = Annotated[str, Meta(pattern=rf"^(?:{NODE_NAME})\Z", max_length=32)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:#-]*\Z", max_length=64)]
Suffix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:#-]+\Z", max_length=62)]  # of the name of an LSA
Text = Annotated[str, Meta(pattern=r"^(?:[A-Za-z0-9_][A-Za-z0-9_.:#-]*)?\Z", max_length=64)]
Incarnation = Annotated[int, Meta(ge=1, le=MAX_INCARNATION)]
Version = Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]
Change = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
Life = Annotated[int, Meta(ge=0, le=MAX_LIFE_S)]
PropertyLife = Annotated[int, Meta(ge=0, le=_MAX_PROPERTY_LIFE_S)]
Auth = Annotated[bytes, Meta(max_length=64)]
Value = Annotated[bytes, Meta(max_length=MAX_VALUE_BYTES)]
Via = Annotated[list[Node], Meta(max_length=MAX_PATH - 1)]


class Statement(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """What an origin shows at one of its beats, over its signature; its pulses refer to it."""

    origin: Node
    incarnation: Incarnation
    sequence: Change  # of its newest change
    lsas: Annotated[int, Meta(ge=0, le=65535)]
    checksum: Annotated[bytes, Meta(min_length=CHECKSUM_BYTES, max_length=CHECKSUM_BYTES)]
    ordinal: Annotated[int, Meta(ge=0, le=255)]  # counts statements
    number: Version  # of the beat
    link: Annotated[bytes, Meta(max_length=12)]
    signature: Auth


class WireProperty(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A property of an LSA."""

    label: Name
    query: Text
    version: Change
    life_s: PropertyLife
    left_s: PropertyLife
    value: Value


class WireSpec(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """An aggregation."""

    label: Name
    operator: Name
    gossip: bool
    min_delay_s: Annotated[int, Meta(ge=0, le=86_400)]


Properties = Annotated[list[WireProperty], Meta(max_length=_MAX_PROPERTIES)]


class WireLsa(Struct, array_like=True, forbid_unknown_fields=True):
    """A whole LSA. `via` is its path without its origin."""

    origin: Node
    suffix: Suffix
    kind: Text
    incarnation: Incarnation
    version: Version
    life_s: Life
    via: Via
    auth: Auth
    specs: Annotated[list[WireSpec], Meta(max_length=_MAX_SPECS)]
    properties: Properties


class WireDelta(Struct, array_like=True, forbid_unknown_fields=True):
    """What has changed of an LSA."""

    origin: Node
    suffix: Suffix
    incarnation: Incarnation
    version: Version
    life_s: Annotated[int, Meta(ge=1, le=MAX_LIFE_S)]
    via: Via
    auth: Auth
    kept: Annotated[list[Change], Meta(max_length=_MAX_PROPERTIES)]
    properties: Properties


class WireNear(Struct, array_like=True, forbid_unknown_fields=True):
    """A near property."""

    origin: Node
    suffix: Suffix
    incarnation: Incarnation
    label: Name
    query: Text
    version: Version
    reach: Annotated[int, Meta(ge=1, lt=EVERYWHERE)]
    hops: Annotated[int, Meta(ge=0, lt=MAX_PATH)]
    life_s: Annotated[int, Meta(ge=1, le=_MAX_PROPERTY_LIFE_S)]
    left_s: Annotated[int, Meta(ge=1, le=_MAX_PROPERTY_LIFE_S)]
    value: Value
    auth: Auth


class WireAlone(Struct, array_like=True, forbid_unknown_fields=True):
    """A near property that brings its LSA along; `to`: the nodes towards which it goes, empty: all around."""

    origin: Node
    suffix: Suffix
    incarnation: Incarnation
    label: Name
    query: Text
    version: Version
    reach: Annotated[int, Meta(ge=1, lt=EVERYWHERE)]
    hops: Annotated[int, Meta(ge=0, lt=MAX_PATH)]
    life_s: Annotated[int, Meta(ge=1, le=MAX_LIFE_S)]
    left_s: Annotated[int, Meta(ge=1, le=MAX_LIFE_S)]
    value: Value
    auth: Auth
    kept: bool
    to: Annotated[list[Node], Meta(max_length=MAX_TO)]


class WireRoster(Struct, array_like=True, forbid_unknown_fields=True):
    """The LSAs that a node holds of an origin."""

    origin: Node
    incarnation: Incarnation
    sequence: Change
    suffixes: Annotated[list[Suffix], Meta(max_length=MAX_LSAS)]
    versions: Annotated[list[Version], Meta(max_length=MAX_LSAS)]


class Bundled(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """A signature over a tree, and which records of the frame are its leaves; see `tree.py`."""

    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]
    count: Annotated[int, Meta(ge=2, le=MAX_LEAVES)]
    places: Annotated[bytes, Meta(min_length=1, max_length=MAX_LEAVES)]
    numbers: Annotated[
        bytes, Meta(min_length=1, max_length=MAX_LEAVES)
    ]  # LSAs, deltas, near properties of both kinds
    beside: Annotated[bytes, Meta(max_length=MAX_LEAVES * HASH_BYTES)]


class Body(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """All of a frame but its pulses: statements, LSAs, deltas, near properties, trees, rosters, questions."""

    s: Annotated[list[Statement], Meta(max_length=MAX_BEATS)] = []
    l: Annotated[list[Raw], Meta(max_length=MAX_FRAME_LSAS)] = []  # noqa: E741 - a letter a list, on each frame
    d: Annotated[list[Raw], Meta(max_length=MAX_FRAME_LSAS)] = []
    n: Annotated[list[Raw], Meta(max_length=MAX_FRAME_LSAS)] = []
    a: Annotated[
        list[Raw], Meta(max_length=MAX_FRAME_LSAS)
    ] = []  # near properties that bring their LSA along
    b: Annotated[list[Bundled], Meta(max_length=4 * MAX_FRAME_LSAS)] = []
    r: Annotated[list[Raw], Meta(max_length=MAX_BEATS)] = []
    o: Annotated[list[Node], Meta(max_length=MAX_BEATS)] = []  # origins whose roster is wanted
    w: Annotated[list[Name], Meta(max_length=MAX_ASKED)] = []  # LSAs that are wanted


class FrameError(ValueError):
    """An invalid frame; the message says why."""


class WireError(ValueError):
    """A body that contradicts its schema or itself."""
