"""`make run NODES=random:36:3 NETNS=1`: the trial with real nodes, beside the same under the virtual clock.

Exit codes as for `make run`; also 2 without root.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..arguments import number
from ..broker import BrokerError
from ..microgrid.launch import LaunchError
from ..sim.topology import Links, TopologyError, parse
from ..tables import output
from . import report
from .fabric import Switch
from .namespace import NetnsError
from .real import RealSite
from .trial import Findings, Phases, Start, plans, play
from .virtual import VirtualSite

MOST_NODES = 64
_DEFAULT = "random:8:3"
_OTHERS = {  # options of runs without namespaces, and their defaults
    **dict.fromkeys(("duration", "data", "start", "learn", "push", "push_token")),
    "gossip": 0,
    "community": 0,
    "holons": 0,
    "speed": 1.0,
    "grid_w": 10_000.0,
    "max_power_w": 10_000.0,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `run` that are for namespaces."""
    add = parser.add_argument_group("network namespaces (root)").add_argument
    add(
        "--netns",
        type=int,
        choices=(0, 1),
        default=0,
        help="1: each node and its broker in a network namespace; loads are switched on, cut off and "
        "supplied again, and the same is simulated (default 0)",
    )
    add(
        "--nodes",
        metavar="SHAPE",
        help=f"with --netns: topology, as for sim, of 2 to {MOST_NODES} nodes (default {_DEFAULT})",
    )
    add("--delay-ms", type=number(0, 5000), help="with --netns: delay of every packet (default 20)")
    add("--loss", type=number(0, 0.5), help="with --netns: share of packets that are lost (default 0)")


def run(options: argparse.Namespace, phases: Phases | None = None) -> int:
    """The trial; returns the exit code."""
    try:
        links = _links(options)
    except (TopologyError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("--netns needs root: network namespaces are made, with interfaces in them", file=sys.stderr)
        return 2
    phases = phases or Phases()
    delay_ms = 20.0 if options.delay_ms is None else options.delay_ms
    loss = options.loss or 0.0
    console = output()
    try:
        with _ended_as_by_ctrl_c():
            real, measured = _real(options, links, phases, delay_ms, loss)
    except NetnsError as error:
        print(error, file=sys.stderr)
        return 2
    except (LaunchError, BrokerError) as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("interrupted: all processes and networks are gone", file=sys.stderr)
        return 130
    print("the same under the virtual clock", flush=True)
    virtual = _virtual(options, links, phases, delay_ms)
    console.print(report.table(f"{_title(options, links)}, {delay_ms:g} ms", real, virtual, measured))
    told = {
        "nodes": len(links),
        "topology": options.nodes or _DEFAULT,
        "delay_ms": delay_ms,
        "loss": loss,
        "seed": options.seed,
        "real": report.content(real) | measured,
        "virtual": report.content(virtual),
    }
    (options.out / "netns.json").write_text(json.dumps(told, indent=2) + "\n")
    print(f"details in {options.out / 'netns.json'}")
    for line in [*real.broken, *virtual.broken][:10]:
        print(line, file=sys.stderr)
    return 1 if real.broken or virtual.broken else 0


def _links(options: argparse.Namespace) -> Links:
    for name, default in _OTHERS.items():
        if getattr(options, name) != default:
            raise ValueError(f"--netns has steps of its own: --{name.replace('_', '-')} is not for it")
    links = parse(options.nodes or _DEFAULT, options.seed)
    if not 2 <= len(links) <= MOST_NODES:
        raise ValueError(f"--nodes {options.nodes}: --netns allows 2 to {MOST_NODES} nodes")
    return links


def _real(
    options: argparse.Namespace, links: Links, phases: Phases, delay_ms: float, loss: float
) -> tuple[Findings, dict[str, Any]]:
    start = Start()
    planned = plans(links, start, options.seed, phases.switching)
    site = RealSite(planned, start, delay_ms, loss, options.out / "netns", options.seed, bool(options.trust))
    print(
        f"{_title(options, links)}: {site.fabric.kind}, {delay_ms:g} ms, loss {100 * loss:g} %; starting",
        flush=True,
    )
    if isinstance(site.fabric, Switch):
        print("this kernel has no tc netem, so a process carries, delays and loses the packets", flush=True)
    with site:
        print(f"all nodes answer after {site.started_s:.0f} s; the trial takes about two minutes", flush=True)
        watched = report.Watched(site)
        found = play(watched, links, phases)
        measured = watched.measured()
    measured["load"] = round(os.getloadavg()[0], 1)
    return found, measured | {
        "network": site.fabric.kind,
        "started_s": round(site.started_s, 1),
        "switch": site.counters,
    }


def _virtual(options: argparse.Namespace, links: Links, phases: Phases, delay_ms: float) -> Findings:
    start = Start()
    planned = plans(links, start, options.seed, phases.switching)
    site = VirtualSite(planned, start, delay_ms, options.seed, bool(options.trust))
    try:
        return play(site, links, phases)
    finally:
        site.close()


def _title(options: argparse.Namespace, links: Links) -> str:
    return f"{options.nodes or _DEFAULT}, {len(links)} nodes"


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP end everything in order, too."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
