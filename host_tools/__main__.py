"""Tools for a PC: `python -m host_tools COMMAND`; `COMMAND --help` lists the options."""

import argparse
import sys

from . import memtest, past, run
from .bench import command as bench
from .deploy import command as deploy
from .eval import command as evaluation
from .eval import shipped
from .field import command as fieldtest
from .fleet import provision
from .image import command as image
from .image import trial_command as image_test
from .sim import command as sim
from .storm import command as storm


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="host_tools", description="Run, simulate, measure, provision and deploy microgrids."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    simulations = (sim, storm, fieldtest, evaluation, shipped, past)
    for tool in (run, bench, memtest, *simulations, image, image_test, deploy, provision):
        tool.add_parser(commands)
    options = parser.parse_args(arguments)
    return int(options.command(options))


if __name__ == "__main__":
    sys.exit(main())
