"""What pyproject.toml cannot say of the wheel: its packages are the firmware and models/ as edge/models,
and the files of the dashboard are compressed, since a node serves them as they are.
"""

import gzip
import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

COMMENT = re.compile(r"(?<=[;,{}()\]]) // [^`\"]*$")


def lean(name: str, data: bytes) -> bytes:
    """As in `host_tools.page.pack`, which is not there when a wheel is built from the sdist."""
    lines = [line.strip() for line in data.decode().splitlines()] if name.endswith((".js", ".css")) else []
    if len(lines) < 10:
        return data
    if name.endswith(".css"):
        text = "\n".join(
            line for line in lines if line and not (line.startswith("/*") and line.endswith("*/"))
        )
        for long, short in ((": ", ":"), ("; ", ";"), (" {", "{"), ("{ ", "{"), (" }", "}"), (", ", ",")):
            text = text.replace(long, short)
    else:
        kept = (line for line in lines if line and not line.startswith("//"))
        text = "\n".join(COMMENT.sub("", line) for line in kept)
    return f"{text}\n".encode()


class PackedPages(build_py):
    """Builds the packages, then compresses the files of the dashboard."""

    def run(self) -> None:
        """Build and compress."""
        super().run()
        if self.editable_mode:
            return
        for path in sorted(Path(self.build_lib, "edge", "api", "static").iterdir()):
            if path.suffix != ".gz":
                data = gzip.compress(lean(path.name, path.read_bytes()), 9, mtime=0)
                path.with_name(f"{path.name}.gz").write_bytes(data)
                path.unlink()


setup(
    packages=[*find_packages(include=["edge", "edge.*"]), "edge.models"],
    package_dir={"edge.models": "models"},
    cmdclass={"build_py": PackedPages},
)
