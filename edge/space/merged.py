"""What is kept of an aggregation: who contributed, with what weight, and what is under way (thesis 5.5.7)."""

from .aggregators import Contributor
from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .aggregators import Result, Source
    from .lsa import Aggregation

# No setting: only for a person to read; all contributors are aggregated.
MOST_KEPT = const(64)  # contributors; those of further ones are only counted


class Merged:
    """The newest aggregation of one label for one agent."""

    __slots__ = ("_seen", "complete", "contributors", "count", "sources", "spec", "tick", "wake", "work")

    def __init__(self, spec: "Aggregation") -> None:
        self.spec = spec
        self.tick = 0  # of the newest result, 0: none yet
        self.count = 0  # of the sources in it
        self.complete = False  # every known node within reach has contributed
        self.contributors: list[Contributor] = []
        self.wake = 0  # tick at which it is to be looked at though nothing has changed, 0: never
        self.sources: list[Source] = []  # of the work under way
        self.work: Generator[None, None, Result] | None = None
        self._seen: dict[str, tuple[int, int]] = {}  # the version of each other source that is merged

    def note(self, sources: "list[Source]", weights: "Sequence[float]", tick: int, complete: bool) -> None:
        """There is a new result; each source has its weight."""
        self.tick = tick
        self.complete = complete
        self.count = len(sources)
        self.contributors = [Contributor(sources[i], weights[i]) for i in range(min(MOST_KEPT, self.count))]
        if self.spec.keeps:
            self._seen = {each.agent: (each.since, each.version) for each in sources if not each.own}

    def is_due(self, tick: int) -> bool:
        """Whether it is to be looked at in that tick, changed or not."""
        return 0 < self.wake <= tick

    def clear(self) -> None:
        """There is no result any more."""
        self.tick = self.count = 0
        self.complete = False
        self.contributors = []

    def is_news(self, sources: "list[Source]") -> bool:
        """Whether another source has published something that is not merged yet."""
        return any(
            not each.own and self._seen.get(each.agent) != (each.since, each.version) for each in sources
        )

    def newly_gone(self, agents: "set[str]") -> "list[str]":
        """The contributors that are not among these agents any more; each is returned once."""
        found = []
        for each in self.contributors:
            gone = each.agent not in agents
            if gone and not each.gone:
                found.append(each.agent)
            each.gone = gone
        return found
