"""The results of a run: a table, summary.json, timeseries.csv and requests.csv."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from edge.terms import VARIABLES

from .metrics import of_energy, of_requests, rounded
from .outcome import Outcome
from .recorder import OF_NODES, Recorder
from .scenario import Figure


def summarise(outcome: Outcome) -> dict[str, Any]:
    """The content of summary.json. Everything except `wall_s` and `sim_s_per_s` is the same for a seed.

    Values that are unknown for real processes are None.
    """
    job, recorder = outcome.job, outcome.recorder
    seconds, contracts = recorder.seconds, outcome.contracts
    summary: dict[str, Any] = rounded(
        {
            "scenario": job.scenario,
            "seed": job.seed,
            "real": outcome.real,
            "nodes": len(recorder.cast.nodes),
            "topology": job.topology_of(len(recorder.cast.nodes)),
            "twins": len(recorder.cast.names),
            "hours": seconds / 3600,
            "policy": ",".join(outcome.policies),
            "consumer_policy": ",".join(outcome.consumer_policies),
            "latency_ms": None if outcome.real else job.latency_ms,
            "parameters": job.kind.values(job.values),
            **of_requests(recorder),
            **of_energy(recorder),
            "contracts": contracts,
            "shed": outcome.shed,
            "interrupted": outcome.interrupted,
            "messages": outcome.messages,
            "bytes": outcome.bytes,
            "messages_per_contract": outcome.messages / contracts if contracts else None,
            "bytes_per_contract": outcome.bytes / contracts if contracts else None,
            "reactions_per_s": outcome.reactions / seconds if seconds else None,
            **({"learn": job.learn, "learning": outcome.learning} if job.learn else {}),
            **({"gossip": outcome.gossip} if job.gossip else {}),
            **({"batteries": outcome.batteries} if outcome.batteries else {}),
            **({"figures": _figures(outcome.figures)} if outcome.figures else {}),
            **({"regulation": outcome.regulation} if outcome.regulation else {}),
            "invariants_checked": outcome.checked,
            "invariants_broken": outcome.broken,
            "timeseries_stride_s": recorder.stride,
            "wall_s": outcome.wall_s,
            "sim_s_per_s": seconds / outcome.wall_s if outcome.wall_s else None,
        }
    )
    return summary


def _figures(found: Sequence[Figure]) -> dict[str, dict[str, Any]]:
    """By name, in order; a figure of a part follows that of the whole."""
    rows: dict[str, dict[str, Any]] = {}
    whole = ""
    for name, *values in found:
        whole = whole if name.startswith(" ") else name
        key = name if name == whole else f"{whole}: {name.strip()}"
        rows[key] = dict(zip(("unit", "ours", "ideal", "thesis"), values, strict=True))
    return rows


def figures(summary: dict[str, Any], title: str = "") -> Table:
    """The figures of a scenario beside the thesis."""
    shown = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left")
    shown.add_column("")  # on a narrow terminal names are wrapped, and no value is cut off
    for name in ("here", "at best", "thesis"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name, row in summary["figures"].items():
        values = (_number(row[key], 2) for key in ("ours", "ideal", "thesis"))
        shown.add_row(f"{name}, {row['unit']}" if row["unit"] else name, *values)
    return shown


def write(outcome: Outcome, summary: dict[str, Any], directory: Path) -> None:
    """Write all files except the plots."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    _write_series(outcome.recorder, directory / "timeseries.csv")
    _write_requests(outcome.recorder, directory / "requests.csv")


def table(summary: dict[str, Any]) -> Table:
    """The summary as a table."""
    title = (
        f"{summary['scenario']}, {summary['topology']}, {summary['twins']} twins, {summary['hours']:g} h, "
        f"seed {summary['seed']}, policy {summary['policy']}"
    )
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_header=False)
    shown.add_column(no_wrap=True, min_width=16)
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column(style="dim")
    for row in _rows(summary):
        shown.add_row(*row)
    return shown


