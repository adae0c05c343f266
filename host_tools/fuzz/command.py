"""`make fuzz`: coverage-guided fuzzing with atheris, one target after the other.

Inputs that reach new code are kept in build/fuzz/TARGET and are where the next run begins. An input that
fails is written there as `crash-...` (an error), `timeout-...` or `oom-...` (more than its time or memory).

Exit codes: 0 nothing found; 1 at least one input failed; 2 wrong usage; 3 atheris is not installed or a
target did not run; 130 interrupted.
"""

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from ..arguments import whole
from ..tables import output
from .targets import Target, targets

MOST_MB = 256  # resident, of the whole process; it needs about 60
MOST_S = 2  # for one input, on a busy machine
_HOUR_S = 3600
_FAILED = ("crash-*", "timeout-*", "oom-*", "leak-*")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a target has fared."""

    target: Target
    executions: int
    per_second: int
    reached: int  # edges of the code
    peak_mb: int
    slowest_s: int
    findings: list[Path]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `fuzz`."""
    known = targets()
    parser = commands.add_parser(
        "fuzz",
        help="try inputs that are found by the code they reach on everything that reads bytes of others",
        epilog="targets: " + "; ".join(f"{each.name} ({each.text})" for each in known.values()),
    )
    parser.add_argument("--target", choices=list(known), help="only this one (default: all)")
    parser.add_argument(
        "--seconds", type=whole(1, 7 * 86400), default=_HOUR_S, help="duration of all together (default 3600)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/fuzz"), help="folder for inputs (default build/fuzz)"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    if importlib.util.find_spec("atheris") is None:
        print(
            "atheris is not installed: it is there for Linux on x86-64 and Python up to 3.13", file=sys.stderr
        )
        return 3
    known = targets()
    chosen = [known[options.target]] if options.target else list(known.values())
    outcomes = []
    try:
        for target in chosen:
            seconds = max(1, options.seconds // len(chosen))
            print(f"{target.name}: {target.text}, {seconds} s", flush=True)
            outcome = _fuzz(target, options.out / target.name, seconds)
            if outcome is None:
                return 3
            outcomes.append(outcome)
    except KeyboardInterrupt:
        print("interrupted: no result", file=sys.stderr)
        return 130
    output().print(_table(outcomes))
    findings = [path for each in outcomes for path in each.findings]
    for path in findings:
        print(f"FAILED: {path}; log.txt beside it says how", file=sys.stderr)
    return 1 if findings else 0


def _fuzz(target: Target, folder: Path, seconds: int) -> Outcome | None:
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for pattern in _FAILED:
        for old in folder.glob(pattern):
            old.unlink()
    for seed in target.seeds():
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    command = [sys.executable, "-m", "host_tools.fuzz.child", target.name, str(corpus)]
    limits = [
        f"-max_total_time={seconds}",
        f"-max_len={target.longest}",
        f"-timeout={MOST_S}",
        f"-rss_limit_mb={MOST_MB}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    log = folder / "log.txt"
    with log.open("wb") as file:
        code = subprocess.run([*command, *limits], stdout=file, stderr=file, check=False).returncode
    text = log.read_text(errors="replace")
    findings = sorted(path for pattern in _FAILED for path in folder.glob(pattern))
    if not findings and (code or "stat::number_of_executed_units" not in text):
        print(f"{target.name} did not run (exit code {code}): see {log}", file=sys.stderr)
        return None
    return Outcome(
        target,
        _figure(r"stat::number_of_executed_units:\s*(\d+)", text),
        _figure(r"stat::average_exec_per_sec:\s*(\d+)", text),
        _figure(r"cov: (\d+)", text),
        _figure(r"stat::peak_rss_mb:\s*(\d+)", text),
        _figure(r"stat::slowest_unit_time_sec:\s*(\d+)", text),
        findings,
    )


def _figure(pattern: str, text: str) -> int:
    """The last one in a log; 0 if there is none."""
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Inputs tried", title_justify="left", box=None)
    for heading in ("target", "inputs", "per s", "edges reached", "peak MB", "slowest s", "findings"):
        table.add_column(heading, justify="left" if heading == "target" else "right")
    for each in outcomes:
        figures = (each.executions, each.per_second, each.reached, each.peak_mb, each.slowest_s)
        table.add_row(each.target.name, *map(str, figures), str(len(each.findings)))
    return table
