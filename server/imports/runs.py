"""One pass over a file: planned in batches, told how far it is, kept or written."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.clock import Clock
from server.errors import Conflict
from server.imports import store
from server.imports.bearer import ACTIONS, Bearer, Transactions
from server.imports.kinds import Kind, Outcome, State
from server.imports.opening import open_file
from server.imports.plan_people import EmployeePlanner
from server.imports.plan_posts import PostPlanner
from server.imports.plan_roster import RosterPlanner
from server.imports.plan_sites import SitePlanner
from server.imports.plan_units import UnitPlanner
from server.imports.planning import Options, Planned, Planner, Task
from server.imports.table import FileRefused, Row, Table
from server.people.policy import local_date
from server.people.rules import Action

_PLANNERS: Final[dict[Kind, Callable[[Task], Planner]]] = {
    Kind.EMPLOYEES: EmployeePlanner,
    Kind.UNITS: UnitPlanner,
    Kind.POSTS: PostPlanner,
    Kind.SITES: SitePlanner,
    Kind.ROSTER: RosterPlanner,
}


class Run:
    """One pass over a file, with its claim."""

    def __init__(
        self, transactions: Transactions, clock: Clock, bearer: Bearer, import_id: UUID
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._bearer = bearer
        self._key: dict[str, Any] = {"tenant_id": bearer.tenant_id, "import_id": import_id}
        self._attempt = 0
        self._kind = Kind.EMPLOYEES
        self._options = Options()
        self._total: int | None = None
        self._again = False

    def begin(self, before: tuple[State, ...], during: State) -> None:
        """Claim the import and learn what it is."""
        with self._transactions() as session:
            self._attempt = store.claim(
                session, **self._key, before=before, during=during, now=self._clock.now()
            )
            found = store.load(session, **self._key)
            self._kind = found.kind
            self._options = Options.from_json(found.options)
            self._again = found.reading.get("stale") is True

    def open(self) -> Table:
        """Open the file."""
        with self._transactions() as session:
            content = store.load_content(session, **self._key)
        table = open_file(content, self._kind, encoding=self._options.encoding)
        self._total = table.expected
        return table

    def check(self, table: Table) -> State:
        """Plan the whole file and keep the plan."""
        counts: Counter[str] = Counter()
        questions: Counter[str] = Counter()
        digest = hashlib.sha256()
        with self._transactions() as session:
            store.plan_each_time(session)
            store.drop_rows(session, **self._key)
            for batch in self._batches(self._planner(session), table):
                _digest(digest, batch)
                counts.update(row.outcome.value for row in batch)
                questions.update(
                    p.code for row in batch for p in row.problems if p.code == "swapped"
                )
                store.save_rows(session, **self._key, planned=batch)
            if not counts:
                raise FileRefused("file_empty")
            store.conclude(
                session,
                **self._key,
                attempt=self._attempt,
                state=State.CHECKED,
                file_format=table.format,
                counts=_full(counts),
                rows_done=counts.total(),
                rows_total=counts.total(),
                reading=table.reading | {"questions": dict(questions), "again": self._again},
                fingerprint=digest.hexdigest(),
                touched_at=self._clock.now(),
            )
        return State.CHECKED

    def apply(self, table: Table) -> dict[str, int]:
        """Plan again and write, in one transaction that ends only if the plan is the same."""
        counts: Counter[str] = Counter()
        digest = hashlib.sha256()
        bearer = self._bearer
        with self._transactions() as session:
            store.plan_each_time(session)
            store.one_at_a_time(session, tenant_id=bearer.tenant_id)
            found = store.load(session, **self._key)
            if found.counts.get(Outcome.REFUSE.value):
                raise Conflict("rows_refused")
            planner = self._planner(session)
            for batch in self._batches(planner, table):
                _digest(digest, batch)
                counts.update(row.outcome.value for row in batch)
                if counts[Outcome.REFUSE.value]:
                    raise Conflict("stale_preview")
                planner.apply(batch)
            if digest.hexdigest() != found.fingerprint:
                raise Conflict("stale_preview")
            store.drop_rows(session, **self._key)
            store.conclude(
                session,
                **self._key,
                attempt=self._attempt,
                state=State.APPLIED,
                content=None,
                rows_done=counts.total(),
                finished_at=self._clock.now(),
            )
            record_security_event(
                session,
                tenant_id=bearer.tenant_id,
                kind="import_applied",
                actor_id=bearer.principal.account_id if bearer.principal else None,
                subject=str(self._key["import_id"]),
                detail={"kind": self._kind.value, **_full(counts)},
            )
        return _full(counts)

    def refuse(self, reading: dict[str, Any]) -> State:
        """Keep why the file cannot be read."""
        with self._transactions() as session:
            store.drop_rows(session, **self._key)
            store.conclude(
                session,
                **self._key,
                attempt=self._attempt,
                state=State.REFUSED,
                reading=reading,
                counts={},
                fingerprint=None,
                touched_at=self._clock.now(),
            )
        return State.REFUSED

    def give_back(self, *, stale: bool = True) -> None:
        """Let go of the claim after a failure; a stale preview has to be made anew."""
        values: dict[str, Any] = {"state": State.CHECKED}
        if stale:
            values = {"state": State.RECEIVED, "reading": {"stale": True}}
        try:
            with self._transactions() as session:
                store.conclude(session, **self._key, attempt=self._attempt, **values)
        except Conflict:
            # Another run took over meanwhile; the import is its own now.
            return

    def _planner(self, session: Session) -> Planner:
        bearer, clock = self._bearer, self._clock
        task = Task(
            session=session,
            clock=clock,
            tenant_id=bearer.tenant_id,
            zone=bearer.zone,
            today=local_date(clock.now(), bearer.zone),
            options=self._options,
            units=bearer.units(ACTIONS[self._kind], clock),
            seen=bearer.units(Action.VIEW_POSTS, clock),
            actor_id=bearer.principal.account_id if bearer.principal else None,
        )
        return _PLANNERS[self._kind](task)

    def _batches(self, planner: Planner, table: Table) -> Iterator[list[Planned]]:
        done = 0
        rows: Iterator[Row] = table.rows
        while batch := list(islice(rows, planner.batch)):
            yield planner.plan(batch)
            done += len(batch)
            with self._transactions() as session:
                store.note_progress(
                    session,
                    **self._key,
                    attempt=self._attempt,
                    rows_done=done,
                    rows_total=None if self._total is None else max(self._total, done),
                    now=self._clock.now(),
                )


def _digest(digest: "hashlib._Hash", batch: list[Planned]) -> None:
    for row in batch:
        digest.update(orjson.dumps((row.row_no, row.outcome.value, row.label, row.changes)))


def _full(counts: Counter[str]) -> dict[str, int]:
    return {outcome.value: counts[outcome.value] for outcome in Outcome}
