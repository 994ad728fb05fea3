"""What pages and commands show of providers, consents and requests; no secret, no position."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from server.carriers import store
from server.carriers.models import Consent, Provider, Request, Usage
from server.carriers.rules import BreakerState, ProviderKind, Withdrawn
from server.db import tables
from server.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderView:
    """A provider with how it does; `last_*` are of its newest answered request."""

    id: UUID
    name: str
    kind: ProviderKind
    url: str
    enabled: bool
    position: int
    options: dict[str, Any]
    has_credentials: bool
    daily_quota: int
    person_quota: int
    used_today: int
    breaker: BreakerState
    failures: int
    open_until_at: datetime | None
    last_at: datetime | None
    last_outcome: str | None
    last_ok_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """One request as an administrator may see it: never where somebody was."""

    id: UUID
    provider: str
    about: str | None
    purpose: str
    actor_name: str
    asked_at: datetime
    answered_at: datetime | None
    outcome: str | None
    detail: str | None
    result: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """A person with the newest word on being located by the carrier, None for never asked."""

    employee_id: UUID
    name: str
    number: str
    has_phone: bool
    given_at: datetime | None
    note: str | None
    withdrawn_at: datetime | None
    withdrawn_how: Withdrawn | None

    @property
    def state(self) -> str:
        """`given`, `withdrawn` or `none`."""
        if self.given_at is None:
            return "none"
        return "given" if self.withdrawn_at is None else "withdrawn"


def provider_views(session: Session, *, tenant_id: int, now: datetime) -> list[ProviderView]:
    """Return a tenant's providers in the order they are asked. Two statements."""
    on = store.today_of(session, tenant_id=tenant_id, now=now)
    answered = select(Request.asked_at, Request.outcome).where(
        Request.tenant_id == Provider.tenant_id,
        Request.provider_id == Provider.id,
        Request.outcome.is_not(None),
        Request.outcome != "cached",
    )
    newest = (
        answered.order_by(Request.asked_at.desc(), Request.id.desc())
        .limit(1)
        .correlate(Provider)
        .lateral("newest")
    )
    good = (
        select(func.max(Request.asked_at))
        .where(
            Request.tenant_id == Provider.tenant_id,
            Request.provider_id == Provider.id,
            Request.outcome == "ok",
        )
        .correlate(Provider)
        .scalar_subquery()
    )
    query = (
        select(Provider, Usage.count, newest.c.asked_at, newest.c.outcome, good)
        .outerjoin(
            Usage,
            and_(
                Usage.tenant_id == Provider.tenant_id,
                Usage.provider_id == Provider.id,
                Usage.used_on == on,
                Usage.employee_id == store.EVERYBODY,
            ),
        )
        .outerjoin(newest, newest.c.outcome.is_not(None))
        .where(Provider.tenant_id == tenant_id)
        .order_by(Provider.position, Provider.name)
    )
    return [
        ProviderView(
            id=row.id,
            name=row.name,
            kind=row.kind,
            url=row.url,
            enabled=row.enabled,
            position=row.position,
            options=row.options,
            has_credentials=row.sealed_credentials is not None,
            daily_quota=row.daily_quota,
            person_quota=row.person_quota,
            used_today=used or 0,
            breaker=store.breaker_of(row).state(now),
            failures=row.failures,
            open_until_at=row.open_until_at,
            last_at=last_at,
            last_outcome=outcome,
            last_ok_at=ok_at,
        )
        for row, used, last_at, outcome, ok_at in session.execute(query)
    ]


def provider_view(
    session: Session, *, tenant_id: int, provider_id: UUID, now: datetime
) -> ProviderView:
    """Return one provider.

    Raises
    ------
    NotFound : no such provider in this tenant.
    """
    for view in provider_views(session, tenant_id=tenant_id, now=now):
        if view.id == provider_id:
            return view
    raise NotFound


def provider_by_name(session: Session, *, tenant_id: int, name: str) -> UUID:
    """Return the provider of a name.

    Raises
    ------
    NotFound : there is none.
    """
    found = session.scalar(
        select(Provider.id).where(Provider.tenant_id == tenant_id, Provider.name == name)
    )
    if found is None:
        raise NotFound(None, f"there is no provider {name}")
    return found


