"""The week's roster, assigning and cancelling, and the shifts to choose from."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Final
from uuid import UUID

from babel.dates import format_date
from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from server.errors import Conflict, InvalidInput, NotFound, OutpostError
from server.http.context import now, principal, runtime, transaction
from server.http.markers import policy
from server.people.policy import (
    employees_in_scope,
    local_date,
    scoped_employee,
    units_in_scope,
)
from server.people.queries import people, units
from server.people.rules import Action, may_for_others
from server.posts.queries import (
    RosterView,
    get_post,
    list_posts,
    list_shifts,
    roster_between,
    roster_in_scope,
)
from server.posts.services import (
    Assignment,
    assign_shifts,
    cancel_assignment,
    create_shift,
    retire_shift,
)
from web.choices import person_choices, unit_choices
from web.params import date_or_none, uuid_or_none
from web.tables import TableState, csv_response
from web.texts import _, ngettext

blueprint = Blueprint("roster", __name__, template_folder="templates")


@blueprint.app_template_filter("weekday")
def weekday(on: date) -> str:
    """Write a date's weekday in short: ``Wed``."""
    return format_date(on, "EEE", locale=str(get_locale() or "en"))


_LONGEST: Final = 31

REASONS: Mapping[str, LazyString] = {
    "roster_overlap": _l("This person has another shift at that time on at least one of the days."),
    "post_closed": _l("The post is closed on at least one of the days."),
    "shift_retired": _l("This shift is no longer offered on at least one of the days."),
    "shift_skipped": _l("Clocks jump over this shift on one of the days."),
    "unknown_zone": _l("The post has an unknown time zone."),
    "already_cancelled": _l("Somebody else cancelled this shift already."),
    "shift_name_taken": _l("There is a shift of that name already."),
    "name_missing": _l("Enter a name."),
    "name_too_long": _l("A name has 120 characters at most."),
    "form": _l("Choose a person, a shift and the days; 31 days at most."),
    "times": _l("Enter start and end as hours and minutes."),
}


@blueprint.get("/roster")
@policy(Action.VIEW_ROSTER)
def index() -> str | Response:
    """Show one week: people down, days across."""
    viewer = principal()
    table = TableState.from_request(request, filters=("w", "unit"))
    today = local_date(now(), viewer.zone)
    monday = _monday(table.filters.get("w"), today)
    with transaction() as session:
        scope = employees_in_scope(viewer, Action.VIEW_ROSTER, now=now())
        staff = people(
            session,
            viewer,
            scope,
            now=now(),
            search=table.q or None,
            unit_id=uuid_or_none(table.filters.get("unit")),
        )
        days = roster_in_scope(viewer, Action.VIEW_ROSTER, now=now())
        entries = roster_between(session, days, first_on=monday, last_on=monday + timedelta(days=6))
        if table.q or table.filters.get("unit"):
            listed = {person.id for person in staff}
            entries = [entry for entry in entries if entry.employee_id in listed]
        unit_list = units(
            session, viewer, units_in_scope(viewer, Action.VIEW_ROSTER, now=now()), now=now()
        )
        edits = may_for_others(viewer, Action.EDIT_ROSTER)
        choices = _choices(session) if edits else {}
    if request.args.get("format") == "csv":
        return _csv(entries, monday)
    cells: dict[tuple[UUID, date], list[RosterView]] = defaultdict(list)
    for entry in entries:
        cells[entry.employee_id, entry.on_date].append(entry)
    week = [monday + timedelta(days=n) for n in range(7)]
    shown = staff[table.offset : table.offset + table.size]
    return render_template(
        "roster/index.html",
        table=table,
        monday=monday,
        week=week,
        today=today,
        staff=shown,
        count=len(staff),
        cells=cells,
        covered={on: sum(1 for e in entries if e.on_date == on) for on in week},
        unit_options=unit_choices(unit_list),
        may_edit=edits,
        **choices,
    )


@blueprint.post("/roster/assign")
@policy(Action.EDIT_ROSTER)
def assign() -> AnyResponse:
    """Put somebody on a shift on one day or on each chosen weekday of a span."""
    viewer = principal()
    try:
        with transaction() as session:
            wanted = _assignments(session)
            made = assign_shifts(
                session,
                runtime().clock,
                tenant_id=viewer.tenant_id,
                assignments=wanted,
                actor_id=viewer.account_id,
            )
    except (Conflict, InvalidInput) as error:
        flash(_sentence(error), "danger")
    else:
        text = ngettext("%(num)d shift was assigned.", "%(num)d shifts were assigned.", len(made))
        flash(text, "ok")
    return _back()


