"""`make memtest`: run a full node of the generated microgrid under a hard memory limit.

Only the node is limited, not its neighbours, the brokers and the simulated meters. The result is the larger
of the memory that the kernel charged to the node's control group and the node's peak resident memory (VmHWM).
Learning is on: the node loads ten past days, is trained from scratch, and then again every minute. With
`--gossip` it also exchanges models and predictions with its two neighbours, and merges theirs. With
`--browsers` real ones look at its dashboard, after five minutes without any.

Exit codes: 0 the node works within the limit, 1 it does not, 2 wrong usage, 3 the test could not be run,
130 interrupted.
"""

import argparse
import json
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from edge.learn.registry import MODELS

from .arguments import whole
from .broker import BrokerError, die_with_parent
from .cgroup import (
    BACKENDS,
    DataLimit,
    Figures,
    LimitError,
    MemoryLimit,
    Probe,
    memory_limit,
    reserved_by_numpy,
)
from .microgrid.generator import generated
from .microgrid.launch import START_TIMEOUT_S, Building, LaunchError, Microgrid, Pace
from .microgrid.lessons import ANY_LOAD, FEW_STEPS, TRAINED, gossip, lessons, write_past
from .microgrid.plan import BuildingPlan, connect_chain, grid_connection
from .page.browser import NoBrowser
from .page.viewers import BEFORE_S, Viewers

_MEASURED = "gym"  # it has devices of all kinds and two neighbours
_START_HOUR, _SEED, _GRID_W = 10.0, 1, 10_000.0
_SPEED = 10.0  # powers change every 3 s, meters are read every second: contracts change often

_PATIENCE_S = 240.0  # extra time for the trainings on a busy machine
_TRAINED_S = 1800.0  # by then, if browsers wait for it
_LOOK_EVERY_S, _PRINT_EVERY_S = 0.5, 5.0
_LOOK_AT_BROWSERS_S, _PRINT_BROWSERS_S = 1.0, 60.0
_HOG_EXTRA_MB = 64
_PAST_DAYS, _MAX_POWER_W = 10, 6000.0
_PAST_DAYS_OF_NEIGHBOURS = 1
_NONE = "none"


