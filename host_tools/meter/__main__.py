"""`python -m host_tools.meter`: meters on a pseudo terminal, for any Modbus tool or a node to read."""

import argparse
import math
import threading

from edge.clock import SystemClock
from edge.meter.profile import ProfileError, shipped_profiles

from .fault import Fault
from .terminal import SimulatedMeter


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted; 2 if the arguments are wrong."""
    arguments = _parser().parse_args(argv)
    start_s = SystemClock().now_s()

    def power_w(address: int, now_s: float) -> float:
        return float(arguments.power + arguments.swing * math.sin(2 * math.pi * (now_s - start_s) / 60))

    try:
        meter = SimulatedMeter(
            dict.fromkeys(arguments.address, arguments.profile), power_w, baud=arguments.baud
        )
    except ProfileError as error:
        print(error)
        return 2
    with meter:
        if arguments.fault is not None:
            for address in arguments.address:
                meter.inject(address, Fault(arguments.fault), arguments.probability)
        print(meter.port, flush=True)
        try:
            threading.Event().wait(arguments.seconds)
        except KeyboardInterrupt:
            print()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m host_tools.meter", description=__doc__)
    parser.add_argument(
        "--profile", default="sdm120", help=f"{', '.join(shipped_profiles())}, or a TOML file"
    )
    parser.add_argument("--address", type=int, nargs="+", default=[1], help="slave addresses (default: 1)")
    parser.add_argument("--power", type=float, default=500.0, help="W that each meter shows (default: 500)")
    parser.add_argument("--swing", type=float, default=0.0, help="W around it, once a minute (default: 0)")
    parser.add_argument("--baud", type=int, help="let bytes take their time (default: answer at once)")
    parser.add_argument("--fault", choices=[each.value for each in Fault], help="what goes wrong")
    parser.add_argument("--probability", type=float, default=1.0, help="how often it does (default: always)")
    parser.add_argument("--seconds", type=float, help="end after so long (default: when interrupted)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
