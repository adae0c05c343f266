"""Compress the files of the dashboard for a node, which serves them as they are."""

import gzip
import re
from pathlib import Path

_FEW = 10
_COMMENT = re.compile(r"(?<=[;,{}()\]]) // [^`\"]*$")


def lean(name: str, data: bytes) -> bytes:
    """A script or a style sheet of ours without indentation and comments, a style sheet also without spaces
    that mean nothing; a library is a file of few lines."""
    lines = [line.strip() for line in data.decode().splitlines()] if name.endswith((".js", ".css")) else []
    if len(lines) < _FEW:
        return data
    if name.endswith(".css"):
        text = "\n".join(
            line for line in lines if line and not (line.startswith("/*") and line.endswith("*/"))
        )
        for long, short in ((": ", ":"), ("; ", ";"), (" {", "{"), ("{ ", "{"), (" }", "}"), (", ", ",")):
            text = text.replace(long, short)
    else:
        kept = (line for line in lines if line and not line.startswith("//"))
        text = "\n".join(_COMMENT.sub("", line) for line in kept)
    return f"{text}\n".encode()


def packed(name: str, data: bytes) -> bytes:
    """The file as a node sends it; the same file gives the same bytes."""
    return gzip.compress(lean(name, data), 9, mtime=0)


def pack(folder: Path) -> None:
    """Replace each file of `folder` by NAME.gz."""
    for path in sorted(folder.iterdir()):
        if path.suffix != ".gz":
            path.with_name(f"{path.name}.gz").write_bytes(packed(path.name, path.read_bytes()))
            path.unlink()
