"""The memory of a node before it runs: a small process builds it, and says what it takes.

The process is one of this interpreter with these libraries, so the figures are those of this machine. The
node is built as `run` builds it, but without ports, and it is never started. So a missing runtime and an
option that a model does not know are found as well.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.budget import Measured
from ..config.settings import NodeConfig

_TIMEOUT_S = 120.0  # a Raspberry Pi that is busy
_WITHOUT_LEARNING = "--without-learning"
_AS_THE_UNIT = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONNODEBUGRANGES": "1"}


class CannotMeasure(Exception):
    """No process can be started, or it does not end."""


class CannotBuild(Exception):
    """The node cannot be built: a library is missing, or an option means nothing to its model."""


def measured(config: NodeConfig, file: Path) -> Measured:
    """Memory of the node that `file` describes. Raises CannotBuild, CannotMeasure."""
    plain = _ask(file, _WITHOUT_LEARNING)
    learning_mb = _ask(file)["built_mb"] - plain["built_mb"] if config.learning else 0.0
    return Measured(plain["libraries_mb"], max(0.0, learning_mb))


def _ask(file: Path, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", __name__, str(file), *arguments]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=_AS_THE_UNIT | os.environ,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMeasure(str(error)) from None
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        last = (ended.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise CannotMeasure(f"the process that builds it ended with {ended.returncode}: {last}") from None
    if "trouble" in answer:
        raise CannotBuild(answer["trouble"])
    return answer


# ---- the small process -----------------------------------------------------------------------


def _build(file: str, *arguments: str) -> dict[str, float | str]:
    """Build the node, and return the memory before and after, or why it cannot be built."""
    from .docstrings import drop

    drop()
    from ..clock import SystemClock
    from ..config.check import load
    from ..meter.meters import SerialMeters
    from ..net.mqtt import MqttLinks
    from ..net.settings import BrokerSettings
    from ..node import Node
    from ..twins import recorder  # noqa: F401 - as on every node
    from ..twins.registry import TwinError
    from . import assembly  # noqa: F401 - what `run` imports

    config, clock, rng = load(file), SystemClock(), random.Random(1)
    if config.trust:
        from ..trust import keyring  # noqa: F401
    libraries_mb = _rss_mb()
    if _WITHOUT_LEARNING in arguments:
        config = replace(config, learning=None)
    with tempfile.TemporaryDirectory(prefix="edge-check-") as folder:
        config = replace(config, node=replace(config.node, state_dir=Path(folder)))
        links = MqttLinks(config.name, BrokerSettings(), (), rng, clock=clock)
        try:
            node = Node(config, clock, rng, links, SerialMeters([]))
        except TwinError as error:
            return {"trouble": str(error)}
        built_mb = _rss_mb()
        del node
    return {"libraries_mb": libraries_mb, "built_mb": built_mb}


def _rss_mb() -> float:
    """Resident memory of this process (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no line VmRSS")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_build(*sys.argv[1:])))
