"""Finds the TFLite runtime that is installed.

tflite-runtime ends at Python 3.11 and numpy 1; ai-edge-litert is its successor. The former can be imported
with numpy 2 and fails only when it builds an interpreter, so each runtime is tried by building one.
"""

from importlib import import_module
from typing import Any

_RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


class NoRuntime(RuntimeError):
    """No TFLite runtime works on this machine."""


def interpreter(model: bytes) -> Any:
    """An interpreter of a .tflite model, ready to run. Raises NoRuntime; ValueError for an invalid model."""
    tried = []
    for name in _RUNTIMES:
        try:
            module = import_module(name)
        except ImportError as error:
            tried.append(f"{name}: {error}")
            continue
        try:
            return _built(module, model)
        except ValueError:
            raise  # the runtime works, but the model is invalid
        except Exception as error:  # a runtime that does not fit this numpy may raise anything
            tried.append(f"{name}: {error!r}")
    raise NoRuntime("no TFLite runtime works on this machine (" + "; ".join(tried) + ")")


def _built(module: Any, model: bytes) -> Any:
    options = {}
    if hasattr(module, "OpResolverType"):  # the delegate takes memory and helps only larger networks
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    built = module.Interpreter(model_content=model, num_threads=1, **options)
    built.allocate_tensors()
    return built
