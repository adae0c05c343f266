"""The prediction of a neighbour on its way: at most 300 bytes, after each minute.

    "MGP", version; CRC-32 of all that follows
    minute, observations, maximum power, level of the power profile, whether the newest powers follow,
    how many neighbours are heard, in how many rounds the prediction was compared with theirs
    states after that minute, recent log losses, name of the model, power profile, newest powers
    probabilities of six variables, four horizons and seven states, each as one byte

The power profile is in quarters of an hour at every level, since a message must be short; at the level
`minutes` the newest powers are told as well. A message that is not exactly as it should be is refused.
"""

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..calendar import QUARTER_MIN
from ..terms import HORIZONS_MIN, STATES, Array, States
from .packet import HEAD_BYTES, Refused, check_head, headed, inflated
from .profile import NO_PROFILE, Profile

VERSION = 2
MOST_BYTES = 300
_MAGIC = b"MGP"
_MOST_PROFILE = 1024
_FACTS = struct.Struct("<IIfBBBB6b6HBB")  # ... states, losses, length of the name, length of the profile
_SHAPE = len(VARIABLES), len(HORIZONS_MIN), STATES
_PER_NAT, _UNKNOWN_LOSS = 1000, 0xFFFF
_MOST_NAME = 16
_COARSE, _MINUTES = 1, 2
_MOST_POWER_W = 1e9


@dataclass(frozen=True, slots=True)
class ForecastMessage:
    """See the module. `newest` has one line, or none."""

    minute: int
    samples: int
    model: str
    max_power_w: float
    states: States
    losses: NDArray[np.float64]
    probabilities: Array
    profile: Profile = NO_PROFILE
    newest: Profile = field(default=NO_PROFILE)
    neighbours: int = 1
    round: int = 0

    def packed(self) -> bytes:
        """The message as bytes."""
        told = self.profile.packed("coarse", self.max_power_w) if len(self.profile.minutes) else b""
        told = zlib.compress(told, 9) if told else b""
        newest = self.newest.packed("minutes", self.max_power_w) if len(self.newest.minutes) else b""
        known = np.clip(self.losses * _PER_NAT, 0, _UNKNOWN_LOSS - 1)
        losses = np.where(np.isnan(known), _UNKNOWN_LOSS, np.rint(np.nan_to_num(known)))
        name = self.model.encode()[:_MOST_NAME]
        facts = _FACTS.pack(
            self.minute,
            min(self.samples, 0xFFFFFFFF),
            self.max_power_w,
            (_MINUTES if newest else _COARSE) if told or newest else 0,
            bool(newest),
            min(self.neighbours, 255),
            self.round,
            *(int(each) for each in self.states),
            *(int(each) for each in losses),
            len(name),
            len(told),
        )
        rest = b"".join((facts, name, told, newest, _coded(self.probabilities)))
        return headed(_MAGIC, VERSION, rest)

    @classmethod
    def unpacked(cls, data: bytes) -> "ForecastMessage":
        """The message. Raises Refused."""
        check_head(data, _MAGIC, VERSION, _FACTS.size, MOST_BYTES)
        try:
            return cls._read(data)
        except (zlib.error, UnicodeDecodeError) as error:
            raise Refused("the content is damaged") from error
        except ValueError as error:
            raise Refused(str(error)) from error

    @classmethod
    def _read(cls, data: bytes) -> "ForecastMessage":
        minute, samples, max_power_w, level, has_newest, neighbours, round_, *rest = _FACTS.unpack_from(
            data, HEAD_BYTES
        )
        states, losses = np.array(rest[:6], np.int8), np.array(rest[6:12], float)
        name_bytes, told_bytes = rest[12:]
        newest_bytes = len(VARIABLES) if has_newest else 0
        at = HEAD_BYTES + _FACTS.size
        if len(data) != at + name_bytes + told_bytes + newest_bytes + _SHAPE[0] * _SHAPE[1] * _SHAPE[2]:
            raise Refused("the length does not fit the content")
        if not 0 < max_power_w <= _MOST_POWER_W or level > _MINUTES or name_bytes > _MOST_NAME:
            raise Refused("the maximum power, the level of privacy or the model's name is out of range")
        if (states < -1).any() or (states >= STATES).any():
            raise Refused("a state is out of range")
        name, at = data[at : at + name_bytes].decode("ascii"), at + name_bytes
        told, at = data[at : at + told_bytes], at + told_bytes
        newest, at = data[at : at + newest_bytes], at + newest_bytes
        end = (minute + 1) // QUARTER_MIN * QUARTER_MIN
        return cls(
            minute=minute,
            samples=samples,
            model=name,
            max_power_w=max_power_w,
            states=states,
            losses=np.where(losses == _UNKNOWN_LOSS, np.nan, losses / _PER_NAT),
            probabilities=_decoded(data[at:]),
            profile=Profile.unpacked(_COARSE, inflated(told, _MOST_PROFILE), end, max_power_w)
            if told
            else NO_PROFILE,
            newest=Profile.line(newest, minute, max_power_w) if newest else NO_PROFILE,
            neighbours=neighbours,
            round=round_,
        )


def _coded(probabilities: Array) -> bytes:
    """One byte each: the square root, so that small probabilities keep their order of magnitude."""
    codes = np.rint(255 * np.sqrt(np.clip(probabilities, 0.0, 1.0)))
    return bytes(codes.astype(np.uint8))


def _decoded(data: bytes) -> Array:
    found = np.square(np.frombuffer(data, np.uint8).astype(np.float32).reshape(_SHAPE) / 255)
    totals = found.sum(-1, keepdims=True)
    if not ((totals > 0.5) & (totals < 2.0)).all():
        raise Refused("the probabilities do not add up to 1")
    result: Array = found / totals
    return result


def rounded(probabilities: Array) -> Array:
    """The probabilities (6, 4, 7) as a neighbour reads them."""
    return _decoded(_coded(probabilities))
