"""Signs the manifest of a release with the operator's ssh key, by `ssh-keygen -Y sign`.

The key may be in a file, in an agent, or on a security key, as for a login.
"""

import json
import subprocess
import time
from pathlib import Path

from .release import Release

NAMESPACE = "microgrid-edge"  # as in activation/trust.py


class SignError(Exception):
    """The release cannot be signed."""


def signed(release: Release, key: Path, signers: list[str], least_number: int = 0) -> bytes:
    """The manifest for a node, followed by its signature. Raises SignError.

    `signers`: who may release in future (none: as before); `least_number`: the number is raised to this.
    """
    manifest = release.manifest | {"number": max(release.manifest["number"], least_number)}
    if signers:
        manifest["signers"] = signers
    data = (json.dumps(manifest, indent=1) + "\n").encode()
    return data + _signature(data, key)


def next_number(confirmed: int) -> int:
    """A number that a node accepts: now, or one more than it has confirmed."""
    return max(int(time.time()), confirmed + 1)


def _signature(data: bytes, key: Path) -> bytes:
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        raise SignError(
            f"{key}: the release cannot be signed: {done.stderr.decode(errors='replace').strip()}; "
            "another key: --sign-key FILE"
        )
    return done.stdout
