"""Runs the benchmarks, prints the results beside those of the Java node, and writes build/bench.json."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from . import (
    card,
    chain,
    cpu,
    gossip,
    gossip_memory,
    learning,
    market,
    node_cpu,
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

_PARTS = (
    "imports",
    "trust",
    "wire",
    "traffic",
    "space",
    "one_node",
    "chain",
    "hops",
    "sim",
    "node_cpu",
    "reach",
    "propagation",
    "learning",
    "gossip",
    "market",
    "page",
    "window",
    "wear",
)
_ON_REQUEST = ("cpu",)  # it needs an image
_LIBRARIES = (
    "orjson",
    "serial",
    "edge.net.lean_paho",
    "edge.__main__",
    "edge.node",
    "edge.trust.keyring",
    "numpy",
)
_IMPORTER = """
import sys
def rss():
    return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmRSS')) / 1024
print('python', rss())
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        continue
    print(name, rss())
"""
_JAVA = {
    "rss": {0: "90-106", 10: "121-143 (tuned 78-81)", 40: "243-252"},
    "one_node": {40: "4 / - / 5"},
    "chain": {10: "11 / 15 / 20", 40: "31 / 54 / 63, 1 in 5 unserved"},
    "hops": {0: "3-11", 1: "7-25", 2: "34-36", 3: "49-50"},
    "bytes": {0: "15 kB/s", 10: "275 kB/s", 40: "370 kB/s"},
    "cpu": {0: "8-12", 10: "20", 40: "27-34"},
    "laws": {100: "243 ms at 100 agents"},
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `bench`."""
    parser = commands.add_parser(
        "bench", help="measure tuple space, reactions, latency, traffic, memory and learning"
    )
    parser.add_argument(
        "--only",
        choices=[*_PARTS, *_ON_REQUEST],
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
    directory = options.out / "bench"
    console = Console()
    figures: dict[str, Any] = {"machine": {"python": platform.python_version(), "processors": os.cpu_count()}}
    parts: dict[str, Callable[[], None]] = {
        "imports": lambda: _imports(figures, console),
        "trust": lambda: _trust(figures, console),
        "wire": lambda: _wire(figures, console),
        "traffic": lambda: _traffic(figures, console),
        "space": lambda: _space(figures, console),
        "one_node": lambda: _one_node(figures, console, directory),
        "chain": lambda: _chain(figures, console, directory),
        "hops": lambda: _hops(figures, console, directory),
        "sim": lambda: _sim(figures, console),
        "node_cpu": lambda: _node_cpu(figures, console),
        "reach": lambda: _reach(figures, console),
        "propagation": lambda: _propagation(figures, console),
        "learning": lambda: _learning(figures, console),
        "gossip": lambda: _gossip(figures, console),
        "market": lambda: _market(figures, console),
        "page": lambda: _page(figures, console),
        "window": lambda: _window(figures, console),
        "wear": lambda: _wear(figures, console),
        "cpu": lambda: _cpu(figures, console, options.node, directory / "cpu"),
    }
    for name in options.only or _PARTS:
        parts[name]()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(figures, indent=2) + "\n")
    console.print(f"written to {options.out / 'bench.json'}")
    return 0


def _page(figures: dict[str, Any], console: Console) -> None:
    from host_tools.page import measure
    from host_tools.page.browser import NoBrowser

    try:
        figures["page"] = measure.measure()
    except (NoBrowser, ImportError) as error:  # the browser and what drives it are for developers
        console.print(f"dashboard: not measured: {error}")
        return
    table = _table("dashboard (aims: 110 kB, own 75 kB, ready in 1 s, a day in 60 ms)", "figure", "value")
    own = {name: value for name, value in figures["page"].items() if name != "rivals"}
    others = {f"the same day, {name}": value for name, value in figures["page"]["rivals"].items()}
    for name, value in (own | others).items():
        table.add_row(name, str(value))
    console.print(table)


def _window(figures: dict[str, Any], console: Console) -> None:
    figures["window"] = {"node": window.node_ms(), "year": window.year()}
    title = (
        f"/api/v1/node with 100 twins at 50 requests a second (median at most {window.MOST_NODE_MS:g} ms, no "
        f"reaction later than {window.MOST_REACTION_MS:g} ms)"
    )
    table = _table(title, "figure", "value")
    for name, value in figures["window"]["node"].items():
        table.add_row(name, str(value))
    console.print(table)
    title = (
        f"a year of quarter-hours of 20 twins (at most {window.MOST_YEAR_MS:g} ms and "
        f"{window.MOST_YEAR_BYTES / 1e6:g} MB)"
    )
    table = _table(title, "question", "ms", "kB")
    for name, row in figures["window"]["year"].items():
        table.add_row(name, f"{row['ms']:.0f}", f"{row['bytes'] / 1000:.0f}")
    console.print(table)


