"""What pyproject.toml cannot say of the wheel: its packages are the firmware and models/ as edge/models,
and the files of the dashboard are packed, since a node serves them as they are.
"""

import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))
from pack_pages import pack


class PackedPages(build_py):
    """Builds the packages, then packs the files of the dashboard."""

    def run(self) -> None:
        """Build and pack."""
        super().run()
        if not self.editable_mode:
            pack(Path(self.build_lib, "edge", "api", "static"))


setup(
    packages=[*find_packages(include=["edge", "edge.*"]), "edge.models"],
    package_dir={"edge.models": "models"},
    cmdclass={"build_py": PackedPages},
)
