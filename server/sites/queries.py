"""Reading of customer places."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shapely import Point
from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from server.db import tables
from server.db.geometry import column_to_shape, extent_of
from server.errors import NotFound
from server.sites.models import Site
from server.sites.rules import SiteFacts

_BATCH = 2_000
_SORTS = {
    "number": Site.number,
    "name": Site.name,
    "unit": tables.units.c.name,
    "radius": Site.radius_m,
}
SORTABLE = tuple(_SORTS)


@dataclass(frozen=True, slots=True)
class SiteView:
    """A customer place with the name of its unit."""

    id: UUID
    unit_name: str
    facts: SiteFacts


def list_sites(
    session: Session,
    units: Select[UUID],
    *,
    search: str | None = None,
    with_closed: bool = False,
    without_position: bool = False,
    sort: str = "number",
    descending: bool = False,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[SiteView], int]:
    """Return a page of the sites of units, and how many there are. Two statements.

    Parameters
    ----------
    units : ids of the units the reader may see.
    search : part of the number, name or address.
    without_position : only those nobody knows the position of.
    sort : one of `SORTABLE`.
    """
    query = _sites(units)
    if not with_closed:
        query = query.where(Site.active)
    if without_position:
        query = query.where(Site.position.is_(None))
    if search:
        query = query.where(
            or_(
                *(
                    column.icontains(search, autoescape=True)
                    for column in (Site.number, Site.name, Site.address)
                )
            )
        )
    count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    order = _SORTS.get(sort, Site.number)
    query = query.order_by(order.desc() if descending else order, Site.id)
    rows = session.execute(query.limit(limit).offset(offset))
    return [_view(site, unit_name) for site, unit_name in rows], count


def all_sites(session: Session, units: Select[UUID]) -> Iterator[SiteView]:
    """Return the sites of units by number, closed ones too, a few thousand at a time."""
    after = ""
    while True:
        rows = session.execute(
            _sites(units).where(Site.number > after).order_by(Site.number).limit(_BATCH)
        ).all()
        yield from (_view(site, unit_name) for site, unit_name in rows)
        if len(rows) < _BATCH:
            return
        after = rows[-1][0].number


def get_site(session: Session, units: Select[UUID], *, site_id: UUID) -> SiteView:
    """Return one site of the units.

    Raises
    ------
    NotFound : there is none.
    """
    row = session.execute(_sites(units).where(Site.id == site_id)).one_or_none()
    if row is None:
        raise NotFound("site_not_found")
    return _view(*row)


def sites_by_number(
    session: Session, *, tenant_id: int, numbers: Collection[str]
) -> dict[str, tuple[UUID, SiteFacts]]:
    """Return the sites of a tenant with these numbers, whatever their unit; one statement."""
    rows = session.scalars(
        select(Site).where(Site.tenant_id == tenant_id, Site.number.in_(list(numbers)))
    )
    return {row.number: (row.id, facts_of(row)) for row in rows}


def sites_by_id(
    session: Session, *, tenant_id: int, ids: Collection[UUID]
) -> dict[UUID, SiteFacts]:
    """Return those of a tenant's sites that have these ids, whatever their unit; one statement."""
    rows = session.scalars(select(Site).where(Site.tenant_id == tenant_id, Site.id.in_(list(ids))))
    return {row.id: facts_of(row) for row in rows}


def extent_of_sites(
    session: Session, *, tenant_id: int, units: Select[UUID] | None = None
) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north of sites, degrees; None without any.

    Parameters
    ----------
    units : only sites of these units; all of the tenant's when left out.
    """
    place = Site.__table__.c.position
    query = select(*extent_of(place)).where(Site.tenant_id == tenant_id, place.is_not(None))
    if units is not None:
        query = query.where(Site.unit_id.in_(units))
    west, south, east, north = session.execute(query).one()
    box: tuple[float | None, ...] = (west, south, east, north)
    return None if None in box else (west, south, east, north)


def facts_of(site: Site) -> SiteFacts:
    """Return what is known of a site."""
    position = None
    if site.position is not None:
        place = column_to_shape(site.position)
        assert isinstance(place, Point)
        position = (place.x, place.y)
    return SiteFacts(
        number=site.number,
        name=site.name,
        unit_id=site.unit_id,
        address=site.address,
        position=position,
        radius_m=site.radius_m,
        active=site.active,
    )


def _sites(units: Select[UUID]) -> Any:  # noqa: ANN401 - a select of a model and a name
    return (
        select(Site, tables.units.c.name)
        .join(
            tables.units,
            and_(tables.units.c.tenant_id == Site.tenant_id, tables.units.c.id == Site.unit_id),
        )
        .where(Site.unit_id.in_(units))
    )


def _view(site: Site, unit_name: str) -> SiteView:
    return SiteView(site.id, unit_name, facts_of(site))
