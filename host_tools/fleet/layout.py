"""The paths on a node. `/data` survives updates; the rest of the root is read-only.

A machine may have more than one node, as a gate does. The files of those above the first one are beside its
own, with the name of the node before theirs: q-gym.node.toml.
"""

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths on a node; `root` is another folder if the node runs on this machine.

    `node`: its name, if it is not the first one of its machine.
    """

    root: Path = Path("/")
    node: str = ""

    def of(self, node: str) -> "Layout":
        """That of another node of the same machine."""
        return replace(self, node=node)

    def named(self, file: str) -> str:
        """The name of a file of this node."""
        return f"{self.node}.{file}" if self.node else file

    @property
    def config(self) -> Path:
        """The files made by `provision`, except keys."""
        return self.root / "data/edge/config"

    @property
    def keys(self) -> Path:
        """The identity of the node, for its service."""
        return self.root / "data/edge/keys"

    @property
    def broker_keys(self) -> Path:
        """A copy for Mosquitto, whose user may not read the files of the service."""
        return self.root / "data/mosquitto/keys"

    @property
    def state(self) -> Path:
        """The folder of the state: `node.state_dir`."""
        state = self.root / "data/edge/state"
        return state / "parents" / self.node if self.node else state

    @property
    def logins(self) -> Path:
        """The login links of a node that is open to the LAN."""
        return self.config / self.named("logins")

    def tls(self) -> dict[str, str]:
        """The `[tls]` table of the node's configuration."""
        return {
            "ca": str(self.keys / "ca.crt"),
            "certificate": str(self.keys / self.named("node.crt")),
            "key": str(self.keys / self.named("node.key")),
            "crl": str(self.config / "crl.pem"),
        }

    def trust(self) -> dict[str, str]:
        """The `[trust]` table of the node's configuration."""
        return {
            "key": str(self.keys / self.named("trust.key")),
            "certificate": str(self.keys / self.named("trust.identity")),
            "authority": str(self.keys / "trust.authority"),
            "revocations": str(self.config / "trust.revoked"),
        }
