"""`make run`: run and watch a microgrid of real processes on this machine, with generated or measured power.

Exit codes: 0 success, 1 an invariant was broken or a node failed, 2 wrong usage or data, 3 the microgrid did
not start.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from edge.learn.registry import MODELS

from .arguments import number, whole
from .broker import BrokerError
from .microgrid import community, gates, holons
from .microgrid.generator import generated
from .microgrid.launch import LaunchError, Microgrid, Pace
from .microgrid.lessons import ANY_LOAD, SHIPPED, TRAINED, gossip, lessons, write_past
from .microgrid.plan import BuildingPlan, connect_chain, grid_connection
from .microgrid.replay import DataError, files_of, parse_start, replayed, sunny_morning
from .microgrid.watch import Watch, follow
from .netns import command as netns
from .tables import output

_LONGEST_S = 366 * 86_400
_SETTLE_S = 0.5  # the last requests are still negotiated
_FIRST_TRAINING_MIN = 30  # early, because somebody is watching
_PUSH_S = 5  # between two looks for rows to send
_PAST_DAYS = 0.5  # of the learning, with gossip
_ENDLESS_DATA_S = 6 * 3600.0  # measured data kept for a run without --duration


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `run`."""
    parser = commands.add_parser(
        "run", help="run a microgrid of four generated buildings or of measured data"
    )
    parser.add_argument(
        "--duration",
        type=number(0.1, _LONGEST_S),
        help="duration of the run in seconds (default: until Ctrl-C)",
    )
    parser.add_argument(
        "--data", type=Path, help="folder of measured data, one file per node (default: generated power)"
    )
    parser.add_argument(
        "--start",
        help="start in the measured data as YYYY-MM-DDTHH:MM (default: 10 o'clock on a sunny day); for "
        "generated power the hour of the day (default 10)",
    )
    parser.add_argument(
        "--speed",
        type=number(0.1, 600),
        default=1.0,
        help="how many times faster than real time the powers change (default 1)",
    )
    parser.add_argument(
        "--grid-w",
        type=number(0, 1e7),
        default=10_000.0,
        help="capacity of the grid connection at the first node in W, 0 for none (default 10000)",
    )
    parser.add_argument(
        "--learn",
        choices=tuple(MODELS),
        help="model with which all nodes predict their states (default: no learning)",
    )
    parser.add_argument(
        "--gossip",
        type=whole(0, 1),
        default=0,
        help="1: with --learn, nodes exchange models and predictions with their neighbours (default 0)",
    )
    parser.add_argument(
        "--community",
        type=whole(0, 1),
        default=0,
        help="1: prices, credits, a common storage, and a limit that is ordered during the run (default 0)",
    )
    parser.add_argument(
        "--holons",
        type=int,
        choices=range(2, holons.MOST + 1),
        default=0,
        metavar="N",
        help=f"2 to {holons.MOST}: so many microgrids of three generated buildings, each a prosumer of a "
        "parent microgrid through two gates (default: one microgrid, no parent)",
    )
    parser.add_argument(
        "--max-power-w",
        type=number(1, 1e9),
        default=10_000.0,
        help="MAX_POWER of the predicted states in W (default 10000)",
    )
    parser.add_argument(
        "--push",
        metavar="URL",
        help="database that takes lines of the Influx protocol: all nodes send it their history",
    )
    parser.add_argument(
        "--push-token", type=Path, metavar="FILE", help="with --push: file with the token of that database"
    )
    parser.add_argument(
        "--trust",
        type=whole(0, 1),
        default=1,
        help="1: nodes have keys, sign and seal (default); 0: they have none",
    )
    parser.add_argument("--seed", type=whole(0, 2**53), default=1, help="random seed (default 1)")
    parser.add_argument(
        "--out", type=Path, default=Path("build"), help="folder for run.json and logs (default build)"
    )
    netns.add_options(parser)
    parser.set_defaults(command=command)


