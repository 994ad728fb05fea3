"""Reading of proposals to move pins; public through `server.visits.queries`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db.geometry import lat_of, lon_of
from server.visits.models import PinProposal
from server.visits.rules import PinState


@dataclass(frozen=True, slots=True, kw_only=True)
class PinProposalView:
    """That a site's pin should be moved; counts of people, never who."""

    id: UUID
    lon_deg: float
    lat_deg: float
    evidence: dict[str, Any]
    proposed_at: datetime


def open_pin_proposal(session: Session, *, tenant_id: int, site_id: UUID) -> PinProposalView | None:
    """Return the proposal to move a site's pin that waits for a decision."""
    row = session.execute(
        select(
            PinProposal,
            lon_of(PinProposal.place.expression),
            lat_of(PinProposal.place.expression),
        ).where(
            PinProposal.tenant_id == tenant_id,
            PinProposal.site_id == site_id,
            PinProposal.state == PinState.OPEN,
        )
    ).one_or_none()
    if row is None:
        return None
    proposal, lon_deg, lat_deg = row
    return PinProposalView(
        id=proposal.id,
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        evidence=proposal.evidence,
        proposed_at=proposal.proposed_at,
    )
