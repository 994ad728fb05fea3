"""What makes a planned visit acceptable, and how two verdicts differ; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from geo.visits import VisitType, VisitVerdict
from server.errors import InvalidInput

__all__ = [
    "MAX_NOTE",
    "SETTLE",
    "PinState",
    "VisitDraft",
    "VisitType",
    "VisitVerdict",
    "check_draft",
    "differences",
]

SETTLE: Final = timedelta(minutes=2)
"""How long after its window, or after newer facts, a visit is judged: so that facts which come
one by one are judged together."""
MAX_WINDOW: Final = timedelta(hours=24)
MAX_NOTE: Final = 300

_VERSIONS: Final = ("policy_version", "algorithm_version")
_PIN: Final = ("lon_deg", "lat_deg", "radius_m")


class PinState(StrEnum):
    """What became of the proposal to move a site's pin."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"
    """Newer visits no longer speak for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitDraft:
    """A visit as somebody assigns it.

    Attributes
    ----------
    starts_at, ends_at : half-open window of aware instants in which it is due.
    group_id : visits declared together, for example in one building, share it; one stay may
        serve them all.
    """

    employee_id: UUID
    site_id: UUID
    kind: VisitType
    starts_at: datetime
    ends_at: datetime
    note: str | None = None
    group_id: UUID | None = None


def check_draft(draft: VisitDraft) -> None:
    """Refuse what cannot be a visit.

    Raises
    ------
    InvalidInput : `naive_time`, `empty_span`, `span_too_long` beyond 24 hours,
        `note_too_long` beyond 300 characters.
    """
    if draft.starts_at.tzinfo is None or draft.ends_at.tzinfo is None:
        raise InvalidInput("naive_time", "a window needs instants with a zone")
    if draft.ends_at <= draft.starts_at:
        raise InvalidInput("empty_span", fields={"ends_at": "empty_span"})
    if draft.ends_at - draft.starts_at > MAX_WINDOW:
        raise InvalidInput("span_too_long", fields={"ends_at": "span_too_long"})
    if len(draft.note or "") > MAX_NOTE:
        raise InvalidInput("note_too_long", fields={"note": "note_too_long"})


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[tuple[str, object, object]]:
    """Return in what two versions of a verdict differ: name, value before, value after.

    Parameters
    ----------
    before, after : evidence documents of one visit.

    Returns
    -------
    The verdict, figures in the order of the document, versions, and the pin.
    """
    old, new = before.get("figures", {}), after.get("figures", {})
    pins = [document.get("inputs", {}).get("site", {}) for document in (before, after)]
    sides = [
        ("verdict", before.get("verdict"), after.get("verdict")),
        *((name, old.get(name), new.get(name)) for name in (*new, *sorted(set(old) - set(new)))),
        *((name, before.get(name), after.get(name)) for name in _VERSIONS),
        *((name, pins[0].get(name), pins[1].get(name)) for name in _PIN),
    ]
    return [side for side in sides if side[1] != side[2]]
