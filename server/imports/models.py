"""Tables of files brought in and of what their rows would do."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import EnumText, Id, Json, TenantId, UtcDateTime
from server.imports.kinds import FileFormat, Kind, Outcome, State


class Import(Base):
    """One file somebody brought, from receipt to the day it was applied or thrown away."""

    __tablename__ = "imports"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"]),
        Index("ix_imports_at", "tenant_id", "received_at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    kind: Mapped[Kind] = mapped_column(EnumText(Kind))
    state: Mapped[State] = mapped_column(EnumText(State))
    # None when a command brought it.
    account_id: Mapped[UUID | None]
    account_name: Mapped[str]
    file_name: Mapped[str]
    file_format: Mapped[FileFormat | None] = mapped_column(EnumText(FileFormat))
    size_bytes: Mapped[int]
    sha256: Mapped[str]
    # Kept until the decision only, as are the rows: it is full of people.
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    options: Mapped[Json]
    # Raised by every run, so that a run that was given up cannot finish behind another.
    attempt: Mapped[int] = mapped_column(server_default="0")
    rows_done: Mapped[int] = mapped_column(server_default="0")
    rows_total: Mapped[int | None]
    counts: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    # How the file was read: encoding, separator, columns; or why it was not.
    reading: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    # Digest of everything the rows would do; an apply that would do anything else stops.
    fingerprint: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ImportRow(Base):
    """What would become of one row of a file, until the decision."""

    __tablename__ = "import_rows"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "import_id"], ["imports.tenant_id", "imports.id"], ondelete="CASCADE"
        ),
        Index("ix_import_rows_outcome", "tenant_id", "import_id", "outcome", "row_no"),
    )

    tenant_id: Mapped[TenantId]
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    row_no: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[Outcome] = mapped_column(EnumText(Outcome))
    label: Mapped[str]
    # Changes as [column, before, after], problems as {column, code, …}.
    detail: Mapped[list[Any]] = mapped_column(JSONB)
