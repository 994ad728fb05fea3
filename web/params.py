"""Ids and dates as addresses and forms carry them; what cannot be read is nothing."""

from datetime import date
from typing import Final
from uuid import UUID

_YEARS: Final = range(1900, 2201)
"""Years that people write; arithmetic with their neighbours stays within the calendar."""


def uuid_or_none(text: str | None) -> UUID | None:
    """Return the id that a text is, None for anything else."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def date_or_none(text: str | None) -> date | None:
    """Return the date of a text in ISO 8601, None for anything else or a year out of use."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.year in _YEARS else None
