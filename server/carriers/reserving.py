"""Before and after a question: may it be asked, and what came of it. Pieces of transactions."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.carriers import store
from server.carriers.codec.shapes import Disc
from server.carriers.models import Provider, Request
from server.carriers.numbers import normalised
from server.carriers.options import Options
from server.carriers.rules import (
    BreakerState,
    CarrierFix,
    CarrierRefusal,
    ProviderKind,
    RefusalCode,
    Withdrawn,
)
from server.crypto import Vault
from server.db import tables
from server.db.types import new_id
from server.posts.queries import DutyWindow, duty_windows

_LONG_NUMBER = re.compile(r"\d{7,}")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to know; `account_id` None for the product itself."""

    name: str
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A person who may be asked about now: the number as E.164, and the duty that allows it."""

    employee_id: UUID
    phone: str
    consented: str
    window: DutyWindow


@dataclass(frozen=True, slots=True)
class Booked:
    """A question that may be asked once: its row, and the provider as it was then."""

    request_id: UUID
    provider_id: UUID
    provider: str
    kind: ProviderKind
    url: str
    options: Options
    credentials: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Known:
    """An earlier answer that is used again."""

    tenant_id: int
    provider_id: UUID
    fix: CarrierFix


def credentials_context(provider_id: UUID) -> bytes:
    """Return the context under which a provider's credentials are sealed."""
    return b"carrier_providers.sealed_credentials:" + provider_id.bytes


def subject_of(
    session: Session, *, tenant_id: int, employee_id: UUID, now: datetime
) -> Subject | CarrierRefusal:
    """Return whom to ask about, or why nobody may: duty first, then number and consent."""
    window = duty_at(session, tenant_id=tenant_id, employee_id=employee_id, at=now)
    if window is None:
        return CarrierRefusal(RefusalCode.OFF_DUTY)
    people = tables.employees
    phone = session.scalar(
        select(people.c.phone).where(people.c.tenant_id == tenant_id, people.c.id == employee_id)
    )
    if phone is None or not phone.strip():
        return CarrierRefusal(RefusalCode.NO_NUMBER)
    consent = store.consent_in_force(session, tenant_id=tenant_id, employee_id=employee_id)
    if consent is None:
        return CarrierRefusal(RefusalCode.NO_CONSENT)
    return Subject(employee_id, phone, consent.msisdn, window)


def duty_at(
    session: Session, *, tenant_id: int, employee_id: UUID, at: datetime
) -> DutyWindow | None:
    """Return the duty a person is on at an instant, its grace not counted."""
    windows = duty_windows(
        session,
        start_at=at,
        end_at=at + timedelta(seconds=1),
        employee_ids=[employee_id],
        tenant_ids=[tenant_id],
    )
    return next((w for w in windows if w.starts_at <= at < w.ends_at), None)


def number_at(subject: Subject, options: Options) -> str | CarrierRefusal:
    """Return the number to ask a provider about; consent given for another one does not count."""
    msisdn = normalised(subject.phone, country_code=options.country_code)
    if msisdn is None:
        return CarrierRefusal(RefusalCode.BAD_NUMBER)
    if msisdn != subject.consented:
        return CarrierRefusal(RefusalCode.NO_CONSENT, "it was given for another number")
    return msisdn


