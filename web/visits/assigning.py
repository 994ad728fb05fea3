"""Visits as typed into the form: people × sites, one window."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from server.clock import Clock
from server.db.types import new_id
from server.errors import InvalidInput
from server.people.policy import scoped_employee, units_in_scope
from server.people.queries import units
from server.people.rules import Action, Principal
from server.sites.queries import sites_by_number
from server.visits.rules import VisitDraft, VisitType
from server.visits.services import assign_visits
from web.params import date_or_none, uuid_or_none

MOST: Final = 200
_BETWEEN: Final = re.compile(r"[\s,;，；、]+")


def assign_from(
    session: Session, clock: Clock, viewer: Principal, form: MultiDict[str, str]
) -> int:
    """Assign the visits that a form describes; returns how many.

    Parameters
    ----------
    form : `p` people, `sites` numbers of sites, `kind`, `on`, `starts`, `ends`, `note`, and
        `together` when one stay may serve all the sites.

    Raises
    ------
    InvalidInput : `form`, `unknown_site`, `own_visit`, `too_many`, and what
        `server.visits.services.assign_visits` refuses.
    NotFound : somebody is not in the viewer's scope.
    """
    people = [uuid_or_none(text) for text in form.getlist("p")]
    numbers = [number for number in _BETWEEN.split(form.get("sites", "")) if number]
    window = _window(form, viewer.zone)
    kind = form.get("kind", "")
    if not people or None in people or not numbers or window is None or kind not in set(VisitType):
        raise InvalidInput("form")
    if len(people) * len(numbers) > MOST:
        raise InvalidInput("too_many")
    chosen = [
        scoped_employee(session, viewer, Action.ASSIGN_VISITS, person, now=clock.now())
        for person in dict.fromkeys(people)
        if person is not None
    ]
    if any(person.id == viewer.employee_id for person in chosen):
        raise InvalidInput("own_visit")
    sites = _sites(session, clock, viewer, numbers)
    drafts = []
    for person in chosen:
        group_id = new_id() if form.get("together") and len(sites) > 1 else None
        drafts += [
            VisitDraft(
                employee_id=person.id,
                site_id=site_id,
                kind=VisitType(kind),
                starts_at=window[0],
                ends_at=window[1],
                note=form.get("note", "").strip() or None,
                group_id=group_id,
            )
            for site_id in sites
        ]
    assign_visits(
        session,
        clock,
        tenant_id=viewer.tenant_id,
        zone=viewer.zone,
        drafts=drafts,
        actor_id=viewer.account_id,
    )
    return len(drafts)


def _sites(session: Session, clock: Clock, viewer: Principal, numbers: list[str]) -> list[UUID]:
    """Return the sites of these numbers; all of them must be the viewer's to see."""
    found = sites_by_number(session, tenant_id=viewer.tenant_id, numbers=numbers)
    scope = units_in_scope(viewer, Action.VIEW_POSTS, now=clock.now())
    mine = {unit.id for unit in units(session, viewer, scope, now=clock.now())}
    for number in numbers:
        if number not in found or found[number][1].unit_id not in mine:
            raise InvalidInput("unknown_site", number)
    return [found[number][0] for number in dict.fromkeys(numbers)]


def _window(form: Mapping[str, str], zone: str) -> tuple[datetime, datetime] | None:
    """Return the instants of a day and two times of the tenant; an end before is next day's."""
    on, starts, ends = date_or_none(form.get("on")), _time(form, "starts"), _time(form, "ends")
    if on is None or starts is None or ends is None:
        return None
    until = on if ends > starts else on + timedelta(days=1)
    return _instant(on, starts, zone), _instant(until, ends, zone)


def _instant(on: date, at: time, zone: str) -> datetime:
    return datetime.combine(on, at, tzinfo=ZoneInfo(zone))


def _time(form: Mapping[str, str], name: str) -> time | None:
    try:
        found = time.fromisoformat(form.get(name, ""))
    except ValueError:
        return None
    return found if found.tzinfo is None else None
