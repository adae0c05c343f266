"""The one place that knows which TFLite runtime there is.

tflite-runtime ends at Python 3.11 and numpy 1; ai-edge-litert is its successor. The former can be imported
with numpy 2 and fails only when an interpreter is built: so a runtime counts when it has built one.
"""

from importlib import import_module
from typing import Any

_RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")


class NoRuntime(RuntimeError):
    """No TFLite runtime works here."""


def interpreter(model: bytes) -> Any:
    """An interpreter of a .tflite model, ready to run. Raises NoRuntime; ValueError for what is no model."""
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
            raise  # the runtime works, the model does not
        except Exception as error:  # whatever a runtime that does not fit this numpy throws
            tried.append(f"{name}: {error!r}")
    raise NoRuntime("no TFLite runtime works here (" + "; ".join(tried) + ")")


def _built(module: Any, model: bytes) -> Any:
    options = {}
    if hasattr(module, "OpResolverType"):  # the delegate is made for networks far larger, and takes memory
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    built = module.Interpreter(model_content=model, num_threads=1, **options)
    built.allocate_tensors()
    return built
