"""Tables of the results that are there, as Markdown.

Differences are paired: the same nodes, days, variables and horizons. A day is one block over all nodes, and
the intervals are those of t over days. A node is harmed if it is worse than alone, and surely harmed if its
own interval lies below 0.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import Interval, by_days
from . import rival_tables
from .judge import SUMS

Floats = NDArray[np.float64]
_N, _ACCURACY, _LOSS = SUMS.index("n"), SUMS.index("accuracy"), SUMS.index("log_loss")
_PERSISTENCE, _MAJORITY = SUMS.index("persistence_accuracy"), SUMS.index("majority_accuracy")
_PERSISTENCE_LOSS = SUMS.index("persistence_log_loss")
LOCAL = {"late": "scratch", "nodes": "local", "cluster": "local", "codec": "float32"}


@dataclass(frozen=True)
class Score:
    """One node with one variant: sums (measures, days, 6, 4)."""

    node: str
    sums: Floats
    varying: list[int]
    horizons: list[int]

    def part(self, demand: bool) -> Floats:
        """The sums (measures, days, cells) of the demand, or of all variables that change."""
        variables = [0] if demand else self.varying
        found = self.sums[:, :, variables][..., self.horizons]
        return found.reshape(*found.shape[:2], -1)


Group = dict[str, list[Score]]  # by variant


def read(out: Path) -> list[dict[str, Any]]:
    """All result files, in order of names. Raises ValueError if there are none."""
    files = sorted((out / "results").rglob("*.json"))
    if not files:
        raise ValueError(f"{out}: there are no results")
    return [json.loads(file.read_text(encoding="ascii")) for file in files]


def groups(results: Iterable[dict[str, Any]], study: str) -> dict[str, Group]:
    """The scores of a study by group (all but node, variant and seed) and variant."""
    found: dict[str, Group] = defaultdict(lambda: defaultdict(list))
    for one in results:
        if one["study"] != study:
            continue
        *place, _, seed = one["job"].split("/")
        for node, variants in one["nodes"].items():
            for variant, told in variants.items():
                name, key = f"{node} {seed}", "/".join(place)
                if study == "late":
                    model, data, node_name, own_days = place
                    name, key = f"{data}/{node_name} {seed}", f"{model}, {own_days}"
                sums = np.array(told["sums"])
                if all(each.node != name for each in found[key][variant]):
                    found[key][variant].append(Score(name, sums, told["varying"], told["horizons"]))
    return {key: dict(each) for key, each in found.items()}


@dataclass(frozen=True)
class Line:
    """A variant beside another one, over the nodes that both have."""

    nodes: int
    accuracy: float
    persistence: float
    majority: float
    log_loss: float
    gain: float
    gain_limits: Interval
    saved: float  # log loss
    saved_limits: Interval
    median: float
    worst: float
    harmed: int
    surely_harmed: int


def line(scores: Sequence[Score], others: Sequence[Score], demand: bool) -> Line:
    """The scores of a variant, and paired with those of another one."""
    other = {each.node: each for each in others}
    both = [(each.part(demand), other[each.node].part(demand)) for each in scores if each.node in other]
    ours, theirs = (_joined([pair[at] for pair in both]) for at in (0, 1))
    gain, gain_limits = by_days(ours[_ACCURACY] - theirs[_ACCURACY], ours[_N])
    saved, saved_limits = by_days(theirs[_LOSS] - ours[_LOSS], ours[_N])
    each = [by_days(one[_ACCURACY] - two[_ACCURACY], one[_N]) for one, two in both]
    gains = [mean for mean, _ in each]
    return Line(
        len(both),
        by_days(ours[_ACCURACY], ours[_N])[0],
        by_days(ours[_PERSISTENCE], ours[_N])[0],
        by_days(ours[_MAJORITY], ours[_N])[0],
        by_days(ours[_LOSS], ours[_N])[0],
        gain,
        gain_limits,
        saved,
        saved_limits,
        float(np.median(gains)),
        min(gains),
        sum(mean < -0.0005 for mean in gains),  # less than 0.05 points is no harm
        sum(limits is not None and limits[1] < 0 for _, limits in each),
    )


def _joined(parts: list[Floats]) -> Floats:
    days = min(each.shape[1] for each in parts)
    return np.concatenate([each[:, :days] for each in parts], -1)


def table(group: Group, local: str, demand: bool) -> str:
    """A Markdown table: a row for each variant, compared with `local`."""
    rows = [
        "| variant | nodes | accuracy | over persistence | log loss | against alone | log loss saved | "
        "median, worst node | harmed, surely |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for variant in sorted(group, key=lambda name: (name != local, name)):
        if local not in group:
            break
        one = line(group[variant], group[local], demand)
        alone = variant == local
        rows.append(
            f"| {variant} | {one.nodes} | {100 * one.accuracy:.2f} | "
            f"{100 * (one.accuracy - one.persistence):+.2f} | {one.log_loss:.4f} | "
            + (
                " | | | |"
                if alone
                else f"{100 * one.gain:+.2f} {_range(one.gain_limits, 100)} | "
                f"{one.saved:+.4f} {_range(one.saved_limits, 1, 4)} | "
                f"{100 * one.median:+.2f}, {100 * one.worst:+.2f} | {one.harmed}, {one.surely_harmed} |"
            )
        )
    return "\n".join(rows)


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
            part = scores[variant][node].part(demand)
            accuracy, loss = (by_days(part[at], part[_N])[0] for at in (_ACCURACY, _LOSS))
            still, still_loss = (by_days(part[at], part[_N])[0] for at in (_PERSISTENCE, _PERSISTENCE_LOSS))
            persistence = f"{100 * still:.1f}, {still_loss:.3f}"
            cells.append(f"{100 * accuracy:.1f}, {loss:.3f}")
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
                f"| {attack} | {defence} | {100 * one.accuracy:.2f} | "
                + (
                    ""
                    if attack == "none"
                    else f"{-100 * one.gain:.2f} {_range(_negative(one.gain_limits), 100)}"
                )
                + f" | {one.log_loss:.4f} | {'' if attack == 'none' else f'{-100 * one.worst:.2f}'} |"
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
            f"| {_shape(job['given'])} | {one.nodes} | {100 * one.accuracy:.2f} | "
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
    return [
        Score(node, np.array(each[variant]["sums"]), each[variant]["varying"], each[variant]["horizons"])
        for node, each in job["nodes"].items()
        if variant in each
    ]


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
