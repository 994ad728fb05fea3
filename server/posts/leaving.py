"""People who leave: nowhere on duty from a date on, and without access."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.people.services import cut_off_leavers, end_employment
from server.posts import store
from server.posts.models import RosterEntry


def let_go(
    session: Session, clock: Clock, *, tenant_id: int, employee_id: UUID, left_on: date
) -> None:
    """Let one person leave; see `let_people_go`."""
    let_people_go(session, clock, tenant_id=tenant_id, leavers={employee_id: left_on})


def let_people_go(
    session: Session, clock: Clock, *, tenant_id: int, leavers: Mapping[UUID, date]
) -> None:
    """Let people leave: from a local date on they are nowhere on duty and have no access.

    Assignments on or after that date count no more, and what was concluded from those that
    have begun is judged again. When the date has come, phones are revoked and the account
    is switched off now; otherwise daily upkeep does it.

    Parameters
    ----------
    leavers : employee → first local date on which they are gone.

    Raises
    ------
    NotFound : somebody is not of this tenant.
    InvalidInput : somebody belongs nowhere on that date.
    """
    if not leavers:
        return
    rows = session.execute(
        select(RosterEntry.employee_id, RosterEntry.on_date, RosterEntry.starts_at).where(
            RosterEntry.tenant_id == tenant_id,
            RosterEntry.employee_id.in_(leavers),
            RosterEntry.on_date >= min(leavers.values()),
            RosterEntry.cancelled_at.is_(None),
            RosterEntry.starts_at <= clock.now(),
        )
    ).all()
    begun = [store.AffectedDay(*row) for row in rows if row.on_date >= leavers[row.employee_id]]
    for employee_id, left_on in leavers.items():
        end_employment(
            session, clock, tenant_id=tenant_id, employee_id=employee_id, left_on=left_on
        )
    store.note_duty_change(session, tenant_id=tenant_id, days=begun)
    cut_off_leavers(session, clock, tenant_id=tenant_id)
