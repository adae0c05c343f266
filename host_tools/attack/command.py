"""`make attack`: one authenticated member attacks four real nodes; what do the honest ones lose?

Exit codes: 0 no limit was passed; 1 an honest node lost more than 2 % of the energy that it is served in a
quiet run, or another limit was passed; 2 wrong usage; 3 the microgrid did not start; 130 interrupted.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from host_tools.arguments import number, whole
from host_tools.broker import BrokerError
from host_tools.cgroup import LimitError
from host_tools.microgrid.launch import LaunchError
from host_tools.tables import fitted, output

from . import judge, measure
from .cases import CASES, KINDS, ByDoor, Case
from .measure import Figures
from .site import Site

_SECONDS, _QUICK_S, _REVOKED_S, _AWAY_S = 30.0, 12.0, 75.0, 70.0
_FIRST_TO_GO = ("before", "health said", "ticks %", "kB/s in/out", "HTTP ms")
_Shape = tuple[bool, str, str, float, float]  # learning, late node, which one restarts, when, seconds


@dataclass
class Outcome:
    """An attack, the quiet run that it is compared with, and what is wrong."""

    case: Case
    quiet: Figures
    found: Figures
    failures: list[str]

    def cells(self) -> list[str]:
        """Its row of the table."""
        quiet, found = self.quiet, self.found
        verdict = "FAILED" if self.failures else "held"
        if isinstance(self.case.lie, ByDoor):
            after_s = found.in_after_s or 0.0
            return [
                self.case.name,
                *["-"] * 6,
                f"a member is in after {after_s:.1f} s",
                self.case.before,
                verdict,
            ]
        node, share = judge.lost(quiet, found)
        said = sorted(set(found.said) - set(quiet.said))
        return [
            self.case.name,
            f"{100 * share:.1f} {node if share else ''}".strip(),
            f"{found.peak_mb:.1f} ({quiet.peak_mb:.1f})",
            f"{100 * found.cpu:.0f} ({100 * quiet.cpu:.0f})",
            f"{found.http_ms:.0f} ({quiet.http_ms:.0f})",
            f"{100 * found.ticks:.0f}",
            f"{found.received_kb_s:.1f}/{found.sent_kb_s:.1f} ({quiet.sent_kb_s:.1f})",
            ", ".join(said) or "ok",
            self.case.before,
            verdict,
        ]

    def report(self) -> dict[str, object]:
        """Its entry in attack.json."""
        node, share = judge.lost(self.quiet, self.found)
        return {
            "attack": self.case.name,
            "kind": self.case.kind,
            "text": self.case.text,
            "before": self.case.before,
            "lost": round(share, 4),
            "lost_by": node,
            "quiet": self.quiet.report(),
            "found": self.found.report(),
            "failures": self.failures,
        }


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `attack`."""
    names = [each.name for each in CASES]
    parser = commands.add_parser(
        "attack",
        help="let one member of a real microgrid attack the others",
        epilog="attacks: " + "; ".join(f"{each.name} ({each.kind}: {each.text})" for each in CASES),
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        choices=[*names, *KINDS],
        help="an attack, or all of one kind (killed, taken, ...); can be repeated (default: all)",
    )
    parser.add_argument(
        "--seconds", type=number(5, 3600), help=f"duration of an attack (default {_SECONDS:g})"
    )
    parser.add_argument("--quick", action="store_true", help="a few attacks, each for a short time")
    parser.add_argument(
        "--trust",
        type=whole(0, 1),
        default=1,
        help="1: nodes have keys (default); 0: they have none, so that attacks in the name of others succeed",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build"), help="folder for attack.json and logs (default build)"
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the attacks; returns the exit code."""
    seconds = options.seconds or (_QUICK_S if options.quick else _SECONDS)
    asked = options.only or [each.name for each in CASES if each.quick or not options.quick]
    cases = [each for each in CASES if each.name in asked or each.kind in asked]
    folder = options.out / "attack"
    try:
        outcomes = _all(cases, seconds, folder, bool(options.trust))
    except (LaunchError, BrokerError, LimitError) as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("interrupted: no result", file=sys.stderr)
        return 130
    file = options.out / "attack.json"
    file.write_text(json.dumps([each.report() for each in outcomes], indent=2) + "\n")
    console = output()
    console.print(fitted(_table(outcomes), console, _FIRST_TO_GO))
    failed = [each for each in outcomes if each.failures]
    for outcome in failed:
        for failure in outcome.failures:
            print(f"FAILED {outcome.case.name}: {failure}", file=sys.stderr)
    held = len(outcomes) - len(failed)
    print(f"{len(outcomes)} attacks, {held} held, {len(failed)} failed; details in {file}")
    return 1 if failed else 0


def _all(cases: list[Case], seconds: float, folder: Path, trust: bool) -> list[Outcome]:
    quiets: dict[_Shape, Figures] = {}
    outcomes = []
    for i, case in enumerate(cases):
        print(f"{i + 1} of {len(cases)}: {case.name} ({case.kind}): {case.text}", flush=True)
        if isinstance(case.lie, ByDoor):
            quiet, found = Figures(), Figures(in_after_s=case.lie.check(folder))
        else:
            shape = case.learning, case.late, case.restarts, case.away_s, _lasts_s(case, seconds)
            if shape not in quiets:
                print("   first a quiet run to compare with", flush=True)
                quiets[shape] = _run(None, shape, folder, trust)
                if wrong := judge.not_quiet(quiets[shape]):
                    raise LaunchError("the quiet run shows nothing to compare with: " + "; ".join(wrong))
            quiet = quiets[shape]
            found = _run(case, shape, folder, trust)
        outcome = Outcome(case, quiet, found, judge.failures(case, quiet, found))
        print("   " + "; ".join(outcome.failures or ["held"]), flush=True)
        outcomes.append(outcome)
    return outcomes


def _lasts_s(case: Case, seconds: float) -> float:
    if case.revoked:
        return max(seconds, _REVOKED_S)
    return max(seconds, _AWAY_S) if case.away_s else seconds


def _run(case: Case | None, shape: _Shape, folder: Path, trust: bool) -> Figures:
    learning, late, restarts, away_s, seconds = shape
    with Site(case, learning, late, folder, trust) as site:
        figures = measure.run(site, case, seconds, restarts, away_s)
        died = {name: code for name, code in site.stop().items() if code != 0}
    figures.broken += [f"{name} did not end properly: exit code {code}" for name, code in died.items()]
    return figures


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(
        title="What an attack costs the honest nodes; in brackets: a quiet run",
        title_justify="left",
        box=None,
    )
    headings = ("attack", "lost %", "peak MB", "CPU %", "HTTP ms", "ticks %", "kB/s in/out", "health said")
    for heading in (*headings, "before", "result"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        table.add_row(*outcome.cells())
    return table
