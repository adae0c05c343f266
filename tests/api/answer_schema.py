"""Whether an answer is what the type of its view says, all the way down."""

import types
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from edge.api.answer import Reply
from edge.api.long import Long


def faults(value, schema, at="answer"):
    """Where `value`, decoded from JSON, differs from `schema`; empty when it does not."""
    origin, arguments = get_origin(schema), get_args(schema)
    if schema is Any:
        return []
    if origin in (Annotated, Long, Reply):
        return faults(value, arguments[0], at)
    if origin in (Union, types.UnionType):
        tried = [faults(value, each, at) for each in arguments]
        return min(tried, key=len)
    if origin is Literal:
        return [] if value in arguments else [f"{at}: {value!r}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{at}: {value!r} is no list"]
        return [fault for i, each in enumerate(value) for fault in faults(each, arguments[0], f"{at}[{i}]")]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{at}: {value!r} is no object"]
        return [fault for key, each in value.items() for fault in faults(each, arguments[1], f"{at}.{key}")]
    if is_typeddict(schema) or is_dataclass(schema):
        return _fields(value, schema, at)
    if schema is None or schema is types.NoneType:
        return [] if value is None else [f"{at}: {value!r} is not null"]
    kinds = (int, float) if schema is float else (schema,)
    return [] if type(value) in kinds else [f"{at}: {value!r} is no {schema.__name__}"]


def _fields(value, schema, at):
    if not isinstance(value, dict):
        return [f"{at}: {value!r} is no object"]
    fields = get_type_hints(schema, include_extras=True)
    required = getattr(schema, "__required_keys__", fields.keys())
    found = [f"{at}: {key} is unknown" for key in value.keys() - fields.keys()]
    found += [f"{at}: {key} is missing" for key in required - value.keys()]
    for key in value.keys() & fields.keys():
        found += faults(value[key], fields[key], f"{at}.{key}")
    return found
