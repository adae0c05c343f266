"""Where views read from: the running service, as far as they need it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from .access import Access, Caller
from .stream import Counters

if TYPE_CHECKING:
    from ..config.changes import Changes, Overlay
    from ..config.settings import NodeConfig
    from ..history.store import Store
    from ..node import Node
    from ..recent import Recent
    from .route import Route

T = TypeVar("T")


class Unavailable(Exception):
    """The node cannot answer now, although nothing is broken; the message says why in a sentence."""


class Service(Protocol):
    """The process that drives a node. All but `ask` may be read from any thread."""

    @property
    def node(self) -> "Node":
        """Only the main thread may read what changes in it; other threads `ask`."""

    @property
    def failures(self) -> int:
        """How often a step of the main loop raised an exception."""

    @property
    def dropped(self) -> dict[str, int]:
        """What the queues between threads had no room for, by queue."""

    @property
    def recent(self) -> "Recent":
        """Which of its counters grew lately: `failures`, and each queue of `dropped`."""

    @property
    def waits_for(self) -> str:
        """Why training waits; empty when it does not."""

    @property
    def pieces(self) -> int:
        """Pieces of background work done."""

    @property
    def work_s(self) -> float:
        """CPU time of background work."""

    @property
    def longest_piece_s(self) -> float:
        """CPU time of the longest piece."""

    @property
    def longest_reaction_s(self) -> float | None:
        """How late the latest reaction of the last 10 to 20 s was, None without one; for the main thread."""

    @property
    def settings_changed(self) -> "Mapping[str, Mapping[str, object]]":
        """The keys that were changed while the node ran, by section."""

    def change(self, edit: "Callable[[Changes], Overlay]", done: "Callable[[Node], None]") -> "NodeConfig":
        """Change the node, from any thread; see `service.changing`."""

    def ask(self, question: "Callable[[Node], T]") -> T:
        """Have the main thread answer. Raises Unavailable if it does not in time, and what `question`
        raises."""


@dataclass(frozen=True, slots=True)
class Context:
    """What every view is given: the service, the release that was deployed ("" if none was), who may do what,
    and who asks."""

    service: Service
    release: str = ""
    access: Access = field(default_factory=Access)
    caller: Caller = field(default_factory=Caller)
    last_event: str = ""  # that a client of the stream has seen
    routes: "Sequence[Route]" = ()
    streams: Counters = field(default_factory=Counters)

    @property
    def node(self) -> "Node":
        """The node; see `Service.node` for who may read it."""
        return self.service.node

    @property
    def history(self) -> "Store":
        """Of the node, with every minute that is over; for the thread of a request."""
        history = self.node.history
        history.catch_up()
        return history
