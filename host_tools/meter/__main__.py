"""Simulated meters on a pseudo terminal, for a node or any other Modbus tool."""

import argparse
import math
import sys
import threading

from edge.clock import SystemClock
from edge.meter.profile import ProfileError, shipped_profiles

from .fault import MeterFault
from .terminal import SimulatedMeter


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted; returns 2 for wrong arguments."""
    arguments = _parser().parse_args(argv)
    start_s = SystemClock().now_s()

    def power_w(address: int, now_s: float) -> float:
        return float(arguments.power + arguments.swing * math.sin(2 * math.pi * (now_s - start_s) / 60))

    try:
        meter = SimulatedMeter(
            dict.fromkeys(arguments.address, arguments.profile), power_w, baud=arguments.baud
        )
    except ProfileError as error:
        print(error, file=sys.stderr)
        return 2
    with meter:
        if arguments.fault is not None:
            for address in arguments.address:
                meter.inject(address, MeterFault(arguments.fault), arguments.probability)
        print(meter.port, flush=True)
        try:
            threading.Event().wait(arguments.seconds)
        except KeyboardInterrupt:
            print()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m host_tools.meter", description=__doc__)
    parser.add_argument(
        "--profile",
        default="sdm120",
        help=f"meter profile: {', '.join(shipped_profiles())}, or a TOML file (default sdm120)",
    )
    parser.add_argument("--address", type=int, nargs="+", default=[1], help="slave addresses (default 1)")
    parser.add_argument("--power", type=float, default=500.0, help="power of each meter in W (default 500)")
    parser.add_argument(
        "--swing",
        type=float,
        default=0.0,
        help="amplitude of a one-minute sine on top of it, in W (default 0)",
    )
    parser.add_argument("--baud", type=int, help="simulate the speed of the line (default: answer at once)")
    parser.add_argument(
        "--fault",
        choices=[each.value for each in MeterFault],
        help="kind of fault in the answers (default: none)",
    )
    parser.add_argument(
        "--probability", type=float, default=1.0, help="probability of the fault for each answer (default 1)"
    )
    parser.add_argument("--seconds", type=float, help="stop after this time (default: run until Ctrl-C)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
