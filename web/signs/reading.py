"""A sign as its page shows it: each signal with weight, figures, readings; and its map."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from server.errors import NotFound
from server.findings.queries import FindingDetail
from server.people.policy import scoped_employee
from server.people.rules import Action, Principal
from server.tracking.queries import evidence_fixes
from web import formats
from web.cards import words as cards
from web.cards.drawing import Dot, Sketch
from web.cards.quantities import quantity
from web.cards.words import word
from web.signs import words
from web.texts import _

_OTHER_DAY: Final = ("day", "other")
_SAID_ELSEWHERE: Final = frozenset({"weight", "from", "until", *_OTHER_DAY})


@dataclass(frozen=True, slots=True)
class SignalView:
    """One signal in words.

    Attributes
    ----------
    weight : 0 to 1, how much it counts.
    span : instants of the first and last fix that show it; None for the whole duty.
    other : whose day it is like, when it is about another day.
    """

    code: str
    title: str | LazyString
    weight: float
    span: tuple[datetime, datetime] | None
    figures: list[tuple[str, str]]
    other: str | None
    innocent: str | LazyString


def signals_of(
    session: Session, found: FindingDetail, viewer: Principal, *, now: datetime
) -> list[SignalView]:
    """Return the signals of one finding, the weightiest first.

    Another person is named only to those who may see that person's findings of that date; one
    statement for each such day.
    """
    told: Mapping[str, Mapping[str, Any]] = found.evidence.get("figures", {}).get("signs", {})
    views = [
        SignalView(
            code=code,
            title=words.TITLES.get(code, code),
            weight=float(figures["weight"]),
            span=_span(figures),
            figures=[
                (word(cards.FIGURES, name), quantity(name, figures[name]))
                for name in sorted(figures)
                if name not in _SAID_ELSEWHERE
            ],
            other=_other(session, found, figures, viewer, now),
            innocent=words.INNOCENT.get(code, ""),
        )
        for code, figures in told.items()
    ]
    return sorted(views, key=lambda view: (-view.weight, view.code))


def sign_map(session: Session, found: FindingDetail) -> dict[str, Any]:
    """Return what the map of a sign draws: the fixes of the day, marked where they show it.

    The same form as the map of an alert (`web.alerts.evidence`), without a fence.
    """
    row = found.row
    until = row.ends_at or row.decided_at
    spans = [
        (start.timestamp(), end.timestamp())
        for figures in found.evidence.get("figures", {}).get("signs", {}).values()
        for start, end in [_span(figures) or (row.starts_at, until)]
    ]
    columns = evidence_fixes(
        session, row.employee_id, row.work_on, start_at=row.starts_at, end_at=until
    )
    return {
        "start": row.starts_at.timestamp(),
        "end": until.timestamp(),
        "fence": None,
        "fixes": {
            "at": columns.fixed_at,
            "lon": columns.lon,
            "lat": columns.lat,
            "accuracy_m": columns.accuracy_m,
            "proof": [any(start <= at <= end for start, end in spans) for at in columns.fixed_at],
        },
    }


def sign_sketch(shown: Mapping[str, Any]) -> Sketch:
    """Return the same map for paper."""
    fixes = shown["fixes"]
    columns = (fixes[name] for name in ("lon", "lat", "accuracy_m", "proof"))
    return Sketch(dots=[Dot(*row) for row in zip(*columns, strict=True)])


def _span(figures: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    if figures.get("from") is None or figures.get("until") is None:
        return None
    return datetime.fromisoformat(figures["from"]), datetime.fromisoformat(figures["until"])


def _other(
    session: Session,
    found: FindingDetail,
    figures: Mapping[str, Any],
    viewer: Principal,
    now: datetime,
) -> str | None:
    named = next((str(figures[name]) for name in _OTHER_DAY if name in figures), None)
    if named is None:
        return None
    employee_id, _slash, on = named.partition("/")
    day = date.fromisoformat(on)
    if UUID(employee_id) == found.row.employee_id:
        return _("the same person on %(day)s", day=formats.day(day))
    try:
        person = scoped_employee(
            session, viewer, Action.REVIEW_FINDING, UUID(employee_id), now=now, on=day
        )
    except NotFound:
        return _("another person on %(day)s", day=formats.day(day))
    return _("%(name)s on %(day)s", name=person.name, day=formats.day(day))
