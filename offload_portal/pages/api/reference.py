"""The OpenAPI document as a page is made of it: operations by tag, and the shapes they name."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
JSON_TYPES = ("application/json", "application/problem+json")
_Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter or a shape's field. `shape` names another shape that it holds, or is empty."""

    name: str
    kind: str
    shape: str
    required: bool
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    text: str
    shape: str


@dataclass(frozen=True, slots=True)
class Example:
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """`scopes`: any of them opens it; none are asked for where it is empty."""

    name: str
    method: str
    path: str
    title: str
    text: str
    scopes: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: str
    examples: tuple[Example, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    text: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    title: str
    version: str
    text: str
    tags: tuple[tuple[str, tuple[Operation, ...]], ...]
    shapes: tuple[Shape, ...]


def reference(document: _Schema) -> Reference:
    """All of the document that a reader needs; tags and shapes by name."""
    tags: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                found = methods[method]
                tags.setdefault(found["tags"][0], []).append(_operation(path, method, found))
    shapes = document["components"]["schemas"]
    info = document["info"]
    return Reference(
        title=info["title"],
        version=info["version"],
        text=info.get("description", ""),
        tags=tuple((name, tuple(found)) for name, found in sorted(tags.items())),
        shapes=tuple(_shape(name, shapes[name]) for name in sorted(shapes)),
    )


def _operation(path: str, method: str, found: _Schema) -> Operation:
    content = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    scopes = {scope for way in found.get("security", ()) for each in way.values() for scope in each}
    parameters = (
        _field(each["name"], each["schema"], each.get("required", False), each)
        for each in found.get("parameters", ())
    )
    return Operation(
        name=found["operationId"],
        method=method.upper(),
        path=path,
        title=found.get("summary", ""),
        text=found.get("description", ""),
        scopes=tuple(sorted(scopes)),
        parameters=tuple(parameters),
        body=_named(content.get("schema", {})),
        examples=tuple(_examples(content.get("examples", {}).values())),
        answers=tuple(_answer(status, each) for status, each in found["responses"].items()),
    )


def _examples(found: Iterable[_Schema]) -> Iterable[Example]:
    for each in found:
        text = json.dumps(each["value"], indent=2, ensure_ascii=False)
        yield Example(each.get("summary", ""), text)


def _answer(status: str, found: _Schema) -> Answer:
    content = found.get("content", {})
    named = [_named(content[kind].get("schema", {})) for kind in JSON_TYPES if kind in content]
    other = next((kind for kind in content if kind not in JSON_TYPES), "")
    return Answer(status, found.get("description") or other, next(iter(named), ""))


def _shape(name: str, found: _Schema) -> Shape:
    required = found.get("required", ())
    fields = (
        _field(key, each, key in required) for key, each in found.get("properties", {}).items()
    )
    values = " · ".join(str(value) for value in found.get("enum", ()))
    return Shape(name, values or found.get("description", ""), tuple(fields))


def _field(name: str, schema: _Schema, required: bool, around: _Schema | None = None) -> Field:
    text = (around or {}).get("description") or schema.get("description", "")
    place = (around or {}).get("in", "")
    return Field(name, _kind(schema), _named(schema), required, _without_lists(text), place)


def _without_lists(text: str) -> str:
    """The generator repeats the values of a choice as a list; `_kind` names them."""
    kept = [line for line in text.splitlines() if not line.startswith("* `")]
    return " ".join(kept).strip()


def _named(schema: _Schema) -> str:
    """The shape that the schema refers to, within a list or beside null too."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    inner = [schema.get("items", {})]
    for way in ("oneOf", "anyOf", "allOf"):
        inner += schema.get(way, ())
    return next((name for each in inner if each and (name := _named(each))), "")


def _kind(schema: _Schema) -> str:
    """In a few words: what JSON it is, its bounds, its values."""
    if "enum" in schema:
        return " · ".join("null" if value is None else str(value) for value in schema["enum"])
    kinds = schema.get("type", "")
    words = kinds if isinstance(kinds, str) else " / ".join(kinds)
    if "items" in schema:
        words = f"array of {_kind(schema['items']) or _named(schema['items'])}"
    if schema.get("format"):
        words += f" ({schema['format']})"
    return words + _bounds(schema)


def _bounds(schema: _Schema) -> str:
    least = schema.get("minimum", schema.get("minLength", schema.get("minItems")))
    most = schema.get("maximum", schema.get("maxLength", schema.get("maxItems")))
    if least is None and most is None:
        return ""
    return f", {'' if least is None else least}…{'' if most is None else most}"
