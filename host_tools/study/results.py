"""The result files of a study: one for each run, written whole or not at all.

A file is `STUDY/NAME.json` with the keys `study`, `job` (the name of the run), `plan` (its arguments), `code`
(version), `cpu_s`, those of the result, and `sum`, by which damage is found.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from edge.files import read_bytes, replace_file

from .run import Content, Run, as_json, code_version

_MOST_BYTES = 1 << 28
_NAME_LENGTH = 120
_UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]")  # some file systems and artifact stores refuse them


@dataclass(frozen=True)
class Kept:
    """A result of earlier. `differs`: the arguments that are not those of the run, in words."""

    content: Content
    differs: list[str]

    @property
    def other_code(self) -> bool:
        """Whether another version of the code made it, or an unknown one."""
        return self.content.get("code") != code_version()


class Damaged(Exception):
    """A file is not a whole result of its run."""


class Results:
    """The files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, run: Run) -> Path:
        """The place of the result of a run."""
        return self.folder / _safe(run.study) / f"{_safe(run.name)}.json"

    def read(self, run: Run) -> Kept | None:
        """The result of a run, None if there is none. Raises Damaged, and OSError if it cannot be read."""
        try:
            content = content_of(self.file(run))
        except FileNotFoundError:
            return None
        if (content.get("study"), content.get("job")) != (run.study, run.name):
            raise Damaged
        before, now = content["plan"], as_json(dict(run.plan))
        names = [name for name in (now | before) if before.get(name) != now.get(name)]
        return Kept(content, [f"{name} {before.get(name)}, not {now.get(name)}" for name in names])

    def write(self, run: Run, content: Content) -> None:
        """Keep a result. Raises OSError."""
        file = self.file(run)
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, (json.dumps({**content, "sum": _sum(content)}) + "\n").encode())


def content_of(file: Path) -> Content:
    """What a result file says. Raises Damaged, and OSError if it cannot be read."""
    try:
        content = json.loads(read_bytes(file, _MOST_BYTES))
    except (ValueError, RecursionError):
        raise Damaged from None
    if not isinstance(content, dict) or not isinstance(content.get("plan"), dict):
        raise Damaged
    if content.keys() & {"code", "sum"} and content.pop("sum", None) != _sum(content):
        raise Damaged  # files from before there were sums have no code either
    return content


def _sum(content: Content) -> str:
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=8).hexdigest()


def _safe(name: str) -> str:
    """A file name; names that would become equal get a digest."""
    plain = name.replace("/", "__")
    safe = _UNSAFE.sub("_", plain)[:_NAME_LENGTH]
    if safe == plain:
        return safe
    return f"{safe}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
