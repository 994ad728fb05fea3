"""What a row would do, before anything is done: the words of plans and what planners share."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from geo.crs import Datum
from server.clock import Clock
from server.imports.cells import BadCell, Unreadable, Value
from server.imports.kinds import Outcome
from server.imports.table import Row

T = TypeVar("T")

# Control characters, halves of characters, and marks that turn the direction of writing.
_ILLEGIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Options:
    """What people said about a file.

    Attributes
    ----------
    datum : of its coordinates.
    axes : `ask` when longitude and latitude look swapped, `swap` them all, or `keep` them.
    encoding : one of `encodings.ENCODINGS`, None to find out.
    replace : a roster may take the place of shifts that have not begun.
    """

    datum: Datum = Datum.WGS84
    axes: str = "ask"
    encoding: str | None = None
    replace: bool = False

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Options":
        """Read what `to_json` wrote; anything else counts as not said."""
        datum, axes = document.get("datum"), document.get("axes")
        encoding = document.get("encoding")
        return cls(
            datum=Datum(datum) if datum in list(Datum) else Datum.WGS84,
            axes=axes if axes in {"swap", "keep"} else "ask",
            encoding=encoding if isinstance(encoding, str) and encoding else None,
            replace=document.get("replace") is True,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the options for a JSON column."""
        return {
            "datum": self.datum.value,
            "axes": self.axes,
            "encoding": self.encoding,
            "replace": self.replace,
        }


@dataclass(frozen=True, slots=True)
class Task:
    """Where and for whom a file is planned.

    Attributes
    ----------
    session : transaction inside the tenant's wall.
    zone, today : of the tenant.
    units : ids of the units whose people or places may be changed.
    seen : ids of the units whose posts a roster may name.
    actor_id : the account that brings the file; None for a command.
    """

    session: Session
    clock: Clock
    tenant_id: int
    zone: str
    today: date
    options: Options
    units: Select[UUID]
    seen: Select[UUID]
    actor_id: UUID | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is refused: the column (None for the whole row), a code, words for it."""

    column: str | None
    code: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """What one row would do.

    Attributes
    ----------
    label : how people recognise the row.
    changes : column, text before, text after; of additions the text before is empty.
    act : what the planner needs to do it; None when there is nothing to do.
    """

    row_no: int
    outcome: Outcome
    label: str
    changes: tuple[tuple[str, str, str], ...] = ()
    problems: tuple[Problem, ...] = ()
    act: Any = None


class Planner(Protocol):
    """Plans and applies the rows of one kind, a batch at a time, in the order of the file."""

    batch: int
    """Rows a batch."""

    def plan(self, rows: Sequence[Row]) -> list[Planned]:
        """Return what the rows would do; a few statements, none of which writes."""
        ...

    def apply(self, planned: Sequence[Planned]) -> None:
        """Do what was planned of one batch; nothing in it is refused."""
        ...


class Reader:
    """Reads the cells of one row, gathering what is wrong instead of stopping."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.problems: list[Problem] = []
        self.reservations: list[Problem] = []
        """Problems only if the row changes something: what is there already may stay."""

    def has(self, column: str) -> bool:
        """Tell whether anything stands in a column."""
        return column in self.row.cells

    def raw(self, column: str) -> Value:
        """Return a cell as it is."""
        return self.row.cells.get(column)

    def read(self, column: str, parse: Callable[[Value], T | None]) -> T | None:
        """Return a cell's value, None for a blank or a bad cell."""
        try:
            return parse(self.row.cells.get(column))
        except BadCell as bad:
            self.refuse(column, bad.code, **bad.params)
            return None

    def need(self, column: str, parse: Callable[[Value], T | None]) -> T | None:
        """Like `read`, but a blank cell is a problem."""
        if not self.has(column):
            self.refuse(column, "missing")
            return None
        return self.read(column, parse)

    def keeps(self, column: str, present: str | None) -> bool:
        """Tell whether a cell leaves what there is alone: blank, or the very same text."""
        return not self.has(column) or self.row.cells[column] == present

    def refuse(self, column: str | None, code: str, **params: str) -> None:
        """Note a problem."""
        words = {name: legible(text) for name, text in params.items()}
        self.problems.append(Problem(column, code, words))

    def reserve(self, column: str | None, code: str, **params: str) -> None:
        """Note a problem that counts only if the row changes something."""
        words = {name: legible(text) for name, text in params.items()}
        self.reservations.append(Problem(column, code, words))

    def refused(self, label: str) -> Planned:
        """Return the row as refused, with everything that was noted."""
        return Planned(self.row.no, Outcome.REFUSE, legible(label), problems=tuple(self.problems))


def planned(
    row: Row, label: str, changes: Sequence[tuple[str, str, str]], *, act: object, new: bool
) -> Planned:
    """Return an addition, a change, or nothing to do when nothing changes."""
    label = legible(label)
    if new:
        return Planned(row.no, Outcome.ADD, label, tuple(changes), act=act)
    if not changes:
        return Planned(row.no, Outcome.SAME, label)
    return Planned(row.no, Outcome.CHANGE, label, tuple(changes), act=act)


def legible(text: str) -> str:
    """Return text without what neither a database nor a screen can show."""
    return _ILLEGIBLE.sub("\ufffd", text)


def shown(value: object) -> str:
    """Return a value as previews show it; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Unreadable):
        return value.text
    return str(value)
