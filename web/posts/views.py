"""Pages and JSON of posts."""

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from geo.geofence import Geofence
from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import scoped_unit, units_in_scope
from server.people.queries import UnitNode, units
from server.people.rules import Action, may_for_others
from server.posts.queries import FenceVersion, PostView, get_post, list_posts, post_history
from server.posts.services import (
    check_shape,
    close_post,
    create_post,
    rename_post,
    reshape_post,
)
from web import answers
from web.choices import unit_choices
from web.posts.forms import PostForm
from web.posts.reasons import place_of, reason, reason_of
from web.posts.shapes import feature, measures, overlaps, vertices_of
from web.tables import TableState, csv_response
from web.texts import _

blueprint = Blueprint("posts", __name__, template_folder="templates")


@blueprint.app_template_filter("area")
def area(square_metres: float) -> str:
    """Write an area: m² below 10 hectares, then km²."""
    if square_metres < 100_000:
        return f"{square_metres:,.0f} m²"
    return f"{square_metres / 1e6:,.2f} km²"


@blueprint.get("/posts")
@policy(Action.VIEW_POSTS)
def index() -> str | Response:
    """List the posts of the units one may see."""
    viewer = principal()
    table = TableState.from_request(
        request,
        sortable=("name", "unit", "area", "version"),
        filters=("closed",),
        default_sort="name",
    )
    with transaction() as session:
        scope = units_in_scope(viewer, Action.VIEW_POSTS, now=now())
        found = list_posts(session, scope, at=now(), with_closed="closed" in table.filters)
    rows = [(post, measures(post)) for post in found if table.q.casefold() in _haystack(post)]
    keys = {
        "name": lambda row: row[0].name,
        "unit": lambda row: (row[0].unit_name, row[0].name),
        "area": lambda row: row[1]["area_m2"],
        "version": lambda row: row[0].version or 0,
    }
    rows.sort(key=keys[table.sort_key], reverse=table.descending)
    if request.args.get("format") == "csv":
        header = ("name", "unit", "shape", "radius_m", "vertices", "area_m2", "zone", "version")
        return csv_response(
            "posts",
            header,
            [
                (
                    *(p.name, p.unit_name, d["kind"], d["radius_m"], d["vertices"]),
                    *(round(d["area_m2"]), p.zone, p.version),
                )
                for p, d in rows
            ],
        )
    page = rows[table.offset : table.offset + table.size]
    return render_template(
        "posts/index.html",
        table=table,
        rows=page,
        count=len(rows),
        total=len(found),
        may_edit=may_for_others(viewer, Action.EDIT_POSTS),
    )


@blueprint.get("/posts/new")
@policy(Action.EDIT_POSTS)
def new() -> str:
    """Show the editor with nothing drawn."""
    viewer = principal()
    with transaction() as session:
        choice = _editable_units(session)
    form = PostForm(zone=viewer.zone, unit_id=str(choice[0].id) if len(choice) == 1 else "")
    return _editor(form, choice)


@blueprint.post("/posts/new")
@policy(Action.EDIT_POSTS)
def create() -> AnyResponse | tuple[str, int]:
    """Save a new post."""
    viewer, form = principal(), PostForm.from_request(request.form)
    try:
        with transaction() as session:
            unit = scoped_unit(session, viewer, Action.EDIT_POSTS, form.unit(), now=now())
            post_id = create_post(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                unit_id=unit.id,
                name=form.name,
                zone=form.zone or viewer.zone,
                shape=form.shape(),
                address=form.address or None,
                grace_s=form.grace_s(),
                buffer_m=form.buffer(),
                actor_id=viewer.account_id,
            )
    except (InvalidInput, Conflict) as error:
        with transaction() as session:
            choice = _editable_units(session)
        return _editor(_with_errors(form, error), choice), _status(error)
    flash(_("The post was saved."), "ok")
    return redirect(url_for("posts.show", post_id=post_id), 303)


