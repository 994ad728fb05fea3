"""Use cases on visits; the caller's door has asked for `assign_visits` and commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from geo.visits import MARGIN_S
from server.clock import Clock
from server.db.types import new_id
from server.errors import Conflict, InvalidInput, NotFound
from server.findings.rules import DayKey
from server.posts.queries import ExcusalKind
from server.posts.rules import local_date
from server.posts.services import excuse
from server.sites.queries import sites_by_id
from server.tracking.retention import is_sealed
from server.visits import store
from server.visits.judging import take_back, verify_due
from server.visits.models import PlannedVisit
from server.visits.pins import accept_pin, dismiss_pin
from server.visits.rules import SETTLE, VisitDraft, check_draft
from server.visits.store import RoundKey

__all__ = [
    "RoundKey",
    "accept_pin",
    "assign_visits",
    "cancel_visit",
    "dismiss_pin",
    "queue_visits",
    "verify_due",
]


def assign_visits(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    zone: str,
    drafts: Sequence[VisitDraft],
    actor_id: UUID | None = None,
) -> list[UUID]:
    """Assign visits, all of them or none; each excuses its person from the post for its window.

    Parameters
    ----------
    zone : of the tenant; in it the window's start has a local date.

    Returns
    -------
    Ids in the order given.

    Raises
    ------
    InvalidInput : as `rules.check_draft`; `visit_too_old` where positions may be gone.
    NotFound : a person or site is not of this tenant.
    Conflict : `site_closed`, `site_without_position`; the detail names the site.
    """
    now = clock.now()
    for draft in drafts:
        check_draft(draft)
        if is_sealed(local_date(draft.starts_at, zone), now):
            raise InvalidInput("visit_too_old", fields={"starts_at": "visit_too_old"})
    sites = sites_by_id(session, tenant_id=tenant_id, ids={draft.site_id for draft in drafts})
    for draft in drafts:
        site = sites.get(draft.site_id)
        if site is None:
            raise NotFound("site_not_found")
        if not site.active:
            raise Conflict("site_closed", site.name)
        if site.position is None:
            raise Conflict("site_without_position", site.name)
    visits = [
        PlannedVisit(
            tenant_id=tenant_id,
            id=new_id(),
            employee_id=draft.employee_id,
            site_id=draft.site_id,
            kind=draft.kind,
            on_date=local_date(draft.starts_at, zone),
            starts_at=draft.starts_at,
            ends_at=draft.ends_at,
            group_id=draft.group_id,
            note=draft.note,
            due_at=draft.ends_at + SETTLE,
            created_by=actor_id,
        )
        for draft in drafts
    ]
    # Visits before duty: a judge holds a visit when it waits for the tenant's duty version.
    rounds = {RoundKey(tenant_id, visit.employee_id, visit.on_date) for visit in visits}
    store.rounds_due(session, rounds, at=now + SETTLE)
    for visit in visits:
        visit.excusal_id = excuse(
            session,
            clock,
            tenant_id=tenant_id,
            employee_id=visit.employee_id,
            kind=ExcusalKind.VISIT,
            starts_at=visit.starts_at,
            ends_at=visit.ends_at,
            note=sites[visit.site_id].name,
            actor_id=actor_id,
        )
    session.add_all(visits)
    session.flush()
    return [visit.id for visit in visits]


def cancel_visit(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    visit_id: UUID,
    actor_id: UUID | None = None,
) -> None:
    """Cancel a visit: it excuses nothing any more, and its stay may count for another.

    Verdicts on it are kept.

    Raises
    ------
    NotFound : `visit_not_found`.
    Conflict : `already_cancelled`.
    """
    visit = store.load_visit(session, tenant_id=tenant_id, visit_id=visit_id)
    if visit.cancelled_at is not None:
        raise Conflict("already_cancelled")
    now = clock.now()
    visit.cancelled_at, visit.cancelled_by, visit.due_at = now, actor_id, None
    session.flush()
    key = RoundKey(tenant_id, visit.employee_id, visit.on_date)
    store.rounds_due(session, [key], at=now + SETTLE)
    for excusal_id in (visit.excusal_id, visit.way_excusal_id):
        if excusal_id is not None:
            take_back(session, clock, tenant_id=tenant_id, excusal_id=excusal_id)


def queue_visits(session: Session, clock: Clock, since: Mapping[DayKey, datetime]) -> None:
    """Have visits judged again of whose person-days more became known; for the engine.

    Parameters
    ----------
    since : person-days that were derived, and the earliest instant each was touched for; a
        visit that was over an hour before is not affected.

    One statement, in the transaction that derives the days: what a verdict lacks is queued
    with what it lacks.
    """
    now = clock.now()
    store.queue_days(
        session,
        [(*day, at) for day, at in sorted(since.items())],
        now=now,
        due_at=now + SETTLE,
        margin_s=MARGIN_S,
    )
