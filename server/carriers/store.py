"""Loading and saving of providers, consents, requests and quotas; no commit."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.carriers.codec.shapes import Disc
from server.carriers.models import Consent, Provider, RadioAnswer, Request, Usage
from server.carriers.rules import Breaker, ProviderKind
from server.db import tables
from server.db.geometry import column_to_shape, point
from server.errors import NotFound

EVERYBODY = UUID(int=0)
"""Counts all requests of a day in `carrier_usage`."""


def provider_of(
    session: Session, *, tenant_id: int, provider_id: UUID, lock: bool = False
) -> Provider:
    """Return one provider, locked until the transaction ends when asked.

    Raises
    ------
    NotFound : no such provider in this tenant.
    """
    query = select(Provider).where(Provider.tenant_id == tenant_id, Provider.id == provider_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None:
        raise NotFound(None, "there is no such provider")
    return found


def providers_of(
    session: Session, *, tenant_id: int, kinds: Collection[ProviderKind]
) -> list[Provider]:
    """Return the enabled providers of some protocols, first to be asked first."""
    query = (
        select(Provider)
        .where(Provider.tenant_id == tenant_id, Provider.enabled, Provider.kind.in_(kinds))
        .order_by(Provider.position, Provider.name)
    )
    return list(session.scalars(query))


def breaker_of(provider: Provider) -> Breaker:
    """Return the state of a provider's breaker."""
    return Breaker(provider.failures, provider.open_until_at)


def keep_breaker(provider: Provider, breaker: Breaker) -> None:
    """Set the state of a provider's breaker."""
    provider.failures = breaker.failures
    provider.open_until_at = breaker.open_until_at


def today_of(session: Session, *, tenant_id: int, now: datetime) -> date:
    """Return the tenant's local date at an instant."""
    zone = session.scalar(select(tables.tenants.c.zone).where(tables.tenants.c.id == tenant_id))
    return now.astimezone(ZoneInfo(zone or "UTC")).date()


def used(session: Session, provider: Provider, *, on: date, employee_id: UUID) -> int:
    """Return how often a provider was asked on a local date."""
    return (
        session.scalar(
            select(Usage.count).where(
                Usage.tenant_id == provider.tenant_id,
                Usage.provider_id == provider.id,
                Usage.used_on == on,
                Usage.employee_id == employee_id,
            )
        )
        or 0
    )


def count_use(
    session: Session, *, tenant_id: int, provider_id: UUID, on: date, employee_id: UUID
) -> None:
    """Add one request to a day's count; the caller holds the provider's lock."""
    row = insert(Usage).values(
        tenant_id=tenant_id, provider_id=provider_id, used_on=on, employee_id=employee_id, count=1
    )
    session.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "provider_id", "used_on", "employee_id"],
            set_={"count": Usage.count + 1},
        )
    )


def consent_in_force(session: Session, *, tenant_id: int, employee_id: UUID) -> Consent | None:
    """Return a person's consent that was not withdrawn."""
    return session.scalar(
        select(Consent).where(
            Consent.tenant_id == tenant_id,
            Consent.employee_id == employee_id,
            Consent.withdrawn_at.is_(None),
        )
    )


def request_of(session: Session, *, tenant_id: int, request_id: UUID) -> Request:
    """Return one request that was reserved before."""
    return session.scalars(
        select(Request).where(Request.tenant_id == tenant_id, Request.id == request_id)
    ).one()


def newest_answer(
    session: Session, *, tenant_id: int, employee_id: UUID, provider_id: UUID, since_at: datetime
) -> Request | None:
    """Return the newest position a provider gave of a person from an instant on."""
    return session.scalar(
        select(Request)
        .where(
            Request.tenant_id == tenant_id,
            Request.employee_id == employee_id,
            Request.provider_id == provider_id,
            Request.outcome == "ok",
            Request.place.is_not(None),
            Request.fixed_at >= since_at,
        )
        .order_by(Request.fixed_at.desc(), Request.id.desc())
        .limit(1)
    )


def place_of(row: Request | RadioAnswer) -> Disc | None:
    """Return where a row says something is."""
    if row.place is None:
        return None
    middle = column_to_shape(row.place).centroid
    return Disc(middle.x, middle.y, row.accuracy_m)


def keep_place(row: Request, disc: Disc, *, fixed_at: datetime) -> None:
    """Note where a request found somebody."""
    row.place = point(lon_deg=disc.lon_deg, lat_deg=disc.lat_deg)
    row.accuracy_m = disc.accuracy_m
    row.fixed_at = fixed_at


def radio_answer(
    session: Session, *, tenant_id: int, provider_id: UUID, digest: bytes, since_at: datetime
) -> RadioAnswer | None:
    """Return what a provider said of a set of cells and networks, if young enough."""
    return session.scalar(
        select(RadioAnswer).where(
            RadioAnswer.tenant_id == tenant_id,
            RadioAnswer.provider_id == provider_id,
            RadioAnswer.digest == digest,
            RadioAnswer.answered_at >= since_at,
        )
    )


def keep_radio_answer(
    session: Session,
    *,
    tenant_id: int,
    provider_id: UUID,
    digest: bytes,
    at: datetime,
    disc: Disc | None,
    area: bool,
) -> None:
    """Keep what a provider said of a set of cells and networks, also that it knows none."""
    said = {
        "answered_at": at,
        "place": None if disc is None else point(lon_deg=disc.lon_deg, lat_deg=disc.lat_deg),
        "accuracy_m": None if disc is None else disc.accuracy_m,
        "area": area,
    }
    row = insert(RadioAnswer).values(
        tenant_id=tenant_id, provider_id=provider_id, digest=digest, **said
    )
    session.execute(
        row.on_conflict_do_update(index_elements=["tenant_id", "provider_id", "digest"], set_=said)
    )


def forget_radio_answers(session: Session, *, tenant_id: int, provider_id: UUID) -> None:
    """Delete what a provider said; it changed or goes."""
    session.execute(
        delete(RadioAnswer).where(
            RadioAnswer.tenant_id == tenant_id, RadioAnswer.provider_id == provider_id
        )
    )
