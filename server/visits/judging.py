"""Verdicts on visits that are due: claimed, judged by their rounds, kept as versions."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from geo.fix import FixArray
from geo.gaps import Window
from geo.rounds import PlannedVisit as GeoVisit
from geo.rounds import verify_round
from geo.verdict import canonical_json, format_utc
from geo.visits import MARGIN_S, Site, Visit
from server.clock import Clock
from server.db.setbacks import OnClaim
from server.errors import Conflict
from server.findings.rules import DayKey
from server.posts.queries import ExcusalKind, GeoPolicies, geo_policies
from server.posts.services import excuse, withdraw_excusal
from server.tracking.facts import for_judgement, load_fixes
from server.tracking.retention import is_sealed
from server.visits import store
from server.visits.pins import review_pins
from server.visits.store import NewVerdict, RoundKey, VisitFacts

_log = logging.getLogger(__name__)
_MARGIN = timedelta(seconds=MARGIN_S)


def verify_due(
    session: Session,
    clock: Clock,
    *,
    limit: int = 100,
    skip: Sequence[RoundKey] = (),
    on_claim: OnClaim[RoundKey] | None = None,
) -> int:
    """Judge visits whose window is over, or of whose day more became known, in one transaction.

    All visits of one person and date are judged together, whichever of them was due. A verdict
    whose bytes are those of the newest version adds nothing; others become the next version,
    and the former ones stay. A verified visit excuses its stay with the way there and from
    it, as far as its window does not already. Runs with the engine's rights over all tenants.

    Parameters
    ----------
    limit : of due visits that are claimed at once.
    skip : rounds to leave for later.
    on_claim : told which rounds were taken.

    Returns
    -------
    How many due visits were done; 0 when there is nothing to do. Fixes are loaded in one
    statement; statements grow with verdicts that excuse, not with visits.
    """
    now = clock.now()
    rounds, claimed = store.claim_due(session, now=now, limit=limit, skip=skip)
    if not claimed:
        return 0
    if on_claim is not None:
        on_claim(rounds)
    # A day whose positions may be gone stays as it was judged.
    open_ = [key for key in rounds if not is_sealed(key.on_date, now)]
    visits = store.ended_visits(session, open_, now=now) if open_ else []
    policies = geo_policies(session, tenant_ids={key.tenant_id for key in open_})
    fresh = [new for new in _judged(session, visits, policies) if new.digest != new.visit.digest]
    store.save_verdicts(session, [_excused(session, clock, new) for new in fresh], at=now)
    store.mark_done(session, claimed)
    review_pins(
        session,
        clock,
        sites=sorted({(new.visit.key.tenant_id, new.visit.site_id) for new in fresh}),
        policies=policies,
    )
    return len(claimed)


def _judged(
    session: Session, visits: Sequence[VisitFacts], policies: GeoPolicies
) -> list[NewVerdict]:
    rounds = {key: list(group) for key, group in groupby(visits, key=lambda each: each.key)}
    spans = {
        DayKey(*key): (
            min(v.starts_at for v in group) - _MARGIN,
            max(v.ends_at for v in group) + _MARGIN,
        )
        for key, group in rounds.items()
    }
    fixes = load_fixes(session, spans)
    found = []
    for key, group in rounds.items():
        try:
            found += _judge_round(for_judgement(fixes[DayKey(*key)]), group, policies)
        except Exception:  # noqa: BLE001
            # It would keep all others from being judged; the next fact of the day queues it.
            _log.exception("visits of %s cannot be judged", key.on_date)
    return found


def _judge_round(
    fixes: FixArray, visits: Sequence[VisitFacts], policies: GeoPolicies
) -> list[NewVerdict]:
    planned = [
        GeoVisit(
            key=str(visit.id),
            site=Site(visit.lon_deg, visit.lat_deg, visit.radius_m),
            window=Window(visit.starts_at, visit.ends_at),
            kind=visit.kind,
            group=None if visit.group_id is None else str(visit.group_id),
            policy=policies.at(visit.key.tenant_id, visit.starts_at),
        )
        for visit in visits
    ]
    found = verify_round(fixes, planned)
    return [_new(visit, found[str(visit.id)]) for visit in visits]


def _new(visit: VisitFacts, found: Visit) -> NewVerdict:
    document = _document(visit, found)
    return NewVerdict(
        visit=visit,
        verdict=found.verdict,
        arrived_at=found.arrived_at,
        left_at=found.left_at,
        dwell_s=found.dwell_s,
        nearest_m=found.nearest_m,
        evidence=document,
        digest=hashlib.sha256(canonical_json(document, sort_keys=True)).hexdigest(),
        place=found.place,
        way_excusal_id=None,
    )


def _document(visit: VisitFacts, found: Visit) -> dict[str, Any]:
    """Return the evidence with what was asked and what was concluded, as plain JSON."""
    document: dict[str, Any] = json.loads(found.evidence.to_bytes())
    document["inputs"] |= {
        "visit": {
            "id": str(visit.id),
            "type": visit.kind.value,
            "start": format_utc(visit.starts_at),
            "end": format_utc(visit.ends_at),
        },
        "site_id": str(visit.site_id),
    }
    document["verdict"] = found.verdict.value
    document["figures"] = {
        "arrived_at": found.arrived_at and format_utc(found.arrived_at),
        "left_at": found.left_at and format_utc(found.left_at),
        **document["figures"],
    }
    return document


def _excused(session: Session, clock: Clock, new: NewVerdict) -> NewVerdict:
    """Withdraw what the former version excused, and excuse what this one does."""
    visit = new.visit
    if visit.way_excusal_id is not None:
        take_back(session, clock, tenant_id=visit.key.tenant_id, excusal_id=visit.way_excusal_id)
    way = _beyond_window(visit, new.evidence["figures"])
    if way is None:
        return new
    excusal_id = excuse(
        session,
        clock,
        tenant_id=visit.key.tenant_id,
        employee_id=visit.key.employee_id,
        kind=ExcusalKind.VISIT,
        starts_at=way[0],
        ends_at=way[1],
        note=visit.site_name,
    )
    return replace(new, way_excusal_id=excusal_id)


def _beyond_window(visit: VisitFacts, figures: dict[str, Any]) -> tuple[datetime, datetime] | None:
    """Return the stay with its ways unless the planned window holds it all."""
    if figures["way_from"] is None:
        return None
    start, end = (datetime.fromisoformat(figures[name]) for name in ("way_from", "way_until"))
    return None if visit.starts_at <= start and end <= visit.ends_at else (start, end)


def take_back(session: Session, clock: Clock, *, tenant_id: int, excusal_id: UUID) -> None:
    """Withdraw an excusal that somebody may have withdrawn already."""
    try:
        withdraw_excusal(session, clock, tenant_id=tenant_id, excusal_id=excusal_id)
    except Conflict:
        return
