"""The order of names, the same for everybody: Chinese by pinyin, the rest by the alphabet."""

from sqlalchemy import ColumnElement, collate
from sqlalchemy.orm import InstrumentedAttribute

NAMES = "zh-x-icu"
"""ICU's rules for Chinese; every PostgreSQL that is built with ICU has them."""


def by_name(
    name: ColumnElement[str] | InstrumentedAttribute[str],
) -> ColumnElement[str]:
    """Return a column of names to order by; sorting by it reads all rows of the scope."""
    return collate(name, NAMES)
