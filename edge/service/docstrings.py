"""Drops the docstrings of modules when they are loaded: nobody reads them in a node, and they take memory.

`python -OO` does that, too, but it removes assertions as well, and needs compiled files of its own of every
module, also of those of Python. A space stays: some code wants a docstring, or writes one if there is none.
Only `numpy.ma` cannot be loaded then, as it makes docstrings from those of others; a node does not use it.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from opcode import opmap
from types import CodeType, ModuleType
from typing import Any

_LEAST = 60  # characters: a shorter one may also be a value of the program, and takes little
_FUNCTION = 0x1 | 0x2  # CO_OPTIMIZED and CO_NEWLOCALS of `inspect`, which is large
_LOADS, _STORES, _EXTENDS = opmap["LOAD_CONST"], opmap["STORE_NAME"], opmap["EXTENDED_ARG"]


def drop() -> None:
    """From now on, for modules that have not been imported."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        return None if code is None else without_docstrings(code)


def without_docstrings(code: CodeType) -> CodeType:
    """The same code without the long docstrings of its module, classes and functions."""
    consts: list[Any] = [
        without_docstrings(each) if isinstance(each, CodeType) else each for each in code.co_consts
    ]
    place = _place(code)
    if place is not None and isinstance(consts[place], str) and len(consts[place]) >= _LEAST:
        consts[place] = " "
    return code.replace(co_consts=tuple(consts))


def _is_function(code: CodeType) -> bool:
    return code.co_flags & _FUNCTION == _FUNCTION


def _place(code: CodeType) -> int | None:
    """Where the docstring is among the constants."""
    if _is_function(code):
        comprehension = code.co_name.startswith("<")
        return None if comprehension or not code.co_consts else 0
    if "__doc__" not in code.co_names:
        return None
    name, at, number = code.co_names.index("__doc__"), code.co_code, 0
    for i in range(0, len(at) - 3, 2):  # modules and classes store it: LOAD_CONST, STORE_NAME
        number = number << 8 | at[i + 1]
        if at[i] == _LOADS and at[i + 2] == _STORES and at[i + 3] == name:
            return number
        if at[i] != _EXTENDS:
            number = 0
    return None
