"""Which supplies to interrupt when there is too little: enough, no more (thesis 4.1.2; behaviour.md b.7)."""

from collections.abc import Iterable

from .book import Promise
from .rules import EPSILON_W


def fewest(candidates: Iterable[Promise], short_w: float) -> list[Promise]:
    """The promises to end so that `short_w` becomes free; all of them when they do not suffice.

    Offers go before contracts and low priority before high; of a kind, as few as possible, and of
    these the smallest that are enough. Farther consumers go first among equals.
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
    for promise in list(chosen):  # what came later may have made it needless
        if promise.max_w <= spare_w + EPSILON_W:
            chosen.remove(promise)
            spare_w -= promise.max_w
    return chosen


def _fewest_of_a_kind(promises: list[Promise], short_w: float) -> list[Promise]:
    """The largest first, until one more is enough; then the smallest such one."""
    left = sorted(promises, key=lambda each: (each.max_w, each.hops, each.consumer))
    picked = []
    while left and short_w > EPSILON_W:
        enough = next((each for each in left if each.max_w >= short_w - EPSILON_W), None)
        promise = enough or left[-1]
        left.remove(promise)
        picked.append(promise)
        short_w -= promise.max_w
    return picked
