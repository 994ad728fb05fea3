"""Wrong pin against wrong person: what others' stays say of a visit whose stay is off the pin."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select, true
from sqlalchemy.orm import Session

from geo.distance import geodesic_m
from geo.pins import PinFinding, SiteStay, judge_pin
from geo.sites import Site
from server.db.geometry import lat_of, lon_of
from server.posts.queries import geo_policies
from server.visits.models import PinProposal, PlannedVisit, VerdictVersion
from server.visits.queries import Scope
from server.visits.rules import PinState

__all__ = ["PinDoubt", "PinFinding", "pin_doubts"]


@dataclass(frozen=True, slots=True)
class PinDoubt:
    """Why a stay off the pin may be the pin's fault, or a question to the person.

    Attributes
    ----------
    finding : `WRONG_PIN` while a proposal to move the pin is open, or `WRONG_PERSON`.
    off_m : from the pin to the stay of the visit.
    people : whose stays at the site were compared.
    agreeing : of them, those who stayed at one other place, or those who stayed at the pin.
    """

    finding: PinFinding
    off_m: float
    people: int
    agreeing: int


def pin_doubts(
    session: Session,
    reach: Scope | None,
    *,
    tenant_id: int,
    site_ids: Collection[UUID],
    now: datetime,
) -> Mapping[UUID, PinDoubt]:
    """Return the doubts about visits of some sites, by visit. Two statements at most.

    Stays are compared with those of visits that were judged by the same pin; their places are
    kept for 30 days.

    Parameters
    ----------
    reach : the visits that whoever asks may see: no other stay is counted. None counts
        everybody's, for a person who is told of the doubt about themselves without any number.
    """
    if not site_ids:
        return {}
    pin, place = PlannedVisit.pin.expression, VerdictVersion.place.expression
    rows = session.execute(
        select(
            PlannedVisit.id,
            PlannedVisit.site_id,
            PlannedVisit.employee_id,
            lon_of(pin),
            lat_of(pin),
            PlannedVisit.pin_radius_m,
            lon_of(place),
            lat_of(place),
            PinProposal.id,
        )
        .join(
            VerdictVersion,
            and_(
                VerdictVersion.tenant_id == PlannedVisit.tenant_id,
                VerdictVersion.visit_id == PlannedVisit.id,
                VerdictVersion.version == PlannedVisit.version,
            ),
        )
        .outerjoin(
            PinProposal,
            and_(
                PinProposal.tenant_id == PlannedVisit.tenant_id,
                PinProposal.site_id == PlannedVisit.site_id,
                PinProposal.state == PinState.OPEN,
            ),
        )
        .where(
            PlannedVisit.tenant_id == tenant_id,
            PlannedVisit.site_id.in_(site_ids),
            PlannedVisit.cancelled_at.is_(None),
            pin.is_not(None),
            PlannedVisit.pin_radius_m.is_not(None),
            place.is_not(None),
            true() if reach is None else reach,
        )
    )
    stays: defaultdict[tuple[UUID, Site], list[SiteStay]] = defaultdict(list)
    proposed: set[UUID] = set()
    for visit, site_id, person, lon, lat, radius_m, at_lon, at_lat, proposal in rows:
        assert radius_m is not None
        stay = SiteStay(str(person), at_lon, at_lat, str(visit))
        stays[site_id, Site(lon, lat, radius_m)].append(stay)
        if proposal is not None:
            proposed.add(site_id)
    if not stays:
        return {}
    policy = geo_policies(session, tenant_ids=[tenant_id]).at(tenant_id, now).visit
    doubts: dict[UUID, PinDoubt] = {}
    for (site_id, site), known in stays.items():
        judged = judge_pin(known, site, policy=policy)
        figures = judged.evidence.figures
        if judged.finding is PinFinding.WRONG_PERSON:
            concerned = set(judged.people_off)
            agreeing = figures["people"] - figures["people_off"]
        elif judged.finding is PinFinding.WRONG_PIN and site_id in proposed:
            concerned, agreeing = {stay.person for stay in known}, figures["agreeing"]
        else:
            continue
        for stay in known:
            off_m = _off_m(stay, site)
            if stay.person in concerned and off_m > figures["reach_m"]:
                doubt = PinDoubt(judged.finding, off_m, figures["people"], agreeing)
                doubts[UUID(stay.key)] = doubt
    return doubts


def _off_m(stay: SiteStay, site: Site) -> float:
    return float(
        geodesic_m(
            lon1_deg=site.lon_deg,
            lat1_deg=site.lat_deg,
            lon2_deg=stay.lon_deg,
            lat2_deg=stay.lat_deg,
        )
    )
