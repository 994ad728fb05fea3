"""Choices that several forms offer."""

from collections.abc import Sequence
from uuid import UUID

from server.people.policy import EmployeeView
from server.people.queries import UnitNode


def unit_choices(units: Sequence[UnitNode]) -> list[tuple[str, str]]:
    """Return units as (id, indented name) in the order of the tree.

    Units whose parent is not among them stand at the left.
    """
    return [(str(unit.id), "\u2003" * depth + unit.name) for unit, depth in tree_of(units)]


def person_choices(people: Sequence[EmployeeView]) -> list[tuple[str, str]]:
    """Return people as (id, name with unit and staff number)."""
    return [
        (str(p.id), " · ".join(part for part in (p.name, p.unit_name, p.number) if part))
        for p in people
    ]


def tree_of(units: Sequence[UnitNode]) -> list[tuple[UnitNode, int]]:
    """Return (unit, depth) in the order of the tree."""
    known = {unit.id for unit in units}
    below: dict[UUID | None, list[UnitNode]] = {}
    for unit in units:
        parent = unit.parent_id if unit.parent_id in known else None
        below.setdefault(parent, []).append(unit)
    return _walk(below, None, 0)


def _walk(
    below: dict[UUID | None, list[UnitNode]], parent: UUID | None, depth: int
) -> list[tuple[UnitNode, int]]:
    found = []
    for unit in below.get(parent, []):
        found.append((unit, depth))
        found += _walk(below, unit.id, depth + 1)
    return found