def _imports(figures: dict[str, Any], console: Console) -> None:
    command = [sys.executable, "-c", _IMPORTER, *_LIBRARIES]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures["imports_mb"] = {name: float(mb) for name, mb in (line.split() for line in output.splitlines())}
    table = _table("memory after imports (cumulative)", "library", "RSS MB")
    for name, mb in figures["imports_mb"].items():
        table.add_row(name, f"{mb:.1f}")
    console.print(table)


def _wire(figures: dict[str, Any], console: Console) -> None:
    figures["wire"] = wire.measure()
    table = _table(
        "decoding the dearest frames of 64 kB (aim: 1 MB, 5 ms)", "body", "wire B", "peak kB", "ms", "answer"
    )
    for name, row in figures["wire"].items():
        cost = f"{row['peak_bytes'] / 1000:.0f}", f"{row['ms']:.2f}"
        table.add_row(name, str(row["wire_bytes"]), *cost, str(row["answer"])[:40])
    console.print(table)


def _traffic(figures: dict[str, Any], console: Console) -> None:
    figures["traffic"] = found = {
        name: traffic.measure(keys) for name, keys in (("with keys", True), ("without keys", False))
    }
    table = _table("four virtual nodes in a chain", "", *found)
    for what, title in (
        ("rest_bytes_per_s", "middle node at rest, B/s"),
        ("learning_bytes_per_s", "the same with learning, B/s"),
        ("contract_bytes", "a contract, up to 3 hops, all links, B"),
    ):
        table.add_row(title, *(f"{each[what]:,.1f}" for each in found.values()))
    for what in found["with keys"]["account"]:
        table.add_row(f"of it {what}", *(f"{each['account'].get(what, 0):,.0f}" for each in found.values()))
    console.print(table)


def _reach(figures: dict[str, Any], console: Console) -> None:
    figures["reach"] = found = {
        f"{nodes} {mode}": reach.measure(nodes, section)
        for nodes in reach.NODES
        for mode, section in reach.MODES.items()
    }
    table = _table(
        "a contract when supply is near, random topology of degree 3", "nodes, how far", *reach.FIGURES
    )
    for name, each in found.items():
        table.add_row(name, *(f"{each[figure]:,.2f}" for figure in reach.FIGURES))
    console.print(table)
    for name, each in found.items():
        parts = sorted(each["parts"].items(), key=lambda part: -part[1])
        console.print(
            f"{name}: of a contract, in parts of frames: " + ", ".join(f"{n:.1f} {k}" for k, n in parts)
        )


def _trust(figures: dict[str, Any], console: Console) -> None:
    figures["trust"] = {"us": trust.costs_us(), "libraries_mb": trust.libraries_mb()}
    table = _table("signatures and seals (a Pi 3 takes about ten times as long)", "step", "us")
    for name, us in figures["trust"]["us"].items():
        table.add_row(name, f"{us:.1f}")
    console.print(table)
    table = _table(
        "libraries for them, in a process like that of a node", "library", "RSS MB", "anonymous MB"
    )
    for name, sizes in figures["trust"]["libraries_mb"].items():
        table.add_row(name, *(f"{mb:.2f}" for mb in sizes))
    console.print(table)


def _space(figures: dict[str, Any], console: Console) -> None:
    figures |= space.measure()
    table = _table(
        "tuple space and a dictionary of objects (operations per second of CPU time)",
        "LSAs",
        "put",
        "read",
        "inject",
        "B/LSA",
        "dict put",
        "dict B",
    )
    for n, row in figures["space"].items():
        table.add_row(
            n,
            *(
                f"{row[key]:,.0f}"
                for key in (
                    "put_per_s",
                    "read_per_s",
                    "inject_remove_per_s",
                    "bytes_per_lsa",
                    "dict_put_per_s",
                    "dict_bytes_per_lsa",
                )
            ),
        )
    console.print(table)
    table = _table(
        "one reaction after 10 LSAs changed, with 10 observing agents", "LSAs", "ms", "all pairs, ms"
    )
    for n, row in figures["reaction"].items():
        pairwise = f"{1000 * row['pairwise_s']:,.1f}" if "pairwise_s" in row else "-"
        table.add_row(n, f"{1000 * row['ten_changed_s']:.2f}", pairwise)
    console.print(table, f"Java node: all laws take {_JAVA['laws'][100]}, once a second")


