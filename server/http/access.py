"""Before every view: who asks, may they at all, and did they mean to."""

from urllib.parse import urlsplit

from flask import Flask, current_app, g, request

from server.db.session import unit_of_work
from server.errors import Forbidden, Unauthenticated
from server.http.context import runtime
from server.http.cookies import session_token
from server.http.extensions import csrf
from server.http.markers import Marker, Policy, Public, marker_of
from server.people.rules import Principal, may_somewhere
from server.people.sessions import load_principal

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Flask) -> None:
    """Put the checks in front of every view of an app."""
    app.before_request(_admit)


def _admit() -> None:
    if request.endpoint is None:
        # The page that says so speaks the viewer's language, like every other.
        g.principal = _find_principal()
        return
    marker = marker_of(request.endpoint, current_app.view_functions[request.endpoint])
    if marker is None:
        # The census test keeps this from happening; a forgotten mark must not open a door.
        raise Forbidden("unmarked_route")
    if isinstance(marker, Policy) or marker.session:
        g.principal = _find_principal()
    if isinstance(marker, Policy) and marker.max_body is not None:
        # Before the token is looked for, which reads the body; whoever may not ends here.
        _check_action(marker)
        request.max_content_length = marker.max_body
    if request.method not in _SAFE and not (isinstance(marker, Public) and not marker.csrf):
        _check_origin()
        csrf.protect()
    _check_action(marker)


def _check_action(marker: Marker) -> None:
    if not isinstance(marker, Policy):
        return
    found: Principal | None = g.principal
    if found is None:
        raise Unauthenticated
    if not may_somewhere(found, marker.action):
        raise Forbidden("no_right", marker.action.value)


def _find_principal() -> Principal | None:
    token = session_token()
    if token is None:
        return None
    parts = runtime()
    with unit_of_work(parts.sessions, tenant_id=token.tenant_id) as session:
        # A stream reconnects by itself, which is no sign that anybody is there.
        touch = not request.path.startswith("/stream/")
        return load_principal(session, parts.clock, token, touch=touch)


def _check_origin() -> None:
    # Browsers that send neither header are covered by the token and the SameSite cookie.
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        raise Forbidden("cross_site")
    origin = request.headers.get("Origin")
    if origin is None:
        return
    if urlsplit(origin).netloc != request.host or origin == "null":
        raise Forbidden("cross_site")
