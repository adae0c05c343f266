"""Changes to a running node: checked as its configuration is, kept on disk, and only then carried out.

One change at a time. If the node cannot carry it out, what was kept before is kept again.
"""

import threading
from collections.abc import Callable

from ..config.changes import Changes, Overlay
from ..config.settings import NodeConfig
from ..node import Node
from .adoption import adopt
from .broker import offer_lists

Ask = Callable[[Callable[[Node], None]], None]  # have the main thread do something


class Changing:
    """Changes one node through its main thread."""

    def __init__(self, changes: Changes, ask: Ask) -> None:
        self._changes, self._ask = changes, ask
        self._lock = threading.Lock()

    @property
    def changes(self) -> Changes:
        """What has been changed so far."""
        return self._changes

    def change(
        self, edit: Callable[[Changes], Overlay], done: Callable[[Node], None] = lambda _: None
    ) -> NodeConfig:
        """Replace the changes by what `edit` returns; `done` is called on the node afterwards.

        Raises ConfigError, TwinError, OSError, Unavailable, and what `edit` raises.
        """
        with self._lock:
            before, config = self._changes.overlay, self._changes.config
            overlay = edit(self._changes)
            changed = self._changes.checked(overlay)
            self._changes.keep(overlay, changed)

            def carry_out(node: Node) -> None:
                try:
                    adopt(node, changed, overlay.stopped)
                    done(node)
                except Exception:
                    adopt(node, config, before.stopped)
                    self._changes.keep(before, config)
                    raise

            self._ask(carry_out)
            if overlay.neighbours != before.neighbours:
                offer_lists(changed, overlay)
            return changed
