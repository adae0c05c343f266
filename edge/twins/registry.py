"""The twins by kind. Each is imported when a node has one, so that a node pays for no other.

A new kind is one file in this room and one line here.
"""

import random
from importlib import import_module
from typing import Any, NamedTuple

from ..energy.flows import Source
from .twin import Factory, Home, Twin


class Device(NamedTuple):
    """A kind of `[[twin]]`: its class, whether it consumes and supplies, and the source of its supply."""

    twin: str
    consumes: bool = False
    supplies: bool = False
    source: Source = Source.OTHER


DEVICES = {
    "load": Device("prosumer:ProsumerTwin", consumes=True),
    "pv": Device("prosumer:ProsumerTwin", supplies=True, source=Source.PV),
    "battery": Device("prosumer:ProsumerTwin", consumes=True, supplies=True, source=Source.BATTERY),
    "building": Device("prosumer:ProsumerTwin", consumes=True, supplies=True),
    "both": Device("prosumer:ProsumerTwin", consumes=True, supplies=True),
    "house": Device("prosumer:ProsumerTwin", consumes=True),
    "grid": Device("prosumer:ProsumerTwin", supplies=True, source=Source.GRID),
    "shiftable": Device("shiftable:ShiftableTwin", consumes=True),
}
SERVICES = {  # at most one of each on a node
    "learning": "learning:LearningTwin",
    "recorder": "recorder:RecorderTwin",
}


class TwinError(Exception):
    """A twin cannot be made: a library is missing, or a setting means nothing to it."""


def create(kind: str, settings: Any, home: Home, rng: random.Random) -> Twin:
    """A twin of that kind. Raises TwinError."""
    module, class_name = (DEVICES[kind].twin if kind in DEVICES else SERVICES[kind]).split(":")
    try:
        factory: Factory = getattr(import_module(f".{module}", __package__), class_name)
        return factory(settings, home, rng)
    except ImportError as error:
        raise TwinError(f"[{kind}]: a library is missing, install the extra `learn`: {error}") from error
    except (ValueError, RuntimeError) as error:
        raise TwinError(f"[{kind}]: {error}") from error
