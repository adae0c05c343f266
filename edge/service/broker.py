"""What the node's own broker has to let in, written for who may change it: `broker-keys`, run by root.

A node cannot change the access lists of its broker, which belong to root. When its links change while it
runs, it puts lists that fit into `broker` of its state folder. On a board they are checked and installed from
there; elsewhere a person does that (docs/api.md).
"""

import logging

from ..config.changes import Overlay
from ..config.settings import NodeConfig
from ..net.broker_lists import INSIDE, OUTSIDE, write_lists

log = logging.getLogger("edge")
FOLDER = "broker"


def offer_lists(config: NodeConfig, overlay: Overlay) -> None:
    """Write them if links were changed while the node ran, otherwise those of the configuration are right."""
    folder = config.state_dir / FOLDER
    try:
        if overlay.neighbours:
            write_lists(folder, config.name, (each.name for each in config.neighbours))
        else:
            for name in (OUTSIDE, INSIDE):
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        log.error("the access lists of the broker cannot be written: %s: %s", error.filename, error.strerror)
