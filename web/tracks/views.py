"""Playback page, its JSON, and exports."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.audit.services import record_security_event
from server.errors import Forbidden, InvalidInput, NotFound, TooManyRequests
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.http.openapi import describe
from server.people.policy import EmployeeView, employees_in_scope, local_date, scoped_employee
from server.people.queries import people
from server.people.rules import Action
from server.tracking.queries import (
    FixColumns,
    csv_lines,
    day,
    fixes_of_day,
    geojson_lines,
    gpx_lines,
)
from web.params import date_or_none, uuid_or_none
from web.texts import _
from web.tracks import answers
from web.tracks.access import OCCASIONS, OLDEST, give_reason, note_look, reason_given
from web.tracks.playback import playback

blueprint = Blueprint("tracks", __name__, template_folder="templates")

FORMATS = {"gpx": "application/gpx+xml", "geojson": "application/geo+json", "csv": "text/csv"}
_EVERY_FIX = 200_000


@blueprint.get("/tracks")
@policy(Action.VIEW_TRACK)
def index() -> str:
    """Show the player of one person's day, or ask whose, or ask why."""
    viewer = principal()
    employee_id = uuid_or_none(request.args.get("p"))
    on = date_or_none(request.args.get("d")) or local_date(now(), viewer.zone)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_TRACK, now=now(), on=on)
        choice = people(session, viewer, scope, now=now())
        if employee_id is None:
            return render_template("tracks/choose.html", people=choice, on=on, **_flip(on))
        person = scoped_employee(session, viewer, Action.VIEW_TRACK, employee_id, now=now(), on=on)
        own = person.id == viewer.employee_id
        if not own and reason_given(session, viewer, person.id, now=now()) is None:
            return _ask(person, on)
    return render_template(
        "tracks/player.html",
        person=person,
        people=choice,
        on=on,
        own=own,
        at=request.args.get("t", "") if request.args.get("t", "").isdecimal() else "",
        formats=FORMATS,
        **_flip(on),
    )


@blueprint.post("/tracks/reason")
@policy(Action.VIEW_TRACK)
def explain() -> AnyResponse | tuple[str, int]:
    """Take the reason for looking at somebody's day."""
    viewer = principal()
    employee_id = uuid_or_none(request.form.get("p"))
    on = date_or_none(request.form.get("d")) or local_date(now(), viewer.zone)
    occasion, text = request.form.get("occasion", ""), request.form.get("reason", "")
    if employee_id is None:
        raise NotFound
    with _watched() as session:
        person = scoped_employee(session, viewer, Action.VIEW_TRACK, employee_id, now=now(), on=on)
        try:
            give_reason(session, viewer, person.id, occasion=occasion, text=text, on=on, now=now())
        except InvalidInput as error:
            return _ask(person, on, wrong=error.fields, occasion=occasion, text=text), 400
    at = request.form.get("t", "")
    second = at if at.isdecimal() else None
    return redirect(url_for("tracks.index", p=person.id, d=on.isoformat(), t=second), 303)


@blueprint.get("/api/tracks/<uuid:employee_id>/<on>")
@policy(Action.VIEW_TRACK)
@describe(
    "One person's day for the player; a leader gives a reason first",
    answer=answers.PersonDay,
    errors=(404, 429),
)
def show(employee_id: UUID, on: str) -> dict[str, Any]:
    """One person's day for the player."""
    viewer, work_on = principal(), _required_date(on)
    with _watched() as session:
        scoped_employee(session, viewer, Action.VIEW_TRACK, employee_id, now=now(), on=work_on)
        note_look(session, viewer, employee_id, on=work_on, now=now())
        found = day(session, employee_id, work_on)
        if found is None:
            raise NotFound
        return playback(session, found, tenant_id=viewer.tenant_id, zone=viewer.zone)


@blueprint.get("/tracks/<uuid:employee_id>/<on>.<format_name>")
@policy(Action.EXPORT_TRACK)
def export(employee_id: UUID, on: str, format_name: str) -> Response:
    """One person's day as a file."""
    viewer, work_on = principal(), _required_date(on)
    if format_name not in FORMATS:
        raise NotFound
    with _watched() as session:
        person = scoped_employee(
            session, viewer, Action.EXPORT_TRACK, employee_id, now=now(), on=work_on
        )
        note_look(session, viewer, employee_id, on=work_on, now=now(), export=format_name)
        fixes = fixes_of_day(session, employee_id, work_on, max_points=_EVERY_FIX)
    response = Response(
        "".join(_lines(fixes, format_name, f"{person.name} {on}")), mimetype=FORMATS[format_name]
    )
    response.headers.set(
        "Content-Disposition", "attachment", filename=f"track-{person.number}-{on}.{format_name}"
    )
    return response


@contextmanager
def _watched() -> Iterator[Session]:
    """Run one transaction; who asks for too many people is brought to the auditors' notice."""
    try:
        with transaction() as session:
            yield session
    except TooManyRequests:
        viewer = principal()
        with transaction() as session:
            record_security_event(
                session,
                tenant_id=viewer.tenant_id,
                actor_id=viewer.account_id,
                kind="look_quota_reached",
                subject=str(viewer.account_id),
            )
        raise


def _lines(fixes: FixColumns, format_name: str, name: str) -> Iterator[str]:
    if format_name == "csv":
        return csv_lines(fixes)
    return gpx_lines(fixes, name=name) if format_name == "gpx" else geojson_lines(fixes, name=name)


def _ask(
    person: EmployeeView,
    on: date,
    *,
    wrong: dict[str, str] | None = None,
    occasion: str = "",
    text: str = "",
) -> str:
    if on < local_date(now(), principal().zone) - OLDEST:
        raise Forbidden("too_old", "days older than 90 days are not shown")
    sentences = {
        "occasion_missing": _("Choose an occasion."),
        "reason_short": _("Say it in a few words."),
    }
    return render_template(
        "tracks/ask.html",
        person=person,
        on=on,
        at=request.values.get("t", ""),
        occasions=list(OCCASIONS.items()),
        occasion=occasion,
        text=text,
        errors={name: sentences[code] for name, code in (wrong or {}).items()},
    )


def _flip(on: date) -> dict[str, date | None]:
    today = local_date(now(), principal().zone)
    return {
        "before": on - timedelta(days=1) if on > date.min + timedelta(days=1) else None,
        "after": on + timedelta(days=1) if on < today else None,
        "today": today,
    }


def _required_date(text: str) -> date:
    found = date_or_none(text)
    if found is None:
        raise NotFound
    return found
