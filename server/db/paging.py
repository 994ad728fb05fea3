"""Lists that are read page by page."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy import Row as SqlRow
from sqlalchemy.orm import Session

MAX_LIMIT: Final = 500
"""Rows of a page at most."""

Line = TypeVar("Line")
"""One line of a list, as its slice shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """Which page of a list is wanted; the filters of lists add what to list.

    Attributes
    ----------
    limit : rows, held between 1 and `MAX_LIMIT`.
    offset : rows before the page, from 0.
    """

    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page(Generic[Line]):
    """A page of a list and how long the whole list is."""

    rows: list[Line]
    total: int


Wanted = TypeVar("Wanted", bound=Paging)


def read_page(
    session: Session,
    query: Select[Any],
    *order: ColumnElement[Any],
    wanted: Paging,
    line: Callable[[SqlRow[Any]], Line],
) -> Page[Line]:
    """Return a page of a query. One statement, two beyond the last page.

    Parameters
    ----------
    order : it ends in something unique, so that pages never repeat a row.
    line : makes a line of a row; what the query selects comes first in it.
    """
    offset = max(wanted.offset, 0)
    rows = session.execute(
        query.add_columns(func.count().over())
        .order_by(*order)
        .limit(min(max(wanted.limit, 1), MAX_LIMIT))
        .offset(offset)
    ).all()
    total = rows[0][-1] if rows else 0
    if not rows and offset:
        # Beyond the last page no row tells how many there are.
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return Page([line(row) for row in rows], total)


def whole_list(
    read: Callable[[Wanted], Page[Line]], wanted: Wanted, *, step: int = MAX_LIMIT
) -> Page[Line]:
    """Return everything that a filter finds, read step by step: an export has no silent end."""
    rows: list[Line] = []
    while True:
        part = read(replace(wanted, limit=step, offset=len(rows))).rows
        rows += part
        if len(part) < step:
            return Page(rows, len(rows))


def directed(column: ColumnElement[Any], *, descending: bool) -> ColumnElement[Any]:
    """Return a column to order by, rows without a value last either way."""
    return (column.desc() if descending else column.asc()).nulls_last()
