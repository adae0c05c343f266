"""Memory of the interpreter after each library that a node imports, one after the other."""

import subprocess
import sys
from collections.abc import Iterator

from .sheet import Part, Sheet

_LIBRARIES = (
    "orjson",
    "serial",
    "edge.net.lean_paho",
    "edge.__main__",
    "edge.node",
    "edge.trust.keyring",
    "numpy",
)
_IMPORTER = """
import sys
def rss():
    return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmRSS')) / 1024
print('python', rss())
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        continue
    print(name, rss())
"""


def measure() -> dict[str, float]:
    """RSS in MB after each library, cumulative."""
    command = [sys.executable, "-c", _IMPORTER, *_LIBRARIES]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: float(mb) for name, mb in (line.split() for line in output.splitlines())}


def _sheets(found: dict[str, float]) -> Iterator[Sheet]:
    rows = [(name, f"{mb:.1f}") for name, mb in found.items()]
    yield Sheet("memory after imports (cumulative)", ("library", "RSS MB"), rows)


PART = Part("imports", lambda folder: measure(), _sheets)
