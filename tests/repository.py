"""Where this repository is, for the tests that read its files or run its programs."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
