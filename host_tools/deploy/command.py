"""`python -m host_tools deploy NODE|all`: a new version or configuration to running nodes.

Exit codes: 0 every node runs the version wanted; 1 a node did not take it, and the one before runs on
there; 2 wrong usage or data; 3 a node cannot be reached. With several nodes, the largest.
"""

import argparse
import sys
import time
from pathlib import Path

from .deployment import DeployError, Deployment, Outcome, Wish
from .fleet_hosts import FleetFileError, hosts
from .release import RELEASES, SOURCE, ReleaseError
from .ssh import Address, Failed, Unreachable, connected
from .wheels import WheelError

_WELL, _FAILED, _WRONG, _UNREACHABLE = 0, 1, 2, 3


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command line of `deploy`."""
    parser = commands.add_parser("deploy", help="bring a new version or configuration to running nodes")
    parser.add_argument("node", help="name of a node, or all")
    parser.add_argument("--host", help="address, or USER@ADDRESS (default: as fleet.toml says)")
    parser.add_argument("--port", type=int, default=22, help="of sshd (default 22)")
    parser.add_argument("--user", default="operator", help="to log in as (default operator)")
    parser.add_argument("--identity", type=Path, metavar="FILE", help="private key (default: as ssh chooses)")
    parser.add_argument("--known-hosts", type=Path, metavar="FILE", help="(default: as ssh chooses)")
    parser.add_argument("--wait", type=float, default=60.0, help="for health, seconds (default 60)")
    parser.add_argument("--dry", action="store_true", help="say what would be done, change nothing")
    parser.add_argument(
        "--fleet",
        type=Path,
        default=Path("deploy"),
        metavar="DIR",
        help="folder of fleet.toml and nodes/ (default deploy)",
    )
    parser.add_argument(
        "--made",
        type=Path,
        default=Path("build/fleet"),
        metavar="DIR",
        help="what provisioning made, a folder a node (default build/fleet)",
    )
    parser.add_argument(
        "--source",
        type=Path,
        default=SOURCE,
        metavar="DIR",
        help="folder of the package edge (default: this tree's)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RELEASES,
        metavar="DIR",
        help="where releases are built (default build/releases)",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Deploy; returns the exit code."""
    try:
        known = hosts(options.fleet)
        chosen = _chosen(options, known)
    except FleetFileError as problem:
        print(problem, file=sys.stderr)
        return _WRONG
    outcomes: dict[str, tuple[int, Outcome, float]] = {}
    try:
        for name in chosen:
            began_s = time.monotonic()
            code, outcome = _deploy(_address(options, name, known[name]), options)
            outcomes[name] = code, outcome, time.monotonic() - began_s
    except KeyboardInterrupt:
        print("interrupted: the node finishes or takes back what it had begun", file=sys.stderr)
        return 130
    if options.node == "all":
        _print_table(outcomes)
    return max(code for code, _, _ in outcomes.values())


def _chosen(options: argparse.Namespace, known: dict[str, str]) -> list[str]:
    if options.node == "all":
        if options.host:
            raise FleetFileError("--host is for one node; for all, their addresses stand in fleet.toml")
        return list(known)
    if options.node not in known:
        raise FleetFileError(
            f"{options.fleet / 'nodes'}: no node {options.node}; there are {', '.join(known)}"
        )
    return [options.node]


def _address(options: argparse.Namespace, name: str, known: str) -> Address:
    user, _, host = (options.host or known).rpartition("@")
    return Address(name, host, options.port, user or options.user, options.identity, options.known_hosts)


def _deploy(address: Address, options: argparse.Namespace) -> tuple[int, Outcome]:
    """One node; its exit code and what was done."""
    print(f"{address.name}: {address}", flush=True)
    wish = Wish(options.made / address.name, options.source, options.out, options.wait, options.dry)
    began_s = time.monotonic()
    with connected(address) as connection:
        deployment = Deployment(connection, wish, lambda line: print(f"  {line}", flush=True))
        outcome = deployment.outcome
        try:
            deployment.run()
        except Unreachable as problem:
            code, outcome.result, words = _UNREACHABLE, "not reached", str(problem)
        except (WheelError, ReleaseError) as problem:
            code, outcome.result, words = _WRONG, "not built", str(problem)
        except (DeployError, Failed) as problem:
            code, outcome.result, words = _FAILED, outcome.result or "refused", str(problem)
        else:
            code, words = _WELL, ""
    print(f"  {time.monotonic() - began_s:5.1f} s  {outcome.result}", flush=True)
    if words:
        print(f"{address.name}: {words}", file=sys.stderr, flush=True)
    return code, outcome


def _print_table(outcomes: dict[str, tuple[int, Outcome, float]]) -> None:
    print(f"\n{'node':14} {'before':22} {'wanted':22} {'s':>5}  result")
    for name, (_, outcome, seconds) in outcomes.items():
        print(
            f"{name:14} {outcome.before or '-':22} {outcome.after or '-':22} {seconds:5.1f}  {outcome.result}"
        )
