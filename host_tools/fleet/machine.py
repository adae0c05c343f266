"""The files of a machine: those of its node, and beside them those of its nodes in parent microgrids."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.microgrid.launch import to_toml

from . import login, network
from .files import SECRET, write
from .mosquitto import configuration, inside_acl, outside_acl
from .read import NodePlan

if TYPE_CHECKING:
    from .authority import Authority, Identity
    from .trust_authority import NodeIdentity, TrustAuthority

# Of nodes in parents: removed when they are gates no more.
_OF_PARENTS = ("config/*.node.toml", "config/*.acl", "config/*.acl.inside", "config/*.logins")
_KEYS_OF_PARENTS = ("keys/*.node.key", "keys/*.node.crt", "keys/*.trust.key", "keys/*.trust.identity")


@dataclass(frozen=True)
class Provisioned:
    """The result for one node; `changed`: the number of changed files."""

    node: NodePlan
    identity: "Identity"
    changed: int
    link: str = ""  # that logs a browser in, if it was made now


@dataclass(frozen=True)
class Maker:
    """Writes the files of machines into `out`.

    `days`: validity of certificates; `again`: a login link is made also where there is one.
    """

    out: Path
    authority: "Authority"
    trust: "TrustAuthority"
    days: int
    rotate: bool
    again: bool

    def make(self, machine: Sequence[NodePlan], logins: str, signers: str) -> list[Provisioned]:
        """All files of a machine; none if one of its nodes is revoked. Raises FleetError, OSError."""
        place = self.out / machine[0].name
        identities = [self._identities(node) for node in machine]
        done = [Provisioned(node, each, 0) for node, (each, _) in zip(machine, identities, strict=True)]
        if any(one.revoked or other.revoked for one, other in identities):
            shutil.rmtree(place, ignore_errors=True)
            return done
        for i, (node, both) in enumerate(zip(machine, identities, strict=True)):
            changed = self._write_node(place, node, *both)
            link, written = login.make_link(node, place / "config", again=self.again)
            done[i] = replace(done[i], changed=changed + written, link=link)
        shared = self._write_shared(place, machine, logins, signers)
        shared += _remove_others(place, machine[1:])
        return [replace(done[0], changed=done[0].changed + shared), *done[1:]]

    def _identities(self, node: NodePlan) -> "tuple[Identity, NodeIdentity]":
        identity = self.authority.identity(node.name, node.hosts, self.days, rotate=self.rotate)
        return identity, self.trust.identity(node.name, self.days, rotate=self.rotate)

    def _write_node(self, place: Path, node: NodePlan, identity: "Identity", name: "NodeIdentity") -> int:
        """What each node has for itself; returns how many files have changed."""
        config, keys, named = place / "config", place / "keys", node.layout.named
        changed = int(write(config / named("node.toml"), to_toml(node.raw)))
        changed += write(config / named("acl"), outside_acl(node))
        changed += write(config / named("acl.inside"), inside_acl(node))
        changed += write(keys / named("node.key"), identity.key, SECRET)
        changed += write(keys / named("node.crt"), identity.certificate)
        changed += write(keys / named("trust.key"), name.key, SECRET)
        return changed + write(keys / named("trust.identity"), name.certificate)

    def _write_shared(self, place: Path, machine: Sequence[NodePlan], logins: str, signers: str) -> int:
        """What all nodes of the machine share."""
        config, keys, fixed = place / "config", place / "keys", machine[0].network
        changed = int(write(config / "mosquitto.conf", configuration(machine)))
        changed += write(config / "authorized_keys", logins)
        changed += write(config / "crl.pem", self.authority.crl)
        changed += write(config / "trust.revoked", self.trust.revoked)
        changed += write(keys / "ca.crt", self.authority.certificate)
        changed += write(keys / "trust.authority", self.trust.public)
        changed += write(place / "signers", signers)
        if fixed:
            return changed + write(config / network.FILE, fixed.configuration())
        return changed + _remove([config / network.FILE])  # it has no static address any more


def _remove_others(place: Path, parents: Sequence[NodePlan]) -> int:
    """Remove the files of nodes that this machine does not have any more."""
    found = (file for pattern in (*_OF_PARENTS, *_KEYS_OF_PARENTS) for file in place.glob(pattern))
    names = {node.name for node in parents}
    return _remove(file for file in found if file.name.partition(".")[0] not in names)


def _remove(files: Iterable[Path]) -> int:
    present = [file for file in files if file.exists()]
    for file in present:
        file.unlink()
    return len(present)
