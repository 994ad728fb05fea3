"""Reading of proposals to move pins; public through `server.visits.queries`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db.geometry import lat_of, lon_of
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal
from server.tracking import anonymity
from server.visits.models import PinProposal, PlannedVisit
from server.visits.rules import PinState


@dataclass(frozen=True, slots=True, kw_only=True)
class PinProposalView:
    """That a site's pin should be moved, and who said so by where they stayed.

    Attributes
    ----------
    agreeing, people : how many stayed at the place proposed, of how many; as `anonymity.told`
        unless the reader may look at all of them.
    about : whom the reader looks at with it: all of them, or nobody when the reader may not.
    """

    id: UUID
    lon_deg: float
    lat_deg: float
    off_m: float
    spread_m: float
    agreeing: int
    people: int
    about: frozenset[UUID]
    proposed_at: datetime


def open_pin_proposal(
    session: Session, principal: Principal, *, site_id: UUID, now: datetime
) -> PinProposalView | None:
    """Return the proposal to move a site's pin that waits for a decision.

    It says where people stayed. So it is for those who may look at all of them, and for others
    when as many agree as may be counted of people whom one may not see. Two statements.
    """
    row = session.execute(
        select(
            PinProposal,
            lon_of(PinProposal.place.expression),
            lat_of(PinProposal.place.expression),
        ).where(
            PinProposal.tenant_id == principal.tenant_id,
            PinProposal.site_id == site_id,
            PinProposal.state == PinState.OPEN,
        )
    ).one_or_none()
    if row is None:
        return None
    proposal, lon_deg, lat_deg = row
    figures: dict[str, Any] = proposal.evidence["figures"]
    agreeing, people = figures["agreeing"], figures["people"]
    about = _all_in_scope(session, principal, proposal.evidence["inputs"]["visits"], now=now)
    if not about:
        agreeing, people = anonymity.told(agreeing), anonymity.told(people)
        if not agreeing:
            return None
    return PinProposalView(
        id=proposal.id,
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        off_m=figures["off_m"],
        spread_m=figures["spread_m"],
        agreeing=agreeing,
        people=people,
        about=about,
        proposed_at=proposal.proposed_at,
    )


def _all_in_scope(
    session: Session, principal: Principal, visits: Collection[str], *, now: datetime
) -> frozenset[UUID]:
    """Return whose visits these are, nobody unless the reader may look at each of them."""
    reach = was_in_scope(
        principal,
        Action.VIEW_FINDINGS,
        employee_id=PlannedVisit.employee_id.expression,
        on=PlannedVisit.on_date.expression,
        now=now,
    )
    rows = session.execute(
        select(PlannedVisit.employee_id, reach).where(
            PlannedVisit.tenant_id == principal.tenant_id,
            PlannedVisit.id.in_([UUID(visit) for visit in visits]),
        )
    ).all()
    seen = len(rows) == len(visits) and all(allowed for _, allowed in rows)
    return frozenset(person for person, _ in rows) if seen else frozenset()
