"""The twins by kind. Each is imported when a node has one, to save memory.

A new kind is one file in this room and one line here.
"""

import random
from importlib import import_module
from typing import Any, NamedTuple

from ..energy.flows import PowerSource
from .twin import Factory, Home, Twin


class DeviceKind(NamedTuple):
    """A kind of `[[twin]]`: its class, whether it consumes and supplies, and the source of its supply."""

    twin: str
    consumes: bool = False
    supplies: bool = False
    source: PowerSource = PowerSource.OTHER


class ServiceKind(NamedTuple):
    """A twin of the node itself: its class, and whether it is there without a section of its name."""

    twin: str
    always: bool = False


DEVICES = {
    "load": DeviceKind("prosumer:ProsumerTwin", consumes=True),
    "pv": DeviceKind("prosumer:ProsumerTwin", supplies=True, source=PowerSource.PV),
    "battery": DeviceKind("prosumer:ProsumerTwin", consumes=True, supplies=True, source=PowerSource.BATTERY),
    "building": DeviceKind("prosumer:ProsumerTwin", consumes=True, supplies=True),
    "both": DeviceKind("prosumer:ProsumerTwin", consumes=True, supplies=True),
    "house": DeviceKind("prosumer:ProsumerTwin", consumes=True),
    "grid": DeviceKind("prosumer:ProsumerTwin", supplies=True, source=PowerSource.GRID),
    "dso": DeviceKind("dso:DsoTwin", supplies=True, source=PowerSource.GRID),
    "shiftable": DeviceKind("shiftable:ShiftableTwin", consumes=True),
    "storage": DeviceKind("storage:StorageTwin", supplies=True, source=PowerSource.BATTERY),
    "deferrable": DeviceKind("deferrable:DeferrableTwin", consumes=True),
    "holon": DeviceKind("holon:HolonTwin", consumes=True, supplies=True),
}
GRIDS = tuple(kind for kind, each in DEVICES.items() if each.source is PowerSource.GRID)
RUNNING = ("shiftable", "deferrable")  # kinds that run once a day, when their twin says so
SERVICES = {  # at most one of each on a node, in the order in which they start
    "learning": ServiceKind("learning:LearningTwin"),
    "tally": ServiceKind("tally:TallyTwin"),  # there when heartbeats do not go everywhere
    "recorder": ServiceKind("recorder:RecorderTwin", always=True),
    "regulator": ServiceKind("regulator:RegulatorTwin"),
    "community": ServiceKind("community:CommunityTwin"),
    "market": ServiceKind("market:MarketTwin"),
    "trader": ServiceKind("trader:TraderTwin"),
    "identity": ServiceKind("identity:IdentityTwin"),  # there when the node has keys
}


class TwinError(Exception):
    """A twin cannot be made: a library is missing, or a setting means nothing to it."""


def create(kind: str, settings: Any, home: Home, rng: random.Random) -> Twin:
    """A twin of that kind. Raises TwinError."""
    place = settings.twin_class if kind in DEVICES else SERVICES[kind].twin
    module, class_name = place.split(":")
    try:
        factory: Factory = getattr(import_module(f".{module}", __package__), class_name)
        return factory(settings, home, rng)
    except ImportError as error:
        raise TwinError(f"[{kind}]: a library is missing, install the extra `learn`: {error}") from error
    except (ValueError, RuntimeError) as error:
        raise TwinError(f"[{kind}]: {error}") from error