@blueprint.get("/posts/<uuid:post_id>")
@policy(Action.VIEW_POSTS)
def show(post_id: UUID) -> str:
    """Show one post in the editor; who may not edit it sees the same without the tools."""
    with transaction() as session:
        post, choice = _load(session, post_id)
        versions = post_history(session, tenant_id=principal().tenant_id, post_id=post_id)
    return _editor(_form_of(post), choice, post=post, versions=versions)


@blueprint.post("/posts/<uuid:post_id>")
@policy(Action.EDIT_POSTS)
def reshape(post_id: UUID) -> AnyResponse | tuple[str, int]:
    """Save a new version of the fence."""
    viewer, form = principal(), PostForm.from_request(request.form)
    try:
        with transaction() as session:
            post = _editable(session, post_id)
            _require_seen(post, form)
            reshape_post(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                post_id=post_id,
                shape=form.shape(),
                grace_s=form.grace_s(),
                buffer_m=form.buffer(),
                valid_from_at=form.valid_from_at(post.zone),
                actor_id=viewer.account_id,
            )
    except (InvalidInput, Conflict) as error:
        with transaction() as session:
            post, choice = _load(session, post_id)
            versions = post_history(session, tenant_id=viewer.tenant_id, post_id=post_id)
        page = _editor(_with_errors(form, error), choice, post=post, versions=versions)
        return page, _status(error)
    flash(_("The new fence was saved. Days since it holds are judged again."), "ok")
    return redirect(url_for("posts.show", post_id=post_id), 303)


@blueprint.post("/posts/<uuid:post_id>/rename")
@policy(Action.EDIT_POSTS)
def rename(post_id: UUID) -> AnyResponse:
    """Give a post another name and address."""
    try:
        with transaction() as session:
            _editable(session, post_id)
            rename_post(
                session,
                tenant_id=principal().tenant_id,
                post_id=post_id,
                name=request.form.get("name", ""),
                address=request.form.get("address", "").strip()[:200] or None,
            )
    except (InvalidInput, Conflict) as error:
        flash(reason_of(error), "danger")
    else:
        flash(_("The new name was saved. Its fence and its past stay."), "ok")
    return redirect(url_for("posts.show", post_id=post_id), 303)


@blueprint.post("/posts/<uuid:post_id>/close")
@policy(Action.EDIT_POSTS)
def close(post_id: UUID) -> AnyResponse:
    """Close a post from today on."""
    try:
        with transaction() as session:
            _editable(session, post_id)
            close_post(session, runtime().clock, tenant_id=principal().tenant_id, post_id=post_id)
    except Conflict as error:
        flash(reason_of(error), "danger")
    else:
        flash(_("The post is closed. Past days keep it."), "ok")
    return redirect(url_for("posts.show", post_id=post_id), 303)


@blueprint.post("/api/posts/check")
@policy(Action.EDIT_POSTS)
@describe("Judge a shape before it is saved", body=answers.ShapeWanted, answer=answers.ShapeJudged)
def check() -> dict[str, Any]:
    """Judge a shape before it is saved: size, overlaps, or why it cannot be a post."""
    body = request.get_json(silent=True)
    wanted = body if isinstance(body, dict) else {}
    try:
        fence = check_shape(wanted.get("shape"))
    except InvalidInput as error:
        return {
            "ok": False,
            "code": error.code,
            "reason": reason_of(error),
            "point": place_of(error),
        }
    with transaction() as session:
        scope = units_in_scope(principal(), Action.VIEW_POSTS, now=now())
        others = list_posts(session, scope, at=now())
    shared = overlaps(fence, [p for p in others if str(p.id) != str(wanted.get("post_id"))])
    return {
        "ok": True,
        "area_m2": fence.area_m2,
        "vertices": vertices_of(fence),
        "is_large": fence.is_large,
        "centre": fence.centre,
        "shape": fence.to_geojson(),
        "overlaps": [{**asdict(o), "post_id": str(o.post_id)} for o in shared[:5]],
    }


