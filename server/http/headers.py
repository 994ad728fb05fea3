"""Headers of every answer: what a browser may load, embed, keep and tell others."""

import secrets
from collections.abc import Iterable
from http import HTTPStatus

from flask import Flask, Response, g, request

from server.http.cookies import is_https

_PERMISSIONS = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), fullscreen=(self), "
    "geolocation=(self), gyroscope=(), microphone=(), payment=(), usb=()"
)
_HSTS = "max-age=31536000; includeSubDomains"


def csp_nonce() -> str:
    """Return the nonce that this answer's inline scripts and styles must bear."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(18)
    return str(g.csp_nonce)


def allow_origins(origins: Iterable[str]) -> None:
    """Let this answer's page fetch pictures and data from further origins.

    For maps only, with origins that `server.people.basemaps` has checked.
    """
    g.csp_origins = tuple(origins)


def content_security_policy(nonce: str, origins: Iterable[str] = ()) -> str:
    """Return the policy of a page: nothing from any other host, nothing inline unmarked.

    Parameters
    ----------
    nonce : of inline scripts and styles.
    origins : further hosts, for pictures and data only; never for scripts, styles or workers.
    """
    further = "".join(f" {origin}" for origin in origins)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            f"img-src 'self' data: blob:{further}",
            "worker-src 'self' blob:",
            f"connect-src 'self'{further}",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        )
    )


def install(app: Flask) -> None:
    """Add the headers to every answer of an app."""
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.after_request(_add)


def _add(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = content_security_policy(
        csp_nonce(), g.get("csp_origins", ())
    )
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Permissions-Policy"] = _PERMISSIONS
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if is_https():
        headers["Strict-Transport-Security"] = _HSTS
    if not _is_static() or response.status_code >= HTTPStatus.BAD_REQUEST:
        # Personal unless a view says otherwise.
        headers.setdefault("Cache-Control", "no-store")
    elif "v" in request.args:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _is_static() -> bool:
    return (request.endpoint or "").endswith("static")
