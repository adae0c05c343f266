"""The OpenAPI 3.1 document of the interface, made from the table of routes when it is asked for."""

from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from .. import __version__
from ..option import Matching, OneOf, Option, Within
from .answer import PHRASES, PROBLEM, Reply
from .long import Long
from .parameters import Parameter
from .route import ANYBODY, Route

if TYPE_CHECKING:
    from .context import Context

Schema = dict[str, Any]
_KINDS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    None: {"type": "null"},
    Path: {"type": "string"},
    bytes: {"type": "string"},
    Any: {},
}
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")


def openapi(context: "Context") -> dict[str, Any]:
    """Answers /openapi.json."""
    return document(context.routes)


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """All routes, their parameters, bodies and answers."""
    schemas: dict[str, Schema] = {"Problem": _PROBLEM}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "microgrid-edge",
            "version": __version__,
            "description": "The HTTP interface of one node of a microgrid.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "edge_NODE"},
            },
        },
    }


_PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "names the key, its value, and what is expected"},
    },
    "required": ["type", "title", "status", "detail"],
}


def plain(schema: Any) -> Any:
    """The type of what is sent, without how it is sent."""
    origin, arguments = get_origin(schema), get_args(schema)
    if origin in (Long, Reply):
        return plain(arguments[0])
    if origin in (Union, UnionType):
        kinds: list[Any] = []
        for each in map(plain, arguments):
            if each not in kinds:
                kinds.append(each)
        return Union[tuple(kinds)]  # noqa: UP007 - of a list
    return schema


def _operation(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    success = "201" if route.method == "POST" and route.scope == "configure" else "200"
    answers = [
        success,
        "400",
        "401",
        "429",
        "503",
        *(["404"] if route.segments or route.body or route.media == "text/html" else []),
    ]
    operation: dict[str, Any] = {
        "summary": route.meaning,
        "parameters": [
            *(_parameter(each, "path") for each in route.segments),
            *(_parameter(each, "query") for each in route.parameters),
        ],
        "responses": {
            success: {"description": PHRASES[int(success)], "content": _content(route, schemas)},
        },
    }
    if route.scope != ANYBODY:
        answers.append("403")
        optional: list[Schema] = [{}] if route.scope == "read" else []
        operation["security"] = [*optional, {"token": []}, {"session": []}]
    if route.body is not None:
        answers += ["409", "411", "413", "415", "422"]
        body = _body(route.body, route.patch)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    elif route.method in _CHANGES:
        answers.append("409")
    if route.method == "GET":
        operation["responses"]["304"] = {"description": PHRASES[304]}
        answers.append("413")
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status in sorted(set(answers) - {success}):
        content = {PROBLEM: problem}
        operation["responses"][status] = {"description": PHRASES[int(status)], "content": content}
    return operation


def _content(route: Route, schemas: dict[str, Schema]) -> dict[str, Any]:
    if route.media != "application/json":
        return {route.media: {"schema": {"type": "string"}}}
    content: dict[str, Any] = {route.media: {"schema": schema_of(plain(route.answer), schemas)}}
    if any(each.name == "format" for each in route.parameters):
        content["text/csv"] = {"schema": {"type": "string"}}
    return content


def _parameter(each: Parameter, where: str) -> dict[str, Any]:
    schema = dict(each.schema)
    if each.default is not None:
        schema["default"] = each.value(each.default)
    meaning = f"{each.meaning}; {each.expected}"
    return {
        "name": each.name,
        "in": where,
        "required": where == "path",
        "description": meaning,
        "schema": schema,
    }


def _body(options: Sequence[Option], patch: bool) -> Schema:
    required = [] if patch else [each.key for each in options if each.required]
    schema: Schema = {
        "type": "object",
        "properties": {each.key: _option(each) for each in options},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    return schema


def _option(option: Option) -> Schema:
    schema = dict(_KINDS.get(option.kind, {"type": "string"}), description=option.meaning)
    match option.mark:
        case Within(least=least, most=most):
            schema |= {"minimum": least, "maximum": most}
        case OneOf(choices=choices):
            schema["enum"] = list(choices)
        case Matching(pattern=pattern):
            schema["pattern"] = f"^{pattern}$"
    return schema


def schema_of(schema: Any, schemas: dict[str, Schema]) -> Schema:
    """A type as JSON Schema; its objects go to `schemas` by name."""
    origin, arguments = get_origin(schema), get_args(schema)
    if origin is Annotated:
        return schema_of(arguments[0], schemas) | {"description": arguments[1]}
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(each, schemas) for each in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": schema_of(arguments[0], schemas)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(arguments[1], schemas)}
    if is_typeddict(schema) or is_dataclass(schema):
        return _object(schema, schemas)
    return dict(_KINDS[schema])


def _object(schema: Any, schemas: dict[str, Schema]) -> Schema:
    name = schema.__name__.strip("_")
    if name not in schemas:
        schemas[name] = {}  # it may contain itself
        fields = get_type_hints(schema, include_extras=True)
        required = getattr(schema, "__required_keys__", fields.keys())
        schemas[name] = {
            "type": "object",
            "properties": {key: schema_of(each, schemas) for key, each in fields.items()},
            "required": sorted(required),
        }
    return {"$ref": f"#/components/schemas/{name}"}
