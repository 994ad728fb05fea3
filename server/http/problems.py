"""From errors to answers: problem+json for the API, a page for people.

A foreign object and a missing one give the same bytes; the request id of a 404 is in its
header only.
"""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

import orjson
from flask import Flask, Response, current_app, redirect, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response as AnyResponse

from server.audit.services import LOOK_QUOTA, record_security_event
from server.errors import (
    ConfigurationError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OutpostError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from server.http.context import principal, transaction
from server.http.requests import request_id

_log = logging.getLogger(__name__)

STATUS_OF: dict[type[OutpostError], HTTPStatus] = {
    InvalidInput: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ConfigurationError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The one table from refusals to HTTP."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error on its way out."""

    status: int
    code: str
    detail: str = ""
    fields: dict[str, str] | None = None
    retry_after_s: int | None = None


def wants_json() -> bool:
    """Tell whether the client is a program: the API, the stream, or one that asks for JSON."""
    if request.path.startswith(("/api/", "/stream/")):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json"


def install(app: Flask) -> None:
    """Register the answers to all errors."""
    app.register_error_handler(OutpostError, _refused)
    app.register_error_handler(CSRFError, _csrf_failed)
    app.register_error_handler(SecurityError, _untrusted)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _part_down)
    app.register_error_handler(PoolTimeout, _part_down)
    app.register_error_handler(DataError, _unstorable)
    app.register_error_handler(RedisError, _part_down)
    app.register_error_handler(Exception, _unexpected)


def answer(problem: Problem) -> AnyResponse:
    """Return the answer to a problem in the form the client understands."""
    if problem.status == HTTPStatus.UNAUTHORIZED and not wants_json():
        return _to_sign_in()
    response = _as_json(problem) if wants_json() else _as_page(problem)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Session realm="outpost"'
    return response


def _refused(error: OutpostError) -> AnyResponse:
    status = next((s for kind, s in STATUS_OF.items() if isinstance(error, kind)), 500)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("refused: %s", error.code, exc_info=error)
    retry = error.retry_after_s if isinstance(error, TooManyRequests) else None
    if isinstance(error, TooManyRequests) and error.detail == LOOK_QUOTA:
        _tell_auditors()
    if isinstance(error, NotFound):
        return answer(Problem(status, NotFound.code))
    if isinstance(error, Unavailable):
        retry = 10
    detail = error.detail if status < HTTPStatus.INTERNAL_SERVER_ERROR else ""
    return answer(Problem(status, error.code, detail, error.fields or None, retry))


def _tell_auditors() -> None:
    # The refused transaction is gone; that somebody tried is worth one of its own.
    viewer = principal()
    with transaction() as session:
        record_security_event(
            session, tenant_id=viewer.tenant_id, actor_id=viewer.account_id, kind=LOOK_QUOTA
        )


def _csrf_failed(error: CSRFError) -> AnyResponse:
    _log.warning("csrf: %s", error.description)
    return answer(Problem(HTTPStatus.FORBIDDEN, "csrf"))


def _untrusted(_error: SecurityError) -> AnyResponse:
    # No page: without a host that is ours there are no addresses to link to.
    return Response("this host name is not served here\n", status=400, mimetype="text/plain")


def _http_error(error: HTTPException) -> AnyResponse:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        # A redirect on its way, not an error.
        return error.get_response()
    response = answer(Problem(error.code, HTTPStatus(error.code).name.lower()))
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _part_down(error: Exception) -> AnyResponse:
    _log.error("a part is down: %s", type(error).__name__, exc_info=error)
    if isinstance(error, DBAPIError) and not _is_outage(error):
        return answer(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "error"))
    return answer(Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", retry_after_s=10))


def _is_outage(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    # Without a state it never reached the server. Classes: 08 connection, 53 resources,
    # 55 locks, 57 shutdown or timeout.
    return state is None or state[:2] in {"08", "53", "55", "57"}


def _unstorable(error: DataError) -> AnyResponse:
    if "NUL" not in str(error.orig):
        return _unexpected(error)
    # PostgreSQL keeps no NUL in a text; nobody types one.
    _log.warning("a text with NUL was refused")
    return answer(Problem(HTTPStatus.BAD_REQUEST, "unreadable"))


def _unexpected(error: Exception) -> AnyResponse:
    _log.error("unexpected: %s", type(error).__name__, exc_info=error)
    return answer(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "error"))


def _as_json(problem: Problem) -> AnyResponse:
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": int(problem.status),
        "code": problem.code,
    }
    if problem.detail:
        body["detail"] = problem.detail
    if problem.fields:
        body["fields"] = problem.fields
    if problem.status != HTTPStatus.NOT_FOUND:
        body["request_id"] = request_id()
    return Response(
        orjson.dumps(body), status=int(problem.status), mimetype="application/problem+json"
    )


def _as_page(problem: Problem) -> AnyResponse:
    title, advice = _words(problem)
    shown_id = None if problem.status == HTTPStatus.NOT_FOUND else request_id()
    if "shell" not in current_app.blueprints:
        # The stream process has no pages.
        return Response(f"{title}\n", status=int(problem.status), mimetype="text/plain")
    page = render_template(
        "http/problem.html", title=title, advice=advice, problem=problem, shown_id=shown_id
    )
    return Response(page, status=int(problem.status), mimetype="text/html")


def _words(problem: Problem) -> tuple[str, str]:
    known = {
        400: (_("This cannot be done"), _("Something in the request is not as it should be.")),
        403: (_("Not allowed"), _("Your account has no right to do this.")),
        404: (_("Not found"), _("There is nothing here, or nothing you may see.")),
        409: (_("Changed meanwhile"), _("Somebody else changed this. Load the page again.")),
        413: (_("Too large"), _("What you sent is larger than this page accepts.")),
        429: (_("Too many requests"), _("Wait a moment, then try again.")),
        503: (_("Not available right now"), _("A part of the system is down. Try again shortly.")),
    }
    if problem.code == "csrf":
        return known[403][0], _("The form was open too long. Go back, reload and send it again.")
    if problem.detail == LOOK_QUOTA:
        return known[429][0], _(
            "You opened the tracks of many people within an hour. This was noted."
        )
    unknown = (_("Something went wrong"), _("The error was written to the log."))
    if problem.status in known:
        return known[problem.status]
    return known[400] if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else unknown


def _to_sign_in() -> AnyResponse:
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    query = urlencode({"next": target}) if target != "/" else ""
    response = redirect("/login" + (f"?{query}" if query else ""), 303)
    if request.headers.get("HX-Request"):
        # A fragment cannot show the sign-in page; htmx loads it as a whole.
        response = Response(status=401)
        response.headers["HX-Redirect"] = "/login"
    return response