def _rows(s: dict[str, Any]) -> list[tuple[str, str, str]]:
    energy, response = s["energy_wh"], s["response_s"]
    times = " / ".join(_number(each, 1 if (each or 0) >= 10 else 3) for each in response.values())
    return [
        ("requests", f"{s['requests']:,}", f"{s['satisfied']:,} satisfied, {s['unservable']:,} unservable"),
        ("response time", f"{times} s", "median / p95 / max"),
        ("failure rate", _percent(s["failure_rate"]), "unserved while servable alone"),
        ("", _percent(s["together"]["failure_rate"]), "while servable together"),
        ("energy served", _percent(s["served"]), f"of {energy['requested']:,.1f} Wh requested"),
        (
            "production used",
            _percent(s["self_consumption"]),
            f"of {energy['produced']:,.1f} Wh, local",
        ),
        ("energy supplied", f"{energy['supplied']:,.1f} Wh", f"{energy['consumed']:,.1f} Wh consumed"),
        ("imported", f"{energy['imported']:,.1f} Wh", f"{energy['exported']:,.1f} Wh exported, by contract"),
        ("energy ready", f"{energy['ready']:,.1f} Wh", "what could have flowed"),
        ("of it", _shares(s["ready_shares"]), "used / margins / offered / free"),
        ("energy missing", f"{energy['missing']:,.1f} Wh", f"{energy['in_warning']:,.1f} Wh while servable"),
        ("self-sufficiency", _percent(s["self_sufficiency"]), "share not from the grid"),
        ("fairness", _number(s["fairness"], 3), "Jain's index of supplied needs"),
        ("contracts", f"{s['contracts']:,}", f"{s['shed']:,} shed, {s['interrupted']:,} interrupted"),
        ("messages", f"{s['messages']:,}", f"{_number(s['messages_per_contract'], 1)} per contract"),
        ("bytes", f"{s['bytes']:,}", f"{_number(s['bytes_per_contract'], 0)} per contract"),
        ("reactions", f"{_number(s['reactions_per_s'], 1)} /s", "all nodes"),
        *_learning_rows(s),
        *_regulation_rows(s),
        ("invariants", f"{s['invariants_broken']:,} broken", f"{s['invariants_checked']:,} checks"),
        ("wall time", f"{s['wall_s']:,.1f} s", f"{_number(s['sim_s_per_s'], 0)} simulated s per second"),
    ]


def _shares(shares: dict[str, float | None]) -> str:
    return f"{' / '.join(_number(share and 100 * share, 0) for share in shares.values())} %"


def _learning_rows(s: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Accuracy, always beside that of persistence and of the most frequent state, and log loss."""
    rows = []
    for scope, each in (s.get("learning") or {}).items():
        persistence, usual = (100 * each[f"{key}_accuracy"] for key in ("persistence", "majority"))
        baselines = f"persistence {persistence:.1f} %, most frequent state {usual:.1f} %"
        rows.append((f"accuracy, {scope}", _percent(each["accuracy"]), baselines))
        rows.append((f"log loss, {scope}", _number(each["log_loss"], 3), f"nats; {each['n']:,} predictions"))
    for scope, each in (s.get("gossip") or {}).items():
        models = f"{each['models_sent']:,} models sent, {each['models_received']:,} received"
        result = f"{each['merged']:,} merged, {each['adopted']:,} adopted, {each['refused']:,} refused"
        rows.append((f"gossip, {scope}", models, result))
        rows.append((f"gain, {scope}", _number(each["gain"], 4), "nats less than the own models alone"))
    return rows


def _regulation_rows(s: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What the regulators achieved, beside the figures of the thesis (4.5.2.1) where it has some."""
    found = s.get("regulation")
    if not found:
        return []
    rows = [("stopped", f"{found['stops']:,}", "twins")]
    for name, thesis in (("production", "; thesis 2 s"), ("consumption", ""), ("limit", "")):
        each = found[name]
        if each["exceeded"]:
            detail = f"longest of {each['exceeded']:,}{thesis}; {_number(each['energy_wh'], 2)} Wh above"
            rows.append((f"{name} exceeded", f"{_number(each['longest_s'], 3)} s", detail))
            rows.append(("after one second", f"{_number(each['over_after_1_s_w'], 1)} W", "above, at most"))
    if found["moved_w"]:
        before = f"{_number(found['moved_before_min'], 1)} min before the excess; thesis 650 W, 10 min"
        rows.append(("moved", f"{_number(found['moved_w'], 0)} W", before))
        longest = found["production"]["longest_s"] or 0.0
        rows.append(("exceeded", f"{_number(longest, 3)} s", "all the same"))
    if found["contracts_back_s"] is not None:
        rows.append(
            ("contracts back", f"{_number(found['contracts_back_s'], 3)} s", "at most; thesis 4 to 7 s")
        )
    if found["loads_back_s"] is not None:
        household = f"after the limit ended; household off {_number(found['household_off_s'], 1)} s"
        rows.append(("loads back", f"{_number(found['loads_back_s'], 3)} s", household))
    return rows


def _write_series(recorder: Recorder, path: Path) -> None:
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["t_s", "node", *(f"{name}_w" for name in (*VARIABLES, *OF_NODES))])
        moments_s = recorder.moments_s[:: recorder.stride]
        for at_s, nodes in zip(moments_s, recorder.nodes_w.tolist(), strict=True):
            for name, powers_w in zip(recorder.cast.nodes, nodes, strict=True):
                writer.writerow([f"{at_s:.10g}", name, *(f"{power_w:.1f}" for power_w in powers_w)])


def _write_requests(recorder: Recorder, path: Path) -> None:
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["twin", "asked_s", "power_w", "response_s", "satisfied", "waited_s", "warning_s"])
        for each in sorted(recorder.log.requests, key=lambda request: (request.asked_s, request.twin)):
            writer.writerow(
                [
                    each.twin,
                    f"{each.asked_s:.3f}",
                    f"{each.power_w:.1f}",
                    _blank(each.response_s),
                    int(each.satisfied),
                    _blank(each.waited_s),
                    f"{each.warning_s:.3f}",
                ]
            )


def _blank(seconds: float) -> str:
    return "" if math.isnan(seconds) else f"{seconds:.3f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3f} %"
