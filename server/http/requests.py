"""The id of a request: in the log, in an answer's header, on an error page."""

import re
import secrets

from flask import Flask, Response, g, has_request_context, request

_FORM = re.compile(r"[A-Za-z0-9-]{8,64}")


def request_id() -> str | None:
    """Return the id of the current request, None outside of one.

    A proxy's id is taken over when it is well formed, so that both logs can be joined.
    """
    if not has_request_context():
        return None
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _FORM.fullmatch(given) else secrets.token_hex(8)
    return str(g.request_id)


def is_quiet(endpoint: str | None) -> bool:
    """Tell whether requests to an endpoint are too many and too dull to count."""
    return endpoint is not None and (endpoint.endswith("static") or endpoint.startswith("health."))


def install(app: Flask) -> None:
    """Add the id to every answer of an app."""

    @app.after_request
    def add(response: Response) -> Response:
        response.headers["X-Request-Id"] = request_id() or ""
        return response
