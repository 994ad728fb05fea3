"""The frame around every page: templates, static files, and what each template may call."""

import json
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask_babel import get_locale
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from server.findings.queries import (
    FindingFilter,
    FindingState,
    ReviewState,
    findings_in_scope,
    list_findings,
)
from server.http.context import now, principal_or_none, transaction
from server.http.markers import public
from server.people.rules import Action, Principal, may_for_others
from web import catalog, formats, navigation
from web.icons import icon, status_shape
from web.paths import STATIC

blueprint = Blueprint(
    "shell",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/static",
)

LOCALES = ("zh", "en")
THEMES = ("auto", "light", "dark")
STATUSES = ("on_post", "off_post", "travelling", "stale", "no_signal", "off_duty")


@blueprint.record_once
def _prepare(state: BlueprintSetupState) -> None:
    catalog.compile_catalogs()
    env = state.app.jinja_env
    env.globals.update(
        icon=icon,
        status_shape=status_shape,
        asset=asset,
        without_id=without_id,
        STATUSES=STATUSES,
    )
    env.filters.update(
        amount=formats.amount,
        clock_time=formats.clock_time,
        instant=formats.instant,
        day=formats.day,
        gmt_offset=formats.gmt_offset,
        duration=formats.duration,
        distance=formats.distance,
        initial=formats.initial,
    )
    env.trim_blocks = True
    env.lstrip_blocks = True


@blueprint.app_context_processor
def _frame() -> dict[str, Any]:
    viewer = principal_or_none()
    locale = str(get_locale() or "en")
    return {
        "viewer": viewer,
        "locale": locale,
        "html_lang": "zh-CN" if locale.startswith("zh") else "en",
        "theme": theme_of(viewer),
        "nav_groups": nav_of(held_actions(viewer)) if viewer is not None else [],
        "open_alerts": open_alerts,
        "section": request.blueprint or "",
        "here": request.full_path.rstrip("?"),
        "import_map": import_map,
        "texts_url": texts_url,
        "has_endpoint": current_app.view_functions.__contains__,
    }


@blueprint.after_request
def _close_unsent(response: Response) -> Response:
    """Close the file of an answer that goes out without it; werkzeug leaves it open."""
    if response.status_code == HTTPStatus.NOT_MODIFIED or request.method == "HEAD":
        close = getattr(response.response, "close", None)
        if close is not None:
            close()
    return response


@blueprint.get("/i18n/<locale>.json")
@public("texts of the pages, the same for everybody")
def messages(locale: str) -> AnyResponse:
    """Texts that browser modules show, in one language."""
    body = catalog.browser_catalog(locale if locale in LOCALES else "en")
    response = Response(body, mimetype="application/json")
    response.headers["Cache-Control"] = "public, max-age=86400"
    response.add_etag()
    return response.make_conditional(request)


def texts_url(locale: str) -> str:
    """Return the address of a language's texts with a version taken from its content."""
    digest = sha256(catalog.browser_catalog(locale)).hexdigest()[:10]
    return url_for("shell.messages", locale=locale, v=digest)


def theme_of(viewer: Principal | None) -> str:
    """Return the theme in force: the account's, else the cookie's, else the system's."""
    chosen = (viewer.theme if viewer else None) or request.cookies.get("theme")
    return chosen if chosen in THEMES else "auto"


def asset(path: str) -> str:
    """Return the address of a static file with a version taken from its content."""
    return url_for("shell.static", filename=path, v=_version(path, _stamp(STATIC / path)))


def import_map() -> Markup:
    """Return the JSON of the page's import map: module names → versioned files."""
    modules = sorted((STATIC / "app").glob("*.js"))
    imports = {f"app/{module.stem}": asset(f"app/{module.name}") for module in modules}
    imports["maplibre-gl"] = url_for("shell.static", filename="vendor/maplibre-gl/maplibre-gl.mjs")
    imports["terra-draw"] = url_for(
        "shell.static", filename="vendor/terra-draw/terra-draw.modern.js"
    )
    imports["terra-draw-maplibre-gl-adapter"] = url_for(
        "shell.static",
        filename="vendor/terra-draw-maplibre-gl-adapter/terra-draw-maplibre-gl-adapter.modern.js",
    )
    imports["uplot"] = url_for("shell.static", filename="vendor/uplot/uPlot.esm.js")
    text = json.dumps({"imports": imports}).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - addresses of our own files, no "<" left


def without_id(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return attributes of a control without `id`, which the field macro sets itself."""
    return {key: value for key, value in attributes.items() if key != "id"}


def held_actions(viewer: Principal) -> frozenset[Action]:
    """Return what navigation may show: rights over others, and the viewer's own day."""
    held = {action for action in Action if may_for_others(viewer, action)}
    return frozenset(held | {Action.VIEW_OWN} if viewer.employee_id is not None else held)


def nav_of(held: frozenset[Action]) -> list[navigation.NavGroup]:
    """Return the navigation of somebody who holds these actions."""
    return navigation.visible_groups(current_app.view_functions.keys(), held)


def open_alerts() -> int:
    """Count the off-post alerts that wait for the viewer; 0 for whoever may not review."""
    viewer = principal_or_none()
    if viewer is None or not may_for_others(viewer, Action.REVIEW_FINDING):
        return 0
    waiting = FindingFilter(states=(FindingState.OPEN,), reviews=(ReviewState.PENDING,), limit=1)
    scope = findings_in_scope(viewer, Action.VIEW_FINDINGS, now=now())
    with transaction() as session:
        return list_findings(session, scope, wanted=waiting).total


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=512)
def _version(path: str, stamp: int) -> str:
    if not stamp:
        return "missing"
    return sha256((STATIC / path).read_bytes()).hexdigest()[:10]
