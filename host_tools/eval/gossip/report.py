"""Tables of the results that are there, as Markdown."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np

from ..intervals import Interval
from . import rival_tables
from .lines import LOCAL, Group, Means, Score, groups, line, means

_RIVALS = {"persistence": "persistence", "majority": "most frequent state"}


def table(group: Group, local: str, demand: bool) -> str:
    """A Markdown table: a row for each simple rival, and for each variant, compared with `local`."""
    rows = [
        "| variant | nodes | accuracy | over persistence | log loss | not trivial | against alone | "
        "log loss saved | median, worst node | harmed, surely |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    if local not in group:
        return "\n".join(rows)
    for rival, name in _RIVALS.items():
        found, apart = (means(group[local], demand, trivial, rival) for trivial in (True, False))
        rows.append(
            f"| {name} | {len(group[local])} | {100 * found.accuracy:.2f} |  | {found.log_loss:.4f} | "
            f"{_both(apart)} |  | | | |"
        )
    for variant in sorted(group, key=lambda name: (name != local, name)):
        one = line(group[variant], group[local], demand)
        alone = variant == local
        rows.append(
            f"| {variant} | {one.nodes} | {100 * one.ours.accuracy:.2f} | "
            f"{100 * (one.ours.accuracy - one.persistence.accuracy):+.2f} | {one.ours.log_loss:.4f} | "
            f"{_both(one.not_trivial)} | "
            + (
                " | | | |"
                if alone
                else f"{100 * one.gain:+.2f} {_range(one.gain_limits, 100)} | "
                f"{one.saved:+.4f} {_range(one.saved_limits, 1, 4)} | "
                f"{100 * one.median:+.2f}, {100 * one.worst:+.2f} | {one.harmed}, {one.surely_harmed} |"
            )
        )
    return "\n".join(rows)


def _both(found: Means) -> str:
    """Accuracy and log loss, if there are predictions."""
    return "" if isnan(found.accuracy) else f"{100 * found.accuracy:.2f}, {found.log_loss:.4f}"


def _range(limits: Interval, times: float, digits: int = 2) -> str:
    if limits is None:
        return ""
    return f"({times * limits[0]:+.{digits}f} to {times * limits[1]:+.{digits}f})"


def by_node(group: Group, variants: Sequence[str], demand: bool) -> str:
    """A Markdown table: a row for each node, its accuracy and log loss with each variant."""
    rows = [f"| node | persistence | {' | '.join(variants)} |", "|---|---" + "|---" * len(variants) + "|"]
    scores = {variant: {each.node: each for each in group.get(variant, [])} for variant in variants}
    for node in sorted({name for each in scores.values() for name in each}):
        cells = []
        persistence = ""
        for variant in variants:
            if node not in scores[variant]:
                cells.append("")
                continue
            score = [scores[variant][node]]
            own, still = means(score, demand), means(score, demand, rival="persistence")
            persistence = f"{100 * still.accuracy:.1f}, {still.log_loss:.3f}"
            cells.append(f"{100 * own.accuracy:.1f}, {own.log_loss:.3f}")
        rows.append(f"| {node.rsplit(' ', 1)[0]} | {persistence} | {' | '.join(cells)} |")
    return "\n".join(rows)


def hostile(results: list[dict[str, Any]]) -> str:
    """What the honest nodes lose by each attack, with gossip and with a plain mean."""
    found = groups(results, "hostile")
    rows = [
        "| attack | exchange | accuracy of the honest | lost, points | log loss | worst node lost |",
        "|---|---|---|---|---|---|",
    ]
    calm = found.get("none", {})
    for attack in sorted(found, key=lambda name: (name != "none", name)):
        for defence, scores in sorted(found[attack].items()):
            names = {each.node for each in scores}
            one = line(scores, [each for each in calm.get(defence, []) if each.node in names], demand=False)
            rows.append(
                f"| {attack} | {defence} | {100 * one.ours.accuracy:.2f} | "
                + (
                    ""
                    if attack == "none"
                    else f"{-100 * one.gain:.2f} {_range(_negative(one.gain_limits), 100)}"
                )
                + f" | {one.ours.log_loss:.4f} | {'' if attack == 'none' else f'{-100 * one.worst:.2f}'} |"
            )
    return "\n".join(rows)


def _negative(limits: Interval) -> Interval:
    return None if limits is None else (-limits[1], -limits[0])


def topologies(results: list[dict[str, Any]]) -> str:
    """Each shape of a microgrid beside the same nodes alone."""
    jobs = [each for each in results if each["study"] == "topology"]
    alone = [each for each in jobs if each["given"].get("alone")]
    rows = [
        "| microgrid | nodes | accuracy | against alone | log loss saved | worst | harmed, surely | "
        "model B/s of the busiest node |",
        "|---|---|---|---|---|---|---|---|",
    ]
    of_alone = [score for job in alone for score in _scores(job, "gossip")]
    for job in jobs:
        if job["given"].get("alone"):
            continue
        one = line(_scores(job, "gossip"), of_alone, demand=False)
        days = len(job["nodes"][next(iter(job["nodes"]))]["gossip"]["sums"][0])
        sent = job["sent_bytes"]["model"].values()
        rows.append(
            f"| {_shape(job['given'])} | {one.nodes} | {100 * one.ours.accuracy:.2f} | "
            f"{100 * one.gain:+.2f} {_range(one.gain_limits, 100)} | "
            f"{one.saved:+.4f} {_range(one.saved_limits, 1, 4)} | {100 * one.worst:+.2f} | "
            f"{one.harmed}, {one.surely_harmed} | {max(sent) / (86400 * days):.1f} |"
        )
    return "\n".join(rows)


def _shape(given: dict[str, Any]) -> str:
    more = [name for name in ("cut", "churn") if given.get(name)]
    more += [f"loss {given['loss']:.0%}"] if given["loss"] else []
    more += [f"every {given['period']} min", f"{given['budget']} B/s"]
    return f"{given['topology']} of {given['nodes']}, {', '.join(more)}"


def _scores(job: dict[str, Any], variant: str) -> list[Score]:
    return [Score.of(node, each[variant]) for node, each in job["nodes"].items() if variant in each]


def disagreements(results: list[dict[str, Any]]) -> str:
    """Of the nodes that forecast the same sum."""
    rows = ["| nodes | variant | distance of forecasts | not the same state |", "|---|---|---|---|"]
    for job in results:
        if job["study"] == "cluster":
            for variant, told in job["disagreement"].items():
                rows.append(
                    f"| {job['job'].split('/')[0]} | {variant} | {told['distance']:.4f} | "
                    f"{100 * told['other_state']:.1f} % |"
                )
    return "\n".join(rows)


def codec(results: list[dict[str, Any]]) -> str:
    """What the codec changes: in the weights of one node, and at each merge."""
    rows = [
        "| node, start | training | bytes | distance of what a neighbour holds, in shares of the weights | "
        "loss of demand: float32, codec | difference | accuracy on the next day, % | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    of_codec = [each for each in results if each["study"] == "codec"]
    for job in of_codec:
        for node, lines in job.get("rounding", {}).items():
            for at, one in enumerate(lines, 1):
                exact, received = one["exact"][0], one["received"][0]
                start, apart = job["job"].split("/")[-2], max(one["distance"])
                rows.append(
                    f"| {node}, {start} | {at} | {one['bytes']:,} | {100 * apart:.1f} % | "
                    f"{exact:.4f}, {received:.4f} | {received - exact:+.4f} | {_accuracies(one)} |"
                )
    rows += [
        "",
        "| node | merges | distance of what was received, in shares of the distance between nodes | "
        "loss of the merged weights: float32, codec | difference |",
        "|---|---|---|---|---|",
    ]
    for job in of_codec:
        for node, told in job.get("paired", {}).items():
            apart, exact, received = (
                np.array(told["apart"]),
                np.array(told["exact"]),
                np.array(told["received"]),
            )
            difference = received - exact
            error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else float("nan")
            rows.append(
                f"| {node} | {len(apart)} | {apart.mean():.3f}, at most {apart.max():.3f} | "
                f"{exact.mean():.4f}, {received.mean():.4f} | {difference.mean():+.4f} +- {error:.4f} |"
            )
    return "\n".join(rows + rival_tables.tables(of_codec))


def _accuracies(rounding: dict[str, Any]) -> str:
    """Results of older versions have none."""
    if "exact_accuracy" not in rounding:
        return " | "
    exact, received = 100 * rounding["exact_accuracy"], 100 * rounding["received_accuracy"]
    return f"{exact:.2f}, {received:.2f} | {received - exact:+.2f}"


def effort(results: list[dict[str, Any]]) -> str:
    """How many jobs there are, and what they cost."""
    rows = ["| study | jobs | CPU minutes |", "|---|---|---|"]
    for study in sorted({each["study"] for each in results}):
        of = [each for each in results if each["study"] == study]
        rows.append(f"| {study} | {len(of)} | {sum(each['cpu_s'] for each in of) / 60:.1f} |")
    return "\n".join(rows)


def render(results: list[dict[str, Any]]) -> str:
    """All tables."""
    parts = ["# Results of gossip", effort(results)]
    for study in ("late", "nodes", "cluster", "codec"):
        for key, group in sorted(groups(results, study).items()):
            if LOCAL[study] in group:
                parts.append(f"## {study}: {key}")
                parts += ["Demand:", table(group, LOCAL[study], demand=True)]
                parts += ["All variables that change:", table(group, LOCAL[study], demand=False)]
                parts.append(
                    by_node(group, sorted(group, key=lambda name: (name != LOCAL[study], name)), True)
                )
    studies = {each["study"] for each in results}
    more = {"hostile": hostile, "topology": topologies, "cluster": disagreements, "codec": codec}
    parts += [
        f"## {study}\n\n{render_one(results)}" for study, render_one in more.items() if study in studies
    ]
    return "\n\n".join(parts)
