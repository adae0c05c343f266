"""Topologies of a microgrid: named shapes, or a file (thesis 4.4.6).

    chain:4  ring:6  full:5  star:5  grid:3x4  random:20:3 (nodes : mean degree, connected)  nodes.toml

A file (TOML or JSON) contains `name = ["neighbour", ...]`; only there can links be one-way.
"""

import json
import random
import tomllib
from collections.abc import Callable, Iterable
from itertools import combinations, pairwise
from pathlib import Path

from edge.files import read_text
from edge.net.links import checked_name

Links = dict[str, list[str]]
MOST_NODES = 1000
_USAGE = "chain:N, ring:N, full:N, star:N, grid:RxC, random:N:DEGREE or a .toml or .json file"


class TopologyError(Exception):
    """An invalid topology; the message contains the value."""


def parse(spec: str, seed: int = 1, capped: bool = False) -> Links:
    """The nodes and their neighbours; `seed` is used for random shapes. Raises TopologyError.

    `capped`: a mean degree above what so few nodes can have means all to all.
    """
    if spec.endswith((".toml", ".json")):
        return _read(Path(spec))
    shape, _, size = spec.partition(":")
    try:
        if shape == "grid":
            rows, columns = (int(part) for part in size.split("x"))
            return _checked(spec, rows * columns, min(rows, columns), lambda names: _grid(names, columns))
        if shape == "random":
            count, degree = (int(part) for part in size.split(":"))
            most = MOST_NODES if capped else max(1, count - 1)
            if count >= 1 and not 1 <= degree <= most:
                raise TopologyError(f"nodes = {spec!r}: the mean degree must be between 1 and {most:,}")
            rng = random.Random(f"{seed}/{spec}")
            return _checked(spec, count, 1, lambda names: _random(names, degree, rng))
        return _checked(spec, int(size), 1, _SHAPES[shape])
    except (KeyError, ValueError):
        raise TopologyError(f"nodes = {spec!r}: must be {_USAGE}") from None


def parts(links: Links) -> dict[str, int]:
    """The number of each node's part; all nodes of a part can reach each other in both directions."""
    found: dict[str, int] = {}
    backwards: Links = {name: [] for name in links}
    for name, neighbours in links.items():
        for neighbour in neighbours:
            backwards[neighbour].append(name)
    for name in links:
        if name not in found:
            number = len(set(found.values()))
            both_ways = _reached(links, name) & _reached(backwards, name)
            found.update((each, number) for each in links if each in both_ways)  # a set has no order
    return found


def _checked(
    spec: str, count: int, least: int, shape: Callable[[list[str]], Iterable[tuple[str, str]]]
) -> Links:
    if not 1 <= count <= MOST_NODES or least < 1:
        raise TopologyError(f"nodes = {spec!r}: there must be 1 to {MOST_NODES} nodes, and no number below 1")
    names = [f"n{i + 1}" for i in range(count)]
    links: Links = {name: [] for name in names}
    for one, other in shape(names):
        links[one].append(other)
        links[other].append(one)
    return links


def _ring(names: list[str]) -> list[tuple[str, str]]:
    closing = [(names[-1], names[0])] if len(names) > 2 else []
    return [*pairwise(names), *closing]


def _grid(names: list[str], columns: int) -> list[tuple[str, str]]:
    beside = [(names[i], names[i + 1]) for i in range(len(names) - 1) if (i + 1) % columns]
    return beside + list(zip(names, names[columns:], strict=False))


def _random(names: list[str], degree: int, rng: random.Random) -> list[tuple[str, str]]:
    """A random tree, so that all nodes are connected, then random links up to the mean degree."""
    edges = {(names[rng.randrange(i)], names[i]) for i in range(1, len(names))}
    others = [pair for pair in combinations(names, 2) if pair not in edges]
    wanted = len(names) * degree // 2 - len(edges)
    return sorted(edges) + rng.sample(others, max(0, min(wanted, len(others))))


_SHAPES: dict[str, Callable[[list[str]], Iterable[tuple[str, str]]]] = {
    "chain": pairwise,
    "ring": _ring,
    "full": lambda names: combinations(names, 2),
    "star": lambda names: ((names[0], name) for name in names[1:]),
}


def _read(path: Path) -> Links:
    try:
        text = read_text(path)
        raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise TopologyError(f"nodes = {str(path)!r}: cannot be read: {error}") from None
    if not isinstance(raw, dict) or not 1 <= len(raw) <= MOST_NODES:
        raise TopologyError(f"{path}: must contain 1 to {MOST_NODES} lines name = [neighbours]")
    for name, neighbours in raw.items():
        _check_line(path, name, neighbours, raw)
    return raw


def _check_line(path: Path, name: str, neighbours: object, known: Links) -> None:
    if not isinstance(neighbours, list):
        raise TopologyError(f"{path}: {name} = {neighbours!r}: must be a list of neighbours")
    try:
        checked_name(name)
    except ValueError as error:
        raise TopologyError(f"{path}: {name}: {error}") from None
    for neighbour in neighbours:
        if neighbour not in known or neighbour == name or neighbours.count(neighbour) > 1:
            raise TopologyError(
                f"{path}: {name} = {neighbours!r}: {neighbour!r} is not another node or a duplicate"
            )


def _reached(links: Links, start: str) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = set(links[waiting.pop()]) - reached
        reached |= new
        waiting += new
    return reached
