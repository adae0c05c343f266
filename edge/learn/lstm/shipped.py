"""The models that come with the software: where they lie, and how one is read by name.

In an installed package, and in a release on a node, they are `edge/models`; in a checkout, installed as
editable or not installed at all, they are `models` beside `edge`.

An interpreter that is given a damaged file may crash the whole process. So a file is compared with the
checksum on its card before anything interprets it.
"""

import hashlib
import re
from pathlib import Path

from ...files import read_bytes, read_text
from ..model import DamagedFile

_SHA256 = re.compile(r"sha256 `([0-9a-f]{64})`")
_MOST_BYTES = 16 << 20
_EDGE = Path(__file__).parents[2]


def models_folder(edge: Path = _EDGE) -> Path:
    """The folder of the shipped models that belongs to this package."""
    inside = edge / "models"
    return inside if inside.is_dir() else edge.parent / "models"


def shipped_models() -> list[str]:
    """The names that `read_model` knows."""
    return sorted(path.stem for path in models_folder().glob("*.tflite"))


def read_model(name_or_path: str) -> bytes:
    """The shipped .tflite file of that name, or the file at that path.

    A shipped file must have a card, `NAME.md`, with its sha256; one at a path may have one beside it. Raises
    ValueError for neither, DamagedFile for a file that is not the one on its card or cannot be read.
    """
    shipped = name_or_path in shipped_models()
    path = models_folder() / f"{name_or_path}.tflite" if shipped else Path(name_or_path)
    try:
        content = read_bytes(path, _MOST_BYTES)
    except OSError as error:
        if shipped:
            raise DamagedFile(f"{path} is not used: {error.strerror}") from error
        names = ", ".join(shipped_models())
        raise ValueError(
            f"start = {name_or_path}: not a shipped model ({names}) and not a readable file: {error.strerror}"
        ) from error
    card = path.with_suffix(".md")
    if shipped or card.exists():
        _verify(content, path, card)
    return content


def checksum_on(card: str) -> str | None:
    """The sha256 that a card gives, or None."""
    found = _SHA256.search(card)
    return found and found[1]


def _verify(content: bytes, path: Path, card: Path) -> None:
    """Raises DamagedFile."""
    try:
        expected = checksum_on(read_text(card))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise DamagedFile(f"{path} is not used: its card {card} {reason}") from error
    if expected != hashlib.sha256(content).hexdigest():
        raise DamagedFile(f"{path} is damaged: its sha256 is not the one on its card {card.name}")
