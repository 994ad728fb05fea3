"""Calls on customers: sites around the company's post, visits assigned, the verifier run."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from geo.distance import destination
from server.sites.rules import SiteFacts
from server.sites.services import add_sites
from server.tracking.records import FixRecord
from server.visits.rules import VisitDraft, VisitType
from server.visits.services import assign_visits
from server.visits.verifier import Verifier
from tests.factories.company import LAT_DEG, LON_DEG, ZONE, Company
from tests.factories.phones import Phone, away, minutes


def east_of_post(metres: float) -> tuple[float, float]:
    """Return longitude and latitude so far east of the company's post."""
    lon, lat = destination(lon_deg=LON_DEG, lat_deg=LAT_DEG, azimuth_deg=90.0, distance_m=metres)
    return float(lon), float(lat)


def site(
    company: Company, *, east_m: float = 2_000.0, number: str = "S1", radius_m: float = 100.0
) -> UUID:
    """Return a new site so far east of the post."""
    facts = SiteFacts(
        number=number,
        name=f"customer {number}",
        unit_id=company.branch_id,
        position=east_of_post(east_m),
        radius_m=radius_m,
    )
    with company.transaction() as session:
        [site_id] = add_sites(session, company.clock, tenant_id=company.tenant_id, sites=[facts])
    return site_id


def plan(
    company: Company,
    employee_id: UUID,
    site_id: UUID,
    start: datetime,
    end: datetime,
    **changes: Any,
) -> UUID:
    """Assign one visit."""
    draft = VisitDraft(
        employee_id=employee_id,
        site_id=site_id,
        kind=changes.pop("kind", VisitType.REGULAR),
        starts_at=start,
        ends_at=end,
        **changes,
    )
    with company.transaction() as session:
        [visit_id] = assign_visits(
            session, company.clock, tenant_id=company.tenant_id, zone=ZONE, drafts=[draft]
        )
    return visit_id


def call(
    who: Phone, first: datetime, last: datetime, *, east_m: float = 2_000.0, from_m: float = 15.0
) -> list[FixRecord]:
    """Go from a place to another in five minutes, stay over `[first, last)`, and go back."""
    step = (east_m - from_m) / 5
    there = [who.fix(first - minutes(5 - n), east_m=from_m + step * n) for n in range(1, 5)]
    back = [who.fix(last + minutes(n), east_m=east_m - step * n) for n in range(1, 5)]
    return [*there, *away(who, first, last, east_m=east_m), *back]


def verifier(company: Company) -> Verifier:
    """A worker of its own."""
    return Verifier(company.sessions(company.engine), company.clock)


def verdicts(company: Company, visit_id: UUID) -> Sequence[Any]:
    """Return the versions of a visit's verdict: number, verdict, digest, evidence."""
    with company.engine_transaction() as session:
        return session.execute(
            text(
                "SELECT version, verdict, digest, evidence FROM visit_verdicts"
                " WHERE visit_id = :id ORDER BY version"
            ),
            {"id": visit_id},
        ).all()
