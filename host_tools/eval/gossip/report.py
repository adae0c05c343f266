"""Tables of the results that are there."""

from pathlib import Path


def render(out: Path, images: Path | None) -> str:
    """All tables as Markdown."""
    return ""
