"""Setting up: providers with their sealed credentials, and people's consent."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.carriers import reserving, store
from server.carriers.egress import Egress
from server.carriers.models import Consent, Provider
from server.carriers.numbers import normalised
from server.carriers.options import SECRETS, Options
from server.carriers.reserving import credentials_context
from server.carriers.rules import LOCATES_PHONES, ProviderKind, Withdrawn
from server.clock import Clock
from server.crypto import Vault
from server.db import tables
from server.db.types import new_id
from server.errors import Conflict, InvalidInput, NotFound

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}", re.ASCII)
_MAX_URL = 500
_MAX_SECRET = 200
_MAX_NOTE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDraft:
    """What a tenant says of a provider.

    Attributes
    ----------
    name : lower-case letters, digits and hyphens; unique in the tenant and for good.
    credentials : by the names of `options.SECRETS`; an empty one is left out.
    options : see `options.Options`; what is missing takes its default.
    daily_quota, person_quota : requests a local day, in all and about one person.
    position : providers with lower numbers are asked first.
    """

    name: str
    kind: ProviderKind
    url: str
    credentials: Mapping[str, str] = field(repr=False, default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    daily_quota: int = 1000
    person_quota: int = 20
    position: int = 0
    enabled: bool = True


def add_provider(
    session: Session,
    clock: Clock,
    *,
    vault: Vault,
    egress: Egress,
    tenant_id: int,
    draft: ProviderDraft,
    actor_id: UUID | None = None,
) -> UUID:
    """Add a provider; its credentials are sealed and never shown again.

    One transaction: the row and a security event. The caller has checked the actor's right
    to manage carriers.

    Raises
    ------
    InvalidInput : naming the field; `bad_name`, `bad_url`, `bad_secret`, `bad_quota`,
        `bad_option`, `unknown_option`.
    Conflict : the name is taken.
    """
    if not _NAME.fullmatch(draft.name):
        raise InvalidInput("bad_name", "lower-case letters, digits and hyphens", fields=_of("name"))
    provider = Provider(tenant_id=tenant_id, id=new_id(), name=draft.name, kind=draft.kind)
    provider.created_at = provider.changed_at = clock.now()
    provider.failures = 0
    _apply(provider, draft, egress)
    provider.sealed_credentials = _sealed(vault, provider.id, draft)
    try:
        with session.begin_nested():
            session.add(provider)
            session.flush()
    except IntegrityError:
        raise Conflict("name_taken", "another provider has this name", fields=_of("name")) from None
    _tell(session, provider, "carrier_provider_added", actor_id)
    return provider.id


def change_provider(
    session: Session,
    clock: Clock,
    *,
    vault: Vault,
    egress: Egress,
    tenant_id: int,
    provider_id: UUID,
    draft: ProviderDraft,
    actor_id: UUID | None = None,
) -> None:
    """Change everything of a provider but its name and protocol.

    Credentials left empty stay as they are, unless the address now leads to another host:
    then they are forgotten, so that nobody can have them sent to a place of their own. The
    breaker closes and answers that were kept are forgotten.

    Raises
    ------
    As `add_provider`; NotFound : no such provider in this tenant.
    """
    provider = store.provider_of(session, tenant_id=tenant_id, provider_id=provider_id, lock=True)
    before = urlsplit(provider.url)
    _apply(provider, draft, egress)
    after = urlsplit(provider.url)
    moved = (before.scheme, before.netloc) != (after.scheme, after.netloc)
    if any(draft.credentials.values()):
        known = {} if moved else _opened(vault, provider)
        provider.sealed_credentials = _sealed(vault, provider.id, draft, known)
    elif moved:
        provider.sealed_credentials = None
    provider.failures, provider.open_until_at = 0, None
    provider.changed_at = clock.now()
    store.forget_radio_answers(session, tenant_id=tenant_id, provider_id=provider_id)
    session.flush()
    _tell(session, provider, "carrier_provider_changed", actor_id)


def remove_provider(
    session: Session, *, tenant_id: int, provider_id: UUID, actor_id: UUID | None = None
) -> None:
    """Remove a provider with its credentials; what was asked of it stays on record.

    Raises
    ------
    NotFound : no such provider in this tenant.
    """
    provider = store.provider_of(session, tenant_id=tenant_id, provider_id=provider_id, lock=True)
    store.forget_radio_answers(session, tenant_id=tenant_id, provider_id=provider_id)
    _tell(session, provider, "carrier_provider_removed", actor_id)
    session.delete(provider)
    session.flush()


def record_consent(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    employee_id: UUID,
    given_at: datetime,
    note: str,
    actor_id: UUID | None = None,
) -> UUID:
    """Note that a person agreed to being located by the carrier, for the number on record.

    An earlier consent is closed first. One transaction: both rows and a security event.

    Parameters
    ----------
    given_at : when the person said so; not ahead of now.
    note : how it was given and where it is kept, such as the file of a signed sheet.

    Raises
    ------
    InvalidInput : `no_number`, `bad_number`, `bad_note`, `bad_time`.
    NotFound : no such person in this tenant.
    """
    people = tables.employees
    row = session.execute(
        select(people.c.phone).where(people.c.tenant_id == tenant_id, people.c.id == employee_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    note = " ".join(note.split())
    if not 3 <= len(note) <= _MAX_NOTE:
        raise InvalidInput("bad_note", "say how consent was given", fields=_of("note"))
    now = clock.now()
    if given_at > now:
        raise InvalidInput("bad_time", "consent from the future", fields=_of("given_at"))
    if not (row.phone or "").strip():
        raise InvalidInput("no_number", "the person has no phone number on record")
    msisdn = normalised(row.phone, country_code=_country_code(session, tenant_id))
    if msisdn is None:
        raise InvalidInput("bad_number", "the phone number on record is no mobile number")
    earlier = store.consent_in_force(session, tenant_id=tenant_id, employee_id=employee_id)
    if earlier is not None:
        earlier.withdrawn_at, earlier.withdrawn_how = now, Withdrawn.ACCOUNT
        earlier.withdrawn_by = actor_id
        session.flush()
    consent = Consent(
        tenant_id=tenant_id,
        id=new_id(),
        employee_id=employee_id,
        msisdn=msisdn,
        given_at=given_at,
        recorded_by=actor_id,
        note=note,
    )
    session.add(consent)
    session.flush()
    record_security_event(
        session,
        tenant_id=tenant_id,
        kind="carrier_consent_recorded",
        actor_id=actor_id,
        subject=str(employee_id),
    )
    return consent.id


def withdraw_consent(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    employee_id: UUID,
    how: Withdrawn = Withdrawn.ACCOUNT,
    actor_id: UUID | None = None,
) -> bool:
    """Take a person's consent back, at once; False when there was none in force."""
    return reserving.withdraw(
        session,
        tenant_id=tenant_id,
        employee_id=employee_id,
        how=how,
        now=clock.now(),
        actor_id=actor_id,
    )


