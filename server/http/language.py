"""The language and time zone of an answer."""

from flask import current_app, has_request_context, request

from server.http.context import principal_or_none

LANGUAGES = ("zh", "en")
COOKIE = "locale"


def choose_language() -> str:
    """Return `zh` or `en`: what was chosen, else what the browser prefers, else the tenant's.

    A choice kept with the account comes before one kept in this browser.
    """
    if not has_request_context():
        return str(current_app.config["BABEL_DEFAULT_LOCALE"])
    viewer = principal_or_none()
    chosen = viewer.locale if viewer is not None and viewer.locale_chosen else chosen_language()
    usual = viewer.locale if viewer is not None else None
    for wanted in (chosen, _preferred_language(), usual):
        if wanted in LANGUAGES:
            return str(wanted)
    return LANGUAGES[0]


def chosen_language() -> str | None:
    """Return the language somebody picked in this browser, None when nobody did."""
    wanted = request.cookies.get(COOKIE)
    return wanted if wanted in LANGUAGES else None


def _preferred_language() -> str | None:
    """Return the first of the browser's languages that the pages speak."""
    primary = (tag.split("-")[0].lower() for tag in request.accept_languages.values())
    return next((language for language in primary if language in LANGUAGES), None)


def choose_zone() -> str | None:
    """Return the zone of the principal's tenant, None for UTC."""
    viewer = principal_or_none()
    return viewer.zone if viewer else None
