"""What pyproject.toml cannot say of the wheel: its packages are the firmware and models/ as edge/models,
and the files of the dashboard are packed, since a node serves them as they are.
"""

import shutil
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).parent
IN_SDIST = "pack_pages.py"
PACK = next(each for each in (HERE / "host_tools" / "page" / "pack.py", HERE / IN_SDIST) if each.exists())
spec = spec_from_file_location("pack_pages", PACK)
pages = module_from_spec(spec)
spec.loader.exec_module(pages)


class PackedPages(build_py):
    """Builds the packages, then packs the files of the dashboard."""

    def run(self) -> None:
        """Build and pack."""
        super().run()
        if not self.editable_mode:
            pages.pack(Path(self.build_lib, "edge", "api", "static"))


class WithPack(sdist):
    """The sdist has what packs the pages, and nothing else of the host tools."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """The files of the sdist."""
        super().make_release_tree(base_dir, files)
        shutil.copy(PACK, Path(base_dir, IN_SDIST))


setup(
    packages=[*find_packages(include=["edge", "edge.*"]), "edge.models"],
    package_dir={"edge.models": "models"},
    cmdclass={"build_py": PackedPages, "sdist": WithPack},
)