@blueprint.post("/roster/<uuid:entry_id>/cancel")
@policy(Action.EDIT_ROSTER)
def cancel(entry_id: UUID) -> AnyResponse:
    """Take a shift off the roster."""
    viewer = principal()
    employee_id, on = uuid_or_none(request.form.get("p")), date_or_none(request.form.get("on"))
    if employee_id is None or on is None:
        raise NotFound
    try:
        with transaction() as session:
            scope = roster_in_scope(viewer, Action.EDIT_ROSTER, now=now(), employee_id=employee_id)
            known = roster_between(session, scope, first_on=on, last_on=on)
            if entry_id not in {e.id for e in known}:
                raise NotFound
            cancel_assignment(
                session, runtime().clock, tenant_id=viewer.tenant_id, entry_id=entry_id
            )
    except Conflict as error:
        flash(_sentence(error), "danger")
    else:
        flash(_("The shift was cancelled. What was concluded from it is judged again."), "ok")
    return _back()


@blueprint.post("/roster/shifts")
@policy(Action.EDIT_ROSTER)
def add_shift() -> AnyResponse:
    """Add a shift to choose from."""
    try:
        starts, ends = _time(request.form.get("starts")), _time(request.form.get("ends"))
        with transaction() as session:
            create_shift(
                session,
                tenant_id=principal().tenant_id,
                name=request.form.get("name", ""),
                starts=starts,
                ends=ends,
            )
    except (Conflict, InvalidInput) as error:
        flash(_sentence(error), "danger")
    else:
        flash(_("The shift was added."), "ok")
    return _back()


@blueprint.post("/roster/shifts/<uuid:shift_id>/retire")
@policy(Action.EDIT_ROSTER)
def retire(shift_id: UUID) -> AnyResponse:
    """Offer a shift no longer."""
    with transaction() as session:
        retire_shift(session, runtime().clock, tenant_id=principal().tenant_id, shift_id=shift_id)
    flash(_("The shift is no longer offered. The past keeps it."), "ok")
    return _back()


def _assignments(session: Session) -> list[Assignment]:
    viewer, form = principal(), request.form
    employee_id, shift_id = uuid_or_none(form.get("p")), uuid_or_none(form.get("shift"))
    first_on = date_or_none(form.get("from"))
    last_on = date_or_none(form.get("until")) or first_on
    if not (employee_id and shift_id and first_on and last_on):
        raise InvalidInput("form")
    days = {int(d) for d in form.getlist("weekday") if d.isdecimal()} or set(range(7))
    span = (last_on - first_on).days + 1
    dates = [first_on + timedelta(days=n) for n in range(max(span, 0))][: _LONGEST + 1]
    dates = [on for on in dates if span == 1 or on.weekday() in days]
    if not dates or span > _LONGEST:
        raise InvalidInput("form")
    person = scoped_employee(session, viewer, Action.EDIT_ROSTER, employee_id, now=now())
    post_id = uuid_or_none(form.get("post"))
    if post_id is not None:
        scope = units_in_scope(viewer, Action.VIEW_POSTS, now=now())
        if get_post(session, scope, post_id=post_id, at=now()) is None:
            raise NotFound
    return [
        Assignment(employee_id=person.id, shift_id=shift_id, on_date=on, post_id=post_id)
        for on in dates
    ]


def _choices(session: Session) -> dict[str, list[tuple[str, str]]]:
    viewer = principal()
    editable = people(
        session,
        viewer,
        employees_in_scope(viewer, Action.EDIT_ROSTER, now=now()),
        now=now(),
    )
    posts = list_posts(session, units_in_scope(viewer, Action.VIEW_POSTS, now=now()), at=now())
    return {
        "person_options": person_choices(editable),
        "post_options": [(str(p.id), f"{p.name} · {p.unit_name}") for p in posts],
        "shift_options": [
            (str(s.id), f"{s.name} · {s.starts:%H:%M}–{s.ends:%H:%M}") for s in list_shifts(session)
        ],
    }


def _csv(entries: list[RosterView], monday: date) -> Response:
    header = ("on_date", "person", "shift", "post", "starts_at", "ends_at", "zone")
    return csv_response(
        f"roster-{monday}",
        header,
        [
            (e.on_date, e.employee_name, e.shift_name, e.post_name, e.starts_at, e.ends_at, e.zone)
            for e in entries
        ],
    )


def _back() -> AnyResponse:
    week = date_or_none(request.form.get("w"))
    return redirect(url_for("roster.index", w=week.isoformat() if week else None), 303)


def _sentence(error: OutpostError) -> str:
    return str(REASONS.get(error.code) or _("This cannot be saved."))


def _monday(text: str | None, today: date) -> date:
    on = date_or_none(text) or today
    return on - timedelta(days=on.weekday())


def _time(text: str | None) -> time:
    try:
        return time.fromisoformat(text or "").replace(tzinfo=None)
    except ValueError:
        raise InvalidInput("times") from None
