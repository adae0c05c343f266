"""The card of a shipped model: what it is, what it was trained on, and its scores beside persistence."""

import hashlib
from typing import Any


def card(facts: dict[str, Any], content: bytes, measured: dict[str, Any]) -> str:
    """The card in Markdown."""
    given = " ".join(f"--set {facts['model']}.{key}={value}" for key, value in facts["options"].items())
    command = f".venv/bin/python -m host_tools train {facts['name']} --data FILE --model {facts['model']}"
    command += f"{' ' + given if given else ''}{' --raw' if facts['raw'] else ''}"
    command += f" --test-days {facts['judged_days']:g} --seed {facts['seed']}"
    production = ""
    if facts["scope"] == "cluster":
        production = f", production {'as recorded' if facts['raw'] else 'repaired'}"
    models, outputs = measured["output"]
    lines = [
        f"# {facts['name']}.tflite",
        "",
        f"- sha256 `{hashlib.sha256(content).hexdigest()}`, {len(content):,} bytes",
        f"- model `{facts['model']}`: {models} networks in one file, {measured['input'][-1]} inputs each "
        f"({measured['inputs']}), {outputs} outputs,",
        "  int8 weights; one call a minute; the file keeps the state of the networks",
        f"- trained on the first {facts['learned_days']:g} days of `{facts['data']}` {facts['node']}"
        f" ({facts['scope']} scope{production}); the data are not included",
        f"- states: maximum power {facts['max_power_w']:,.0f} W; the inputs are in fifths of it,",
        "  so the model can be used with another maximum power",
        f"- use: set the model option `start = {facts['name']}`; the file is installed with the software",
        "",
        f"Scores of this int8 file over the {facts['judged_days']:g} days after those of the training,",
        "minute by minute, without further training. On a node the model goes on learning, and improves.",
        "",
        *_table("horizon", facts["by_horizon"], " min"),
        "",
        *_table("variable", {**facts["by_variable"], "mean": facts["mean"]}, ""),
        "",
        "Made with:",
        "",
        f"    {command}",
        f"    .venv/bin/python -m host_tools export {facts['name']}",
    ]
    return "\n".join(lines) + "\n"


def _table(first: str, rows: dict[str, dict[str, float]], unit: str) -> list[str]:
    found = [
        f"| {first} | accuracy % | persistence % | most frequent state % | log loss | Brier |",
        "|---|---|---|---|---|---|",
    ]
    for name, means in rows.items():
        shares = [
            f"{100 * means[key]:.1f}" for key in ("accuracy", "persistence_accuracy", "majority_accuracy")
        ]
        found.append(
            f"| {name}{unit} | {' | '.join(shares)} | {means['log_loss']:.3f} | {means['brier']:.3f} |"
        )
    return found
