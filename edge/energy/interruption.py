"""Which supplies to interrupt when power is short: as few as necessary (thesis 4.1.2)."""

from collections.abc import Iterable

from .book import Promise
from .rules import EPSILON_W


def fewest(candidates: Iterable[Promise], short_w: float) -> list[Promise]:
    """The promises to end so that `short_w` becomes free; all candidates if they do not suffice.

    Offers are ended before contracts, and low priority before high. Within such a group as few as possible
    are ended, and the smallest that suffice. Among equals the more distant consumers come first.
    """
    kinds: dict[tuple[bool, int], list[Promise]] = {}
    for promise in candidates:
        kinds.setdefault((promise.committed, promise.priority), []).append(promise)
    chosen: list[Promise] = []
    for kind in sorted(kinds):
        if short_w <= EPSILON_W:
            break
        picked = _fewest_of_a_kind(kinds[kind], short_w)
        chosen += picked
        short_w -= sum(promise.max_w for promise in picked)
    spare_w = -short_w
    for promise in list(chosen):  # later choices may have made an earlier one unnecessary
        if promise.max_w <= spare_w + EPSILON_W:
            chosen.remove(promise)
            spare_w -= promise.max_w
    return chosen


def _fewest_of_a_kind(promises: list[Promise], short_w: float) -> list[Promise]:
    """The largest first, until one more suffices; then the smallest that does."""
    left = sorted(promises, key=lambda each: (each.max_w, each.hops, each.consumer))
    picked = []
    while left and short_w > EPSILON_W:
        enough = next((each for each in left if each.max_w >= short_w - EPSILON_W), None)
        promise = enough or left[-1]
        left.remove(promise)
        picked.append(promise)
        short_w -= promise.max_w
    return picked
