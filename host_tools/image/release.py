"""The factory release: the same as `make deploy` would install, included in the root."""

import shutil
from pathlib import Path

from ..deploy.release import ReleaseError, build_release
from ..deploy.wheels import WheelError
from ..setup.debs import SetupError
from .configure import PYTHON_VERSION

FACTORY = "opt/edge/factory"


def factory(root: Path) -> str:
    """Add the release to the root; returns its id. Raises SetupError."""
    try:
        release = build_release("aarch64", PYTHON_VERSION)
    except (ReleaseError, WheelError) as error:
        raise SetupError(f"factory release: {error}") from None
    shutil.copytree(release.folder, root / FACTORY)
    return release.id
