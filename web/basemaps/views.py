"""The page that chooses a tenant's streets, and the files it may choose."""

import re
from http import HTTPStatus
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, redirect, render_template, request, send_file, url_for
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Forbidden, InvalidInput, NotFound
from server.http.context import principal, runtime, transaction
from server.http.markers import policy, public
from server.people.basemaps import (
    ATTRIBUTIONS,
    BUILT_IN,
    Basemap,
    BasemapKind,
    basemap_of,
    choose_basemap,
    may_choose,
)
from server.people.basemaps import checked as checked_basemap
from server.people.rules import Action
from web.basemaps.drawing import attributes_of, basemap_attributes
from web.basemaps.words import kinds, reason

blueprint = Blueprint("basemaps", __name__, template_folder="templates")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.pmtiles")
_FIELDS: Final = ("address", "dark_address", "access_key", "attribution")


@blueprint.record_once
def _prepare(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["basemap_attributes"] = basemap_attributes


@blueprint.get("/settings/basemap")
@policy(Action.MANAGE_BASEMAP)
def page() -> str:
    """Show what is chosen, drawn."""
    viewer = principal()
    with transaction() as session:
        if not may_choose(session, viewer):
            raise Forbidden
        chosen = basemap_of(session, tenant_id=viewer.tenant_id)
    return _page(chosen, chosen, saved=request.args.get("saved") == "1")


@blueprint.post("/settings/basemap")
@policy(Action.MANAGE_BASEMAP)
def choose() -> AnyResponse | str | tuple[str, int]:
    """Store a choice, or only draw it."""
    viewer, wanted = principal(), _wanted()
    with transaction() as session:
        if not may_choose(session, viewer):
            raise Forbidden
        chosen = basemap_of(session, tenant_id=viewer.tenant_id)
    preview = BUILT_IN
    try:
        preview = checked_basemap(wanted)
    except InvalidInput as error:
        wrong = error.fields
    else:
        missing = preview.kind is BasemapKind.PMTILES and preview.address not in files()
        wrong = {"address": "no_such_file"} if missing else {}
    if wrong:
        return _page(chosen, wanted, wrong=wrong), HTTPStatus.UNPROCESSABLE_ENTITY
    if request.form.get("do") == "preview":
        return _page(preview, wanted, is_preview=True)
    with transaction() as session:
        choose_basemap(
            session,
            runtime().clock,
            tenant_id=viewer.tenant_id,
            wanted=preview,
            principal=viewer,
        )
    return redirect(url_for("basemaps.page", saved=1), HTTPStatus.SEE_OTHER)


@blueprint.get("/basemaps/files/<name>")
@public("streets from the folder of basemaps, the same for everybody; nothing about people")
def file(name: str) -> Response:
    """Return a file of tiles, or the part of it that is asked for."""
    path = _file(name)
    if not path.is_file():
        raise NotFound
    answer = send_file(path, mimetype="application/vnd.pmtiles", conditional=True, max_age=86_400)
    answer.headers["Cache-Control"] = "public, max-age=86400"
    return answer


def files() -> list[str]:
    """Return the names of the files that may be chosen."""
    folder = runtime().settings.basemap_dir
    if folder is None or not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if _NAME.fullmatch(each.name))


def _file(name: str) -> Path:
    folder = runtime().settings.basemap_dir
    if folder is None or not _NAME.fullmatch(name):
        raise NotFound
    return folder / name


def _wanted() -> Basemap:
    form = request.form
    try:
        kind = BasemapKind(form.get("kind", ""))
    except ValueError:
        raise InvalidInput(fields={"kind": "malformed"}) from None
    given = {name: form.get(f"{kind.value}_{name}", "").strip() or None for name in _FIELDS}
    hosts = tuple(form.get(f"{kind.value}_hosts", "").split())
    return Basemap(kind=kind, hosts=hosts, **given)


def _page(
    drawn: Basemap,
    entered: Basemap,
    *,
    wrong: dict[str, str] | None = None,
    is_preview: bool = False,
    saved: bool = False,
) -> str:
    return render_template(
        "basemaps/page.html",
        drawn=attributes_of(drawn if wrong is None else BUILT_IN),
        entered=entered,
        kinds=kinds(),
        defaults=ATTRIBUTIONS,
        files=files(),
        wrong=wrong or {},
        reason=reason,
        is_preview=is_preview,
        saved=saved,
    )
