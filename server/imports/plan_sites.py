"""Planning of customer places, by number."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from server.errors import InvalidInput
from server.imports.cells import code_of, line_of, looks_rounded, number_of, yes_of
from server.imports.places import Places, geometry_text
from server.imports.planning import Planned, Reader, Task, planned, shown
from server.imports.table import Row
from server.imports.unit_paths import UnitBook
from server.people.staff import units_of_tenant
from server.sites.queries import sites_by_number
from server.sites.rules import DEFAULT_RADIUS_M, SiteFacts, check_facts
from server.sites.services import add_sites, change_sites

_NAME = partial(line_of, longest=120)
_ADDRESS = partial(line_of, longest=300)

Known = tuple[UUID, SiteFacts]


class SitePlanner:
    """Adds and changes sites; blank cells leave what there is."""

    batch = 2_000

    def __init__(self, task: Task) -> None:
        self._task = task
        allowed = set(task.session.scalars(task.units))
        self._book = UnitBook(units_of_tenant(task.session, tenant_id=task.tenant_id), allowed)
        self._places = Places.of(task)
        self._seen: dict[str, int] = {}

    def plan(self, rows: Sequence[Row]) -> list[Planned]:
        """Plan a batch; one statement."""
        readers = [Reader(_with_whole_geometry(row)) for row in rows]
        numbers = [reader.need("number", code_of) for reader in readers]
        known = sites_by_number(
            self._task.session,
            tenant_id=self._task.tenant_id,
            numbers=[number for number in numbers if number],
        )
        return [
            self._plan(reader, number, known.get(number or ""))
            for reader, number in zip(readers, numbers, strict=True)
        ]

    def apply(self, planned: Sequence[Planned]) -> None:
        """Do a batch."""
        task = self._task
        acts: list[tuple[UUID | None, SiteFacts]] = [p.act for p in planned if p.act]
        add_sites(
            task.session,
            task.clock,
            tenant_id=task.tenant_id,
            sites=[facts for site_id, facts in acts if site_id is None],
            actor_id=task.actor_id,
        )
        change_sites(
            task.session,
            task.clock,
            tenant_id=task.tenant_id,
            sites={site_id: facts for site_id, facts in acts if site_id is not None},
            actor_id=task.actor_id,
        )

    def _plan(self, reader: Reader, number: str | None, known: Known | None) -> Planned:
        if number is None:
            return reader.refused("")
        label = f"{number} {shown(reader.raw('name'))[:60]}".strip()
        first = self._seen.setdefault(number, reader.row.no)
        if first != reader.row.no:
            reader.refuse("number", "twice_in_file", row=str(first))
        before = None if known is None else known[1]
        if before is not None and before.unit_id not in self._book.allowed:
            reader.refuse("number", "number_elsewhere")
            return reader.refused(label)
        if before is None and looks_rounded(number):
            reader.refuse("number", "id_rounded", text=number)
        facts = self._facts(reader, number, before)
        if facts is None or reader.problems:
            return reader.refused(label)
        changes = self._changes(before, facts)
        act = (None if known is None else known[0], facts)
        return planned(reader.row, label, changes, act=act, new=known is None)

    def _facts(self, reader: Reader, number: str, before: SiteFacts | None) -> SiteFacts | None:
        if before is None:
            name, unit = reader.need("name", _NAME), reader.need("unit", self._book.read)
            if name is None or unit is None:
                return None
            start = SiteFacts(number=number, name=name, unit_id=unit)
        else:
            start = replace(
                before,
                name=self._text(reader, "name", before.name) or before.name,
                unit_id=reader.read("unit", self._book.read) or before.unit_id,
            )
        position = self._places.position(reader)
        radius, active = reader.read("radius_m", number_of), reader.read("active", yes_of)
        facts = replace(
            start,
            address=self._text(reader, "address", start.address),
            position=start.position if position is None else position,
            radius_m=start.radius_m if radius is None else radius,
            active=start.active if active is None else active,
        )
        try:
            check_facts(facts)
        except InvalidInput as refused:
            if facts != before:
                column = next(iter(refused.fields), None)
                reader.refuse(column, refused.code)
        return facts

    def _text(self, reader: Reader, column: str, present: str | None) -> str | None:
        if reader.keeps(column, present):
            return present
        return reader.read(column, _NAME if column == "name" else _ADDRESS) or present

    def _changes(self, before: SiteFacts | None, after: SiteFacts) -> list[tuple[str, str, str]]:
        old, new = self._shown(before), self._shown(after)
        if before is None and after.radius_m == DEFAULT_RADIUS_M:
            new.pop("radius_m")
        return [(key, old.get(key, ""), text) for key, text in new.items() if old.get(key) != text]

    def _shown(self, facts: SiteFacts | None) -> dict[str, str]:
        if facts is None:
            return {"address": "", "lon": "", "lat": "", "active": "1"}
        lon, lat = facts.position or (None, None)
        return {
            "number": facts.number,
            "name": facts.name,
            "unit": self._book.path(facts.unit_id),
            "address": shown(facts.address),
            "lon": "" if lon is None else repr(lon),
            "lat": "" if lat is None else repr(lat),
            "radius_m": shown(facts.radius_m),
            "active": shown(facts.active),
        }


def _with_whole_geometry(row: Row) -> Row:
    if "geometry" not in row.cells:
        return row
    return Row(row.no, {**row.cells, "geometry": geometry_text(row)})
