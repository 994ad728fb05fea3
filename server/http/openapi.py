"""The OpenAPI 3.1 document, made from the routes, their marks and their descriptions.

A route below `/api/` bears `@describe`, or at least a docstring; a test refuses one without
either. Schemas are msgspec structs or plain JSON Schema dicts.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
import orjson
from flask import Blueprint, Flask, Response, current_app
from werkzeug.routing import Rule

from server.http.markers import Policy, marker_of, public

V = TypeVar("V", bound=Callable[..., Any])
Schema = type | Mapping[str, Any]
"""A msgspec struct (or any type msgspec knows) or a JSON Schema."""

_ATTRIBUTE = "outpost_description"
_PARAMETER = re.compile(r"<(?:(?P<kind>[a-z]+)(?:\([^)]*\))?:)?(?P<name>\w+)>")
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number"},
    "string": {"type": "string"},
    "path": {"type": "string"},
    "date": {"type": "string", "format": "date"},
}
_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string"},
        "fields": {"type": "object", "additionalProperties": {"type": "string"}},
        "request_id": {"type": ["string", "null"]},
    },
}

blueprint = Blueprint("openapi", __name__)


@dataclass(frozen=True, slots=True)
class Description:
    """What a reader of the API needs to know of one route."""

    summary: str
    query: Mapping[str, Schema] = field(default_factory=dict)
    """Optional query parameters by name; `name!` for one that is required."""
    body: Schema | None = None
    body_type: str = "application/json"
    answer: Schema | None = None
    answer_type: str = "application/json"
    status: int = 200
    errors: tuple[int, ...] = ()
    """Statuses with a problem, beyond those every route of its kind may give."""
    security: str | None = None
    """Name of a scheme in `SECURITY` when it is not the session cookie."""


SECURITY: Mapping[str, Mapping[str, Any]] = {
    "session": {"type": "apiKey", "in": "cookie", "name": "__Host-sid"},
    "device": {"type": "http", "scheme": "basic", "description": "credential of one device"},
}


def describe(
    summary: str,
    *,
    query: Mapping[str, Schema] | None = None,
    body: Schema | None = None,
    body_type: str = "application/json",
    answer: Schema | None = None,
    answer_type: str = "application/json",
    status: int = 200,
    errors: tuple[int, ...] = (),
    security: str | None = None,
) -> Callable[[V], V]:
    """Describe a view of the API for the published document.

    Parameters
    ----------
    summary : one line.
    query : parameters by name, `name!` when required; the value is a type or JSON Schema.
    body, body_type : what the request carries.
    answer, answer_type, status : what a success returns.
    errors : further statuses answered with `application/problem+json`.
    security : `device`, or None for the session cookie (or nothing when public).
    """
    text = Description(
        summary, query or {}, body, body_type, answer, answer_type, status, errors, security
    )

    def apply(view: V) -> V:
        setattr(view, _ATTRIBUTE, text)
        return view

    return apply


def description_of(view: Callable[..., Any]) -> Description | None:
    """Return what `describe` put on a view."""
    found = getattr(view, _ATTRIBUTE, None)
    assert found is None or isinstance(found, Description)
    return found


def described(view: Callable[..., Any]) -> Description:
    """Return the description of a view, made from its docstring when it bears none."""
    found = description_of(view)
    if found is not None:
        return found
    lines = (view.__doc__ or "").strip().splitlines()
    summary = lines[0].rstrip(".") if lines else ""
    return Description(summary, answer={"type": ["object", "array"]})


@blueprint.get("/api/openapi.json")
@public("the description of the API holds no data of anybody")
@describe("This document", answer={"type": "object"})
def document() -> Response:
    """Publish the document."""
    response = Response(_rendered(current_app._get_current_object()), mimetype="application/json")  # type: ignore[attr-defined]  # noqa: SLF001
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def build(app: Flask) -> dict[str, Any]:
    """Return the document of an app's routes below `/api/` and `/stream/`."""
    schemas = _Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for rule in api_rules(app):
        path = _PARAMETER.sub(lambda match: "{" + match["name"] + "}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = _operation(app, rule, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Outpost",
            "version": _version(),
            "description": (
                "Times are UTC, ISO 8601 or epoch seconds as named; coordinates WGS-84 "
                "lon, lat in degrees; distances metres."
            ),
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": _PROBLEM, **schemas.components},
            "securitySchemes": SECURITY,
        },
    }


def api_rules(app: Flask) -> Iterator[Rule]:
    """Yield the routes that programs use."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api/", "/stream/")):
            yield rule


@dataclass(slots=True)
class _Schemas:
    components: dict[str, Any] = field(default_factory=dict)

    def of(self, schema: Schema) -> Mapping[str, Any]:
        if isinstance(schema, Mapping):
            return schema
        (made,), parts = msgspec.json.schema_components(
            [schema], ref_template="#/components/schemas/{name}"
        )
        self.components.update(parts)
        return made


@cache
def _rendered(app: Flask) -> bytes:
    return orjson.dumps(build(app))


def _operation(app: Flask, rule: Rule, schemas: _Schemas) -> dict[str, Any]:
    view = app.view_functions[rule.endpoint]
    text = described(view)
    marker = marker_of(rule.endpoint, view)
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": text.summary,
        "parameters": [*_path_parameters(rule), *_query_parameters(text, schemas)],
        "responses": _responses(text, schemas, is_policy=isinstance(marker, Policy)),
    }
    if isinstance(marker, Policy):
        operation["security"] = [{text.security or "session": []}]
        operation["x-action"] = marker.action.value
    elif text.security:
        operation["security"] = [{text.security: []}]
    if text.body is not None:
        content = {text.body_type: {"schema": schemas.of(text.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for match in _PARAMETER.finditer(rule.rule):
        schema = _KINDS.get(match["kind"] or "string", _KINDS["string"])
        yield {"name": match["name"], "in": "path", "required": True, "schema": schema}


def _query_parameters(text: Description, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    for name, schema in text.query.items():
        yield {
            "name": name.removesuffix("!"),
            "in": "query",
            "required": name.endswith("!"),
            "schema": schemas.of(schema),
        }


def _responses(text: Description, schemas: _Schemas, *, is_policy: bool) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "done"}
    if text.answer is not None:
        success["content"] = {text.answer_type: {"schema": schemas.of(text.answer)}}
    responses = {str(text.status): success}
    usual = (401, 403, 404, 503) if is_policy else (503,)
    problem = {"$ref": "#/components/schemas/Problem"}
    for status in sorted({*usual, *text.errors}):
        content = {"application/problem+json": {"schema": problem}}
        responses[str(status)] = {"description": "refused", "content": content}
    return responses


def _version() -> str:
    try:
        return version("outpost")
    except ModuleNotFoundError:
        return "0"
