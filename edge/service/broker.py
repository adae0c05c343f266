"""What the node's own broker has to let in, written for who may change it: `broker-keys`, run by root.

A node cannot change the access lists of its broker, which belong to root. When its links change while it
runs, it puts lists that fit into `broker` of its state folder. On a board they are checked and installed from
there; elsewhere a person does that (docs/api.md).
"""

import logging

from ..config.changes import Overlay
from ..config.settings import NodeConfig
from ..homeassistant.topics import from_node, to_node
from ..net.broker_lists import INSIDE, OUTSIDE, Guests, write_lists
from ..net.limit_door import limit_topic, limits_topic

log = logging.getLogger("edge")
FOLDER = "broker"


def guests(config: NodeConfig) -> Guests:
    """What else than nodes uses the broker."""
    shown, name = config.home_assistant, config.name
    local = [limit_topic(name, "+"), limits_topic(name)] if config.regulator else []
    if not shown.wanted or shown.host:
        return Guests(local=local)
    told = to_node(shown.prefix, name, shown.scope == "operate")
    return Guests(from_node(shown.prefix, name), told, local)


def offer_lists(config: NodeConfig, overlay: Overlay) -> None:
    """Write them if links were changed while the node ran, otherwise those of the configuration are right."""
    folder = config.state_dir / FOLDER
    try:
        if overlay.neighbours:
            write_lists(folder, config.name, (each.name for each in config.neighbours), guests(config))
        else:
            for name in (OUTSIDE, INSIDE):
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        log.error("the access lists of the broker cannot be written: %s: %s", error.filename, error.strerror)
