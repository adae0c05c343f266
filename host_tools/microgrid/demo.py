"""`make demo`: two made-up days of four buildings as a recording, played a minute a second.

Nothing in it was measured. The file has the form of measured data, so what is shown is what `make run DATA=`
does with yours.
"""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..arguments import number
from ..measured import COLUMNS
from ..run import add_parser as add_run
from ..run import run
from .generator import generated

FIRST = datetime(2026, 6, 20, tzinfo=UTC)
_DAYS, _BEGIN_H, _SEED = 2, 6, 5
_SPEED = 60.0


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `demo`."""
    parser = commands.add_parser("demo", help="play two made-up days of four buildings, and show their pages")
    parser.add_argument(
        "--speed",
        type=number(1, 600),
        default=_SPEED,
        help="how many times faster than real time (default 60)",
    )
    parser.add_argument(
        "--duration", type=number(0.1, 86_400), help="in seconds (default: until the recording ends)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/demo"),
        help="folder of recording and logs (default build/demo)",
    )
    parser.set_defaults(command=demo)


def demo(options: argparse.Namespace) -> int:
    """Write the recording and play it; the exit code is that of `run`."""
    folder = options.out / "recording"
    write_days(folder)
    whole_s = (24 * _DAYS - _BEGIN_H) * 3600 / options.speed
    start = (FIRST + timedelta(hours=_BEGIN_H)).strftime("%Y-%m-%dT%H:%M")
    print(
        f"A made-up recording, {_DAYS} days from 6 o'clock, {options.speed:g} times as fast; Ctrl-C ends it."
    )
    told = {"data": folder, "start": start, "speed": options.speed, "seed": _SEED, "out": options.out}
    told |= {"duration": options.duration or whole_s - 60, "learn": "markov"}
    return run(argparse.Namespace(**vars(_run_options()) | told))


def _run_options() -> argparse.Namespace:
    """All options of `run` with their defaults."""
    parser = argparse.ArgumentParser()
    add_run(parser.add_subparsers())
    return parser.parse_args(["run"])


def write_days(folder: Path, days: int = _DAYS) -> None:
    """One file for each building: a row for each minute and device."""
    folder.mkdir(parents=True, exist_ok=True)
    for building in generated(_SEED, 0.0, 1.0):
        lines = [",".join(COLUMNS)]
        for minute in range(1440 * days):
            time = f"{FIRST + timedelta(minutes=minute):%Y-%m-%dT%H:%MZ}"
            for device in building.devices:
                lines.append(f"{time},{device.name},{device.kind},{device.power_w(60.0 * minute):.1f}")
        (folder / f"{building.name}.csv").write_text("\n".join(lines) + "\n")