def _one_node(figures: dict[str, Any], console: Console, directory: Path) -> None:
    result = chain.latency(chain.even(40, nodes=1), directory)
    figures["one_node"] = {"40": result}
    table = _table("contract latency, one node, 40 prosumers", "median / p90 / max s", "served", "Java")
    table.add_row(_spread(result["latency_s"]), _served(result), _JAVA["one_node"][40])
    console.print(table)


def _chain(figures: dict[str, Any], console: Console, directory: Path) -> None:
    figures["chain"] = {}
    for prosumers in (0, 10, 40):
        load = chain.even(prosumers)
        result = chain.latency(load, directory) if prosumers else {}
        figures["chain"][str(prosumers)] = result | {"idle": chain.idle(load, directory)}
    table = _table(
        "four nodes in a chain over MQTT",
        "prosumers per node",
        "latency: median / p90 / max s",
        "served",
        "Java",
    )
    for prosumers in (10, 40):
        result = figures["chain"][str(prosumers)]
        table.add_row(
            str(prosumers), _spread(result["latency_s"]), _served(result), _JAVA["chain"][prosumers]
        )
    console.print(table)
    table = _table(
        "the same chain while idle (largest value of the four nodes)",
        "prosumers per node",
        "RSS MB",
        "Java",
        "B/s sent",
        "Java",
        "CPU %",
        "Java",
    )
    for prosumers in (0, 10, 40):
        row = figures["chain"][str(prosumers)]["idle"]
        table.add_row(
            str(prosumers),
            f"{max(row['rss_mb'].values()):.1f}",
            _JAVA["rss"][prosumers],
            f"{max(row['bytes_per_s'].values()):.0f}",
            _JAVA["bytes"][prosumers],
            f"{max(row['cpu_percent'].values()):.1f}",
            _JAVA["cpu"][prosumers],
        )
    console.print(table)


def _hops(figures: dict[str, Any], console: Console, directory: Path) -> None:
    result = chain.latency(chain.Load((12, 0, 0, 0), (3, 3, 3, 3)), directory)
    figures["hops"] = result
    table = _table(
        f"producers on the first node only ({_served(result)} served)",
        "hops",
        "median / p90 / max s",
        "Java s",
    )
    for hops, times in result["by_hops"].items():
        table.add_row(hops, _spread(times), _JAVA["hops"][int(hops)])
    console.print(table)


def _sim(figures: dict[str, Any], console: Console) -> None:
    figures["sim"] = simulation.measure()
    table = _table(
        f"simulator with {simulation.TWINS} twins per node: simulated s per second",
        "nodes",
        "simulated s",
        "one process",
        f"{simulation.PROCESSES} processes",
        "simulated s per s of processor time, one process",
        "events per second, one process",
    )
    for nodes, row in figures["sim"].items():
        speeds = (row["sim_s_per_s"], row["together_sim_s_per_s"], row["sim_s"] / row["cpu_s"])
        table.add_row(
            nodes, f"{row['sim_s']}", *(f"{each:,.2f}" for each in speeds), f"{row['events_per_s']:,.0f}"
        )
    console.print(table)


def _node_cpu(figures: dict[str, Any], console: Console) -> None:
    figures["node_cpu"] = found = {str(nodes): node_cpu.measure(nodes) for nodes in node_cpu.NODES}
    table = _table(
        f"processor time of a node with {simulation.TWINS} twins, simulated; a Pi 3 is taken to be "
        f"{node_cpu.PI_FACTOR:g} times slower",
        "nodes",
        "what it does",
        "s per hour",
        "% of a core here",
        "% of a core of a Pi 3",
    )
    for nodes, rows in found.items():
        for what, row in rows.items():
            table.add_row(nodes, what, *(f"{value:,.2f}" for value in row.values()))
    console.print(table)


def _propagation(figures: dict[str, Any], console: Console) -> None:
    figures["propagation"] = propagation.measure()
    table = _table(
        f"from the first node of a simulated chain, {1000 * propagation.LATENCY_S:.0f} ms a link",
        "hops",
        "a value is there after s",
        "it is in the mean of neighbours after s",
    )
    for hops, row in figures["propagation"].items():
        table.add_row(hops, f"{row['told_s']:.2f}", f"{row['merged_s']:.2f}")
    console.print(table)


