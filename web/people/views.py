"""The list of people one leads and the page of one of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from sqlalchemy import Select
from sqlalchemy.orm import Session

from server.audit.queries import looks_at
from server.audit.services import Purpose, record_looks
from server.http.context import now, principal, transaction
from server.http.markers import policy
from server.people.policy import employees_in_scope, local_date, scoped_employee
from server.people.queries import ranks_of_names
from server.people.rules import Action, may_for_others
from server.posts.queries import roster_between, roster_in_scope
from server.tracking.locate_queries import questions_about
from server.tracking.phone_rules import health_of
from server.tracking.queries import (
    LiveStatus,
    cell_checks,
    day,
    device_health,
    duty_now,
    live_map,
)
from web.devices import words
from web.devices.scope import only
from web.locate.views import may_ask
from web.people.looks import template_words
from web.people.timeline import interval, timeline_of
from web.tables import TableState, csv_response

blueprint = Blueprint("people", __name__, template_folder="templates")
blueprint.app_context_processor(template_words)

_SEVERITY = [
    LiveStatus.OFF_POST,
    LiveStatus.NO_SIGNAL,
    LiveStatus.STALE,
    LiveStatus.TRAVELLING,
    LiveStatus.ON_POST,
    LiveStatus.OFF_DUTY,
]


@dataclass(frozen=True, slots=True)
class Shown:
    """How a person stands right now, without a position."""

    id: str
    name: str
    unit: str | None
    post: str | None
    status: str
    since: datetime | None
    fixed_at: datetime | None
    battery_pct: int | None
    rank: int
    """Place in the order of names."""


@blueprint.get("/people")
@policy(Action.VIEW_PERSON)
def index() -> str | Response:
    """List the people one may see, the most urgent first."""
    table = TableState.from_request(
        request,
        sortable=("name", "unit", "status", "fix", "battery"),
        filters=("status",),
        default_sort="status",
    )
    with transaction() as session:
        found = people_now(
            session, employees_in_scope(principal(), Action.VIEW_PERSON, now=now()), now=now()
        )
        record_looks(
            session,
            principal(),
            [UUID(p.id) for p in found],
            Purpose.LIVE_SUPERVISION,
            "people",
            now=now(),
        )
    wanted = table.filters.get("status")
    rows = [
        p
        for p in found
        if table.q.casefold() in f"{p.name}\n{p.unit}\n{p.post}".casefold()
        and wanted in {None, p.status}
    ]
    rows.sort(key=lambda p: _sort_key(table.sort_key, p), reverse=table.descending)
    if request.args.get("format") == "csv":
        header = ("name", "unit", "post", "status", "since", "fixed_at", "battery_pct")
        return csv_response(
            "people",
            header,
            [(p.name, p.unit, p.post, p.status, p.since, p.fixed_at, p.battery_pct) for p in rows],
        )
    return render_template(
        "people/index.html",
        table=table,
        rows=rows[table.offset : table.offset + table.size],
        count=len(rows),
        total=len(found),
        counts={s.value: sum(p.status == s for p in found) for s in _SEVERITY},
    )


@blueprint.get("/people/<uuid:employee_id>")
@policy(Action.VIEW_PERSON)
def show(employee_id: UUID) -> str:
    """Show one person: status, today, phone, roster of the week, own looks."""
    viewer = principal()
    with transaction() as session:
        person = scoped_employee(session, viewer, Action.VIEW_PERSON, employee_id, now=now())
        facts = person_facts(session, employee_id)
        looks = looks_at(
            session, employee_id, tenant_id=viewer.tenant_id, since_at=now() - timedelta(days=7)
        )
        record_looks(
            session,
            viewer,
            [employee_id],
            Purpose.LIVE_SUPERVISION,
            "person",
            now=now(),
            about_on=facts["today"],
        )
        locatable = may_ask(session, employee_id)
        asked = questions_about(
            session,
            tenant_id=viewer.tenant_id,
            employee_id=employee_id,
            since_at=now() - timedelta(days=7),
            asker_id=None if employee_id == viewer.employee_id else viewer.account_id,
        )
    own = employee_id == viewer.employee_id
    return render_template(
        "people/show.html",
        person=person,
        own=own,
        may_excuse=not own and may_for_others(viewer, Action.EXCUSE),
        locatable=locatable,
        asked=asked,
        looks=[look for look in looks if own or look.actor_id == viewer.account_id],
        **facts,
    )


def person_facts(session: Session, employee_id: UUID) -> dict[str, Any]:
    """Return what the person's page and the person's own page show alike.

    The caller has asked the policy function and notes the look.
    """
    viewer, at = principal(), now()
    mine = only(employees_in_scope(viewer, Action.VIEW_PERSON, now=at), employee_id)
    duty = duty_now(session, tenant_id=viewer.tenant_id, employee_id=employee_id, now=at)
    # A night shift belongs to the date it began on.
    today = duty.work_on if duty else local_date(at, viewer.zone)
    monday = today - timedelta(days=today.weekday())
    found = day(session, employee_id, today)
    devices = device_health(session, mine)
    states = people_now(session, mine, now=at)
    checks = None
    if found and found.windows:
        checks = cell_checks(
            session,
            tenant_id=viewer.tenant_id,
            employee_id=employee_id,
            start_at=found.windows[0].opens_at,
            end_at=found.windows[-1].closes_at,
        )
    trajectory = found.summary.get("trajectory", {}) if found else {}
    return {
        "state": states[0] if states else None,
        "today": today,
        "on_duty": duty is not None,
        "day": found,
        "cells": checks,
        "timeline": timeline_of(found) if found else None,
        "distance": interval(trajectory["distance_m"]) if trajectory.get("distance_m") else None,
        "devices": [
            (d, health_of(d, duty_since=duty.starts_at if duty else None, now=at)) for d in devices
        ],
        "words": words,
        "week": roster_between(
            session,
            roster_in_scope(viewer, Action.VIEW_PERSON, now=at, employee_id=employee_id),
            first_on=monday,
            last_on=monday + timedelta(days=6),
        ),
        "monday": monday,
    }


def people_now(session: Session, scope: Select[UUID], *, now: datetime) -> list[Shown]:
    """Return how the people of a scope stand right now, by name; positions stay out."""
    columns = live_map(session, scope, now=now).people
    ranks = ranks_of_names(session, scope)
    names = ("id", "name", "unit", "post", "status", "since", "fixed_at", "battery_pct")
    rows = zip(*(columns[name] for name in names), strict=True)
    shown = [
        Shown(
            *(id_, name, unit, post, status, _instant(since), _instant(fixed_at), battery),
            rank=ranks.get(UUID(id_), len(ranks)),
        )
        for id_, name, unit, post, status, since, fixed_at, battery in rows
    ]
    return sorted(shown, key=lambda p: (p.rank, p.id))


def _instant(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)


def _sort_key(key: str, person: Shown) -> tuple[Any, ...]:
    name = (person.rank, person.id)
    if key == "unit":
        return (person.unit or "", *name)
    if key == "fix":
        return (person.fixed_at.timestamp() if person.fixed_at else 0.0, *name)
    if key == "battery":
        return (-1 if person.battery_pct is None else person.battery_pct, *name)
    if key == "status":
        return (_SEVERITY.index(LiveStatus(person.status)), *name)
    return name
