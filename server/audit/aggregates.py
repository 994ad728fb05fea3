"""Looks at how many people are where; they name nobody and are written down all the same."""

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.audit.models import AggregateLook, Purpose
from server.audit.services import COALESCE, Actor


def record_aggregate_look(
    session: Session,
    principal: Actor,
    purpose: Purpose,
    view: str,
    *,
    now: datetime,
    about_on: date,
    reach: str,
    people: int,
) -> bool:
    """Record that an account read counts of people.

    Looks of one account through one view at one day and reach within an hour are one entry,
    so that playing a day does not write thousands; it keeps the people of the first look.

    Parameters
    ----------
    session : the transaction that reads the counts.
    about_on : local date that was looked at.
    reach : `own`, the id of a unit, or `company`.
    people : how many people the exact counts are of; 0 for rounded ones only.

    Returns
    -------
    Whether an entry was written. Two statements at most.
    """
    known = session.scalar(
        select(AggregateLook.id)
        .where(
            AggregateLook.tenant_id == principal.tenant_id,
            AggregateLook.actor_id == principal.account_id,
            AggregateLook.at > now - COALESCE,
            AggregateLook.view == view,
            AggregateLook.purpose == purpose,
            AggregateLook.about_on == about_on,
            AggregateLook.reach == reach,
        )
        .limit(1)
    )
    if known is not None:
        return False
    session.add(
        AggregateLook(
            tenant_id=principal.tenant_id,
            at=now,
            actor_id=principal.account_id,
            actor_name=principal.name,
            purpose=purpose,
            view=view,
            about_on=about_on,
            reach=reach,
            people=people,
        )
    )
    session.flush()
    return True
