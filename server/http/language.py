"""The language and time zone of an answer."""

from flask import current_app, has_request_context, request

from server.http.context import principal_or_none

LANGUAGES = ("zh", "en")
COOKIE = "locale"


def choose_language() -> str:
    """Return `zh` or `en`: the account's, else the cookie's, else what the browser prefers."""
    if not has_request_context():
        return str(current_app.config["BABEL_DEFAULT_LOCALE"])
    viewer = principal_or_none()
    wanted = viewer.locale if viewer else chosen_language()
    if wanted in LANGUAGES:
        return str(wanted)
    for tag in request.accept_languages.values():
        primary = tag.split("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return "zh"


def chosen_language() -> str | None:
    """Return the language somebody picked in this browser, None when nobody did."""
    wanted = request.cookies.get(COOKIE)
    return wanted if wanted in LANGUAGES else None


def choose_zone() -> str | None:
    """Return the zone of the principal's tenant, None for UTC."""
    viewer = principal_or_none()
    return viewer.zone if viewer else None
