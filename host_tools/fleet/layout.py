"""The paths on a node. `/data` survives updates; the rest of the root is read-only."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths on a node; `root` is another folder if the node runs on this machine."""

    root: Path = Path("/")

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
        return self.root / "data/edge/state"

    @property
    def logins(self) -> Path:
        """The login links of a node that is open to the LAN."""
        return self.config / "logins"

    def tls(self) -> dict[str, str]:
        """The `[tls]` table of the node's configuration."""
        return {
            "ca": str(self.keys / "ca.crt"),
            "certificate": str(self.keys / "node.crt"),
            "key": str(self.keys / "node.key"),
            "crl": str(self.config / "crl.pem"),
        }

    def trust(self) -> dict[str, str]:
        """The `[trust]` table of the node's configuration."""
        return {
            "key": str(self.keys / "trust.key"),
            "certificate": str(self.keys / "trust.identity"),
            "authority": str(self.keys / "trust.authority"),
            "revocations": str(self.config / "trust.revoked"),
        }
