"""One run of a study, and the version of the code that plays it."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import edge

_ROOT = Path(edge.__file__).resolve().parents[1]
_SOURCES = ("edge/**/*.py", "edge/**/*.toml", "host_tools/**/*.py", "models/*.tflite", "edge/models/*.tflite")

Content = dict[str, Any]  # of a result file


@dataclass(frozen=True)
class Run:
    """One run.

    `name` is unique in its study; `plan` is what the result depends on, apart from the code, as JSON. `work`
    makes the result, as JSON; it can be sent to other processes, so it is a function of a module with
    arguments (`functools.partial`).
    """

    study: str
    name: str
    plan: Mapping[str, Any]
    work: Callable[[], dict[str, Any]]

    @property
    def key(self) -> tuple[str, str]:
        """What names it among the runs of several studies."""
        return self.study, self.name

    def result(self) -> Content:
        """Play it. The content is the same as if it had been read from its file."""
        start = time.process_time()
        found = self.work()
        content = {
            "study": self.study,
            "job": self.name,
            "plan": dict(self.plan),
            "code": code_version(),
            "cpu_s": round(time.process_time() - start, 1),
            **found,
        }
        return as_json(content)


@dataclass(frozen=True)
class Failure:
    """A run ended with an error: `text` is for people; `invalid`: its input is wrong, not the code."""

    text: str
    invalid: bool = False


def attempt(run: Run) -> Content | Failure:
    """The result of a run, or why there is none."""
    try:
        return run.result()
    except Exception as error:  # one run must not end all others
        return Failure(f"{type(error).__name__}: {error}", isinstance(error, ValueError))


@cache
def code_version() -> str:
    """The version of the software and a digest of its sources, so that every change is another version."""
    return f"{edge.__version__}+{digest_of(_ROOT, *_SOURCES)}"


def digest_of(root: Path, *patterns: str) -> str:
    """A digest of source files and their names."""
    digest = hashlib.blake2b(digest_size=6)
    for pattern in patterns:
        for file in sorted(root.glob(pattern)):
            digest.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def fingerprint(path: Path) -> str:
    """A digest of a file, or of all files in a folder with their names. Raises OSError."""
    digest = hashlib.blake2b(digest_size=12)
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    for file in files:
        digest.update(f"{file.relative_to(path)}\n".encode())
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def as_json(value: dict[str, Any]) -> dict[str, Any]:
    """As it is after it was written and read: tuples become lists, keys text."""
    found: dict[str, Any] = json.loads(json.dumps(value))
    return found
