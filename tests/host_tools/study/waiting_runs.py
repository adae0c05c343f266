"""Runs for tests: workers in processes of their own import this module."""

import os
import time
from pathlib import Path


def square(number):
    if number == 13:
        raise RuntimeError("thirteen")
    if number < 0:
        raise ValueError(f"number = {number}: must not be negative")
    return {"square": number * number, "pid": os.getpid()}


def wait_for_go(folder, number):
    """The first runs leave the number of their process, and wait until the file `go` exists."""
    folder = Path(folder)
    (folder / f"{number}.{os.getpid()}").touch()
    deadline_s = time.monotonic() + 60
    while not (folder / "go").exists():
        if time.monotonic() > deadline_s:
            raise TimeoutError("no go")
        time.sleep(0.02)
    return {"square": number * number, "pid": os.getpid()}
