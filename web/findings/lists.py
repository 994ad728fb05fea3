"""Lists of findings in tabs: how many each tab has, and a page of one tab or all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from server.audit.services import Purpose, record_looks
from server.db.paging import whole_list
from server.findings.queries import (
    FindingFilter,
    FindingPage,
    FindingState,
    ReviewState,
    Scope,
    list_findings,
)
from server.http.context import now, principal
from web.params import date_or_none, uuid_or_none
from web.tables import TableState

Tabs = Mapping[str, tuple[tuple[FindingState, ...], tuple[ReviewState, ...]]]
"""States and reviews by the name of a tab; the first tab is open to begin with."""

FILTERS = ("tab", "from", "to", "p")
"""Parameters of an address that every list of findings understands."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list shows: the open tab, how many findings each tab has, and the rows."""

    tab: str
    counts: Mapping[str, int]
    page: FindingPage


def asked(table: TableState, among: FindingFilter) -> FindingFilter:
    """Return what the address of a list asks for, among what its screen lists at all."""
    return replace(
        among,
        employee_id=uuid_or_none(table.filters.get("p")),
        first_on=date_or_none(table.filters.get("from")),
        last_on=date_or_none(table.filters.get("to")),
        limit=table.size,
        offset=table.offset,
    )


def read_tabs(
    session: Session,
    scope: Scope,
    table: TableState,
    tabs: Tabs,
    *,
    wanted: FindingFilter,
    whole: bool,
) -> Listed:
    """Return the list of the tab that the address names, `whole` for an export.

    One statement a tab, and those of the page.
    """
    chosen = table.filters.get("tab", "")
    tab = chosen if chosen in tabs else next(iter(tabs))

    def read(part: FindingFilter) -> FindingPage:
        return list_findings(session, scope, wanted=part)

    parts = {
        name: replace(wanted, states=states, reviews=reviews)
        for name, (states, reviews) in tabs.items()
    }
    counts = {name: read(replace(part, limit=1, offset=0)).total for name, part in parts.items()}
    page = whole_list(read, parts[tab]) if whole else read(parts[tab])
    return Listed(tab, counts, page)


def note_looks(
    session: Session, people: Iterable[UUID], view: str, *, about_on: date | None = None
) -> None:
    """Note that the viewer reads findings of people."""
    record_looks(
        session,
        principal(),
        list(people),
        Purpose.ALERT_REVIEW,
        view,
        now=now(),
        about_on=about_on,
    )
