"""Values of command lines: numbers within a range, and folders that can be written."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path


def number(least: float, most: float = math.inf) -> Callable[[str], float]:
    """For `type=`: a number between two bounds, both allowed; the message names the range."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and least <= value <= most:
            return value
        raise argparse.ArgumentTypeError(f"{text!r} must be a number {_range(least, most)}")

    return read


def whole(least: int, most: float = math.inf) -> Callable[[str], int]:
    """For `type=`: a whole number between two bounds, both allowed; the message names the range."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is not None and least <= value <= most:
            return value
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number {_range(least, most)}")

    return read


def make_folder(path: Path) -> str:
    """Make a folder for results; returns why that fails, and an empty text if it does not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"cannot be created: {error.strerror}"
    return "" if os.access(path, os.W_OK | os.X_OK) else "cannot be written: permission denied"


def _range(least: float, most: float) -> str:
    return f"of at least {least:g}" if most == math.inf else f"between {least:g} and {_plain(most)}"


def _plain(number: float) -> str:
    """115,200 or 0.5."""
    return f"{int(number):,}" if number == int(number) else f"{number:,g}"
