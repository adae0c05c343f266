"""The section `[trust]` of a configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustSettings:
    """Keys of this node. Without this section anybody who reaches the node can lie to it."""

    key: Annotated[Path, "file with the private keys of this node, readable by it alone"]
    certificate: Annotated[Path, "file with the identity of this node, signed by the authority"]
    authority: Annotated[Path, "file with the public key of the authority of the microgrid"]
    revocations: Annotated[
        Path, "file with the revoked identities; it may be missing: the neighbours have the newest list too"
    ]
