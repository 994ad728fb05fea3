"""The list of excusals, excusing somebody, taking it back."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.policy import EmployeeView, employees_in_scope, local_date, scoped_employee
from server.people.queries import people
from server.people.rules import Action
from server.posts.queries import ExcusalKind, ExcusalRow, list_excusals
from server.posts.services import excuse, withdraw_excusal
from web.choices import person_choices
from web.params import date_or_none, uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _

blueprint = Blueprint("excusals", __name__, template_folder="templates")

KINDS: Mapping[ExcusalKind, LazyString] = {
    ExcusalKind.OUTING: _l("Outing"),
    ExcusalKind.VISIT: _l("Visit"),
    ExcusalKind.DISPATCH: _l("Dispatch"),
    ExcusalKind.BREAK: _l("Break"),
    ExcusalKind.LEAVE: _l("Leave: not located"),
    ExcusalKind.PAUSE: _l("Pause: not located"),
}
REASONS: Mapping[str, LazyString] = {
    "form": _l("Choose a person and a kind, enter start and end, and say why."),
    "empty_span": _l("The end must be after the start."),
    "span_too_long": _l("This is longer than an excusal may be. Split it."),
    "own_excusal": _l("Nobody excuses themselves. Ask whoever leads you."),
    "already_withdrawn": _l("Somebody else took this back already."),
}
BACK: Final = timedelta(days=7)
AHEAD: Final = timedelta(days=60)
_MAX_NOTE: Final = 300


@blueprint.get("/excusals")
@policy(Action.EXCUSE)
def index() -> str | Response:
    """List excusals of a span of days, newest first."""
    viewer = principal()
    table = TableState.from_request(request, filters=("from", "to", "p"))
    today = local_date(now(), viewer.zone)
    first_on = date_or_none(table.filters.get("from")) or today - BACK
    last_on = date_or_none(table.filters.get("to")) or max(today, first_on) + AHEAD
    with transaction() as session:
        found = list_excusals(
            session,
            viewer,
            Action.EXCUSE,
            start_at=_midnight(first_on),
            end_at=_midnight(last_on + timedelta(days=1)),
            now=now(),
            employee_id=uuid_or_none(table.filters.get("p")),
        )
        choices = person_choices(_excusable(session))
    rows = [row for row in found if table.q.casefold() in row.employee_name.casefold()]
    if request.args.get("format") == "csv":
        return _csv(rows)
    return render_template(
        "excusals/index.html",
        table=table,
        rows=rows[table.offset : table.offset + table.size],
        count=len(rows),
        kinds=KINDS,
        person_options=choices,
        first_on=first_on,
        last_on=last_on,
        starts=_next_hour(),
        at=now(),
        filtered=bool(table.q or table.filters),
    )


@blueprint.post("/excusals")
@policy(Action.EXCUSE)
def add() -> AnyResponse:
    """Excuse somebody over a span."""
    try:
        with transaction() as session:
            name = _excuse(session)
    except (Conflict, InvalidInput) as error:
        flash(_sentence(error), "danger")
    else:
        text = _("%(name)s is excused. What the span touches is judged again.", name=name)
        flash(text, "ok")
    return redirect(url_for("excusals.index"), 303)


@blueprint.post("/excusals/<uuid:excusal_id>/withdraw")
@policy(Action.EXCUSE)
def withdraw(excusal_id: UUID) -> AnyResponse:
    """Take an excusal back."""
    viewer = principal()
    try:
        with transaction() as session:
            _require_other(_known(session, excusal_id).employee_id)
            withdraw_excusal(
                session, runtime().clock, tenant_id=viewer.tenant_id, excusal_id=excusal_id
            )
    except (Conflict, InvalidInput) as error:
        flash(_sentence(error), "danger")
    else:
        flash(_("It was taken back. What the span touched is judged again."), "ok")
    return redirect(url_for("excusals.index"), 303)


def _excuse(session: Session) -> str:
    """Excuse whom the form names and return their name."""
    viewer, form = principal(), request.form
    employee_id, note = uuid_or_none(form.get("p")), form.get("note", "").strip()
    kind = _kind(form.get("kind"))
    starts_at, ends_at = _instant(form.get("starts")), _instant(form.get("ends"))
    if not (employee_id and kind and starts_at and ends_at and note):
        raise InvalidInput("form")
    person = scoped_employee(session, viewer, Action.EXCUSE, employee_id, now=now())
    _require_other(person.id)
    excuse(
        session,
        runtime().clock,
        tenant_id=viewer.tenant_id,
        employee_id=person.id,
        kind=kind,
        starts_at=starts_at,
        ends_at=ends_at,
        note=note[:_MAX_NOTE],
        actor_id=viewer.account_id,
    )
    return person.name


def _require_other(employee_id: UUID) -> None:
    if employee_id == principal().employee_id:
        raise InvalidInput("own_excusal")


def _known(session: Session, excusal_id: UUID) -> ExcusalRow:
    """Return an excusal that the viewer may take back.

    Raises
    ------
    NotFound : there is none, or not for this principal.
    """
    found = list_excusals(
        session,
        principal(),
        Action.EXCUSE,
        now=now(),
        excusal_id=excusal_id,
    )
    if not found:
        raise NotFound
    return found[0]


def _excusable(session: Session) -> list[EmployeeView]:
    viewer = principal()
    scope = employees_in_scope(viewer, Action.EXCUSE, now=now())
    return [
        one for one in people(session, viewer, scope, now=now()) if one.id != viewer.employee_id
    ]


def _kind(text: str | None) -> ExcusalKind | None:
    return ExcusalKind(text) if text in set(ExcusalKind) else None


def _instant(text: str | None) -> datetime | None:
    """Return the instant of a wall-clock time of the tenant, None for what is no time."""
    try:
        wall = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    sensible = date_or_none(wall.date().isoformat()) is not None and wall.tzinfo is None
    return wall.replace(tzinfo=ZoneInfo(principal().zone)) if sensible else None


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time.min, tzinfo=ZoneInfo(principal().zone))


def _next_hour() -> datetime:
    local = now().astimezone(ZoneInfo(principal().zone))
    return local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _csv(rows: list[ExcusalRow]) -> Response:
    header = ("person", "kind", "starts_at", "ends_at", "note", "by", "created_at", "withdrawn_at")
    return csv_response(
        "excusals",
        header,
        [
            (
                *(r.employee_name, r.kind, r.starts_at, r.ends_at),
                *(r.note, r.by, r.created_at, r.withdrawn_at),
            )
            for r in rows
        ],
    )


def _sentence(error: OutpostError) -> str:
    return str(REASONS.get(error.code) or _("This cannot be saved."))
