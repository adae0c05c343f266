"""The models by name. A model is loaded when it is asked for, so that a node pays only for those it uses."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .calendar import UTC

if TYPE_CHECKING:
    import random

    from .calendar import Calendar
    from .model import Model
    from .states import StateScale
    from .weather import Weather

MODELS = {
    "persistence": "persistence:Persistence",
    "majority": "majority:Majority",
    "markov": "markov:Markov",
    "lstm": "lstm:Lstm",
    "mixture": "mixture:Mixture",
    "lstm_thesis": "lstm:LstmThesis",
}


def create(
    name: str,
    scale: "StateScale",
    rng: "random.Random",
    weather: "Weather | None" = None,
    calendar: "Calendar | None" = None,
    **options: Any,
) -> "Model":
    """A model by its name. Raises ValueError for an unknown name or an invalid option."""
    if name not in MODELS:
        raise ValueError(f"model {name!r} is not one of {', '.join(MODELS)}")
    module, class_name = MODELS[name].split(":")
    kind = getattr(import_module(f".{module}", __package__), class_name)
    try:
        model: Model = kind(scale, rng, weather, calendar or UTC, **options)
    except TypeError as error:
        raise ValueError(f"model {name!r}: {_plain(str(error))}") from error
    return model


def _plain(error: str) -> str:
    """The message of Python about an unknown argument, in words about options."""
    _, unexpected, option = error.partition("unexpected keyword argument ")
    return f"unknown option {option}" if unexpected else error
