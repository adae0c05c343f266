"""The twins by kind. Each is imported when a node has one, so that a node pays for no other.

A new kind is one file in this room and one line here.
"""

import random
from importlib import import_module
from typing import Any

from .twin import Factory, Home, Twin

DEVICES = {  # the kinds of [[twin]]
    "load": "prosumer:ProsumerTwin",
    "pv": "prosumer:ProsumerTwin",
    "building": "prosumer:ProsumerTwin",
    "both": "prosumer:ProsumerTwin",
    "grid": "prosumer:ProsumerTwin",
    "shiftable": "shiftable:ShiftableTwin",
}
SERVICES = {  # at most one of each on a node, with a section of its own or none
    "recorder": "recorder:RecorderTwin",
    "learning": "learning:LearningTwin",
}


class TwinError(Exception):
    """A twin cannot be made: a library is missing, or a setting means nothing to it."""


def create(kind: str, settings: Any, home: Home, rng: random.Random) -> Twin:
    """A twin of that kind. Raises TwinError."""
    module, class_name = {**DEVICES, **SERVICES}[kind].split(":")
    try:
        factory: Factory = getattr(import_module(f".{module}", __package__), class_name)
        return factory(settings, home, rng)
    except ImportError as error:
        raise TwinError(f"[{kind}]: a library is missing, install the extra `learn`: {error}") from error
    except (ValueError, RuntimeError) as error:
        raise TwinError(f"[{kind}]: {error}") from error
