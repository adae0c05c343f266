"""The models that come with the software: where they lie, and how one is read by name.

In an installed package, and in a release on a node, they are `edge/models`; in a checkout, installed as
editable or not installed at all, they are `models` beside `edge`.
"""

from pathlib import Path

_EDGE = Path(__file__).parents[2]


def models_folder(edge: Path = _EDGE) -> Path:
    """The folder of the shipped models that belongs to this package."""
    inside = edge / "models"
    return inside if inside.is_dir() else edge.parent / "models"


def shipped_models() -> list[str]:
    """The names that `read_model` knows."""
    return sorted(path.stem for path in models_folder().glob("*.tflite"))


def read_model(name_or_path: str) -> bytes:
    """The shipped .tflite file of that name, or the file at that path. Raises ValueError for neither."""
    shipped = name_or_path in shipped_models()
    path = models_folder() / f"{name_or_path}.tflite" if shipped else Path(name_or_path)
    try:
        return path.read_bytes()
    except OSError as error:
        names = ", ".join(shipped_models())
        raise ValueError(
            f"start = {name_or_path}: not a shipped model ({names}) and not a readable file: {error.strerror}"
        ) from error
