"""The options of each model, as `node_options` and `cluster_options` may state them.

Here and not beside the models, because a configuration is checked without numpy.
"""

from collections.abc import Iterator, Mapping

from ..option import REQUIRED, Mark, OneOf, Option, Within, shown

_COUNT, _MINUTES, _RATE = Within(1, 100_000), Within(1, 10_080), Within(0, 1)


def _option(key: str, kind: type, mark: Mark | None = None) -> Option:
    return Option(key, kind, REQUIRED, "", mark)


_NETWORKS = (
    _option("layers", int, Within(1, 4)),
    _option("cells", int, Within(1, 256)),
    _option("runner", str, OneOf("tflite", "numpy")),
    _option("start", str),
    _option("burn_min", int, _MINUTES),
    _option("span_min", int, _MINUTES),
    _option("batch", int, _COUNT),
    _option("together", int, _COUNT),
    _option("first_steps", int, Within(0, 100_000)),
    _option("least_steps", int, Within(0, 100_000)),
    _option("first_epochs", float, Within(0, 100_000)),
    _option("first_rate", float, _RATE),
    _option("steps", int, Within(0, 100_000)),
    _option("recent", int, Within(0, 100_000)),
    _option("rate", float, _RATE),
    _option("decay", float, _RATE),
    _option("judged", int, Within(0, 100_000)),
)
_LSTM = (*_NETWORKS, _option("inputs", str), _option("members", int, Within(1, 64)))
OPTIONS: dict[str, tuple[Option, ...]] = {
    "persistence": (),
    "majority": (),
    "markov": (
        _option("window_days", int, Within(1, 1000)),
        _option("context", str, OneOf("none", "weekday", "weather")),
        _option("prior", float, Within(1e-6, 1e6)),
    ),
    "lstm": _LSTM,
    "lstm_thesis": _NETWORKS,
    "mixture": (*_LSTM, _option("share", float, Within(0, 0.99))),
}


def mistakes(model: str, options: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the options of a model, one sentence each."""
    known = {option.key: option for option in OPTIONS[model]}
    for key, value in sorted(options.items()):
        if key not in known:
            yield f"`{key}`: unknown option of {model}; known: {', '.join(known) or 'none'}"
        elif refusal := known[key].refusal(value):
            yield f"`{key} = {shown(value)}`: {refusal}"
