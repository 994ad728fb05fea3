"""Planning of units; a file may name a parent anywhere, also below its children."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from server.db.types import new_id
from server.imports.cells import BadCell, line_of
from server.imports.kinds import Outcome
from server.imports.planning import Planned, Reader, Task, planned
from server.imports.table import FileRefused, Row
from server.imports.unit_paths import UnitBook, escaped, unit_kind_of
from server.people.policy import UnitView
from server.people.rules import UnitKind
from server.people.services import add_unit
from server.people.staff import units_of_tenant

MAX_UNITS: Final = 5_000
_LEVELS: Final = tuple(UnitKind)


@dataclass(slots=True)
class _Wanted:
    """One row: what it names, and the stand-in it has while the plan grows."""

    reader: Reader
    name: str
    parent: str | None
    kind: UnitKind | None
    stand_in: UUID
    outcome: Planned | None = None


@dataclass(frozen=True, slots=True)
class _Addition:
    """A unit to add below one that exists or that another row adds."""

    stand_in: UUID
    parent: UUID
    name: str
    kind: UnitKind


class UnitPlanner:
    """Adds units; what exists already stays as it is."""

    batch = MAX_UNITS

    def __init__(self, task: Task) -> None:
        self._task = task
        units = units_of_tenant(task.session, tenant_id=task.tenant_id)
        allowed = set(task.session.scalars(task.units))
        self._book = UnitBook(units, allowed)
        self._top = next(u for u in units if u.parent_id is None)
        self._children: dict[tuple[UUID, str], list[UnitView]] = {}
        for unit in units:
            if unit.parent_id is not None:
                key = (unit.parent_id, unit.name.strip())
                self._children.setdefault(key, []).append(unit)
        self._existing = {unit.id for unit in units}
        self._taken: dict[tuple[UUID, str], int] = {}
        self._first: dict[tuple[UUID, str], int] = {}
        self._planned = False

    def plan(self, rows: Sequence[Row]) -> list[Planned]:
        """Plan the whole file at once: rows may depend on each other."""
        if self._planned:
            raise FileRefused("too_many_rows", fields={"limit": str(MAX_UNITS)})
        self._planned = len(rows) == MAX_UNITS
        wanted = [self._read(row) for row in rows]
        waiting = [w for w in wanted if w.outcome is None]
        # Level by level, so that of two rows alike the later one is the one too many.
        while ready := [w for w in waiting if self._has_parent(w)]:
            for entry in ready:
                self._place(entry)
            placed = {entry.stand_in for entry in ready}
            waiting = [w for w in waiting if w.stand_in not in placed]
        for entry in waiting:
            if self._is_there(entry):
                continue
            entry.reader.refuse("parent", "unit_unknown", text=entry.parent or "")
        return [self._finish(entry) for entry in wanted]

    def apply(self, planned: Sequence[Planned]) -> None:
        """Add the units, parents first."""
        real: dict[UUID, UUID] = {}
        waiting: list[_Addition] = [p.act for p in planned if p.outcome is Outcome.ADD]
        additions = {a.stand_in for a in waiting}
        while waiting:
            ready = [a for a in waiting if a.parent in real or a.parent not in additions]
            for addition in ready:
                real[addition.stand_in] = add_unit(
                    self._task.session,
                    self._task.clock,
                    tenant_id=self._task.tenant_id,
                    parent_id=real.get(addition.parent, addition.parent),
                    kind=addition.kind,
                    name=addition.name,
                ).id
            waiting = [a for a in waiting if a.stand_in not in real]

    def _read(self, row: Row) -> _Wanted:
        reader = Reader(row)
        name = reader.need("name", _short_name)
        parent = reader.read("parent", lambda value: line_of(value, longest=1_000))
        kind = reader.need("kind", unit_kind_of)
        wanted = _Wanted(reader, name or "", parent, kind, new_id())
        if reader.problems:
            wanted.outcome = reader.refused(name or "")
        elif parent is None and not reader.has("parent"):
            self._match_top(wanted)
        return wanted

    def _match_top(self, wanted: _Wanted) -> None:
        reader = wanted.reader
        if wanted.name != self._top.name.strip():
            reader.refuse("parent", "parent_missing")
        elif wanted.kind is not self._top.kind:
            reader.refuse("kind", "unit_kind_fixed", text=self._top.kind.value)
        elif self._top.id not in self._book.allowed:
            reader.refuse("name", "unit_unknown", text=wanted.name)
        else:
            wanted.outcome = planned(reader.row, wanted.name, (), act=None, new=False)
            return
        wanted.outcome = reader.refused(wanted.name)

    def _has_parent(self, wanted: _Wanted) -> bool:
        assert wanted.parent is not None
        try:
            self._book.resolve(wanted.parent)
        except BadCell as bad:
            return bad.code != "unit_unknown"
        return True

    def _place(self, wanted: _Wanted) -> None:
        """Find the parent among units and rows already placed, and add the row below it."""
        assert wanted.parent is not None
        assert wanted.kind is not None
        try:
            parent = self._book.resolve(wanted.parent)
        except BadCell as bad:
            wanted.reader.refuse("parent", bad.code, **bad.params)
            return
        key = (parent, wanted.name)
        nth = self._taken[key] = self._taken.get(key, 0) + 1
        self._first.setdefault(key, wanted.reader.row.no)
        existing = self._children.get(key, [])
        if nth <= len(existing):
            if existing[nth - 1].kind is not wanted.kind:
                kind = existing[nth - 1].kind
                wanted.reader.refuse("kind", "unit_kind_fixed", text=kind.value)
            return
        if nth > max(1, len(existing)):
            first = self._first[key]
            wanted.reader.refuse("name", "twice_in_file", row=str(first))
            return
        above = self._book.kinds[parent]
        if _LEVELS.index(wanted.kind) <= _LEVELS.index(above):
            wanted.reader.refuse("kind", "unit_kind_order", text=above.value)
            return
        made = UnitView(wanted.stand_in, parent, wanted.kind, wanted.name)
        self._book.add(made, allowed=True)
        wanted.outcome = planned(
            wanted.reader.row,
            wanted.name,
            (
                ("name", "", wanted.name),
                ("parent", "", self._book.path(parent)),
                ("kind", "", wanted.kind.value),
            ),
            act=_Addition(wanted.stand_in, parent, wanted.name, wanted.kind),
            new=True,
        )

    def _is_there(self, wanted: _Wanted) -> bool:
        """Tell whether the unit exists, also at the top of a scope that ends below its parent."""
        try:
            unit = self._book.resolve(f"{wanted.parent}/{escaped(wanted.name)}")
        except BadCell:
            return False
        if unit not in self._existing or self._book.kinds[unit] is not wanted.kind:
            return False
        wanted.outcome = planned(wanted.reader.row, wanted.name, (), act=None, new=False)
        return True

    def _finish(self, wanted: _Wanted) -> Planned:
        is_there = wanted.outcome is not None and wanted.outcome.outcome is Outcome.SAME
        if wanted.parent is not None and not is_there and not wanted.reader.problems:
            # Rows that came later may have made the name stand for two units.
            try:
                self._book.resolve(wanted.parent)
            except BadCell as bad:
                wanted.reader.refuse("parent", bad.code, **bad.params)
        if wanted.reader.problems:
            return wanted.reader.refused(wanted.name)
        if wanted.outcome is not None:
            return wanted.outcome
        return planned(wanted.reader.row, wanted.name, (), act=None, new=False)


def _short_name(value: object) -> str | None:
    return line_of(value, longest=120)  # type: ignore[arg-type]
