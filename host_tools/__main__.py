"""Tools for a PC: `python -m host_tools COMMAND`; `COMMAND --help` lists the options."""

import argparse
import os
import signal
import sys

from . import memtest, past, run
from .arguments import make_folder
from .attack import command as attack
from .bench import command as bench
from .deploy import command as deploy
from .eval import command as evaluation
from .eval import shipped
from .field import command as fieldtest
from .fleet import provision
from .fuzz import command as fuzz
from .homeassistant import command as ha_test
from .image import command as image
from .image import trial_command as image_test
from .market import command as market
from .microgrid import demo
from .sim import command as sim
from .statement import command as statement
from .storm import command as storm

_MAKE_THEIR_OUT = (past.past, provision.run)  # a file; a folder that only the operator may read


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="host_tools", description="Run, simulate, measure, provision and deploy microgrids."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    simulations = (sim, storm, fieldtest, evaluation, shipped, past, statement, market)
    fleet = (image, image_test, deploy, provision)
    for tool in (run, demo, attack, fuzz, bench, memtest, ha_test, *simulations, *fleet):
        tool.add_parser(commands)
    options = parser.parse_args(arguments)
    out = None if options.command in _MAKE_THEIR_OUT else getattr(options, "out", None)
    if out is not None and (trouble := make_folder(out)):
        print(f"--out {out}: {trouble}", file=sys.stderr)
        return 2
    try:
        return int(options.command(options))
    except BrokenPipeError:  # as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not flushed into it
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
