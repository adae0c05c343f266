"""Meters and relays of a node over Modbus RTU.

A node gets a `Meters` object, usually `SerialMeters` with one `MeterBus` for each serial line, and receives
`Reading`s from it. This package knows nothing of twins and contracts.
"""

from .bus import MeterBus
from .meters import Meters, SerialMeters
from .profile import Profile, ProfileError, load_profile
from .reading import Deliver, Reading
from .settings import BusSettings, MeterSettings, RelaySettings

__all__ = [
    "BusSettings",
    "Deliver",
    "MeterBus",
    "MeterSettings",
    "Meters",
    "Profile",
    "ProfileError",
    "Reading",
    "RelaySettings",
    "SerialMeters",
    "load_profile",
]
