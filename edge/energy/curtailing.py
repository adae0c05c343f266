"""What a supplier takes back from contracts so that everybody gets a share, if its policy limits shares."""

from collections.abc import Iterable, Mapping

from .book import Promise, State
from .messages import Priority, round_w
from .policies import ProducerPolicy, SeenRequest
from .rules import CURTAIL_S, MARGIN, MIN_POWER_W, with_margin


def shares(
    policy: ProducerPolicy, capacity_w: float, book: Iterable[Promise], requests: Iterable[SeenRequest]
) -> Mapping[str, float]:
    """The most power each consumer should have, as far as the policy limits it.

    High-priority requests are exempt, and so are requests that accept no part: no contract is reduced for
    an offer that would not be accepted.
    """
    claims: dict[str, float] = {}
    for promise in book:
        if promise.priority is Priority.HIGH:
            capacity_w -= promise.max_w
        elif promise.committed:
            claims[promise.consumer] = claims.get(promise.consumer, 0.0) + promise.max_w
    for seen in requests:
        if seen.request.partial:
            claims[seen.consumer] = claims.get(seen.consumer, 0.0) + with_margin(seen.request.power_w)
    return policy.shares(max(0.0, capacity_w), claims) or {}


def curtail(held: list[Promise], share_w: float, now_s: float) -> None:
    """Ask a consumer to cut a contract that exceeds its share. A merging consumer is left alone."""
    if len(held) != 1 or held[0].state is not State.VALID:
        return
    limit_w = round_w(max(MIN_POWER_W, share_w))
    if limit_w * (1 + MARGIN) < min(held[0].max_w, held[0].limit_w):
        held[0].limit_w = limit_w
        held[0].limit_by_s = min(held[0].limit_by_s, now_s + CURTAIL_S)
