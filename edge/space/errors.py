"""What a tuple space refuses. Every operation that raises leaves the space unchanged (thesis 5.1)."""


class SpaceError(Exception):
    """Base of all refusals of the space."""


class SpaceFull(SpaceError):
    """No slot, property, name or heap block is left; the message says which."""


class NameFull(SpaceFull):
    """A table of texts has no place for one that is new; other texts may still be usable."""


class ValueTooLarge(SpaceError):
    """A value is longer than the space accepts."""


class UnknownLsa(SpaceError):
    """The handle is stale: that LSA has left the space."""


class NotOwner(SpaceError):
    """The name belongs to an LSA of another node, or of this one."""


class BadPath(SpaceError):
    """The path of an LSA does not begin with the neighbour that sent it, or is too long."""


class UnknownBase(SpaceError):
    """Something that a delta builds on is not held here: the whole LSA is needed."""