def _learning(figures: dict[str, Any], console: Console) -> None:
    figures["learning"] = learning.measure()
    models = list(figures["learning"])
    table = _table("memory of a learning node, both scopes (RSS in MB, cumulative)", "step", *models)
    for step in figures["learning"]["lstm"]["steps_mb"]:
        table.add_row(step, *(f"{figures['learning'][model]['steps_mb'][step]:.1f}" for model in models))
    table.add_row("added", *(f"{figures['learning'][model]['added_mb']:.1f}" for model in models))
    console.print(table, f"for comparison, in MB: {learning.OTHERS_MB}")
    table = _table(
        "learning, both scopes: CPU time in ms (in brackets: estimate for a Pi 3, x10)",
        "model",
        "predictions per minute",
        "first training, 4 days",
        "update",
        "longest slice of an update",
        "slices",
    )
    for model, row in figures["learning"].items():
        times_s = (
            row["predict_s"]["median"],
            2 * row["first_cpu_s"],
            2 * row["update_cpu_s"],
            row["slice_cpu_s"],
        )
        table.add_row(model, *(_with_estimate(1000 * each) for each in times_s), str(row["slices"]))
    console.print(table, "thesis (Keras on a PC): the first training of a node takes more than a minute")


def _gossip(figures: dict[str, Any], console: Console) -> None:
    figures["gossip"] = found = gossip.measure()
    table = _table(
        "gossip of the default model, all variables: one period (in brackets: estimate for a Pi 3, x10)",
        "what is sent, and how",
        "bytes",
        "write ms",
        "read ms",
    )
    for name, row in found["rows"].items():
        times = [_with_estimate(1000 * row[key]) for key in ("write_s", "read_s")]
        table.add_row(name, f"{row['bytes']:,.0f}", *times)
    kept, limits = found["kept_bytes"], found["limits_bytes"]
    console.print(
        table,
        f"limits: {limits['networks']:,} bytes for networks, {limits['counts']:,} for counts; kept for each "
        f"neighbour: {kept['weights']:,} bytes of weights, {kept['counts']:,} of counts",
        "thesis (compact Markov model, sent every second): 52,600 bytes",
    )
    figures["gossip_memory"] = memory = gossip_memory.measure()
    table = _table(
        f"anonymous memory of two scopes, two neighbours, MB (gossip may add {memory['limit_mb']:g})",
        "",
        "without",
        "with gossip",
        "added",
    )
    for step in memory["added"]:
        table.add_row(step, *(f"{memory[each][step]:.1f}" for each in ("without", "with", "added")))
    console.print(table)


def _market(figures: dict[str, Any], console: Console) -> None:
    figures["market"] = market.measure()
    title = f"one step of a market (aim: {market.AIM_MS:g} ms for 1000 + 1000 orders; in brackets: Pi 3, x10)"
    table = _table(title, "orders", "way", "ms", "of the highest welfare")
    for count, rows in figures["market"].items():
        for name, row in rows.items():
            table.add_row(count, name, _with_estimate(row["ms"]), f"{row['welfare']:.2%}")
    console.print(table)


def _wear(figures: dict[str, Any], console: Console) -> None:
    with card.mounted() as mounted:
        figures["wear"] = {
            f"{twins}, {load}": wear.measure(twins, noise, mounted)
            for load, noise in wear.NOISE.items()
            for twins in wear.TWINS
        }
    if not mounted:
        console.print(
            "no card can be mounted here (root, loop device, e2fsprogs): what reaches it is not measured"
        )
    table = _table(
        f"written by a learning node (at most {wear.MOST_MB_A_DAY:g} MB a day)",
        "twins, load",
        "history, MB a day",
        "to a card, MB a day",
        "largest write, kB",
        "events a day",
        "the file grows, MB a day",
    )
    for twins, row in figures["wear"].items():
        sizes = f"{row['largest_kb']:.0f}", f"{row['events_a_day']:,.0f}"
        a_day = [f"{row[name]:.1f}" for name in ("mb_a_day", "card_mb_a_day", "grows_mb_a_day")]
        table.add_row(twins, *a_day[:2], *sizes, a_day[2])
    console.print(table)


def _with_estimate(ms: float) -> str:
    return f"{ms:,.2f} ({ms * learning.PI3:,.1f})" if ms < 100 else f"{ms:,.0f} ({ms * learning.PI3:,.0f})"


def _cpu(figures: dict[str, Any], console: Console, node: str, directory: Path) -> None:
    figures["cpu"] = found = cpu.measure(node, Path("build/image"), directory)
    table = _table(
        "the idle service in the emulated machine",
        "instructions per second",
        "assumed instructions per cycle",
        "% of a Pi 3 core",
    )
    table.add_row(
        f"{found['instructions_per_s']:,}",
        str(found["assumed_instructions_per_cycle"]),
        f"{found['percent_of_a_core']}",
    )
    console.print(table, found["method"])


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _spread(times: dict[str, float]) -> str:
    return f"{times['median']:.3f} / {times['p90']:.3f} / {times['max']:.3f}" if times else "-"


def _served(result: dict[str, Any]) -> str:
    return f"{result['served']}/{result['asked']}"
