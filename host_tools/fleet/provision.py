"""`python -m host_tools provision`: makes the files of each node from `deploy/` and the cluster's keys.

Nothing is written before all of `deploy/` is valid; a second run changes nothing. Links that only one node
lists are named; with `--check` they are an error. Exit codes: 0 success, 1
the given node is revoked, 2 wrong usage or data.
"""

import argparse
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from edge.net.broker_lists import HOME_ASSISTANT

from . import login
from .errors import FleetError
from .files import SECRET, folder, write
from .layout import Layout
from .machine import Maker, Provisioned
from .mosquitto import shown_to_home_assistant
from .operator_keys import authorized_keys, signers
from .read import Fleet, NodePlan, read_fleet

if TYPE_CHECKING:
    from .authority import Authority
    from .trust_authority import TrustAuthority

ALL = "all"
OK, REVOKED, WRONG = 0, 1, 2


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command line of `provision`."""
    parser = commands.add_parser(
        "provision",
        help="check deploy/ and make keys, certificates and configurations of the nodes",
        epilog="Afterwards deploy the nodes; after --revoke deploy all of them. "
        "Exit codes: 0 success, 1 the node is revoked, 2 wrong usage or data.",
    )
    add = parser.add_argument
    add("node", metavar="NODE", help="name of a node, or all")
    add(
        "--keys",
        type=Path,
        metavar="DIR",
        help="folder of the cluster's keys (default: $EDGE_KEYS, or ~/.config/microgrid-edge/CLUSTER)",
    )
    add(
        "--deploy",
        type=Path,
        default=Path("deploy"),
        metavar="DIR",
        help="folder with fleet.toml and nodes/ (default deploy)",
    )
    add(
        "--out",
        type=Path,
        default=Path("build/fleet"),
        metavar="DIR",
        help="output folder, with one folder per node (default build/fleet)",
    )
    add("--rotate", action="store_true", help="make a new key and certificate; the old ones stay valid")
    add(
        "--revoke",
        action="store_true",
        help="revoke all certificates of NODE; with --rotate it gets a new one",
    )
    add(
        "--login",
        action="store_true",
        help="make a new login link, which works once, for each node that [api] host opens to the LAN; "
        "the first run makes one anyway",
    )
    add(
        "--check",
        action="store_true",
        help="check deploy/ and the keys as a real run would, but change nothing",
    )
    add(
        "--ssh-key",
        type=Path,
        action="append",
        metavar="FILE",
        help="public key of the operator, instead of operator.public_keys (may be repeated)",
    )
    add(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="prefix of all paths on the node, to run one on this machine",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        fleet = read_fleet(options.deploy, Layout(options.root.absolute()))
        for warning in fleet.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        chosen = _chosen(fleet, options)
        if options.check:
            _try(fleet, chosen, options)
            names = ", ".join(fleet.nodes)
            print(f"{options.deploy}: cluster {fleet.cluster}, {len(fleet.nodes)} nodes: {names}")
            return OK
        done, revoked = _provision(fleet, chosen, options)
    except FleetError as error:
        print(error, file=sys.stderr)
        return WRONG
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG
    print(_table(done))
    _show_links(done)
    if revoked:
        print(
            f"{revoked} certificates of {options.node} revoked; each node rejects them after its next deploy"
        )
    unwanted = options.node != ALL and not options.revoke and any(each.identity.revoked for each in done)
    return REVOKED if unwanted else OK


def _chosen(fleet: Fleet, options: argparse.Namespace) -> list[str]:
    """The names of the machines."""
    machine = fleet.gates.machine(options.node)
    if options.node == ALL:
        if options.revoke:
            raise FleetError("--revoke needs a single node; to start over, use a new folder of keys")
        return list(fleet.machines)
    if machine != options.node:
        raise FleetError(
            f"{options.node} is on the machine of {machine}: NODE={machine} makes the files of both"
        )
    if options.node not in fleet.nodes:
        if options.revoke and not options.rotate:
            return []  # it has left the fleet; the authority still has its certificates
        raise FleetError(f"unknown node {options.node}; the nodes are {', '.join(fleet.machines)}")
    return [options.node]


def _provision(
    fleet: Fleet, chosen: Sequence[str], options: argparse.Namespace
) -> tuple[list[Provisioned], int]:
    """Make the files; returns the result for each node and the number of revoked certificates."""
    from .authority import Authority  # slow imports, not needed by other commands
    from .trust_authority import TrustAuthority

    machines = {name: fleet.machines[name] for name in chosen}
    logins = _logins(fleet, machines, options)
    releasing = signers(*_public_keys(fleet, options))
    keys = _keys_folder(fleet, options.keys)
    folder(keys)
    with _alone(keys):
        now = datetime.now(UTC).replace(microsecond=0)
        authority, trust = Authority(keys, fleet.cluster, now), TrustAuthority(keys, fleet.cluster, now)
        revoked = 0
        if options.revoke:
            revoked = _revoke(fleet, options, authority, trust)  # first, as the node may have left the fleet
        maker = Maker(options.out, authority, trust, fleet.validity_days, options.rotate, options.login)
        done = [
            each
            for name, machine in machines.items()
            for each in maker.make(machine, logins[name], releasing)
        ]
        if any(shown_to_home_assistant(each.node) for each in done):
            _write_home_assistant(options.out / HOME_ASSISTANT, authority, fleet.validity_days)
        _spread_crl(options.out, authority)
        _spread_revoked(options.out, trust)
    return done, revoked


def _revoke(
    fleet: Fleet, options: argparse.Namespace, authority: "Authority", trust: "TrustAuthority"
) -> int:
    """Revoke all nodes of a machine; returns the number of certificates."""
    revoked = authority.revoke(options.node)
    trust.revoke(options.node)
    for parent in fleet.machines.get(options.node, [])[1:]:
        with suppress(FleetError):  # it has no certificate yet
            revoked += authority.revoke(parent.name)
        trust.revoke(parent.name)
    shutil.rmtree(options.out / options.node, ignore_errors=True)
    return revoked


def _try(fleet: Fleet, chosen: Sequence[str], options: argparse.Namespace) -> None:
    """Do all that `provision` would do, with a copy of the keys. Raises FleetError, OSError.

    The copy is made beside the keys, for the owner only, and is removed at once.
    """
    keys, beside = _keys_folder(fleet, options.keys), None
    if keys.exists():
        beside = keys.parent
    for place in (options.out, keys):
        _check_writable(place)
    with tempfile.TemporaryDirectory(prefix=".check-", dir=beside) as scratch:
        copy = Path(scratch) / "keys"
        if keys.exists():
            shutil.copytree(keys, copy)
        tried = argparse.Namespace(**vars(options) | {"keys": copy, "out": Path(scratch) / "out"})
        try:
            _provision(fleet, chosen, tried)
        except FleetError as error:
            raise FleetError(str(error).replace(str(copy), str(keys))) from None


def _check_writable(place: Path) -> None:
    existing = next(each for each in (place.absolute(), *place.absolute().parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise FleetError(f"{place}: cannot be written: {existing} is not a folder that you may write to")


def _logins(
    fleet: Fleet, machines: Mapping[str, Sequence[NodePlan]], options: argparse.Namespace
) -> dict[str, str]:
    """The authorized_keys of each machine. Raises FleetError if a key of the operator cannot be used."""
    files, given_by = _public_keys(fleet, options)
    ports = {name: [each.config.api.port for each in machine] for name, machine in machines.items()}
    return {name: authorized_keys(files, given_by, ports[name]) for name in machines}


def _public_keys(fleet: Fleet, options: argparse.Namespace) -> tuple[Sequence[Path], str]:
    """The files of the operator's public keys, and what names them."""
    if options.ssh_key:
        return options.ssh_key, "--ssh-key"
    return fleet.operator.public_keys, f"{options.deploy / 'fleet.toml'}: operator.public_keys"