def _apply(provider: Provider, draft: ProviderDraft, egress: Egress) -> None:
    url = draft.url.strip()
    wrong = "too long" if len(url) > _MAX_URL else egress.refusal_of(url)
    if wrong is not None:
        raise InvalidInput("bad_url", wrong, fields=_of("url"))
    for name in ("daily_quota", "person_quota"):
        if not 0 <= getattr(draft, name) <= 1_000_000:
            raise InvalidInput("bad_quota", "0 to 1,000,000", fields=_of(name))
    provider.url = url
    provider.options = Options.of(provider.kind, draft.options).to_json()
    provider.daily_quota = draft.daily_quota
    provider.person_quota = draft.person_quota
    provider.position = max(-1000, min(draft.position, 1000))
    provider.enabled = draft.enabled


def _sealed(
    vault: Vault, provider_id: UUID, draft: ProviderDraft, known: Mapping[str, str] | None = None
) -> bytes | None:
    secrets = dict(known or {})
    for name, value in draft.credentials.items():
        if name not in SECRETS[draft.kind] or len(value) > _MAX_SECRET or not value.isprintable():
            raise InvalidInput("bad_secret", f"{name} cannot be used", fields=_of(name))
        if value:
            secrets[name] = value
    if not secrets:
        return None
    plain = json.dumps(secrets, sort_keys=True).encode()
    return vault.seal(plain, context=credentials_context(provider_id))


def _opened(vault: Vault, provider: Provider) -> dict[str, str]:
    if provider.sealed_credentials is None:
        return {}
    plain = vault.open(provider.sealed_credentials, context=credentials_context(provider.id))
    return {str(name): str(value) for name, value in json.loads(plain).items()}


def _country_code(session: Session, tenant_id: int) -> str:
    found = store.providers_of(session, tenant_id=tenant_id, kinds=LOCATES_PHONES)
    return Options.of(found[0].kind, found[0].options).country_code if found else "86"


def _tell(session: Session, provider: Provider, kind: str, actor_id: UUID | None) -> None:
    record_security_event(
        session,
        tenant_id=provider.tenant_id,
        kind=kind,
        actor_id=actor_id,
        subject=str(provider.id),
        detail={"name": provider.name, "kind": provider.kind.value},
    )


def _of(field_name: str) -> dict[str, str]:
    return {field_name: ""}