def book(
    session: Session,
    vault: Vault,
    *,
    tenant_id: int,
    provider_id: UUID,
    employee_id: UUID | None,
    purpose: str,
    asker: Asker,
    now: datetime,
    free: bool = False,
) -> Booked | CarrierRefusal:
    """Count one question and write its row, if breaker and quotas allow it.

    Two that ask at once wait for each other on the provider's row, for the length of this
    short transaction. `free` questions (tests) pass breaker and quotas.
    """
    provider = store.provider_of(session, tenant_id=tenant_id, provider_id=provider_id, lock=True)
    on = store.today_of(session, tenant_id=tenant_id, now=now)
    options = Options.of(provider.kind, provider.options)
    if not free:
        refused = _refused(session, provider, employee_id=employee_id, now=now)
        if refused is not None:
            return CarrierRefusal(refused, provider=provider.name)
    within = timedelta(seconds=options.total_s + 5)
    store.keep_breaker(provider, store.breaker_of(provider).trying(now, within=within))
    for counted in {store.EVERYBODY, employee_id or store.EVERYBODY}:
        store.count_use(
            session, tenant_id=tenant_id, provider_id=provider_id, on=on, employee_id=counted
        )
    row = Request(
        tenant_id=tenant_id,
        id=new_id(),
        provider_id=provider_id,
        provider_name=provider.name,
        employee_id=employee_id,
        purpose=purpose,
        actor_id=asker.account_id,
        actor_name=asker.name,
        asked_at=now,
    )
    session.add(row)
    session.flush()
    sealed = provider.sealed_credentials
    secrets = (
        json.loads(vault.open(sealed, context=credentials_context(provider_id))) if sealed else {}
    )
    return Booked(row.id, provider_id, provider.name, provider.kind, provider.url, options, secrets)


def _refused(
    session: Session, provider: Provider, *, employee_id: UUID | None, now: datetime
) -> RefusalCode | None:
    if not provider.enabled:
        return RefusalCode.NO_PROVIDER
    if store.breaker_of(provider).state(now) is BreakerState.OPEN:
        return RefusalCode.BREAKER_OPEN
    on = store.today_of(session, tenant_id=provider.tenant_id, now=now)
    if store.used(session, provider, on=on, employee_id=store.EVERYBODY) >= provider.daily_quota:
        return RefusalCode.DAY_QUOTA
    if (
        employee_id is not None
        and store.used(session, provider, on=on, employee_id=employee_id) >= provider.person_quota
    ):
        return RefusalCode.PERSON_QUOTA
    return None


def note_reuse(
    session: Session, known: Known, employee_id: UUID, *, purpose: str, asker: Asker, now: datetime
) -> None:
    """Write who was shown an earlier answer; it costs no quota and nobody was asked."""
    session.add(
        Request(
            tenant_id=known.tenant_id,
            id=new_id(),
            provider_id=known.provider_id,
            provider_name=known.fix.provider,
            employee_id=employee_id,
            purpose=purpose,
            actor_id=asker.account_id,
            actor_name=asker.name,
            asked_at=now,
            answered_at=now,
            outcome="cached",
        )
    )
    session.flush()


def settle(
    session: Session,
    *,
    tenant_id: int,
    booked: Booked,
    code: RefusalCode | None,
    now: datetime,
    detail: str = "",
    number: int | None = None,
    disc: Disc | None = None,
    fixed_at: datetime | None = None,
) -> None:
    """Write what came of a question, and let the breaker know.

    `code` None is a position; it is kept when `disc` and `fixed_at` are given. A provider
    removed meanwhile leaves the row as it is written here.
    """
    row = store.request_of(session, tenant_id=tenant_id, request_id=booked.request_id)
    row.answered_at = now
    row.outcome = "ok" if code is None else code.value
    row.detail = _LONG_NUMBER.sub("…", detail)[:300] or None
    row.result = number
    if disc is not None and fixed_at is not None:
        store.keep_place(row, disc, fixed_at=fixed_at)
    provider = session.scalar(
        select(Provider)
        .where(Provider.tenant_id == tenant_id, Provider.id == booked.provider_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if provider is not None:
        store.keep_breaker(provider, store.breaker_of(provider).after(code, now))
    session.flush()


def withdraw(
    session: Session,
    *,
    tenant_id: int,
    employee_id: UUID,
    how: Withdrawn,
    now: datetime,
    actor_id: UUID | None = None,
) -> bool:
    """Take a person's consent back; False when there was none in force."""
    consent = store.consent_in_force(session, tenant_id=tenant_id, employee_id=employee_id)
    if consent is None:
        return False
    consent.withdrawn_at = now
    consent.withdrawn_how = how
    consent.withdrawn_by = actor_id
    session.flush()
    record_security_event(
        session,
        tenant_id=tenant_id,
        kind="carrier_consent_withdrawn",
        actor_id=actor_id,
        subject=str(employee_id),
        detail={"how": how.value},
    )
    return True
