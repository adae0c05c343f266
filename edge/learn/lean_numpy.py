"""Loads the parts of numpy that a node does not need only when they are used, as numpy 2 does by itself.

tflite-runtime needs numpy 1, which loads all of these parts when it is imported. Measured on x86-64: numpy
takes 10.0 MB of RSS with this module and 14.6 MB without it.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

_PARTS = ("ctypeslib", "fft", "ma", "polynomial", "random")
_DOCSTRINGS = ("core._add_newdocs", "core._add_newdocs_scalars")  # 0.4 MB of them, which nobody reads here
_LATER = {f"numpy.{part}" for part in (*_PARTS, *_DOCSTRINGS)}


class _Later:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _LATER else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def prepare() -> None:
    """Call this before the first import of numpy; afterwards it has no effect."""
    if "numpy" not in sys.modules and _Later not in sys.meta_path:
        sys.meta_path.insert(0, _Later)
