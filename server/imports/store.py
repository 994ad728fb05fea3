"""Loading and saving of imports; nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, or_, select, text, update
from sqlalchemy.orm import Session

from server.errors import Conflict, NotFound
from server.imports.kinds import State
from server.imports.models import Import, ImportRow
from server.imports.planning import Planned

GIVEN_UP: Final = timedelta(minutes=2)
"""A run that has said nothing for so long has died with its process."""
_LOCK: Final = 0x1A9047


def load(session: Session, *, tenant_id: int, import_id: UUID) -> Import:
    """Return an import without its file.

    Raises
    ------
    NotFound : `import_not_found`.
    """
    found = session.get(Import, (tenant_id, import_id))
    if found is None:
        raise NotFound("import_not_found")
    return found


def load_content(session: Session, *, tenant_id: int, import_id: UUID) -> bytes:
    """Return the file of an import.

    Raises
    ------
    NotFound : `import_not_found`; `file_gone` once it was decided on.
    """
    row = session.execute(
        select(Import.content).where(Import.tenant_id == tenant_id, Import.id == import_id)
    ).one_or_none()
    if row is None:
        raise NotFound("import_not_found")
    if row.content is None:
        raise NotFound("file_gone")
    content: bytes = row.content
    return content


def claim(
    session: Session,
    *,
    tenant_id: int,
    import_id: UUID,
    before: Sequence[State],
    during: State,
    now: datetime,
) -> int:
    """Put an import into a state of work; the caller commits before it works.

    Returns
    -------
    The number of the attempt, with which the run proves later that it is still the one.

    Raises
    ------
    NotFound : `import_not_found`.
    Conflict : `import_busy` while another run is alive, `import_decided` when it is too late.
    """
    found = session.scalar(
        update(Import)
        .where(
            Import.tenant_id == tenant_id,
            Import.id == import_id,
            or_(
                Import.state.in_(before),
                (Import.state == during) & (Import.touched_at < now - GIVEN_UP),
            ),
        )
        .values(state=during, attempt=Import.attempt + 1, rows_done=0, touched_at=now)
        .returning(Import.attempt)
    )
    if found is None:
        state = load(session, tenant_id=tenant_id, import_id=import_id).state
        busy = state in {State.CHECKING, State.APPLYING}
        raise Conflict("import_busy" if busy else "import_decided", state.value)
    return int(found)


def note_progress(
    session: Session,
    *,
    tenant_id: int,
    import_id: UUID,
    attempt: int,
    rows_done: int,
    rows_total: int | None,
    now: datetime,
) -> None:
    """Say how far a run has come, which also keeps others from taking it over."""
    session.execute(
        update(Import)
        .where(Import.tenant_id == tenant_id, Import.id == import_id, Import.attempt == attempt)
        .values(rows_done=rows_done, rows_total=rows_total, touched_at=now)
    )


def conclude(
    session: Session, *, tenant_id: int, import_id: UUID, attempt: int, **values: object
) -> None:
    """Set the outcome of a run.

    Raises
    ------
    Conflict : `import_busy` when another run took over; nothing of this one may stay.
    """
    done = session.scalar(
        update(Import)
        .where(Import.tenant_id == tenant_id, Import.id == import_id, Import.attempt == attempt)
        .values(**values)
        .returning(Import.id)
    )
    if done is None:
        raise Conflict("import_busy")


def save_rows(
    session: Session, *, tenant_id: int, import_id: UUID, planned: Sequence[Planned]
) -> None:
    """Keep what rows would do, for the preview."""
    rows = [
        {
            "tenant_id": tenant_id,
            "import_id": import_id,
            "row_no": row.row_no,
            "outcome": row.outcome,
            "label": row.label[:200],
            "detail": detail_of(row),
        }
        for row in planned
    ]
    if rows:
        session.execute(insert(ImportRow), rows)


def drop_rows(session: Session, *, tenant_id: int, import_id: UUID) -> None:
    """Forget what rows would do."""
    session.execute(
        delete(ImportRow).where(ImportRow.tenant_id == tenant_id, ImportRow.import_id == import_id)
    )


def one_at_a_time(session: Session, *, tenant_id: int) -> None:
    """Let one file of a tenant be applied at a time; ends with the transaction.

    Raises
    ------
    Conflict : `import_running`.
    """
    free = session.scalar(
        text("SELECT pg_try_advisory_xact_lock(:lock, :tenant)"),
        {"lock": _LOCK, "tenant": tenant_id},
    )
    if not free:
        raise Conflict("import_running")


def plan_each_time(session: Session) -> None:
    """Let the database plan every statement of this transaction for the tables as they are.

    The tables grow while a file is written; a plan kept from the first batch, when they were
    small, reads all of them for each later one.
    """
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


def detail_of(row: Planned) -> list[Any]:
    """Return changes as `[column, before, after]` and problems as objects, for JSON."""
    problems = [
        {"column": p.column, "code": p.code, "params": dict(p.params)} for p in row.problems
    ]
    return [*(list(change) for change in row.changes), *problems]
