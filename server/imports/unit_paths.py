"""Units as files name them: by path from the top, or by as much of its end as is unique."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import UUID

from server.imports.cells import BadCell, Value, line_of
from server.people.policy import UnitView
from server.people.rules import UnitKind

_SEPARATOR: Final = re.compile(r"(?<!\\)/")
_ID: Final = re.compile(r"#([0-9a-f]{8}-[0-9a-f-]{27})$")
_LONGEST: Final = 1_000

KIND_WORDS: Final[Mapping[UnitKind, tuple[str, ...]]] = {
    UnitKind.GROUP: ("集团", "group", "company", "集團", "公司", "总部", "總部"),
    UnitKind.BRANCH: ("分公司", "branch", "分支", "分支机构", "区域", "區域", "region"),
    UnitKind.DEPARTMENT: ("部门", "department", "部門", "科室", "dept"),
    UnitKind.TEAM: ("团队", "team", "班组", "組", "组", "團隊", "班組", "小组"),
}
"""What people call the levels; the first word of each language is the one of exports."""


class UnitBook:
    """The units of a tenant by path; those outside the scope are as if they were not there."""

    def __init__(self, units: Iterable[UnitView], allowed: Collection[UUID]) -> None:
        self._paths: dict[UUID, tuple[str, ...]] = {}
        self._by_name: dict[str, list[UUID]] = {}
        self._count: dict[tuple[str, ...], int] = {}
        self.kinds: dict[UUID, UnitKind] = {}
        self.allowed: set[UUID] = set()
        permitted = set(allowed)
        for unit in units:
            self.add(unit, allowed=unit.id in permitted)

    def add(self, unit: UnitView, *, allowed: bool) -> None:
        """Note a unit; its parent was noted before."""
        above = self._paths.get(unit.parent_id, ()) if unit.parent_id else ()
        path = (*above, unit.name.strip())
        self._paths[unit.id] = path
        self._count[path] = self._count.get(path, 0) + 1
        self._by_name.setdefault(path[-1], []).append(unit.id)
        self.kinds[unit.id] = unit.kind
        if allowed:
            self.allowed.add(unit.id)

    def path(self, unit_id: UUID | None) -> str:
        """Return a unit's path as text; its id follows where twins share the path."""
        if unit_id is None or unit_id not in self._paths:
            return ""
        path = self._paths[unit_id]
        text = "/".join(escaped(name) for name in path)
        return f"{text}#{unit_id}" if self._count[path] > 1 else text

    def resolve(self, text: str) -> UUID:
        """Return the unit meant by a path or the end of one.

        Raises
        ------
        BadCell : `unit_unknown`; `unit_ambiguous` with the paths that fit.
        """
        if marked := _ID.search(text):
            unit_id = UUID(marked[1])
            if unit_id in self.allowed and self.path(unit_id) == text:
                return unit_id
        names = [unescaped(name).strip() for name in _SEPARATOR.split(text.strip())]
        names = [name for name in names if name]
        fits = [
            unit_id
            for unit_id in self._by_name.get(names[-1] if names else "", ())
            if unit_id in self.allowed and self._paths[unit_id][-len(names) :] == tuple(names)
        ]
        whole = [unit_id for unit_id in fits if len(self._paths[unit_id]) == len(names)]
        fits = whole if len(whole) == 1 else fits
        if not fits:
            raise BadCell("unit_unknown", text=text[:80])
        if len(fits) > 1:
            paths = " · ".join(sorted(self.path(unit_id) for unit_id in fits)[:5])
            raise BadCell("unit_ambiguous", text=text[:80], paths=paths)
        return fits[0]

    def read(self, value: Value) -> UUID | None:
        """Return the unit that a cell names, None for a blank one. Raises as `resolve`."""
        text = line_of(value, longest=_LONGEST)
        return None if text is None else self.resolve(text)


def escaped(name: str) -> str:
    """Return a name in which a slash does not part units."""
    return name.replace("\\", "\\\\").replace("/", "\\/")


def unescaped(name: str) -> str:
    """Take `escaped` back."""
    return re.sub(r"\\([\\/])", r"\1", name)


def unit_kind_of(value: Value) -> UnitKind | None:
    """Return the level that a cell names.

    Raises
    ------
    BadCell : `bad_unit_kind`.
    """
    text = line_of(value, longest=40)
    if text is None:
        return None
    for kind, words in KIND_WORDS.items():
        if text.casefold() in words:
            return kind
    raise BadCell("bad_unit_kind", text=text)
