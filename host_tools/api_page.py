"""The reference part of docs/api.md, written from the route table: `python -m host_tools.api_page`."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from edge.api.openapi import plain
from edge.api.route import Route
from edge.api.routes import ROUTES
from edge.api.troubles import CODES

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
BEGIN = "<!-- generated from edge/api/routes.py by `.venv/bin/python -m host_tools.api_page` -->\n"
END = "<!-- end of the generated part -->\n"
_NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    NoneType: "null",
    Any: "anything",
}


def reference() -> str:
    """All routes with their parameters and answers, and the codes of troubles, as Markdown."""
    rows = [f"| `{route.method} {route.path}` | {route.meaning} |\n" for route in ROUTES]
    codes = [f"| `{code}` | {meaning} |\n" for code, meaning in CODES.items()]
    return "".join(
        [
            "| route | answer |\n|---|---|\n",
            *rows,
            *map(_section, ROUTES),
            "\n## Codes of troubles\n\n| code | meaning |\n|---|---|\n",
            *codes,
        ]
    )


def with_reference(page: str) -> str:
    """The page with its generated part replaced."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{reference()}\n{END}{rest.partition(END)[2]}"


def _section(route: Route) -> str:
    text = f"\n## {route.method} {route.path}\n\n{route.meaning[0].upper()}{route.meaning[1:]}."
    text += f" Scope: {route.scope}.\n" if route.scope else "\n"
    if route.segments or route.parameters:
        text += "\n| parameter | expected | default | meaning |\n|---|---|---|---|\n"
        for each in (*route.segments, *route.parameters):
            expected = each.expected.replace("|", "\\|")
            text += f"| `{each.name}` | {expected} | {each.default or ''} | {each.meaning} |\n"
    if route.body is not None:
        text += "\n| key of the body | type | default | meaning |\n|---|---|---|---|\n"
        for option in route.body:
            words = option.type_words + (f", {option.mark.words}" if option.mark else "")
            default = "required" if option.required else option.default_text
            default = "" if route.patch else default
            text += f"| `{option.key}` | {words} | {default} | {option.meaning} |\n"
    return text + "\n```text\n" + _answer(route) + "\n```\n"


def _answer(route: Route) -> str:
    if route.media != "application/json":
        return route.media
    return "\n".join(_lines("", plain(route.answer), "", ""))


def _lines(name: str, schema: Any, meaning: str, indent: str) -> Iterator[str]:
    """One line a field, those of an object indented below it."""
    schema, meaning = _unwrapped(schema, meaning)
    yield f"{indent}{name}{': ' if name else ''}{_name(schema)}{'  # ' if meaning else ''}{meaning}"
    objects = list(_objects(schema))
    for inner in objects:
        if len(objects) > 1:
            yield f"{indent}{inner.__name__}"
        fields = get_type_hints(inner, include_extras=True)
        for key in _in_order(inner):
            yield from _lines(key, fields[key], "", indent + "  ")


def _unwrapped(schema: Any, meaning: str) -> tuple[Any, str]:
    if get_origin(schema) is Annotated:
        inner, text = get_args(schema)
        return inner, meaning or text
    return schema, meaning


def _name(schema: Any) -> str:
    """A type in words: `[x]` is a list of x, `{name: x}` an object whose names are not fixed."""
    schema, _ = _unwrapped(schema, "")
    origin, arguments = get_origin(schema), get_args(schema)
    if origin is list:
        return f"[{_name(arguments[0])}]"
    if origin is dict:
        return f"{{name: {_name(arguments[1])}}}"
    if origin in (Union, UnionType):
        return " or ".join(map(_name, arguments))
    if origin is Literal:
        return " or ".join(f'"{each}"' for each in arguments)
    return _NAMES.get(schema) or str(schema.__name__)


def _objects(schema: Any) -> Iterator[Any]:
    """The objects with fixed fields that a type is made of, outermost first."""
    schema, _ = _unwrapped(schema, "")
    if is_typeddict(schema) or is_dataclass(schema):
        yield schema
    elif get_origin(schema) is not Literal:
        for each in get_args(schema):
            yield from _objects(each)


def _in_order(schema: Any) -> list[str]:
    """Names of fields, those that are always there first."""
    required = getattr(schema, "__required_keys__", ())
    return sorted(get_type_hints(schema), key=lambda key: key not in required)


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text()))