@blueprint.get("/api/posts/shapes")
@policy(Action.VIEW_POSTS)
@describe("Fences of the posts one may see, as GeoJSON areas", answer=answers.GeoJson)
def shapes() -> dict[str, Any]:
    """Fences of the posts one may see, as GeoJSON areas for a map."""
    with transaction() as session:
        scope = units_in_scope(principal(), Action.VIEW_POSTS, now=now())
        found = list_posts(session, scope, at=now())
    features = [
        feature(Geofence.from_geojson(p.shape), id_=str(p.id), name=p.name)
        for p in found
        if p.shape
    ]
    return {"type": "FeatureCollection", "features": features}


def _load(session: Session, post_id: UUID) -> tuple[PostView, list[UnitNode]]:
    scope = units_in_scope(principal(), Action.VIEW_POSTS, now=now())
    post = get_post(session, scope, post_id=post_id, at=now())
    if post is None:
        raise NotFound
    return post, [unit for unit in _editable_units(session) if unit.id == post.unit_id]


def _editable(session: Session, post_id: UUID) -> PostView:
    scope = units_in_scope(principal(), Action.EDIT_POSTS, now=now())
    post = get_post(session, scope, post_id=post_id, at=now())
    if post is None:
        raise NotFound
    return post


def _require_seen(post: PostView, form: PostForm) -> None:
    """Refuse a fence drawn over another one than the newest."""
    if form.version != str(post.version or ""):
        raise Conflict("version_not_after_latest")


def _editable_units(session: Session) -> list[UnitNode]:
    viewer = principal()
    scope = units_in_scope(viewer, Action.EDIT_POSTS, now=now())
    return units(session, viewer, scope, now=now())


def _editor(
    form: PostForm,
    choice: list[UnitNode],
    *,
    post: PostView | None = None,
    versions: list[FenceVersion] | None = None,
) -> str:
    return render_template(
        "posts/editor.html",
        form=form,
        units=choice,
        unit_options=unit_choices,
        post=post,
        versions=[_version(v) for v in reversed(versions or [])],
        may_edit=bool(choice) and (post is None or post.closed_on is None),
        may_try=post is not None and may_for_others(principal(), Action.REVIEW_FINDING),
        reason=reason,
    )


def _version(version: FenceVersion) -> dict[str, Any]:
    fence = version.geofence
    return {
        "number": version.version,
        "from_at": version.valid_from_at,
        "until_at": version.valid_until_at,
        "radius_m": fence.radius_m,
        "vertices": vertices_of(fence),
        "area_m2": fence.area_m2,
        "note": version.note,
        "trial": version.trial,
    }


def _form_of(post: PostView) -> PostForm:
    form = PostForm(
        name=post.name,
        unit_id=str(post.unit_id),
        address=post.address or "",
        zone=post.zone,
        version=str(post.version or ""),
        grace_min="" if post.grace_s is None else f"{post.grace_s / 60:g}",
        buffer_m="" if post.buffer_m is None else f"{post.buffer_m:g}",
    )
    if post.shape is None:
        return form
    if "radius_m" in post.shape:
        form.lon, form.lat = (f"{c:.6f}" for c in post.shape["coordinates"])
        form.radius_m = f"{post.shape['radius_m']:g}"
    else:
        form.kind = "polygon"
        form.geometry = json.dumps(post.shape, separators=(",", ":"))
    return form


def _with_errors(form: PostForm, error: OutpostError) -> PostForm:
    names = set(error.fields) or {"shape"}
    if "shape" in names:
        # Beside the shape, lon and lat are the place of the refusal, not typed fields.
        names -= {"lon", "lat"}
    form.errors = dict.fromkeys(names, error.code)
    return form


def _status(error: OutpostError) -> int:
    return 409 if isinstance(error, Conflict) else 400


def _haystack(post: PostView) -> str:
    return f"{post.name}\n{post.unit_name}\n{post.address or ''}".casefold()
