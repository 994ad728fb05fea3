"""Requests and answers of the live map of very many people."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from server.audit.aggregates import record_aggregate_look
from server.audit.services import Purpose
from server.errors import InvalidInput
from server.people.policy import local_date
from server.people.rules import Principal
from server.tracking.hexagons import Box
from server.tracking.live_many import LiveCounts
from server.tracking.queries import LiveStatus

PAGE: Final = 50
"""People of one page of the list."""
EVERY_STATUS: Final = frozenset(status.value for status in LiveStatus)
_FURTHEST: Final = 1_000_000
_MAX_ZOOM: Final = 22
BOX: Final = {"type": "string", "description": "west,south,east,north"}
ZOOM: Final = {"type": "integer", "minimum": 0, "maximum": _MAX_ZOOM}
STATUSES: Final = {"type": "string", "description": "statuses with commas; none is all"}


def window(values: Mapping[str, str]) -> tuple[Box, int, frozenset[str]]:
    """Return window, zoom and statuses of a request.

    Raises
    ------
    InvalidInput : naming what cannot be read.
    """
    box, zoom = Box.parse(values.get("box", "")), _number(values.get("zoom", "0"), _MAX_ZOOM)
    if box is None:
        raise InvalidInput(fields={"box": "malformed"})
    if zoom is None:
        raise InvalidInput(fields={"zoom": "malformed"})
    return box, zoom, _statuses(values)


def asked(values: Mapping[str, str]) -> tuple[frozenset[str], str, int]:
    """Return statuses, words and first row of a request; see `window`."""
    offset = _number(values.get("from", "0"), _FURTHEST)
    if offset is None:
        raise InvalidInput(fields={"from": "malformed"})
    return _statuses(values), values.get("q", "")[:80], offset


def as_json(found: LiveCounts, at: datetime) -> dict[str, Any]:
    """Return counts as a snapshot without people."""
    return {
        "as_of": at.timestamp(),
        "many": True,
        "thresholds": asdict(found.thresholds),
        "people": None,
        "counts": found.counts,
        "rostered": found.rostered,
        "covered": found.covered,
    }


def note_counts(session: Session, viewer: Principal, *, people: int, now: datetime) -> None:
    """Write down that counts of the live map were read."""
    record_aggregate_look(
        session,
        viewer,
        Purpose.LIVE_SUPERVISION,
        "live_cells",
        now=now,
        about_on=local_date(now, viewer.zone),
        reach="own",
        people=people,
    )


def _statuses(values: Mapping[str, str]) -> frozenset[str]:
    given = values.get("s")
    return EVERY_STATUS if given is None else EVERY_STATUS & frozenset(given.split(","))


def _number(text: str, most: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        return None
    return int(text) if int(text) <= most else None
