"""Whom a node asks for whole weights, when what neighbours send are differences to what it lacks.

A neighbour of which a message was lost is asked at once. A newcomer holds nothing of anybody, and whole
networks are long: it asks two neighbours, and the next ones when these have told all. Until then the
differences of the others are of no use to it. Who is asked and tells nothing whole for some periods goes to
the end of the line.
"""

from collections.abc import Iterable, Mapping

from .incoming import Share

_AT_ONCE = 2
_PATIENCE = 3  # periods: to be heard, to make room in a message, and one more


class Asking:
    """Remembers who is asked: at most two neighbours, and those that told nothing."""

    def __init__(self, period_min: int) -> None:
        self._patience_min = _PATIENCE * period_min
        self._asked: dict[str, tuple[int, int]] = {}  # what is held of it, and since when there is no more
        self._passed: dict[str, int] = {}  # when it was given up

    def chosen(self, shares: Mapping[str, Share], minute: int) -> Iterable[str]:
        """The neighbours that are asked in this minute."""
        new = {source: share for source, share in shares.items() if share.unknown}
        for source, (held, since) in list(self._asked.items()):
            share = new.get(source)
            if share is None:
                del self._asked[source]
            elif len(share.weights) != held:
                self._asked[source] = len(share.weights), minute
            elif abs(minute - since) > self._patience_min:
                del self._asked[source]
                self._passed[source] = minute
        self._passed = {source: at for source, at in self._passed.items() if source in new}
        waiting = sorted(new.keys() - self._asked.keys(), key=lambda source: self._rank(source, new[source]))
        for source in waiting[: _AT_ONCE - len(self._asked)]:
            self._asked[source] = len(new[source].weights), minute
        known = [source for source, share in shares.items() if share.lost and source not in new]
        return [*self._asked, *known]

    def _rank(self, source: str, share: Share) -> tuple[int, float, str]:
        """Those with the longest history first, by their own account: a newcomer has no profile yet to
        compare with theirs, and who claims too much wins nothing but the first turn."""
        return self._passed.get(source, -1), -float(share.message.samples.sum()), source
