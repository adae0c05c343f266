"""The factory release: what `make deploy` would bring to a node, baked into its root."""

import shutil
from pathlib import Path

from ..deploy.release import ReleaseError, build_release
from ..deploy.wheels import WheelError
from ..setup.debs import SetupError
from .configure import PYTHON_VERSION

FACTORY = "opt/edge/factory"


def factory(root: Path) -> str:
    """Put it under the root; returns its ID. Raises SetupError."""
    try:
        release = build_release("aarch64", PYTHON_VERSION)
    except (ReleaseError, WheelError) as error:
        raise SetupError(f"factory release: {error}") from None
    shutil.copytree(release.folder, root / FACTORY)
    return release.id
