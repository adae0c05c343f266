"""What a benchmark shows: tables of text, whose figures the benchmark gives, and a program prints.

The benchmarks themselves do not import what draws tables, since some of them measure their own process.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Sheet:
    """A table, and what is said below it."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    below: tuple[str, ...] = ()


class Part(NamedTuple):
    """A benchmark: its name here and in bench.json, its measurement with a folder for its files, and how the
    figures are shown."""

    name: str
    measure: Callable[[Path], Any]
    sheets: Callable[[Any], Iterable[Sheet]]
