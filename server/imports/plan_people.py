"""Planning of employees, by staff number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from uuid import UUID

from server.imports.cells import (
    BadCell,
    code_of,
    date_of,
    line_of,
    looks_rounded,
    phone_of,
    plain_phone,
)
from server.imports.planning import Planned, Reader, Task, planned, shown
from server.imports.table import Row
from server.imports.unit_paths import UnitBook
from server.people.services import (
    Correction,
    Hire,
    correct_employees,
    hire_employees,
    move_employees,
)
from server.people.staff import StaffRecord, staff_by_number, units_of_tenant
from server.posts.services import let_people_go

_NAME = partial(line_of, longest=120)
_TITLE = partial(line_of, longest=80)

Changes = list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class _Act:
    """What is to be done about one person; None where nothing is."""

    hire: Hire | None = None
    correction: Correction | None = None
    move: tuple[UUID, UUID] | None = None
    leaves: tuple[UUID | None, date] | None = None


class EmployeePlanner:
    """Hires, corrects, moves and lets go. Moves hold from today on, in the tenant's zone."""

    batch = 2_000

    def __init__(self, task: Task) -> None:
        self._task = task
        allowed = set(task.session.scalars(task.units))
        self._book = UnitBook(units_of_tenant(task.session, tenant_id=task.tenant_id), allowed)
        self._seen: dict[str, int] = {}

    def plan(self, rows: Sequence[Row]) -> list[Planned]:
        """Plan a batch; one statement."""
        readers = [Reader(row) for row in rows]
        numbers = [reader.need("number", code_of) for reader in readers]
        task = self._task
        known = staff_by_number(
            task.session,
            tenant_id=task.tenant_id,
            numbers=[number for number in numbers if number],
            on=task.today,
        )
        return [
            self._plan(reader, number, known.get(number or ""))
            for reader, number in zip(readers, numbers, strict=True)
        ]

    def apply(self, planned: Sequence[Planned]) -> None:
        """Do a batch: hire, correct, move, let go, in this order."""
        task = self._task
        acts: list[_Act] = [p.act for p in planned if p.act is not None]
        hires = [act.hire for act in acts if act.hire]
        ids = hire_employees(task.session, task.clock, tenant_id=task.tenant_id, hires=hires)
        by_number = {hire.number: person for hire, person in zip(hires, ids, strict=True)}
        correct_employees(
            task.session,
            task.clock,
            tenant_id=task.tenant_id,
            corrections=[act.correction for act in acts if act.correction],
            actor_id=task.actor_id,
        )
        moves = dict(act.move for act in acts if act.move)
        if moves:
            move_employees(
                task.session,
                task.clock,
                tenant_id=task.tenant_id,
                to=moves,
                from_on=task.today,
                actor_id=task.actor_id,
            )
        leavers = {
            act.leaves[0] or by_number[act.hire.number if act.hire else ""]: act.leaves[1]
            for act in acts
            if act.leaves
        }
        let_people_go(task.session, task.clock, tenant_id=task.tenant_id, leavers=leavers)

    def _plan(self, reader: Reader, number: str | None, known: StaffRecord | None) -> Planned:
        label = number or ""
        if number is not None:
            first = self._seen.setdefault(number, reader.row.no)
            if first != reader.row.no:
                reader.refuse("number", "twice_in_file", row=str(first))
            label = f"{number} {shown(reader.raw('name'))[:60]}".strip()
        if number is None:
            return reader.refused(label)
        if known is None:
            if looks_rounded(number):
                reader.refuse("number", "id_rounded", text=number)
            return self._plan_hire(reader, number, label)
        if known.unit_id not in self._book.allowed:
            reader.refuse("number", "number_elsewhere")
            return reader.refused(label)
        return self._plan_change(reader, known, label)

    def _plan_hire(self, reader: Reader, number: str, label: str) -> Planned:
        name = reader.need("name", _NAME)
        unit = reader.need("unit", self._book.read)
        hired_on = reader.need("hired_on", date_of)
        left_on = reader.read("left_on", date_of)
        title, phone = reader.read("title", _TITLE), reader.read("phone", phone_of)
        if hired_on and left_on and left_on <= hired_on:
            reader.refuse("left_on", "left_before_hired")
        if reader.problems or name is None or unit is None or hired_on is None:
            return reader.refused(label)
        hire = Hire(
            number=number, name=name, unit_id=unit, hired_on=hired_on, title=title, phone=phone
        )
        added = [
            ("number", "", number),
            ("name", "", name),
            ("unit", "", self._book.path(unit)),
            ("title", "", shown(title)),
            ("phone", "", shown(phone)),
            ("hired_on", "", hired_on.isoformat()),
            ("left_on", "", shown(left_on)),
        ]
        act = _Act(hire=hire, leaves=(None, left_on) if left_on else None)
        return planned(reader.row, label, [c for c in added if c[2]], act=act, new=True)

    def _plan_change(self, reader: Reader, known: StaffRecord, label: str) -> Planned:
        changes: Changes = []
        name = self._text(reader, "name", known.name, changes) or known.name
        title = self._text(reader, "title", known.title, changes)
        phone = self._phone(reader, known.phone, changes)
        correction = None
        if changes:
            correction = Correction(employee_id=known.id, name=name, title=title, phone=phone)
        move = self._move(reader, known, changes)
        leaves = self._leave(reader, known, changes, moved=move is not None)
        hired_on = reader.read("hired_on", date_of)
        if hired_on not in {None, known.hired_on}:
            reader.refuse("hired_on", "hired_on_fixed", text=known.hired_on.isoformat())
        if changes and known.left_on is not None and known.left_on <= self._task.today:
            reader.refuse(None, "has_left", text=known.left_on.isoformat())
        if reader.problems:
            return reader.refused(label)
        act = _Act(correction=correction, move=move, leaves=leaves)
        return planned(reader.row, label, changes, act=act, new=False)

    def _text(
        self, reader: Reader, column: str, present: str | None, changes: Changes
    ) -> str | None:
        if reader.keeps(column, present):
            return present
        wanted = reader.read(column, _NAME if column == "name" else _TITLE)
        if wanted is None or wanted == present:
            return present
        changes.append((column, shown(present), wanted))
        return wanted

    def _phone(self, reader: Reader, present: str | None, changes: Changes) -> str | None:
        if reader.keeps("phone", present):
            return present
        wanted = reader.read("phone", phone_of)
        if wanted is None or wanted == _folded(present):
            return present
        changes.append(("phone", shown(present), wanted))
        return wanted

    def _move(
        self, reader: Reader, known: StaffRecord, changes: Changes
    ) -> tuple[UUID, UUID] | None:
        unit = reader.read("unit", self._book.read)
        if unit is None or unit == known.unit_id:
            return None
        if not known.belongs:
            reader.refuse("unit", "not_member_yet" if known.upcoming else "not_member_now")
            return None
        changes.append(("unit", self._book.path(known.unit_id), self._book.path(unit)))
        return known.id, unit

    def _leave(
        self, reader: Reader, known: StaffRecord, changes: Changes, *, moved: bool
    ) -> tuple[UUID, date] | None:
        left_on = reader.read("left_on", date_of)
        if left_on is None or left_on == known.left_on:
            return None
        since = self._task.today if moved else known.since_on
        if known.left_on is not None and left_on > known.left_on:
            reader.refuse("left_on", "left_on_fixed", text=known.left_on.isoformat())
        elif since is not None and left_on <= since:
            reader.refuse("left_on", "left_on_too_early", text=since.isoformat())
        else:
            changes.append(("left_on", shown(known.left_on), left_on.isoformat()))
            return known.id, left_on
        return None


def _folded(phone: str | None) -> str | None:
    if phone is None:
        return None
    try:
        return plain_phone(phone)
    except BadCell:
        return phone
