"""Pins that several people's stays contradict: proposed, withdrawn, accepted, dismissed."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shapely import Point
from sqlalchemy import and_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geo.distance import geodesic_m
from geo.pins import PinFinding, PinJudgement, SiteStay, judge_pin
from geo.sites import Site
from server.clock import Clock
from server.db.geometry import column_to_shape, lat_of, lat_sql, lon_of, lon_sql, point
from server.db.types import new_id
from server.errors import Conflict, NotFound
from server.posts.queries import GeoPolicies
from server.sites.queries import sites_by_id
from server.sites.services import change_sites
from server.tracking.retention import RAW_RETENTION
from server.visits.models import PinProposal, PlannedVisit
from server.visits.rules import PinState
from server.visits.store import LOCK_ORDER

SiteKey = tuple[int, UUID]

# Stays of visits that were judged by the pin as it is now; their places are kept for 30 days.
_STAYS: Final = text(
    f"""
    SELECT k.tenant_id, k.site_id, {lon_sql("s.position")}, {lat_sql("s.position")}, s.radius_m,
        v.employee_id, v.id, {lon_sql("d.place")}, {lat_sql("d.place")}
    FROM unnest(CAST(:tenants AS int[]), CAST(:sites AS uuid[])) AS k (tenant_id, site_id)
    JOIN sites s ON s.tenant_id = k.tenant_id AND s.id = k.site_id AND s.position IS NOT NULL
    LEFT JOIN planned_visits v ON v.tenant_id = k.tenant_id AND v.site_id = k.site_id
        AND v.cancelled_at IS NULL AND v.version > 0
        AND {lon_sql("v.pin")} = {lon_sql("s.position")}
        AND {lat_sql("v.pin")} = {lat_sql("s.position")}
    LEFT JOIN visit_verdicts d ON d.tenant_id = v.tenant_id AND d.visit_id = v.id
        AND d.version = v.version AND d.place IS NOT NULL
    ORDER BY k.tenant_id, k.site_id, v.id
    """  # noqa: S608  # constants
)


def review_pins(
    session: Session, clock: Clock, *, sites: Sequence[SiteKey], policies: GeoPolicies
) -> None:
    """Propose to move pins that several people's stays contradict; withdraw what no longer holds.

    A place like one that somebody dismissed is not proposed again. Three statements for any
    number of sites, and one a proposal.
    """
    if not sites:
        return
    now = clock.now()
    pins: dict[SiteKey, Site] = {}
    stays: defaultdict[SiteKey, list[SiteStay]] = defaultdict(list)
    for tenant, site, lon, lat, radius_m, person, visit, at_lon, at_lat in session.execute(
        _STAYS, {"tenants": [t for t, _ in sites], "sites": [s for _, s in sites]}
    ):
        pins[tenant, site] = Site(lon, lat, radius_m)
        if at_lon is not None:
            stays[tenant, site].append(SiteStay(str(person), at_lon, at_lat, str(visit)))
    known: defaultdict[SiteKey, list[PinProposal]] = defaultdict(list)
    keys = tuple_(PinProposal.tenant_id, PinProposal.site_id)
    for row in session.scalars(
        select(PinProposal).where(
            keys.in_(list(sites)), PinProposal.state.in_([PinState.OPEN, PinState.DISMISSED])
        )
    ):
        known[row.tenant_id, row.site_id].append(row)
    for key, pin in pins.items():
        policy = policies.at(key[0], now)
        found = judge_pin(stays[key], pin, policy=policy.visit, policy_version=policy.version)
        near_m = policy.visit.pin_spread_m
        _settle(session, key, found, known[key], now=now, near_m=near_m)


def accept_pin(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    proposal_id: UUID,
    actor_id: UUID | None = None,
) -> int:
    """Move a site's pin to where it was proposed, and have its visits judged by it.

    Visits that were judged by the former pin and whose positions are still kept get the new
    one, and a new version of their verdict if it says otherwise. That the site was changed is
    recorded; the proposal keeps who accepted it.

    Returns
    -------
    How many visits are judged again.

    Raises
    ------
    NotFound : `proposal_not_found`.
    Conflict : `already_decided`.
    """
    # Visits first, as a judge does, who settles proposals at the end.
    session.execute(
        select(PlannedVisit.id)
        .join(
            PinProposal,
            and_(
                PinProposal.tenant_id == PlannedVisit.tenant_id,
                PinProposal.site_id == PlannedVisit.site_id,
            ),
        )
        .where(
            PinProposal.tenant_id == tenant_id,
            PinProposal.id == proposal_id,
            PlannedVisit.starts_at > clock.now() - RAW_RETENTION,
        )
        .order_by(*LOCK_ORDER)
        .with_for_update(of=PlannedVisit)
    )
    proposal = _open(session, tenant_id=tenant_id, proposal_id=proposal_id)
    site = sites_by_id(session, tenant_id=tenant_id, ids=[proposal.site_id])[proposal.site_id]
    now, place = clock.now(), _lon_lat(proposal)
    former = site.position
    change_sites(
        session,
        clock,
        tenant_id=tenant_id,
        sites={proposal.site_id: replace(site, position=place)},
        actor_id=actor_id,
    )
    proposal.state, proposal.decided_by, proposal.decided_at = PinState.ACCEPTED, actor_id, now
    session.flush()
    if former is None:
        return 0
    pin = PlannedVisit.pin.expression
    moved = session.execute(
        update(PlannedVisit)
        .where(
            PlannedVisit.tenant_id == tenant_id,
            PlannedVisit.site_id == proposal.site_id,
            PlannedVisit.cancelled_at.is_(None),
            PlannedVisit.starts_at > now - RAW_RETENTION,
            lon_of(pin) == former[0],
            lat_of(pin) == former[1],
        )
        .values(pin=point(lon_deg=place[0], lat_deg=place[1]), due_at=now)
        .returning(PlannedVisit.id)
        .execution_options(synchronize_session=False)
    )
    return len(moved.all())


def dismiss_pin(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    proposal_id: UUID,
    actor_id: UUID | None = None,
) -> None:
    """Leave a pin where it is; the same place is not proposed again.

    Raises
    ------
    NotFound : `proposal_not_found`.
    Conflict : `already_decided`.
    """
    proposal = _open(session, tenant_id=tenant_id, proposal_id=proposal_id)
    proposal.state, proposal.decided_by = PinState.DISMISSED, actor_id
    proposal.decided_at = clock.now()
    session.flush()


def _open(session: Session, *, tenant_id: int, proposal_id: UUID) -> PinProposal:
    proposal = session.get(PinProposal, (tenant_id, proposal_id), with_for_update=True)
    if proposal is None:
        raise NotFound("proposal_not_found")
    if proposal.state is not PinState.OPEN:
        raise Conflict("already_decided")
    return proposal


def _settle(
    session: Session,
    key: SiteKey,
    found: PinJudgement,
    known: Sequence[PinProposal],
    *,
    now: datetime,
    near_m: float,
) -> None:
    open_ = next((row for row in known if row.state is PinState.OPEN), None)
    dismissed = [row for row in known if row.state is PinState.DISMISSED]
    wanted = found.finding is PinFinding.WRONG_PIN and not any(
        _apart_m(found, row) <= near_m for row in dismissed
    )
    if not wanted:
        if open_ is not None:
            open_.state, open_.decided_at = PinState.WITHDRAWN, now
            session.flush()
        return
    assert found.place is not None
    evidence: dict[str, Any] = json.loads(found.evidence.to_bytes())
    said = {
        "place": point(lon_deg=found.place[0], lat_deg=found.place[1]),
        "evidence": evidence,
        "digest": found.evidence.digest,
    }
    if open_ is not None and open_.digest == found.evidence.digest:
        return
    session.execute(
        insert(PinProposal)
        .values(
            tenant_id=key[0],
            id=new_id(),
            site_id=key[1],
            state=PinState.OPEN,
            proposed_at=now,
            **said,
        )
        .on_conflict_do_update(
            index_elements=[PinProposal.tenant_id, PinProposal.site_id],
            index_where=text("state = 'open'"),
            set_=said,
        )
    )


def _apart_m(found: PinJudgement, row: PinProposal) -> float:
    assert found.place is not None
    lon, lat = _lon_lat(row)
    return float(
        geodesic_m(lon1_deg=found.place[0], lat1_deg=found.place[1], lon2_deg=lon, lat2_deg=lat)
    )


def _lon_lat(row: PinProposal) -> tuple[float, float]:
    place = column_to_shape(row.place)
    assert isinstance(place, Point)
    return place.x, place.y
