"""Reading of imports: their history, how far they are, what their rows would do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import NotFound
from server.imports.kinds import FileFormat, Kind, Outcome, State
from server.imports.models import Import, ImportRow
from server.imports.planning import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    """One file that was brought; see `models.Import` for what the parts mean."""

    id: UUID
    kind: Kind
    state: State
    account_id: UUID | None
    account_name: str
    file_name: str
    file_format: FileFormat | None
    size_bytes: int
    options: Options
    rows_done: int
    rows_total: int | None
    counts: Mapping[str, int]
    reading: Mapping[str, Any]
    received_at: datetime
    touched_at: datetime
    finished_at: datetime | None

    @property
    def rows(self) -> int:
        """How many rows were planned."""
        return sum(self.counts.values())

    @property
    def writes(self) -> int:
        """How many rows would change, or have changed, anything."""
        return sum(self.counts.get(o.value, 0) for o in (Outcome.ADD, Outcome.CHANGE))


@dataclass(frozen=True, slots=True)
class RowView:
    """What one row would do: changes as column, before, after; problems with their words."""

    row_no: int
    outcome: Outcome
    label: str
    changes: tuple[tuple[str, str, str], ...]
    problems: tuple[Mapping[str, Any], ...]


def get_import(
    session: Session, *, tenant_id: int, import_id: UUID, account_id: UUID | None
) -> ImportView:
    """Return an import that one account brought.

    Raises
    ------
    NotFound : there is none, or another account brought it.
    """
    found = session.scalar(
        select(Import).where(
            Import.tenant_id == tenant_id,
            Import.id == import_id,
            Import.account_id == account_id,
        )
    )
    if found is None:
        raise NotFound("import_not_found")
    return _view(found)


def list_imports(
    session: Session,
    *,
    tenant_id: int,
    account_id: UUID | None,
    of_others: Collection[Kind],
    limit: int = 50,
) -> list[ImportView]:
    """Return the newest imports: one's own, and those of others of some kinds."""
    rows = session.scalars(
        select(Import)
        .where(
            Import.tenant_id == tenant_id,
            (Import.account_id == account_id) | Import.kind.in_(list(of_others)),
        )
        .order_by(Import.received_at.desc(), Import.id.desc())
        .limit(limit)
    )
    return [_view(row) for row in rows]


def import_rows(
    session: Session,
    *,
    tenant_id: int,
    import_id: UUID,
    outcomes: Collection[Outcome] = (),
    limit: int = 50,
    offset: int = 0,
) -> list[RowView]:
    """Return a page of what the rows of a checked file would do, in its order."""
    query = (
        select(ImportRow)
        .where(ImportRow.tenant_id == tenant_id, ImportRow.import_id == import_id)
        .order_by(ImportRow.row_no)
        .limit(limit)
        .offset(offset)
    )
    if outcomes:
        query = query.where(ImportRow.outcome.in_(list(outcomes)))
    return [
        RowView(
            row.row_no,
            row.outcome,
            row.label,
            tuple((d[0], d[1], d[2]) for d in row.detail if isinstance(d, list)),
            tuple(d for d in row.detail if isinstance(d, dict)),
        )
        for row in session.scalars(query)
    ]


def _view(row: Import) -> ImportView:
    return ImportView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        account_id=row.account_id,
        account_name=row.account_name,
        file_name=row.file_name,
        file_format=row.file_format,
        size_bytes=row.size_bytes,
        options=Options.from_json(row.options),
        rows_done=row.rows_done,
        rows_total=row.rows_total,
        counts=row.counts,
        reading=row.reading,
        received_at=row.received_at,
        touched_at=row.touched_at,
        finished_at=row.finished_at,
    )