def newest_requests(
    session: Session,
    *,
    tenant_id: int,
    provider_id: UUID | None = None,
    employee_id: UUID | None = None,
    limit: int = 20,
) -> list[RequestView]:
    """Return the newest requests to a provider or about a person, newest first. One statement."""
    people = tables.employees
    about = (
        Request.provider_id == provider_id
        if provider_id is not None
        else Request.employee_id == employee_id
    )
    query = (
        select(Request, people.c.name)
        .outerjoin(
            people,
            and_(people.c.tenant_id == Request.tenant_id, people.c.id == Request.employee_id),
        )
        .where(Request.tenant_id == tenant_id, about)
        .order_by(Request.asked_at.desc(), Request.id.desc())
        .limit(limit)
    )
    return [
        RequestView(
            id=row.id,
            provider=row.provider_name,
            about=name,
            purpose=row.purpose,
            actor_name=row.actor_name,
            asked_at=row.asked_at,
            answered_at=row.answered_at,
            outcome=row.outcome,
            detail=row.detail,
            result=row.result,
        )
        for row, name in session.execute(query)
    ]


def consent_views(
    session: Session,
    employees: Select[UUID],
    *,
    search: str = "",
    state: str | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[list[ConsentView], int]:
    """Return people with their newest consent, by staff number, and how many match.

    Parameters
    ----------
    employees : ids of those the reader may see.
    search : part of the name or the beginning of the staff number.
    state : only those in this state, see `ConsentView.state`.
    offset, limit : which of them.

    Returns
    -------
    One page and the count of all pages. Two statements, one without a limit.
    """
    people = tables.employees
    newest = (
        select(Consent)
        .ext(distinct_on(Consent.tenant_id, Consent.employee_id))
        .order_by(Consent.tenant_id, Consent.employee_id, Consent.id.desc())
        .subquery()
    )
    query = (
        select(people.c.id, people.c.name, people.c.number, people.c.phone, newest)
        .outerjoin(
            newest,
            and_(newest.c.tenant_id == people.c.tenant_id, newest.c.employee_id == people.c.id),
        )
        .where(people.c.id.in_(employees))
    )
    if search:
        by_name = people.c.name.icontains(search, autoescape=True)
        query = query.where(by_name | people.c.number.istartswith(search, autoescape=True))
    if state in {"none", "given", "withdrawn"}:
        given, withdrawn = newest.c.given_at, newest.c.withdrawn_at
        query = query.where(
            given.is_(None)
            if state == "none"
            else and_(
                given.is_not(None),
                withdrawn.is_(None) if state == "given" else withdrawn.is_not(None),
            )
        )
    views = [
        ConsentView(
            employee_id=row[0],
            name=row.name,
            number=row.number,
            has_phone=bool((row.phone or "").strip()),
            given_at=row.given_at,
            note=row.note,
            withdrawn_at=row.withdrawn_at,
            withdrawn_how=row.withdrawn_how,
        )
        for row in session.execute(query.order_by(people.c.number).offset(offset).limit(limit))
    ]
    if limit is None:
        return views, len(views)
    count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return views, count


def geolocate_changes(session: Session) -> dict[int, datetime]:
    """Return when a geolocate service in use was last set up or changed, by tenant.

    Of all tenants the role may see; those without such a service are missing.
    """
    query = (
        select(Provider.tenant_id, func.max(Provider.changed_at))
        .where(Provider.enabled, Provider.kind == ProviderKind.GEOLOCATE)
        .group_by(Provider.tenant_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def records_of_person(
    session: Session, *, tenant_id: int, employee_id: UUID
) -> dict[str, list[dict[str, Any]]]:
    """Return every row about a person as plain values, oldest first, for their own archive.

    `carrier_consents`, and `carrier_requests` with the position each answer gave. Two
    statements.
    """
    consents = session.scalars(
        select(Consent)
        .where(Consent.tenant_id == tenant_id, Consent.employee_id == employee_id)
        .order_by(Consent.id)
    )
    requests = session.scalars(
        select(Request)
        .where(Request.tenant_id == tenant_id, Request.employee_id == employee_id)
        .order_by(Request.id)
    )
    return {
        "carrier_consents": [
            {
                "number": row.msisdn,
                "given_at": row.given_at,
                "note": row.note,
                "withdrawn_at": row.withdrawn_at,
                "withdrawn_how": row.withdrawn_how,
            }
            for row in consents
        ],
        "carrier_requests": [_own_record(row) for row in requests],
    }


def _own_record(row: Request) -> dict[str, Any]:
    disc = store.place_of(row)
    return {
        "provider": row.provider_name,
        "asked_at": row.asked_at,
        "asked_by": row.actor_name,
        "purpose": row.purpose,
        "outcome": row.outcome,
        "fixed_at": row.fixed_at,
        "lon": disc.lon_deg if disc else None,
        "lat": disc.lat_deg if disc else None,
        "accuracy_m": row.accuracy_m,
    }
