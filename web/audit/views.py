"""Lists for auditors, with filters in the address, pages and export."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, render_template, request
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from server.audit.queries import (
    CountRow,
    LookRow,
    SecurityRow,
    TrailFilter,
    kinds_of_events,
    list_aggregate_looks,
    list_looks,
    list_security_events,
    look_day,
    look_subject,
)
from server.audit.services import Purpose, record_security_event
from server.db.paging import Page, whole_list
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.people.policy import local_date, units_in_scope, was_in_scope
from server.people.queries import units
from server.people.rules import Action
from web.audit.words import COUNT_VIEWS, detail_words, kind_words
from web.params import date_or_none
from web.people.looks import PURPOSES, VIEWS
from web.tables import TableState, csv_response

blueprint = Blueprint("audit", __name__, template_folder="templates")

SPAN: Final = timedelta(days=30)
"""What is shown when no first day is asked for."""
_EXPORT_STEP: Final = 1_000


@blueprint.get("/audit")
@policy(Action.VIEW_AUDIT)
def index() -> str | Response:
    """List who looked at whom, newest first, in the units that the auditor covers."""
    table = _table("purpose")
    kind = table.filters.get("purpose", "")
    wanted = _wanted(table, kind if kind in set(Purpose) else "")
    tenant_id = principal().tenant_id
    with transaction() as session:
        reach = _reach()
        if request.args.get("format") == "csv":
            return _looks_csv(
                session,
                lambda part: list_looks(session, reach, tenant_id=tenant_id, wanted=part),
                wanted,
            )
        page = list_looks(session, reach, tenant_id=tenant_id, wanted=wanted)
        whole = _covers_everything(session)
    return render_template(
        "audit/looks.html",
        table=table,
        page=page,
        first_on=_first_on(table),
        purposes=PURPOSES,
        views=VIEWS,
        whole=whole,
        filtered=bool(table.q or table.filters),
    )


@blueprint.get("/audit/security")
@policy(Action.VIEW_AUDIT)
def security() -> str | Response:
    """List what happened to accounts, rights and devices.

    These events belong to the whole company: who audits a part of it gets no row, and is
    told so.
    """
    table = _table("kind")
    wanted = _wanted(table, table.filters.get("kind", ""))
    tenant_id = principal().tenant_id
    with transaction() as session:
        whole = _covers_everything(session)
        page: Page[SecurityRow] = Page([], 0)
        kinds: list[str] = []
        if whole and request.args.get("format") == "csv":
            return _events_csv(
                session,
                lambda part: list_security_events(session, tenant_id=tenant_id, wanted=part),
                wanted,
            )
        if whole:
            page = list_security_events(session, tenant_id=tenant_id, wanted=wanted)
            kinds = kinds_of_events(session, tenant_id=tenant_id)
    return render_template(
        "audit/security.html",
        table=table,
        page=page,
        first_on=_first_on(table),
        kinds=[(kind, kind_words(kind)) for kind in kinds],
        kind_words=kind_words,
        detail_words=detail_words,
        whole=whole,
        filtered=bool(table.q or table.filters),
    )


@blueprint.get("/audit/counts")
@policy(Action.VIEW_AUDIT)
def counts() -> str | Response:
    """List who looked at how many people were where.

    A count may be of any unit or of the whole company: who audits a part of it gets no row,
    and is told so.
    """
    table = _table("purpose")
    kind = table.filters.get("purpose", "")
    wanted = _wanted(table, kind if kind in set(Purpose) else "")
    tenant_id = principal().tenant_id
    with transaction() as session:
        whole = _covers_everything(session)
        page: Page[CountRow] = Page([], 0)
        if whole and request.args.get("format") == "csv":
            return _counts_csv(
                session,
                lambda part: list_aggregate_looks(session, tenant_id=tenant_id, wanted=part),
                wanted,
            )
        if whole:
            page = list_aggregate_looks(session, tenant_id=tenant_id, wanted=wanted)
    return render_template(
        "audit/counts.html",
        table=table,
        page=page,
        first_on=_first_on(table),
        purposes=PURPOSES,
        views=COUNT_VIEWS,
        whole=whole,
        filtered=bool(table.q or table.filters),
    )


def _table(kind: str) -> TableState:
    return TableState.from_request(request, filters=("from", "to", kind))


def _first_on(table: TableState) -> date:
    today = local_date(now(), principal().zone)
    return date_or_none(table.filters.get("from")) or today - SPAN


def _wanted(table: TableState, kind: str) -> TrailFilter:
    last_on = date_or_none(table.filters.get("to"))
    return TrailFilter(
        since_at=_midnight(_first_on(table)),
        until_at=_midnight(last_on + timedelta(days=1)) if last_on else None,
        words=table.q,
        kind=kind,
        limit=table.size,
        offset=table.offset,
    )


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time.min, tzinfo=ZoneInfo(principal().zone))


def _reach() -> ColumnElement[bool]:
    """Return which looks the viewer audits: of people who were in their units on that day."""
    return was_in_scope(
        principal(),
        Action.VIEW_AUDIT,
        employee_id=look_subject(),
        on=look_day(principal().zone),
        now=now(),
    )


def _covers_everything(session: Session) -> bool:
    scope = units_in_scope(principal(), Action.VIEW_AUDIT, now=now())
    return any(unit.parent_id is None for unit in units(session, principal(), scope, now=now()))


def _looks_csv(
    session: Session, read: Callable[[TrailFilter], Page[LookRow]], wanted: TrailFilter
) -> Response:
    rows = whole_list(read, wanted, step=_EXPORT_STEP).rows
    _note_export(session, "looks", len(rows))
    header = (
        *("at", "actor", "person", "number", "purpose", "view", "about_on", "reason"),
        "actor_account",
    )
    return csv_response(
        "looks",
        header,
        [
            (
                *(r.look.at, r.look.actor_name, r.subject_name, r.subject_number),
                *(r.look.purpose, r.look.view, r.look.about_on, r.look.reason),
                r.look.actor_id,
            )
            for r in rows
        ],
    )


def _events_csv(
    session: Session, read: Callable[[TrailFilter], Page[SecurityRow]], wanted: TrailFilter
) -> Response:
    rows = whole_list(read, wanted, step=_EXPORT_STEP).rows
    _note_export(session, "security", len(rows))
    return csv_response(
        "security-events",
        ("at", "kind", "actor", "about", "subject", "detail", "actor_account"),
        [
            (
                *(r.at, r.kind, r.actor_name, r.about, r.subject),
                *(detail_words(r.detail), r.actor_id),
            )
            for r in rows
        ],
    )


def _counts_csv(
    session: Session, read: Callable[[TrailFilter], Page[CountRow]], wanted: TrailFilter
) -> Response:
    rows = whole_list(read, wanted, step=_EXPORT_STEP).rows
    _note_export(session, "counts", len(rows))
    header = ("at", "actor", "purpose", "view", "about_on", "reach", "unit", "people")
    return csv_response(
        "looks-at-counts",
        (*header, "actor_account"),
        [
            (
                *(r.at, r.actor_name, r.purpose, r.view, r.about_on),
                *(r.reach, r.unit, r.people, r.actor_id),
            )
            for r in rows
        ],
    )


def _note_export(session: Session, name: str, rows: int) -> None:
    record_security_event(
        session,
        tenant_id=principal().tenant_id,
        actor_id=principal().account_id,
        kind="audit_exported",
        detail={"list": name, "rows": rows},
    )
