"""Tables of carriers: providers, consents, what was asked, and how often."""

from datetime import date, datetime
from uuid import UUID

from geoalchemy2 import WKBElement
from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from server.carriers.rules import ProviderKind, Withdrawn
from server.db.base import Base
from server.db.types import CreatedAt, EnumText, Id, Json, TenantId, UtcDateTime, point_column


class Provider(Base):
    """A positioning service of a tenant, with the state of its breaker.

    The breaker lies here and not in Redis: every process that asks has to see the same
    pause, it has to survive an emptied Redis, and asking writes rows anyway.
    """

    __tablename__ = "carrier_providers"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("daily_quota >= 0 AND person_quota >= 0", name="quotas"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    name: Mapped[str]
    kind: Mapped[ProviderKind] = mapped_column(EnumText(ProviderKind))
    url: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    # Lower is asked first.
    position: Mapped[int] = mapped_column(server_default="0")
    # Nothing secret: `server.carriers.options.Options`.
    options: Mapped[Json]
    # JSON of names to secrets, AES-GCM under OUTPOST_DATA_KEY; never shown again.
    sealed_credentials: Mapped[bytes | None] = mapped_column(LargeBinary)
    daily_quota: Mapped[int]
    person_quota: Mapped[int]
    failures: Mapped[int] = mapped_column(server_default="0")
    open_until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[CreatedAt]
    # What could not be told under older settings is worth another question.
    changed_at: Mapped[CreatedAt]


class Consent(Base):
    """A person's word that the carrier may be asked where their phone is."""

    __tablename__ = "carrier_consents"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        Index(
            "uq_carrier_consents_in_force",
            "tenant_id",
            "employee_id",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    # The number it was given for; another number needs another consent.
    msisdn: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[UUID | None]
    note: Mapped[str]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_how: Mapped[Withdrawn | None] = mapped_column(EnumText(Withdrawn))
    withdrawn_by: Mapped[UUID | None]


class Request(Base):
    """One request to a provider: who wanted what of whom and why, and what came of it.

    Written before anybody is asked, so that a request whose answer was lost is seen too.
    """

    __tablename__ = "carrier_requests"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        Index("ix_carrier_requests_subject", "tenant_id", "employee_id", "asked_at"),
        Index("ix_carrier_requests_provider", "tenant_id", "provider_id", "asked_at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    # Outlives the provider, therefore no reference and the name beside it.
    provider_id: Mapped[UUID]
    provider_name: Mapped[str]
    # None for cells and networks, which are nobody's in the request.
    employee_id: Mapped[UUID | None]
    purpose: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # `ok`, a refusal code, or null while the answer is out.
    outcome: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[str | None] = mapped_column(Text)
    # The carrier's own result number.
    result: Mapped[int | None] = mapped_column(Integer)
    fixed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    place: Mapped[WKBElement | None] = mapped_column(point_column())
    accuracy_m: Mapped[float | None] = mapped_column(Double)


class Usage(Base):
    """Requests of one local day at one provider, in all and by person."""

    __tablename__ = "carrier_usage"

    tenant_id: Mapped[TenantId]
    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    # In the tenant's zone.
    used_on: Mapped[date] = mapped_column(primary_key=True)
    # The nil UUID counts all.
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    count: Mapped[int]


class RadioAnswer(Base):
    """What a provider said of one set of cells and networks; a cache that holds no person."""

    __tablename__ = "carrier_radio_answers"
    __table_args__ = (Index("ix_carrier_radio_answers_at", "answered_at"),)

    tenant_id: Mapped[TenantId]
    provider_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Null: the service knows none of them.
    place: Mapped[WKBElement | None] = mapped_column(point_column())
    accuracy_m: Mapped[float | None] = mapped_column(Double)
    area: Mapped[bool] = mapped_column(server_default=text("false"))
