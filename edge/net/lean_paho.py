"""The names that the node uses of paho, which all of `edge` imports from here.

paho imports `urllib.request`, and with it an HTTP client and a parser of e-mail, to look for a proxy; it does
so only if PySocks is installed. `hashlib`, large parts of OpenSSL, is for websockets. It is given empty
modules in their place. Measured on x86-64: paho takes 0.7 MB of RSS with this module and 3.3 MB without it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

_UNUSED = ("urllib.request", "hashlib")
_USING = ("socks", "dns")  # are imported by paho where they are installed, and need those above


@contextmanager
def _without_unused() -> Iterator[None]:
    """Inside, a module that is not loaded yet is empty; afterwards it can be imported as usual."""
    names = [] if any(map(find_spec, _USING)) else [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in names})
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


with _without_unused():
    from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode
    from paho.mqtt.subscribeoptions import SubscribeOptions

__all__ = [
    "CallbackAPIVersion",
    "Client",
    "MQTTMessage",
    "MQTTMessageInfo",
    "MQTTProtocolVersion",
    "PacketTypes",
    "Properties",
    "ReasonCode",
    "SubscribeOptions",
]
