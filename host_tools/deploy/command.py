"""`python -m host_tools deploy NODE|all`: install a new version or configuration on running nodes.

Exit codes: 0 every node runs the new version; 1 a node rejected it and still runs the previous one; 2 wrong
usage or data; 3 a node cannot be reached. With several nodes the largest code counts.
"""

import argparse
import sys
import time
from pathlib import Path

from .deployment import DeployError, Deployment, Outcome, Target
from .fleet_hosts import FleetFileError, gates_of, hosts, operator_key
from .release import RELEASES, SOURCE, ReleaseError
from .sign import SignError
from .ssh import Address, Failed, Unreachable, connected
from .wheels import WheelError

_DONE, _FAILED, _WRONG, _UNREACHABLE = 0, 1, 2, 3


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `deploy`."""
    parser = commands.add_parser("deploy", help="install a new version or configuration on running nodes")
    parser.add_argument("node", help="name of a node, or all")
    parser.add_argument("--host", help="ADDRESS or USER@ADDRESS of the node (default: from fleet.toml)")
    parser.add_argument("--port", type=int, default=22, help="port of the node's ssh server (default 22)")
    parser.add_argument("--user", default="operator", help="user to log in as (default operator)")
    parser.add_argument("--identity", type=Path, metavar="FILE", help="private key (default: chosen by ssh)")
    parser.add_argument(
        "--sign-key",
        type=Path,
        metavar="FILE",
        help="key that signs the release (default: --identity, or the first of operator.public_keys)",
    )
    parser.add_argument(
        "--reissue",
        action="store_true",
        help="give the release a new number, to return to an older one that a node refuses",
    )
    parser.add_argument(
        "--known-hosts", type=Path, metavar="FILE", help="file of known host keys (default: chosen by ssh)"
    )
    parser.add_argument(
        "--wait", type=float, default=60.0, help="seconds to wait for a healthy service (default 60)"
    )
    parser.add_argument("--dry", action="store_true", help="only show what would be done")
    parser.add_argument(
        "--fleet",
        type=Path,
        default=Path("deploy"),
        metavar="DIR",
        help="folder with fleet.toml and nodes/ (default deploy)",
    )
    parser.add_argument(
        "--made",
        type=Path,
        default=Path("build/fleet"),
        metavar="DIR",
        help="output folder of `provision`, with one folder per node (default build/fleet)",
    )
    parser.add_argument(
        "--source",
        type=Path,
        default=SOURCE,
        metavar="DIR",
        help="folder of the package edge (default: that of this source tree)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=RELEASES,
        metavar="DIR",
        help="folder in which releases are built (default build/releases)",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Deploy to the chosen nodes; returns the exit code."""
    try:
        known = hosts(options.fleet)
        chosen = _chosen(options, known)
        options.sign_key = options.sign_key or options.identity or operator_key(options.fleet)
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
        print("interrupted: the node completes or rolls back what it has begun", file=sys.stderr)
        return 130
    if options.node == "all":
        _print_table(outcomes)
    return max(code for code, _, _ in outcomes.values())


def _chosen(options: argparse.Namespace, known: dict[str, str]) -> list[str]:
    if options.node == "all":
        if options.host:
            raise FleetFileError(
                "--host needs a single node; for all nodes the addresses come from fleet.toml"
            )
        return list(known)
    if (machine := gates_of(options.fleet).machine(options.node)) != options.node:
        raise FleetFileError(
            f"{options.node} is on the machine of {machine}: NODE={machine} takes both along"
        )
    if options.node not in known:
        raise FleetFileError(
            f"{options.fleet / 'nodes'}: unknown node {options.node}; the nodes are {', '.join(known)}"
        )
    return [options.node]


def _address(options: argparse.Namespace, name: str, known: str) -> Address:
    user, _, host = (options.host or known).rpartition("@")
    return Address(name, host, options.port, user or options.user, options.identity, options.known_hosts)


def _deploy(address: Address, options: argparse.Namespace) -> tuple[int, Outcome]:
    """Deploy to one node; returns the exit code and the outcome."""
    print(f"{address.name}: {address}", flush=True)
    target = Target(
        options.made / address.name,
        options.source,
        options.out,
        options.sign_key,
        options.wait,
        options.dry,
        options.reissue,
    )
    began_s = time.monotonic()
    with connected(address) as connection:
        deployment = Deployment(connection, target, lambda line: print(f"  {line}", flush=True))
        outcome = deployment.outcome
        try:
            deployment.run()
        except Unreachable as problem:
            code, outcome.result, words = _UNREACHABLE, "unreachable", str(problem)
        except (WheelError, ReleaseError, SignError) as problem:
            code, outcome.result, words = _WRONG, "build failed", str(problem)
        except (DeployError, Failed) as problem:
            code, outcome.result, words = _FAILED, outcome.result or "rejected", str(problem)
        else:
            code, words = _DONE, ""
    print(f"  {time.monotonic() - began_s:5.1f} s  {outcome.result}", flush=True)
    if words:
        print(f"{address.name}: {words}", file=sys.stderr, flush=True)
    return code, outcome


def _print_table(outcomes: dict[str, tuple[int, Outcome, float]]) -> None:
    print(f"\n{'node':14} {'before':22} {'requested':22} {'s':>5}  result")
    for name, (_, outcome, seconds) in outcomes.items():
        print(
            f"{name:14} {outcome.before or '-':22} {outcome.after or '-':22} {seconds:5.1f}  {outcome.result}"
        )
