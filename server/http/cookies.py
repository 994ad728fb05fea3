"""The session cookie and the cookie that marks a browser known for an account."""

import secrets
from datetime import timedelta

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from server.http.context import runtime
from server.people.sessions import ABSOLUTE, SessionToken, parse_cookie

_KNOWN_FOR = timedelta(days=90)


def is_https() -> bool:
    """Tell whether people reach this server by https."""
    return runtime().settings.public_url.startswith("https://")


def cookie_name(base: str) -> str:
    """Return a cookie's name; `__Host-` ties it to this host, path and https."""
    return f"__Host-{base}" if is_https() else base


def session_token() -> SessionToken | None:
    """Return the session token of the request, None when there is none of our form."""
    return parse_cookie(request.cookies.get(cookie_name("sid")))


def set_session(response: Response, value: str) -> None:
    """Give the browser a fresh session."""
    response.set_cookie(
        cookie_name("sid"),
        value,
        max_age=int(ABSOLUTE.total_seconds()),
        path="/",
        secure=is_https(),
        httponly=True,
        samesite="Lax",
    )


def clear_session(response: Response) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(
        cookie_name("sid"), path="/", secure=is_https(), httponly=True, samesite="Lax"
    )


def known_browser(sign_in_name: str) -> str | None:
    """Return the mark of a browser that signed in to this account before, None otherwise.

    Such a browser is counted apart, so that strangers who guess at an account cannot lock
    its owner out.
    """
    value = request.cookies.get(cookie_name("known"))
    if value is None:
        return None
    try:
        name, mark = _signer().loads(value, max_age=int(_KNOWN_FOR.total_seconds()))
    except (BadSignature, ValueError, TypeError):
        return None
    return str(mark) if name == sign_in_name else None


def mark_browser(response: Response, sign_in_name: str) -> None:
    """Mark the browser as known for an account."""
    response.set_cookie(
        cookie_name("known"),
        _signer().dumps([sign_in_name, secrets.token_urlsafe(12)]),
        max_age=int(_KNOWN_FOR.total_seconds()),
        path="/",
        secure=is_https(),
        httponly=True,
        samesite="Lax",
    )


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="known-browser")
