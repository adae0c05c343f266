"""From the section `[home_assistant]` to a publisher."""

import random
from functools import partial
from pathlib import Path

from .. import __version__
from ..api.dispatch import Api
from ..clock import Clock
from ..config.settings import HomeAssistantSettings, NodeConfig
from ..files import read_text
from ..net.connection import BackOff, Connection
from ..net.settings import PLAIN_PORT, TLS_PORT, BrokerSettings, TlsSettings
from ..net.tls import KEPT_LIST, TlsFiles
from .commands import commands_of
from .publisher import HomeAssistant

_PASSWORD_BYTES = 1024


def home_assistant(config: NodeConfig, clock: Clock, rng: random.Random, api: Api) -> HomeAssistant:
    """Raises OSError, ValueError for files that cannot be used."""
    settings = config.home_assistant
    connection = partial(
        Connection,
        config.name,
        _broker(settings) if settings.host else config.inbox,
        back_off=BackOff(),
        rng=random.Random(rng.getrandbits(64)),  # threads must not disturb the node's own draws
        clock=clock,
        tls=partial(TlsFiles, kept=config.state_dir / KEPT_LIST),
    )
    return HomeAssistant(config.name, __version__, settings, connection, clock, commands_of(api))


def _broker(settings: HomeAssistantSettings) -> BrokerSettings:
    """Another one than the node's own."""
    tls = TlsSettings(ca=settings.ca, certificate="", key="") if settings.ca else None
    password = None
    if settings.password_file:
        password = read_text(Path(settings.password_file), _PASSWORD_BYTES).rstrip("\r\n")
    return BrokerSettings(
        host=settings.host,
        port=settings.port or (TLS_PORT if tls else PLAIN_PORT),
        tls=tls,
        username=settings.username or None,
        password=password,
    )
