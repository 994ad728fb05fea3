"""What may be counted of people whom one may not see; pure.

Inside one's own units everything is counted exactly: every person there may be looked at one
by one anyway. Of everybody else only this is told:

- numbers rounded down to a multiple of five, nothing below five;
- in one fixed size of hexagon, at quarter hours, over the whole company;
- never crossed with anything: no units within a hexagon, no statuses, no drawn areas.

No sum over hidden numbers is told either: from a total and all its parts but one the last
would follow. What is told of a hexagon depends on its own count and on nothing else, and
stands for five counts that cannot be told apart; over time one arrival or departure shows only
when it passes a multiple of five, at quarter hours. What this does not stop: other knowledge
(a hexagon in which only one team works), and accounts of different units that put their exact
counts together, which tells each of them what the other may see.
"""

from datetime import datetime, timedelta
from typing import Final

SMALLEST: Final = 5
"""Of fewer people nothing is told."""
RESOLUTION: Final = 6
"""Hexagons of some 36 km² for everybody outside one's own units."""
STEP: Final = timedelta(minutes=15)


def told(count: int) -> int:
    """Return what is told of a count: the next multiple of five below; 0 for fewer than five."""
    return count - count % SMALLEST


def step_of(at: datetime) -> datetime:
    """Return the quarter hour (UTC) that an aware instant lies in."""
    past = timedelta(
        minutes=at.minute % (STEP.seconds // 60), seconds=at.second, microseconds=at.microsecond
    )
    return at - past
