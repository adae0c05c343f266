"""Where things lie on a node. `/data` survives updates; the rest of its root is read-only."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths on a node; `root` is another folder when one is tried on this machine."""

    root: Path = Path("/")

    @property
    def config(self) -> Path:
        """What provisioning makes, but for keys."""
        return self.root / "data/edge/config"

    @property
    def keys(self) -> Path:
        """Identity of the node, for its service."""
        return self.root / "data/edge/keys"

    @property
    def broker_keys(self) -> Path:
        """The same once more, for Mosquitto: another user, who may read nothing of the service's."""
        return self.root / "data/mosquitto/keys"

    @property
    def state(self) -> Path:
        """`node.state_dir`."""
        return self.root / "data/edge/state"

    def tls(self) -> dict[str, str]:
        """The `[tls]` table of the node's configuration."""
        return {
            "ca": str(self.keys / "ca.crt"),
            "certificate": str(self.keys / "node.crt"),
            "key": str(self.keys / "node.key"),
            "crl": str(self.config / "crl.pem"),
        }
