"""What pyproject.toml cannot say of the wheel: its packages are the firmware and models/ as edge/models,
and the files of the dashboard are compressed, since a node serves them as they are.
"""

import gzip
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class PackedPages(build_py):
    """As `host_tools.page.pack`, which is not there when a wheel is built from the sdist."""

    def run(self) -> None:
        """Build the packages, then compress."""
        super().run()
        if self.editable_mode:
            return
        for path in sorted(Path(self.build_lib, "edge", "api", "static").iterdir()):
            if path.suffix != ".gz":
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
                path.unlink()


setup(
    packages=[*find_packages(include=["edge", "edge.*"]), "edge.models"],
    package_dir={"edge.models": "models"},
    cmdclass={"build_py": PackedPages},
)
