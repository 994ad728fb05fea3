"""From a file somebody brings to rows that are there, or to a clear no.

A file is received, checked (its preview is kept) and then applied or thrown away. Applying
reads the file again and plans it anew in the transaction that writes: when any row would
now do something else than the preview said, nothing is written. All writing goes through
the services of people, posts and sites, so that their invariants hold.

Runs over long files say how far they have come while they last, so these services are
given transactions to open, not one that is open.
"""

import hashlib
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server.clock import Clock
from server.errors import Conflict, NotFound, OutpostError
from server.imports import store
from server.imports.bearer import ACTIONS, Bearer, Transactions
from server.imports.kinds import Kind, State
from server.imports.models import Import
from server.imports.planning import Options
from server.imports.runs import Run
from server.imports.table import FileRefused

__all__ = [
    "ACTIONS",
    "Bearer",
    "Transactions",
    "apply_import",
    "check_import",
    "discard_import",
    "forget_undecided",
    "receive_file",
    "set_options",
]


KEPT_UNDECIDED: Final = timedelta(days=7)


def receive_file(
    session: Session,
    clock: Clock,
    *,
    bearer: Bearer,
    kind: Kind,
    file_name: str,
    content: bytes,
    options: Options,
) -> UUID:
    """Take a file in, unread.

    Returns
    -------
    Id of the import; `check_import` comes next.
    """
    now = clock.now()
    received = Import(
        tenant_id=bearer.tenant_id,
        kind=kind,
        state=State.RECEIVED,
        account_id=bearer.principal.account_id if bearer.principal else None,
        account_name=bearer.name,
        file_name=_plain_name(file_name),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        options=options.to_json(),
        received_at=now,
        touched_at=now,
    )
    session.add(received)
    session.flush()
    return received.id


def set_options(
    session: Session, clock: Clock, *, bearer: Bearer, import_id: UUID, options: Options
) -> None:
    """Answer a question about a file: it has to be checked again.

    Raises
    ------
    NotFound : `import_not_found`.
    Conflict : `import_busy`, `import_decided`.
    """
    before = (State.RECEIVED, State.CHECKED, State.REFUSED)
    attempt = store.claim(
        session,
        tenant_id=bearer.tenant_id,
        import_id=import_id,
        before=before,
        during=State.CHECKING,
        now=clock.now(),
    )
    _require_file(session, bearer, import_id)
    store.conclude(
        session,
        tenant_id=bearer.tenant_id,
        import_id=import_id,
        attempt=attempt,
        state=State.RECEIVED,
        options=options.to_json(),
    )


def check_import(
    transactions: Transactions, clock: Clock, *, bearer: Bearer, import_id: UUID
) -> State:
    """Read a file and keep what each row would do; writes nothing else.

    Opens transactions of its own: one to begin, one a batch to say how far it is, one that
    keeps the preview.

    Returns
    -------
    `checked`, or `refused` when the file cannot be read as a whole.

    Raises
    ------
    NotFound : `import_not_found`, `file_gone`.
    Conflict : `import_busy`, `import_decided`.
    """
    run = Run(transactions, clock, bearer, import_id)
    run.begin((State.RECEIVED, State.CHECKED, State.REFUSED), State.CHECKING)
    try:
        try:
            table = run.open()
            return run.check(table)
        except FileRefused as refused:
            problem = {"refusal": {"code": refused.code, "params": refused.fields}}
            return run.refuse(problem)
    except BaseException:
        run.give_back()
        raise


def apply_import(
    transactions: Transactions, clock: Clock, *, bearer: Bearer, import_id: UUID
) -> dict[str, int]:
    """Do what a checked file says, all of it or none, in one transaction.

    Returns
    -------
    Rows by outcome: `add`, `change`, `same`, `refuse` (always 0).

    Raises
    ------
    NotFound : `import_not_found`, `file_gone`.
    Conflict : `rows_refused`; `stale_preview` when the file would now do something else,
        after which it has to be checked again; `import_running` beside another file of the
        tenant; `import_busy`, `import_decided`.
    """
    run = Run(transactions, clock, bearer, import_id)
    run.begin((State.CHECKED,), State.APPLYING)
    try:
        counts = run.apply(run.open())
    except (FileRefused, IntegrityError) as error:
        # Somebody else wrote what this was about to write.
        run.give_back()
        raise Conflict("stale_preview") from error
    except OutpostError as error:
        run.give_back(stale=error.code not in {"rows_refused", "import_running"})
        if error.code in {"rows_refused", "import_running", "import_busy", "stale_preview"}:
            raise
        raise Conflict("stale_preview", error.code) from error
    except BaseException:
        run.give_back()
        raise
    return counts


def discard_import(session: Session, clock: Clock, *, bearer: Bearer, import_id: UUID) -> None:
    """Throw a file away with everything it would have done; that it came stays known.

    Raises
    ------
    NotFound : `import_not_found`.
    Conflict : `import_busy`, `import_decided`.
    """
    attempt = store.claim(
        session,
        tenant_id=bearer.tenant_id,
        import_id=import_id,
        before=(State.RECEIVED, State.CHECKED, State.REFUSED),
        during=State.CHECKING,
        now=clock.now(),
    )
    store.drop_rows(session, tenant_id=bearer.tenant_id, import_id=import_id)
    store.conclude(
        session,
        tenant_id=bearer.tenant_id,
        import_id=import_id,
        attempt=attempt,
        state=State.DISCARDED,
        content=None,
        finished_at=clock.now(),
    )


def forget_undecided(session: Session, clock: Clock) -> int:
    """Throw files away that nobody decided on for a week: they are full of people.

    Runs with the owner's rights over all tenants; upkeep calls it daily.

    Returns
    -------
    How many files were thrown away.
    """
    now = clock.now()
    old = session.execute(
        select(Import.tenant_id, Import.id).where(
            Import.content.is_not(None), Import.touched_at < now - KEPT_UNDECIDED
        )
    ).all()
    for tenant_id, import_id in old:
        store.drop_rows(session, tenant_id=tenant_id, import_id=import_id)
    session.execute(
        update(Import)
        .where(Import.content.is_not(None), Import.touched_at < now - KEPT_UNDECIDED)
        .values(state=State.DISCARDED, content=None, finished_at=now, attempt=Import.attempt + 1)
    )
    return len(old)


def _require_file(session: Session, bearer: Bearer, import_id: UUID) -> None:
    row = session.scalar(
        select(Import.content.is_not(None)).where(
            Import.tenant_id == bearer.tenant_id, Import.id == import_id
        )
    )
    if not row:
        raise NotFound("file_gone")


def _plain_name(name: str) -> str:
    tail = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(c for c in tail if c.isprintable())
    return printable[-120:] or "file"