@dataclass
class Outcome:
    """The result of a run. `health` and `twins` are the node's last answers."""

    figures: Figures
    health: dict[str, Any] | None = None
    twins: list[dict[str, Any]] = field(default_factory=list)
    learning: dict[str, Any] = field(default_factory=dict)
    gossip: dict[str, Any] = field(default_factory=dict)  # the scopes of `/gossip`
    predicts: bool = False
    seconds: float = 0.0
    browsers: dict[str, float] = field(default_factory=dict)  # MB, see `Viewers`
    failures: list[str] = field(default_factory=list)

    @property
    def validated(self) -> int:
        """The number of contracts validated by the node's consumers."""
        return sum(twin["validated"] for twin in self.twins)

    @property
    def trainings(self) -> int:
        """The number of completed trainings in both scopes."""
        return sum(scope["trainings"] for scope in self.learning.get("scopes", {}).values())

    @property
    def merges(self) -> int:
        """How often models of neighbours were merged, in both scopes."""
        return sum(scope["merged"] for scope in self.gossip.values())

    def progress(self) -> str:
        """The progress of the run on one line."""
        seen, status = self.figures, self.health["status"] if self.health else "no answer"
        return (
            f"{self.seconds:6.1f}s peak {_shown(seen.peak_mb)} hwm {_shown(seen.hwm_mb)} "
            f"anon {_shown(seen.anon_mb)} MB, OOM kills: {_shown(seen.oom_kills)}, "
            f"contracts validated: {self.validated}, trainings: {self.trainings}, {status}"
        )

    def report(self) -> dict[str, Any]:
        """The content of memtest.json."""
        figures = asdict(self.figures)
        browsers = {key: round(mb, 1) for key, mb in self.browsers.items()}
        return {key: round(v, 2) if isinstance(v, float) else v for key, v in figures.items()} | {
            "seconds": round(self.seconds, 1),
            "twins": len(self.twins),
            "contracts_validated": self.validated,
            "trainings": self.trainings,
            "predicts": self.predicts,
            "merges": self.merges,
            "longest_piece_ms": self.learning.get("work", {}).get("longest_piece_ms"),
            **({"browsers": browsers} if browsers else {}),
            "passed": not self.failures,
            "failures": self.failures,
        }


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `memtest`."""
    parser = commands.add_parser("memtest", help="run a full node under a hard memory limit")
    parser.add_argument(
        "--duration",
        type=float,
        default=100.0,
        help="duration in seconds, longer if no training is complete (default 100)",
    )
    parser.add_argument(
        "--limit-mb", type=int, default=64, help="memory limit of the node in MB (default 64)"
    )
    parser.add_argument(
        "--prosumers", type=int, help="minimum number of prosumers on the node (default: as generated)"
    )
    parser.add_argument(
        "--learn",
        default="mixture",
        choices=(_NONE, *MODELS),
        help="model of the node in both scopes, or none (default mixture)",
    )
    parser.add_argument(
        "--gossip",
        action="store_true",
        help="the nodes learn and exchange models and predictions",
    )
    parser.add_argument(
        "--browsers",
        type=whole(0, 16),
        default=0,
        help="browsers that look at the dashboard, after five minutes without any (default 0)",
    )
    parser.add_argument(
        "--require-cgroup",
        action="store_true",
        help="fail with exit code 3 instead of falling back to RLIMIT_DATA",
    )
    parser.add_argument(
        "--prove",
        action="store_true",
        help="instead run a program that exceeds the limit; success if this is detected",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build"), help="folder for memtest.json and logs (default build)"
    )
    parser.set_defaults(command=run, backends=BACKENDS)


def run(options: argparse.Namespace) -> int:
    """Run the test; returns the exit code."""
    if not 0 < options.duration < 1e9 or options.limit_mb < 1 or not 1 <= (options.prosumers or 1) <= 100:
        print("--duration and --limit-mb must be above 0, --prosumers between 1 and 100", file=sys.stderr)
        return 2
    if options.gossip and options.learn == _NONE:
        print("--gossip needs a model: --learn", file=sys.stderr)
        return 2
    try:
        with _limit(options) as limit:
            return _prove(limit, options.limit_mb) if options.prove else _test(limit, options)
    except (LimitError, LaunchError, BrokerError, NoBrowser) as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("interrupted: no result", file=sys.stderr)
        return 130


def _limit(options: argparse.Namespace) -> MemoryLimit:
    limit_bytes = options.limit_mb << 20
    try:
        return memory_limit(limit_bytes, options.backends)
    except LimitError as error:
        if options.require_cgroup:
            raise LimitError(f"--require-cgroup: no hard memory limit can be set here:\n{error}") from None
        print(
            f"\n*** WARNING: no hard memory limit can be set here:\n{error}\n"
            "*** RLIMIT_DATA is used instead. It does not limit page cache and kernel memory,\n"
            "*** and exceeding it causes a MemoryError instead of an OOM kill.\n",
            file=sys.stderr,
            flush=True,
        )
        return DataLimit(limit_bytes, 0 if options.learn == _NONE or options.prove else reserved_by_numpy())


def _prove(limit: MemoryLimit, limit_mb: int) -> int:
    """Check that a program which exceeds the limit is stopped and that this is detected; 0 if so."""
    need_mb = limit_mb + _HOG_EXTRA_MB
    hog = subprocess.Popen(
        [*limit.wrapper, sys.executable, "-c", f"b'x' * ({need_mb} << 20)"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
    )
    code = hog.wait()
    usage = limit.usage()
    noticed = code != 0 if usage is None else usage.oom_kills > 0
    print(
        f"a program of {need_mb} MB under {limit_mb} MB ({limit.backend}): exit code {code}, "
        f"OOM kills: {usage.oom_kills if usage else 'unknown'}; "
        f"{'stopped and detected' if noticed else 'NOT DETECTED'}"
    )
    return 0 if noticed else 1


def _test(limit: MemoryLimit, options: argparse.Namespace) -> int:
    plans = _plans(options.prosumers)
    if options.learn != _NONE:
        _learn(plans, options.learn, options.out / "memtest" / "past.csv")
    if options.gossip:
        _gossip(plans, options.learn, options.out / "memtest" / "past_of_neighbours.csv")
    microgrid = Microgrid(plans, options.out / "memtest", Pace(_SPEED, _SEED))
    node = next(building for building in microgrid.buildings if building.name == _MEASURED)
    try:
        process = _start(microgrid, node, limit.wrapper)
        probe = Probe(limit, options.limit_mb, process.pid)
        with Viewers(node, options.browsers, process.pid) if options.browsers else nullcontext() as viewers:
            outcome = _follow(node, process, probe, options.duration, viewers)
        if options.learn != _NONE and outcome.health:
            outcome.failures += _not_learnt(outcome) + _not_merged(outcome)
        died = process.poll() is not None
    finally:
        codes = microgrid.stop()
    probe.look_at_group()
    outcome.figures = probe.figures
    if died:
        outcome.failures = [f"the node died, exit code {process.returncode}:\n{node.log_tail()}"]
    elif codes[node.name] != 0:
        outcome.failures.append(f"the node did not stop when asked to: exit code {codes[node.name]}")
    outcome.failures += probe.figures.failures()
    _print(outcome, options.out / "memtest.json")
    return 1 if outcome.failures else 0


def _plans(prosumers: int | None) -> list[BuildingPlan]:
    plans = generated(_SEED, _START_HOUR, _SPEED)
    plans[0].extra.append(grid_connection(_GRID_W))
    connect_chain(plans)
    devices = next(plan for plan in plans if plan.name == _MEASURED).devices
    given = list(devices)
    for i in range(len(given), prosumers or 0):
        model = given[i % len(given)]
        devices.append(replace(model, name=f"{model.name}_{i + 1}"))
    return plans


def _learn(plans: list[BuildingPlan], model: str, past: Path) -> None:
    """Give the node the model, and its neighbours the smallest one, so that there is a total to learn."""
    write_past(past, _PAST_DAYS, datetime.now(), _MAX_POWER_W, _SEED)
    for plan in plans:
        plan.learning = lessons("persistence", _MAX_POWER_W)
        if plan.name == _MEASURED:
            plan.learning = _lessons_of(model, past) | {"train_every_min": 1}


def _gossip(plans: list[BuildingPlan], model: str, past: Path) -> None:
    """All nodes exchange with their neighbours each minute. The neighbours have the same model, so that what
    they have learnt can be merged; their past is short."""
    write_past(past, _PAST_DAYS_OF_NEIGHBOURS, datetime.now(), _MAX_POWER_W, _SEED + 1)
    for plan in plans:
        plan.gossip = gossip(every_min=1)
        if plan.name != _MEASURED:
            plan.learning = _lessons_of(model, past)


def _lessons_of(model: str, past: Path) -> dict[str, Any]:
    """The same past in both scopes, trained in few steps whatever the load."""
    file, steps = str(past.absolute()), FEW_STEPS if model in TRAINED else ""
    return lessons(
        model,
        _MAX_POWER_W,
        node_history=file,
        cluster_history=file,
        node_options=steps,
        cluster_options=steps,
        pause_load=ANY_LOAD,
    )


def _start(microgrid: Microgrid, node: Building, wrapper: list[str]) -> "subprocess.Popen[bytes]":
    """Start the neighbours, then the node under the limit. Raises LaunchError, BrokerError."""
    print(
        f"{len(microgrid.buildings)} nodes, {node.name} under the limit; broker: {node.broker.program.name}"
    )
    microgrid.prepare()
    neighbours = [building for building in microgrid.buildings if building is not node]
    for building in neighbours:
        building.start_node()
    deadline_s = time.monotonic() + START_TIMEOUT_S
    for building in neighbours:
        building.wait_until_up(deadline_s)
    node.start_node(wrapper)
    assert node.process is not None
    return node.process


def _follow(
    node: Building,
    process: "subprocess.Popen[bytes]",
    probe: Probe,
    duration_s: float,
    viewers: Viewers | None = None,
) -> Outcome:
    """Watch the node until the time is over or it has ended. Raises NoBrowser."""
    outcome, printed_s = Outcome(probe.figures), float("-inf")
    try:
        node.wait_until_up(time.monotonic() + START_TIMEOUT_S)
    except LaunchError as error:  # a result of the test
        outcome.failures.append(str(error))
        return outcome
    began_s = time.monotonic()
    print_every_s = _PRINT_BROWSERS_S if viewers else _PRINT_EVERY_S
    while process.poll() is None and _goes_on(outcome, duration_s, viewers):
        if viewers:
            viewers.pause(_LOOK_AT_BROWSERS_S)
        else:
            time.sleep(min(_LOOK_EVERY_S, max(0.1, duration_s - outcome.seconds)))
        outcome.seconds = time.monotonic() - began_s
        _look(node, probe, outcome)
        if outcome.seconds - printed_s >= print_every_s:
            printed_s = outcome.seconds
            _say(outcome.progress())
        if viewers and process.poll() is None:
            viewers.tend(ready=not _is_learning(outcome))
    outcome.failures += _not_well(outcome)
    if viewers:
        outcome.browsers = viewers.report()
        outcome.failures += viewers.verdict()
    return outcome


def _goes_on(outcome: Outcome, duration_s: float, viewers: Viewers | None) -> bool:
    if viewers:
        return viewers.seconds < duration_s and outcome.seconds - viewers.seconds < BEFORE_S + _TRAINED_S
    return outcome.seconds < duration_s or _may_learn(outcome, duration_s)


def _look(node: Building, probe: Probe, outcome: Outcome) -> None:
    """Measure the node, and ask how it is."""
    probe.look_at_process()
    probe.look_at_group()
    outcome.figures = probe.figures
    try:
        outcome.health, outcome.twins = node.ask("/health"), node.ask("/twins")
        outcome.learning = node.ask("/learning")
        outcome.predicts |= any(node.ask("/predictions").values())
        outcome.gossip = node.ask("/gossip")["scopes"]
    except (OSError, ValueError):
        outcome.health = None


def _not_well(outcome: Outcome) -> list[str]:
    if outcome.health is None:
        return ["the node did not answer at the end"]
    failures = []
    if outcome.health["status"] != "ok":
        troubles = "; ".join(each["text"] for each in outcome.health["troubles"])
        failures.append(f"the node reported problems: {troubles}")
    if not outcome.validated:
        failures.append("the node validated no contract, so the test is not meaningful")
    return failures


def _may_learn(outcome: Outcome, duration_s: float) -> bool:
    """Whether a training or prediction is still missing and there is time left for it."""
    return _is_learning(outcome) and outcome.seconds < duration_s + _PATIENCE_S


def _is_learning(outcome: Outcome) -> bool:
    """Whether something is missing of what the node is to learn."""
    scopes = outcome.learning.get("scopes")
    return bool(scopes and (_not_learnt(outcome) or _not_merged(outcome)))


def _not_learnt(outcome: Outcome) -> list[str]:
    failures = []
    for name, scope in outcome.learning["scopes"].items():
        if not scope["trainings"]:
            waits = outcome.learning["work"]["waits_for"] or "it is still running"
            failures.append(f"no training of the {name} was completed: {scope['trouble'] or waits}")
    if not outcome.predicts:
        failures.append("there was no prediction")
    return failures


def _not_merged(outcome: Outcome) -> list[str]:
    return [
        f"no model of a neighbour was merged for the {name}"
        for name, scope in outcome.gossip.items()
        if not scope["merged"]
    ]


def _say(line: str) -> None:
    if sys.stdout.isatty():
        print(f"\r{line}\x1b[K", end="", flush=True)
    else:
        print(line, flush=True)


def _print(outcome: Outcome, file: Path) -> None:
    report = outcome.report()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2) + "\n")
    if sys.stdout.isatty():
        print()
    for key, value in (report | report.get("browsers", {})).items():
        if key not in ("failures", "browsers"):
            print(f"  {key:28} {_shown(value):>10}")
    print(f"{'FAILED' if outcome.failures else 'within the limit'}; details in {file}", flush=True)
    for failure in outcome.failures:
        print(f"FAILED: {failure}", file=sys.stderr)


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
