"""Where people land, how they find somebody, and how the pages look to them."""

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from server.http.context import now, principal, principal_or_none, runtime, transaction
from server.http.cookies import is_https
from server.http.language import COOKIE as LOCALE_COOKIE
from server.http.language import LANGUAGES
from server.http.markers import public
from server.people.accounts import set_preferences
from server.people.policy import EmployeeView, employees_in_scope, units_in_scope
from server.people.queries import people
from server.people.rules import Action, Principal, may_for_others
from server.posts.queries import list_posts
from web.shell import THEMES, held_actions, nav_of

blueprint = Blueprint("home", __name__, template_folder="templates")

LIMIT = 50
_YEAR_S = 365 * 24 * 3600


@blueprint.get("/")
@public("sends everybody to their first page, and strangers to sign in", session=True)
def start() -> Response:
    """Go to the live map for those who lead, else to the first page of one's navigation."""
    viewer = principal()
    if may_for_others(viewer, Action.VIEW_LIVE):
        return redirect(url_for("live.page"))
    for group in nav_of(held_actions(viewer)):
        return redirect(url_for(group.items[0].endpoint))
    return make_response(render_template("home/nothing.html"))


@blueprint.get("/search")
@public("answers with what the viewer may see, and sends strangers to sign in", session=True)
def search() -> str:
    """List the people and posts whose names contain the words asked for."""
    viewer = principal()
    words = request.args.get("q", "").strip()[:80]
    with transaction() as session:
        found = _people(session, viewer, words) if words else []
        scope = units_in_scope(viewer, Action.VIEW_POSTS, now=now())
        posts = [p for p in list_posts(session, scope, at=now()) if words and _fits(p.name, words)]
    return render_template("home/search.html", people=found, posts=posts[:LIMIT], words=words)


@blueprint.post("/preferences")
@public("language and theme also belong to the sign-in page", session=True)
def preferences() -> Response:
    """Keep a language or theme: with the account when signed in, always in the browser."""
    locale = request.form.get("locale")
    theme = request.form.get("theme")
    locale = locale if locale in LANGUAGES else None
    theme = theme if theme in THEMES else None
    viewer = principal_or_none()
    if viewer is not None:
        with transaction() as session:
            set_preferences(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                account_id=viewer.account_id,
                locale=locale,
                theme=theme,
            )
    response = redirect(_local(request.form.get("next")), 303)
    for name, value in ((LOCALE_COOKIE, locale), ("theme", theme)):
        if value is not None:
            response.set_cookie(
                name, value, max_age=_YEAR_S, secure=is_https(), httponly=True, samesite="Lax"
            )
    return response


def _people(session: Session, viewer: Principal, words: str) -> list[EmployeeView]:
    """People one leads and people one administers; each list has its own rule."""
    found = {
        one.id: one
        for action in (Action.VIEW_PERSON, Action.VIEW_PEOPLE)
        for one in people(
            session,
            viewer,
            employees_in_scope(viewer, action, now=now()),
            now=now(),
            search=words,
            limit=LIMIT,
        )
    }
    return sorted(found.values(), key=lambda one: (one.name, one.number))[:LIMIT]


def _fits(name: str, words: str) -> bool:
    return words.casefold() in name.casefold()


def _local(target: str | None) -> str:
    """Return a path of this site; anything that leads elsewhere becomes the start page."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return "/"
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else "/"
