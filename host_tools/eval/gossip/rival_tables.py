"""Tables of the rivals of the codec (`rivals`), as Markdown."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .rivals import FIRST_PERIODS, WAYS

Found = list[tuple[str, dict[str, Any]]]  # "node, start", and what its job found


def tables(results: Iterable[dict[str, Any]]) -> list[str]:
    """The lines of all tables; none without results."""
    found = [
        (f"{node}, {job['job'].split('/')[-3]}", told)
        for job in results
        for node, told in job.get("rivals", {}).items()
    ]
    return ["", *_ways(found), "", *_links(found)] if found else []


def _ways(found: Found) -> Iterator[str]:
    yield (
        "| node, start | periods | way | bytes a period | by an ideal range coder | distance of what a "
        "neighbour holds | loss of demand against float32, worst | accuracy on the next day, difference |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, told in found:
        rows = told["periods"]
        for first, last in ((0, FIRST_PERIODS), (FIRST_PERIODS, len(rows))):
            for way in WAYS:
                yield f"| {name} | {first + 1} to {last} | {way} | {_way(rows[first:last], way)} |"


def _way(rows: list[dict[str, Any]], way: str) -> str:
    bytes_, coded, apart = (
        float(np.mean([row[way][key] for row in rows])) for key in ("bytes", "coded_bytes", "distance")
    )
    lost = [row[way]["loss"] - row["exact"]["loss"] for row in rows]
    gained = [row[way]["accuracy"] - row["exact"]["accuracy"] for row in rows if "accuracy" in row[way]]
    return (
        f"{bytes_:,.0f} | {coded:,.0f} | {100 * apart:.2f} % | {np.mean(lost):+.4f}, {max(lost):+.4f} | "
        f"{100 * np.mean(gained):+.2f}"
    )


def _links(found: Found) -> Iterator[str]:
    yield (
        "| node, start | messages lost | neighbours | bytes a period to each: one copy, one for each | "
        "distance of what they hold; by fragments | bytes kept: one copy, one for each |"
    )
    yield "|---|---|---|---|---|---|"
    for name, told in found:
        for one, each in zip(told["links"][::2], told["links"][1::2], strict=True):
            count = one["neighbours"]
            sent = f"{one['bytes'] / count:,.0f}, {each['bytes'] / count:,.0f}"
            apart = f"{100 * one['distance']:.2f}, {100 * each['distance']:.2f}"
            yield (
                f"| {name} | {100 * one['loss']:.0f} % | {count} | {sent} | "
                f"{apart}; {100 * one['by_fragments']:.2f} % | "
                f"{one['state_bytes']:,}, {each['state_bytes']:,} |"
            )
