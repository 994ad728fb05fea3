"""Use cases on customer places; the caller's door has asked for `edit_posts` and commits."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from server.audit.services import record_security_events
from server.clock import Clock
from server.db import tables
from server.db.geometry import point
from server.db.types import new_id
from server.errors import Conflict, NotFound
from server.sites.models import Site
from server.sites.rules import SiteFacts, check_facts

__all__ = ["add_sites", "change_sites"]


def add_sites(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    sites: Sequence[SiteFacts],
    actor_id: UUID | None = None,
) -> list[UUID]:
    """Add customer places, all of them or none.

    Returns
    -------
    Ids in the order given. Three statements.

    Raises
    ------
    NotFound : a unit is not of this tenant.
    InvalidInput : as `rules.check_facts`.
    Conflict : `number_taken`.
    """
    del clock
    _check(session, tenant_id=tenant_id, sites=sites)
    _refuse_taken(session, tenant_id=tenant_id, numbers=[s.number for s in sites], but=())
    ids = [new_id() for _site in sites]
    rows = [
        {"tenant_id": tenant_id, "id": site_id, "created_by": actor_id, **_columns(site)}
        for site_id, site in zip(ids, sites, strict=True)
    ]
    if rows:
        session.execute(insert(Site), rows)
    return ids


def change_sites(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    sites: Mapping[UUID, SiteFacts],
    actor_id: UUID | None = None,
) -> None:
    """Set everything about customer places anew; closing one is `active=False`.

    That a site was changed is recorded, not what.

    Raises
    ------
    NotFound : a site or unit is not of this tenant.
    InvalidInput : as `rules.check_facts`.
    Conflict : `number_taken` by another site.
    """
    if not sites:
        return
    _check(session, tenant_id=tenant_id, sites=list(sites.values()))
    known = set(
        session.scalars(select(Site.id).where(Site.tenant_id == tenant_id, Site.id.in_(sites)))
    )
    if len(known) < len(sites):
        raise NotFound("site_not_found")
    numbers = [s.number for s in sites.values()]
    _refuse_taken(session, tenant_id=tenant_id, numbers=numbers, but=list(sites))
    now = clock.now()
    session.execute(
        update(Site),
        [
            {
                "tenant_id": tenant_id,
                "id": site_id,
                "changed_by": actor_id,
                "changed_at": now,
                **_columns(site),
            }
            for site_id, site in sites.items()
        ],
    )
    record_security_events(
        session,
        tenant_id=tenant_id,
        kind="site_changed",
        subjects=[str(site_id) for site_id in sites],
        actor_id=actor_id,
    )


def _columns(site: SiteFacts) -> dict[str, Any]:
    return {
        "number": site.number,
        "name": site.name,
        "unit_id": site.unit_id,
        "address": site.address,
        "position": site.position and point(lon_deg=site.position[0], lat_deg=site.position[1]),
        "radius_m": site.radius_m,
        "active": site.active,
    }


def _check(session: Session, *, tenant_id: int, sites: Sequence[SiteFacts]) -> None:
    for site in sites:
        check_facts(site)
    wanted = {site.unit_id for site in sites}
    known = set(
        session.scalars(
            select(tables.units.c.id).where(
                tables.units.c.tenant_id == tenant_id, tables.units.c.id.in_(wanted)
            )
        )
    )
    if wanted - known:
        raise NotFound("unit_not_found")


def _refuse_taken(
    session: Session, *, tenant_id: int, numbers: Sequence[str], but: Collection[UUID]
) -> None:
    taken = session.scalar(
        select(Site.number)
        .where(Site.tenant_id == tenant_id, Site.number.in_(numbers), Site.id.not_in(but))
        .limit(1)
    )
    if taken is None and len(set(numbers)) < len(numbers):
        taken = next(number for number in numbers if numbers.count(number) > 1)
    if taken is not None:
        raise Conflict("number_taken", taken, fields={"number": "number_taken"})