def _keys_folder(fleet: Fleet, given: Path | None) -> Path:
    if given:
        return given
    if named := os.environ.get("EDGE_KEYS"):
        return Path(named)
    return Path("~/.config/microgrid-edge").expanduser() / fleet.cluster


@contextmanager
def _alone(keys: Path) -> Iterator[None]:
    """Lock the folder of keys, so that only one run uses it at a time."""
    with (keys / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_home_assistant(place: Path, authority: "Authority", days: int) -> None:
    """What Home Assistant needs to connect; it is written by hand there."""
    identity = authority.identity(HOME_ASSISTANT, (HOME_ASSISTANT,), days)
    if identity.revoked:
        identity = authority.identity(HOME_ASSISTANT, (HOME_ASSISTANT,), days, rotate=True)
    write(place / "ca.crt", authority.certificate)
    write(place / "client.key", identity.key, SECRET)
    write(place / "client.crt", identity.certificate)


def _spread_crl(out: Path, authority: "Authority") -> None:
    """Write the current revocation list to the folders of all nodes, not only of the given ones."""
    for certificate in out.glob("*/keys/ca.crt"):
        if certificate.read_bytes() == authority.certificate:
            write(certificate.parents[1] / "config" / "crl.pem", authority.crl)


def _spread_revoked(out: Path, trust: "TrustAuthority") -> None:
    """The same for the revoked identities."""
    for public in out.glob("*/keys/trust.authority"):
        if public.read_bytes() == trust.public:
            write(public.parents[1] / "config" / "trust.revoked", trust.revoked)


def _table(done: Sequence[Provisioned]) -> str:
    lines = [f"{'node':14} {'certificate':12} {'until':12} {'changed':>7}  senders"]
    for each in done:
        state = "revoked" if each.identity.revoked else each.identity.made or "kept"
        senders = ", ".join(each.node.senders) or "none"
        lines.append(
            f"{each.node.name:14} {state:12} {each.identity.ends:%Y-%m-%d}   {each.changed:7}  {senders}"
        )
    return "\n".join(lines)


def _show_links(done: Sequence[Provisioned]) -> None:
    """Print the links that were made, each with its QR code, and the addresses of the other open nodes."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for each in (each for each in done if login.is_open(each.node) and not each.identity.revoked):
        if not each.link:
            print(
                f"{each.node.name}: dashboard at {login.address(each.node)}; --login makes a new login link"
            )
            continue
        days = login.VALID_S // 86_400
        print(
            f"\n{each.node.name}: this link logs one browser in, once and within {days} days, after a deploy:"
        )
        print(each.link)
        console.print(login.qr_code(each.link), style="white on black", end="")
