"""The rows of each kind as files hold them: what an import of them would leave as it is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.db import tables
from server.imports import store
from server.imports.bearer import ACTIONS, Bearer
from server.imports.kinds import Kind
from server.imports.unit_paths import KIND_WORDS, UnitBook
from server.people.policy import local_date
from server.people.rules import Action
from server.people.staff import staff_of_units, units_of_tenant
from server.posts.queries import list_posts, roster_between
from server.sites.queries import all_sites

Cells: TypeAlias = Mapping[str, Any]
"""Column → text, number, date, yes or no, or a geometry as GeoJSON; None for a blank."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where rows come from."""

    session: Session
    clock: Clock
    bearer: Bearer
    units: Select[UUID]
    book: UnitBook
    locale: str
    days: tuple[date, date]


def export_rows(
    session: Session,
    clock: Clock,
    *,
    bearer: Bearer,
    kind: Kind,
    locale: str,
    days: tuple[date, date] | None = None,
) -> Iterator[Cells]:
    """Return everything of a kind that the bearer could import, as rows of a file.

    People who have left and posts that are closed stay out. Positions are WGS-84, dates
    local to the tenant.

    Parameters
    ----------
    locale : `zh` or `en`, for levels of units and yes or no.
    days : first and last work date of a roster, both included; today when left out.
    """
    store.plan_each_time(session)
    task_units = bearer.units(ACTIONS[kind], clock)
    seen = bearer.units(Action.VIEW_POSTS, clock) if kind is Kind.ROSTER else task_units
    book = UnitBook(
        units_of_tenant(session, tenant_id=bearer.tenant_id), set(session.scalars(seen))
    )
    today = local_date(clock.now(), bearer.zone)
    source = _Source(session, clock, bearer, task_units, book, locale, days or (today, today))
    return _ROWS[kind](source)


def _employees(source: _Source) -> Iterator[Cells]:
    today = local_date(source.clock.now(), source.bearer.zone)
    for person in staff_of_units(
        source.session, source.units, tenant_id=source.bearer.tenant_id, on=today
    ):
        yield {
            "number": person.number,
            "name": person.name,
            "unit": source.book.path(person.unit_id),
            "title": person.title,
            "phone": person.phone,
            "hired_on": person.hired_on,
            "left_on": person.left_on,
        }


def _units(source: _Source) -> Iterator[Cells]:
    for unit in units_of_tenant(source.session, tenant_id=source.bearer.tenant_id):
        if unit.id in source.book.allowed:
            zh, en, *_others = KIND_WORDS[unit.kind]
            yield {
                "name": unit.name,
                "parent": source.book.path(unit.parent_id) or None,
                "kind": zh if source.locale == "zh" else en,
            }


def _posts(source: _Source) -> Iterator[Cells]:
    for post in list_posts(source.session, source.units, at=source.clock.now()):
        shape = post.shape
        is_circle = shape is not None and shape["type"] == "Point"
        yield {
            "name": post.name,
            "unit": source.book.path(post.unit_id),
            "address": post.address,
            "zone": post.zone,
            "lon": shape["coordinates"][0] if shape and is_circle else None,
            "lat": shape["coordinates"][1] if shape and is_circle else None,
            "radius_m": shape["radius_m"] if shape and is_circle else None,
            "grace_min": None if post.grace_s is None else post.grace_s / 60,
            "buffer_m": post.buffer_m,
            "geometry": None if is_circle else shape,
        }


def _sites(source: _Source) -> Iterator[Cells]:
    for site in all_sites(source.session, source.units):
        facts = site.facts
        lon, lat = facts.position or (None, None)
        yield {
            "number": facts.number,
            "name": facts.name,
            "unit": source.book.path(facts.unit_id),
            "address": facts.address,
            "lon": lon,
            "lat": lat,
            "radius_m": facts.radius_m,
            "active": yes_word(source.locale, yes=facts.active),
        }


def _roster(source: _Source) -> Iterator[Cells]:
    session, tenant_id = source.session, source.bearer.tenant_id
    today = local_date(source.clock.now(), source.bearer.zone)
    members = tables.memberships
    people = select(members.c.employee_id).where(
        members.c.tenant_id == tenant_id,
        members.c.unit_id.in_(source.units),
        func.coalesce(func.upper(members.c.during_on), date.max) > today,
    )
    entries = roster_between(session, people, first_on=source.days[0], last_on=source.days[1])
    staff = tables.employees
    known = {
        row.id: row
        for row in session.execute(
            select(staff.c.id, staff.c.number, staff.c.left_on).where(
                staff.c.tenant_id == tenant_id, staff.c.id.in_(people)
            )
        )
    }
    posts = {
        post.id: post.unit_id
        for post in list_posts(
            session,
            source.bearer.units(Action.VIEW_POSTS, source.clock),
            at=source.clock.now(),
            with_closed=True,
        )
    }
    for entry in entries:
        person = known[entry.employee_id]
        if person.left_on is not None and entry.on_date >= person.left_on:
            continue
        # A post outside the scope is not named; on import its cell is left alone.
        unit = posts.get(entry.post_id) if entry.post_id else None
        yield {
            "number": person.number,
            "name": entry.employee_name,
            "on_date": entry.on_date,
            "shift": entry.shift_name,
            "post": entry.post_name if unit else None,
            "post_unit": source.book.path(unit) if unit else None,
        }


def yes_word(locale: str, *, yes: bool) -> str:
    """Return yes or no in a language of files."""
    if locale == "zh":
        return "是" if yes else "否"
    return "yes" if yes else "no"


_ROWS: Final[Mapping[Kind, Callable[[_Source], Iterator[Cells]]]] = {
    Kind.EMPLOYEES: _employees,
    Kind.UNITS: _units,
    Kind.POSTS: _posts,
    Kind.SITES: _sites,
    Kind.ROSTER: _roster,
}
