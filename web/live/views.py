"""Page and JSON of the live map."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, render_template, request, url_for
from redis.exceptions import RedisError
from sqlalchemy import Select
from sqlalchemy.orm import Session

from server.audit.services import Purpose, record_looks
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import employees_in_scope, scoped_employee, units_in_scope
from server.people.rules import Action, may_for_others
from server.posts.queries import list_posts
from server.tracking.live import cursor
from server.tracking.live_many import (
    MANY,
    live_cells,
    live_counts,
    live_page,
    live_view,
    people_in_scope,
)
from server.tracking.queries import live_map, trail
from web import answers
from web.live import many, picture
from web.sources import SOURCES
from web.tables import TableState, csv_response

blueprint = Blueprint("live", __name__, template_folder="templates")

_NIL = UUID(int=0)
"""Stands in addresses where a script puts an id."""


@blueprint.get("/live")
@policy(Action.VIEW_LIVE)
def page() -> str:
    """Show list, map and alerts; the page fetches its own data."""
    return render_template(
        "live/live.html",
        nil=_NIL,
        may_review=may_for_others(principal(), Action.REVIEW_FINDING),
        may_locate=may_for_others(principal(), Action.LOCATE_NOW),
        review_url=_address("alerts.review_json", finding_id=_NIL),
        alerts_url=_address("alerts.index"),
        track_url=_address("tracks.index", p=_NIL),
        person_url=_address("people.show", employee_id=_NIL),
    )


@blueprint.get("/api/live/snapshot")
@policy(Action.VIEW_LIVE)
@describe(
    "Everybody in scope as columns, and where the stream goes on", answer=answers.LiveSnapshot
)
def snapshot() -> dict[str, Any]:
    """Return everybody in scope as columns, and the place in the stream to go on from.

    The place is taken first: an event that comes between is sent again, never missed.
    """
    viewer, at = principal(), now()
    after = _cursor(viewer.tenant_id)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_LIVE, now=at)
        alerts = picture.open_alerts(session, viewer, now=at)
        if people_in_scope(session, scope) > MANY:
            found = live_counts(session, scope, now=at)
            return {"cursor": after, "alerts": alerts, **many.as_json(found, at)}
        live = live_map(session, scope, now=at)
        record_looks(
            session,
            viewer,
            picture.seen(live),
            Purpose.LIVE_SUPERVISION,
            "live_map",
            now=at,
        )
    return {"cursor": after, "alerts": alerts, "many": False, **picture.as_json(live)}


@blueprint.get("/api/live/cells")
@policy(Action.VIEW_LIVE)
@describe(
    "People of a window counted by squares of the map, for very many people",
    query={"box": many.BOX, "zoom": many.ZOOM, "s": many.STATUSES},
    answer=answers.LiveCells,
    errors=(400,),
)
def cells() -> dict[str, Any]:
    """Count people by squares; the numbers are exact, nobody is named."""
    viewer, at = principal(), now()
    box, zoom, statuses = many.window(request.args)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_LIVE, now=at)
        found = live_cells(session, scope, now=at, zoom=zoom, box=box, statuses=statuses)
        many.note_counts(session, viewer, people=sum(found["people"]), now=at)
    return {"as_of": at.timestamp(), "cells": found}


@blueprint.get("/api/live/view")
@policy(Action.VIEW_LIVE)
@describe(
    "The people in a window as columns, or that there are too many to draw",
    query={"box": many.BOX},
    answer=answers.LiveView,
    errors=(400,),
)
def view() -> dict[str, Any]:
    """Return the people in a window, and the place in the stream to go on from."""
    viewer, at = principal(), now()
    box, _zoom, _statuses = many.window(request.args)
    after = _cursor(viewer.tenant_id)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_LIVE, now=at)
        people = live_view(session, scope, now=at, box=box)
        if people is not None:
            _looked(session, people, at)
    return {"as_of": at.timestamp(), "cursor": after, "too_many": people is None, "people": people}


@blueprint.get("/api/live/list")
@policy(Action.VIEW_LIVE)
@describe(
    "Some of the people who match, the most urgent first",
    query={"s": many.STATUSES, "q": {"type": "string"}, "from": {"type": "integer"}},
    answer=answers.LivePage,
    errors=(400,),
)
def listed() -> dict[str, Any]:
    """Return a page of the list of very many people."""
    viewer, at = principal(), now()
    statuses, words, offset = many.asked(request.args)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_LIVE, now=at)
        total, people = live_page(
            session,
            scope,
            now=at,
            statuses=statuses,
            words=words,
            offset=offset,
            limit=many.PAGE,
        )
        _looked(session, people, at)
    return {"as_of": at.timestamp(), "total": total, "from": offset, "people": people}


@blueprint.get("/api/live/trail/<uuid:employee_id>")
@policy(Action.VIEW_LIVE)
@describe("The last half hour of somebody on duty", answer=answers.LiveTrail, errors=(404,))
def trail_of(employee_id: UUID) -> dict[str, Any]:
    """Return the last half hour of one person who is on duty."""
    viewer, at = principal(), now()
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.VIEW_LIVE, employee_id, now=at)
        fixes = trail(session, tenant_id=viewer.tenant_id, employee_id=person.id, now=at)
        record_looks(session, viewer, [person.id], Purpose.LIVE_SUPERVISION, "live_trail", now=at)
    return picture.trail_as_json(fixes)


@blueprint.get("/api/live/posts")
@policy(Action.VIEW_LIVE)
@describe("Fences of the posts one may see, as GeoJSON areas", answer=answers.GeoJson)
def posts() -> dict[str, Any]:
    """Return the fences of the posts the viewer may see, as GeoJSON areas."""
    viewer, at = principal(), now()
    with transaction() as session:
        scope = units_in_scope(viewer, Action.VIEW_POSTS, now=at)
        found = list_posts(session, scope, at=at)
    return picture.fences(found)


@blueprint.get("/live/table")
@policy(Action.VIEW_LIVE)
def table() -> str | Response:
    """Show the same people as a table, for readers and prints that have no map."""
    viewer, at = principal(), now()
    state = TableState.from_request(
        request, sortable=picture.SORTS, filters=("status",), default_sort="status"
    )
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_LIVE, now=at)
        if people_in_scope(session, scope) > MANY:
            return _table_of_many(session, scope, state, at)
        live = live_map(session, scope, now=at)
        record_looks(
            session, viewer, picture.seen(live), Purpose.LIVE_SUPERVISION, "live_table", now=at
        )
    rows = picture.rows(live, state)
    if request.args.get("format") == "csv":
        return csv_response("live", picture.CSV_HEADER, (picture.csv_row(row) for row in rows))
    shown = rows[state.offset : state.offset + state.size]
    return render_template(
        "live/table.html", table=state, rows=shown, count=len(rows), as_of=at, sources=SOURCES
    )


def _table_of_many(
    session: Session, scope: Select[UUID], state: TableState, at: datetime
) -> str | Response:
    """Show one page, the most urgent first; a file holds the rows of the page it is asked on."""
    status = state.filters.get("status")
    total, people = live_page(
        session,
        scope,
        now=at,
        statuses=many.EVERY_STATUS if status is None else {status},
        words=state.q,
        offset=state.offset,
        limit=state.size,
    )
    _looked(session, people, at)
    rows = picture.rows_of(people)
    if request.args.get("format") == "csv":
        name = f"live-{state.offset + 1}-to-{state.offset + len(rows)}-of-{total}"
        return csv_response(name, picture.CSV_HEADER, (picture.csv_row(row) for row in rows))
    return render_template(
        "live/table.html", table=state, rows=rows, count=total, as_of=at, sources=SOURCES
    )


def _looked(session: Session, people: dict[str, list[Any]], at: datetime) -> None:
    record_looks(
        session,
        principal(),
        picture.placed(people),
        Purpose.LIVE_SUPERVISION,
        "live_map",
        now=at,
    )


def _cursor(tenant_id: int) -> str | None:
    try:
        return cursor(runtime().redis, tenant_id)
    except RedisError:
        # The picture is right without the feed; the page says that it is not live.
        return None


def _address(endpoint: str, **values: object) -> str | None:
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None  # type: ignore[arg-type]
