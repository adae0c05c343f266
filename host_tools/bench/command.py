"""Runs the benchmarks, prints the results beside those of the Java node, and writes build/bench.json."""

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ..tables import output
from . import (
    chain,
    cpu,
    gossip,
    gossip_memory,
    imports,
    joining,
    learning,
    market,
    node_cpu,
    page,
    propagation,
    reach,
    simulation,
    space,
    traffic,
    trust,
    wear,
    window,
    wire,
)
from .sheet import Sheet

_PARTS = (
    imports.PART,
    trust.PART,
    wire.PART,
    traffic.PART,
    space.SPACE,
    space.REACTION,
    chain.ONE_NODE,
    chain.CHAIN,
    chain.HOPS,
    simulation.PART,
    node_cpu.PART,
    reach.PART,
    propagation.PART,
    learning.PART,
    gossip.PART,
    gossip_memory.PART,
    joining.PART,
    market.PART,
    page.PART,
    window.PART,
    wear.PART,
)
_ON_REQUEST = ("cpu",)  # it needs an image


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `bench`."""
    parser = commands.add_parser(
        "bench", help="measure tuple space, reactions, latency, traffic, memory and learning"
    )
    parser.add_argument(
        "--only",
        choices=[*(part.name for part in _PARTS), *_ON_REQUEST],
        action="append",
        help="run only this part (may be repeated); cpu measures the idle load in the image of --node",
    )
    parser.add_argument("--node", default="gym", help="node whose image is booted for cpu (default gym)")
    parser.add_argument(
        "--out", type=Path, default=Path("build"), help="folder for bench.json (default build)"
    )
    parser.set_defaults(command=bench)


def bench(options: argparse.Namespace) -> int:
    """Run the chosen parts; returns the exit code."""
    console = output()
    figures: dict[str, Any] = {"machine": {"python": platform.python_version(), "processors": os.cpu_count()}}
    parts = {part.name: part for part in (*_PARTS, cpu.part(options.node))}
    for name in options.only or [part.name for part in _PARTS]:
        figures[name] = parts[name].measure(options.out / "bench")
        for sheet in parts[name].sheets(figures[name]):
            console.print(_table(sheet), *sheet.below, sep="\n")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"written to {options.out / 'bench.json'}")
    return 0


def _table(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, title_justify="left", box=SIMPLE_HEAD)
    for heading in sheet.headings:
        table.add_column(heading, justify="right")
    for row in sheet.rows:
        table.add_row(*row)
    return table
