"""Meters and relays of a node over Modbus RTU (DESIGN 10, the first walk).

The doors: `SerialMeters` of `MeterBus`es (any `Meters` will do for a node), `Reading`s out, settings in.
Knows nothing of twins and energy.
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
