"""Planning of rosters: who works which shift on which work date, and where."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import select

from server.db import tables
from server.errors import InvalidInput
from server.imports.cells import code_of, date_of, line_of
from server.imports.planning import Planned, Reader, Task, planned, shown
from server.imports.table import Row
from server.imports.unit_paths import UnitBook
from server.people.staff import StaffRecord, staff_by_number, units_of_tenant
from server.posts.queries import (
    PostView,
    RosterView,
    ShiftView,
    list_posts,
    list_shifts,
    roster_between,
)
from server.posts.rules import shift_instants
from server.posts.services import Assignment, assign_shifts, cancel_assignment

_NAME = partial(line_of, longest=120)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Act:
    """An assignment, and those it takes the place of."""

    assignment: Assignment
    replaces: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a row asks for, every part of it known."""

    person: StaffRecord
    on: date
    shift: ShiftView
    post: PostView | None


@dataclass(frozen=True, slots=True)
class _Span:
    """Time that a row of this file claims of a person."""

    starts_at: datetime
    ends_at: datetime
    row_no: int


class RosterPlanner:
    """Assigns shifts. A shift that is in the way is a conflict, or replaced when asked to."""

    batch = 1_000

    def __init__(self, task: Task) -> None:
        self._task = task
        self._allowed = set(task.session.scalars(task.units))
        seen = set(task.session.scalars(task.seen))
        self._book = UnitBook(units_of_tenant(task.session, tenant_id=task.tenant_id), seen)
        self._shifts = {s.name: s for s in list_shifts(task.session, with_retired=True)}
        self._posts: dict[str, list[PostView]] = defaultdict(list)
        for post in list_posts(task.session, task.seen, at=task.clock.now(), with_closed=True):
            self._posts[post.name].append(post)
        self._claimed: dict[UUID, list[_Span]] = defaultdict(list)
        self._gone: set[UUID] = set()
        self._keys: dict[tuple[UUID, date, UUID], int] = {}

    def plan(self, rows: Sequence[Row]) -> list[Planned]:
        """Plan a batch; two statements."""
        task = self._task
        readers = [Reader(row) for row in rows]
        numbers = [reader.need("number", code_of) for reader in readers]
        dates = [reader.need("on_date", date_of) for reader in readers]
        staff = staff_by_number(
            task.session,
            tenant_id=task.tenant_id,
            numbers=[number for number in numbers if number],
            on=task.today,
        )
        present = self._present([p.id for p in staff.values()], [on for on in dates if on])
        return [
            self._plan(reader, number, staff.get(number or ""), on, present)
            for reader, number, on in zip(readers, numbers, dates, strict=True)
        ]

    def apply(self, planned: Sequence[Planned]) -> None:
        """Do a batch: what is replaced goes first."""
        task = self._task
        acts: list[_Act] = [p.act for p in planned if p.act is not None]
        for entry_id in sorted({entry_id for act in acts for entry_id in act.replaces}):
            cancel_assignment(task.session, task.clock, tenant_id=task.tenant_id, entry_id=entry_id)
        if acts:
            assign_shifts(
                task.session,
                task.clock,
                tenant_id=task.tenant_id,
                assignments=[act.assignment for act in acts],
                actor_id=task.actor_id,
            )

    def _present(
        self, employee_ids: Iterable[UUID], dates: Sequence[date]
    ) -> dict[UUID, list[RosterView]]:
        found: dict[UUID, list[RosterView]] = defaultdict(list)
        if not dates:
            return found
        people = tables.employees
        these = select(people.c.id).where(
            people.c.tenant_id == self._task.tenant_id, people.c.id.in_(list(employee_ids))
        )
        # A shift of the day before may reach into this one, and this one into the next.
        for entry in roster_between(
            self._task.session, these, first_on=min(dates) - _DAY, last_on=max(dates) + _DAY
        ):
            found[entry.employee_id].append(entry)
        return found

    def _plan(
        self,
        reader: Reader,
        number: str | None,
        person: StaffRecord | None,
        on: date | None,
        present: dict[UUID, list[RosterView]],
    ) -> Planned:
        label = " ".join(filter(None, (number, shown(on), shown(reader.raw("shift"))[:40])))
        shift = self._shift(reader, on)
        post = self._post(reader, on)
        if number and (person is None or person.unit_id not in self._allowed):
            reader.refuse("number", "person_unknown", text=number)
            person = None
        if person and on and not _is_employed(person, on):
            reader.reserve("on_date", "not_employed")
        if person is None or on is None or shift is None or reader.problems:
            return reader.refused(label)
        key = (person.id, on, shift.id)
        first = self._keys.setdefault(key, reader.row.no)
        if first != reader.row.no:
            reader.refuse(None, "twice_in_file", row=str(first))
            return reader.refused(label)
        entries = [e for e in present.get(person.id, ()) if e.id not in self._gone]
        return self._place(reader, label, _Wish(person, on, shift, post), entries)

    def _place(self, reader: Reader, label: str, wish: _Wish, entries: list[RosterView]) -> Planned:
        person, on, shift, post = wish.person, wish.on, wish.shift, wish.post
        zone = post.zone if post else self._task.zone
        twin = next((e for e in entries if e.on_date == on and e.shift_id == shift.id), None)
        keeps = twin is not None and (post is None or twin.post_id == post.id)
        if twin is not None and keeps:
            span = _Span(twin.starts_at, twin.ends_at, reader.row.no)
        else:
            try:
                span = _Span(*shift_instants(on, shift.starts, shift.ends, zone), reader.row.no)
            except InvalidInput as refused:
                reader.refuse("shift", refused.code)
                return reader.refused(label)
        for other in self._claimed[person.id]:
            if other.starts_at < span.ends_at and span.starts_at < other.ends_at:
                reader.refuse(None, "overlaps_row", row=str(other.row_no))
                return reader.refused(label)
        if keeps:
            self._claimed[person.id].append(span)
            return planned(reader.row, label, (), act=None, new=False)
        reader.problems.extend(reader.reservations)
        replaced = [e for e in entries if e.starts_at < span.ends_at and span.starts_at < e.ends_at]
        for entry in replaced:
            self._check_replaced(reader, entry, is_twin=entry is twin)
        if reader.problems:
            return reader.refused(label)
        self._claimed[person.id].append(span)
        self._gone |= {entry.id for entry in replaced}
        act = _Act(
            Assignment(
                employee_id=person.id,
                shift_id=shift.id,
                on_date=on,
                post_id=post.id if post else None,
            ),
            tuple(entry.id for entry in replaced),
        )
        before = "; ".join(_words(entry) for entry in replaced)
        after = f"{shift.name} {shift.starts:%H:%M}–{shift.ends:%H:%M}"
        changes = [("shift", before, f"{after} {post.name}" if post else after)]
        return planned(reader.row, label, changes, act=act, new=not replaced)

    def _check_replaced(self, reader: Reader, entry: RosterView, *, is_twin: bool) -> None:
        if entry.starts_at <= self._task.clock.now():
            reader.refuse(None, "shift_begun", text=_words(entry))
        elif not is_twin and not self._task.options.replace:
            reader.refuse(None, "roster_overlap", text=_words(entry))

    def _shift(self, reader: Reader, on: date | None) -> ShiftView | None:
        raw = reader.raw("shift")
        name = raw if isinstance(raw, str) and raw in self._shifts else reader.need("shift", _NAME)
        if name is None:
            return None
        shift = self._shifts.get(name)
        if shift is None:
            offered = " · ".join(s.name for s in self._shifts.values() if s.retired_on is None)
            reader.refuse("shift", "shift_unknown", text=name, offered=offered[:200])
        elif on and shift.retired_on is not None and on >= shift.retired_on:
            reader.reserve("shift", "shift_retired", text=shift.retired_on.isoformat())
        return shift

    def _post(self, reader: Reader, on: date | None) -> PostView | None:
        raw = reader.raw("post")
        name = raw if isinstance(raw, str) and raw in self._posts else reader.read("post", _NAME)
        if name is None:
            return None
        unit = reader.read("post_unit", self._book.read)
        fits = [p for p in self._posts.get(name, ()) if unit in {None, p.unit_id}]
        open_ones = [p for p in fits if p.closed_on is None or (on and on < p.closed_on)]
        if not fits:
            reader.refuse("post", "post_unknown", text=name)
        elif not open_ones:
            reader.reserve("post", "post_closed", text=shown(fits[0].closed_on))
            return fits[0]
        elif len(open_ones) > 1:
            units = " · ".join(self._book.path(p.unit_id) for p in open_ones[:5])
            reader.refuse("post", "post_ambiguous", text=name, units=units)
        else:
            return open_ones[0]
        return None


def _is_employed(person: StaffRecord, on: date) -> bool:
    return person.hired_on <= on and (person.left_on is None or on < person.left_on)


def _words(entry: RosterView) -> str:
    start = f"{entry.on_date.isoformat()} {entry.shift_name}"
    return f"{start} {entry.post_name}" if entry.post_name else start