def command(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    if options.netns:
        return netns.run(options)
    for name in ("nodes", "delay_ms", "loss"):
        if getattr(options, name) is not None:
            print(f"--{name.replace('_', '-')} needs --netns 1", file=sys.stderr)
            return 2
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Run the microgrid; returns the exit code."""
    try:
        plans, title, moment = plan(options)
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    directory = options.out / "run"
    console = output()
    try:
        pace = Pace(options.speed, options.seed, community.METER_S if options.community else None)
        microgrid = Microgrid(plans, directory, pace, fixed_ports=True, trust=bool(options.trust))
        print(f"{title}; broker: {microgrid.buildings[0].broker.program.name}", flush=True)
        with microgrid:
            watch = Watch(microgrid)
            print(watch.addresses(), flush=True)
            if not options.trust:
                print("without keys: any node can lie in the name of any other", flush=True)
            if options.learn:
                print(_learning_notice(options.learn, bool(options.gossip)), flush=True)
            if options.gossip:
                print("gossip: models and predictions, from the next full minute on", flush=True)
            operator = community.Operator(microgrid)
            if options.community:
                print(community.notice(plans), flush=True)
                operator.start()
            began_s = time.monotonic()
            follow(watch, options.duration, lambda passed_s: f"{title}; now {moment(passed_s)}", console)
            time.sleep(_SETTLE_S)
            watch.look()
            seconds = time.monotonic() - began_s
            operator.stop()
            shared = community.findings(microgrid) if options.community else None
            codes = microgrid.stop()
    except (LaunchError, BrokerError) as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 0
    passed = watch.gates.findings() if options.holons else None
    report = summarise(watch, seconds)
    report |= ({"community": shared} if shared else {}) | ({"holons": passed} if passed else {})
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "run.json").write_text(json.dumps(report, indent=2) + "\n")
    console.print(watch.table(f"{title}; {moment(seconds)}, after {seconds:.0f} s", console.width))
    told = [*watch.gossip, *(community.lines(shared) if shared else [])]
    for line in [*told, *(gates.lines(passed) if passed else [])]:
        print(line)
    validated, across = report["contracts_validated"], report["contracts_across_nodes"]
    print(
        f"{validated} contracts validated, {across} of them between nodes; longest response time "
        f"{report['response_max_s']} s\n{report['invariants_checked']} invariant checks, "
        f"{report['invariants_broken']} broken; details in {options.out / 'run.json'}"
    )
    for line in watch.audit.broken[:10]:
        print(line, file=sys.stderr)
    failed = {name: code for name, code in codes.items() if code != 0}
    if failed:
        print(f"nodes that failed, with exit codes: {failed}; logs in {directory}", file=sys.stderr)
    return 1 if failed or report["invariants_broken"] else 0


def plan(options: argparse.Namespace) -> tuple[list[BuildingPlan], str, Callable[[float], str]]:
    """The buildings, a title for the display, and the simulated time after so many seconds.

    Raises DataError.
    """
    if options.holons and options.community:
        raise DataError("--holons has no community: --community is not for it")
    plans, title, start, shape = _measured(options) if options.data else _made_up(options)
    if options.grid_w > 0:
        plans[0].extra.append(grid_connection(options.grid_w))
    if options.learn:
        learning = lessons(options.learn, options.max_power_w, first_training_min=_FIRST_TRAINING_MIN)
        for each in plans:
            each.learning = dict(learning)
        if options.gossip:
            _gossip(plans, options)
    elif options.gossip:
        raise DataError("--gossip needs --learn")
    if options.community:
        community.commune(plans, start.hour + start.minute / 60, options.speed, options.duration)
    if options.holons:
        holons.connect(plans)
    else:
        connect_chain(plans)
    if options.push:
        for each in plans:
            token = {"token_file": str(options.push_token.absolute())} if options.push_token else {}
            each.push = {"url": options.push, "every_s": _PUSH_S, **token}

    def moment(passed_s: float) -> str:
        return f"{start + timedelta(seconds=passed_s * options.speed):{shape}}"

    pace = "" if options.speed == 1 else f", speed {options.speed:g}"  # else the title breaks at 80 columns
    form = holons.form(options.holons) if options.holons else f"chain of {len(plans)} nodes"
    return plans, f"{title}, {form}{pace}", moment


def _measured(options: argparse.Namespace) -> tuple[list[BuildingPlan], str, datetime, str]:
    """The buildings of measured data, a title, the simulated time of the start, and how times are shown."""
    if options.holons:
        raise DataError("--holons has generated powers: --data is not for it")
    files = files_of(options.data)
    start = parse_start(options.start) if options.start else sunny_morning(files)
    seconds = options.duration + 60 if options.duration else _ENDLESS_DATA_S
    plans = replayed(files, start, seconds, options.speed)
    end = start + timedelta(seconds=seconds * options.speed)
    title = f"{options.data.name} from {start:%Y-%m-%d %H:%M} (data until {end:%m-%d %H:%M})"
    return plans, title, start, "%Y-%m-%d %H:%M"


def _made_up(options: argparse.Namespace) -> tuple[list[BuildingPlan], str, datetime, str]:
    """The same with generated powers."""
    try:
        hour = number(0, 24)(options.start or "10")
    except argparse.ArgumentTypeError as error:
        raise DataError(f"--start: without --data it is an hour of the day, and {error}") from None
    make = partial(holons.members, options.holons) if options.holons else generated
    plans = make(options.seed, hour, options.speed)
    start = datetime(1970, 1, 1) + timedelta(hours=hour)
    return plans, f"generated living lab from {hour:g} h", start, "%H:%M"


def _gossip(plans: list[BuildingPlan], options: argparse.Namespace) -> None:
    """So that there is something to exchange in the first minutes, nodes know half a day of made-up past, and
    networks are those that come with the software."""
    for place, each in enumerate(plans):
        past = options.out / "past" / f"{each.name}.csv"
        write_past(past, _PAST_DAYS, datetime.now(), options.max_power_w, options.seed + place)
        each.learning |= {"node_history": str(past.absolute()), "cluster_history": str(past.absolute())}
        if options.learn in ("lstm", "mixture"):
            each.learning |= {"node_options": SHIPPED, "cluster_options": SHIPPED}
        each.learning |= {"pause_load": ANY_LOAD}
        each.gossip = gossip(every_min=1)


def _learning_notice(model: str, with_past: bool) -> str:
    if model not in TRAINED:
        return f"{model} is not trained: it predicts from the first minutes of history"
    if with_past:
        return f"{model}: the first training begins as soon as half a day of made-up past is loaded"
    first = f"{datetime.now() + timedelta(minutes=_FIRST_TRAINING_MIN):%H:%M}"
    return f"{model}: the first training needs {_FIRST_TRAINING_MIN} minutes of history, so it is at {first}"


def summarise(watch: Watch, seconds: float) -> dict[str, Any]:
    """The content of run.json."""
    nodes = [sight.summary() for sight in watch.sights]
    every = (twin for sight in watch.sights for twin in sight.twins or [])
    twins = [twin for twin in every if twin["kind"] != "holon"]  # what passes a gate is asked for by others
    checked, broken = watch.audit.finish([sight.health for sight in watch.sights if sight.health])
    return {
        "seconds": round(seconds, 1),
        "nodes": nodes,
        "contracts_validated": sum(twin["validated"] for twin in twins),
        "contracts_across_nodes": sum(twin["validated_across"] for twin in twins),
        "response_max_s": max((twin["response_s"] or 0.0 for twin in twins), default=0.0),
        "invariants_checked": checked,
        "invariants_broken": broken,
    }
