"""Composing offers into the parts of one contract (thesis 4.1.2, algorithm 4.7)."""

from collections.abc import Sequence

from .messages import Part, round_w
from .policies import SeenOffer
from .rules import CRUMB_RATIO, EPSILON_W, MAX_PARTS, MIN_POWER_W, with_margin


def compose(offers: Sequence[SeenOffer], power_w: float, least_w: float) -> list[Part]:
    """The parts of a contract over `power_w`, taken from the offers in the given order, tiny offers last.

    If the offers give less, but at least `least_w`, all of them; otherwise an empty list.
    """
    missing_w, parts = power_w, []
    for seen in sorted(offers, key=lambda seen: seen.offer.power_w < CRUMB_RATIO * power_w):
        share_w = round_w(min(missing_w, seen.offer.power_w))
        if share_w < MIN_POWER_W:
            continue
        parts.append(
            Part(
                seen.supplier,
                share_w,
                min(seen.offer.max_w, round_w(with_margin(share_w))),
                seen.offer.prices,
            )
        )
        missing_w -= share_w
        if missing_w <= EPSILON_W or len(parts) == MAX_PARTS:
            break
    return parts if power_w - missing_w >= least_w - EPSILON_W else []


def compose_urgently(offers: Sequence[SeenOffer], power_w: float) -> list[Part]:
    """The same, including power that suppliers would take from other consumers.

    All free power is used first; the rest comes from as few suppliers as possible.
    """
    parts = compose(offers, power_w, 0.0)[: MAX_PARTS - 1]
    missing_w = power_w - sum(part.power_w for part in parts)
    by_supplier = {part.supplier: part for part in parts}
    left = sorted(offers, key=lambda seen: (seen.offer.urgent_w, seen.hops, seen.supplier))
    while left and missing_w > EPSILON_W and len(by_supplier) <= MAX_PARTS:
        need_w = with_margin(missing_w)
        seen = next((each for each in left if each.offer.urgent_w >= need_w - EPSILON_W), left[-1])
        left.remove(seen)
        share_w = round_w(min(missing_w, seen.offer.urgent_w))
        if share_w < MIN_POWER_W:
            break
        own = by_supplier.get(seen.supplier)
        free_w, free_max_w = (own.power_w, own.max_w) if own else (0.0, 0.0)
        max_w = round_w(free_max_w + min(seen.offer.urgent_w, with_margin(share_w)))
        by_supplier[seen.supplier] = Part(seen.supplier, round_w(free_w + share_w), max_w, seen.offer.prices)
        missing_w -= share_w
    return list(by_supplier.values()) if missing_w <= EPSILON_W else []
