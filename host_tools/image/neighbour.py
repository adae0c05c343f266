"""The neighbour of a trial: broker and service on this machine, in their own folder."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..broker import die_with_parent
from ..setup.debs import REPOSITORY


class Neighbour:
    """A context manager that runs them; `api_port` as in the configuration."""

    def __init__(self, root: Path, api_port: int, mosquitto: str) -> None:
        self._root = root
        self._url = f"http://127.0.0.1:{api_port}"
        self._mosquitto = mosquitto
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        config = self._root / "data/edge/config"
        self._start("broker", [self._mosquitto, "-c", str(config / "mosquitto.conf")])
        self._start("node", [sys.executable, "-m", "edge", "run", "--config", str(config / "node.toml")])
        return self

    def _start(self, name: str, command: list[str]) -> None:
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        with (self._root / f"{name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    cwd=REPOSITORY,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock
                )
            )

    def ask(self, path: str) -> Any:
        """GET JSON from its HTTP server. Raises OSError."""
        with urllib.request.urlopen(f"{self._url}/api/v1{path}", timeout=5) as response:
            return json.load(response)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
