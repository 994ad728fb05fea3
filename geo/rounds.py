"""A person's planned visits judged together: one stay counts for one visit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from geo.fix import FixArray, to_epoch_s
from geo.gaps import Window
from geo.policy import Policy
from geo.sites import Seconds, Site, Surroundings
from geo.visits import Visit, VisitType, VisitVerdict, conclude, look_around

_Span = tuple[Seconds, str | None]
"""A stay that counts for a visit, and the group that visit was declared in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVisit:
    """One of the visits that a person was to make.

    Attributes
    ----------
    key : identity; decides ties, so that order does not.
    group : visits declared together, such as those to several customers in one building,
        name the same group; one stay may serve them all. None: declared by itself.
    """

    key: str
    site: Site
    window: Window
    kind: VisitType = VisitType.REGULAR
    group: str | None = None
    policy: Policy = field(default_factory=Policy)


def verify_round(fixes: FixArray, planned: Sequence[PlannedVisit]) -> dict[str, Visit]:
    """Judge visits of one person so that no stay counts for two that were not declared together.

    Where several visits claim a stay it counts for the one whose pin is nearest to its middle
    (then the longer one, then the smaller key); the others are judged by what is left.

    Parameters
    ----------
    fixes : of one person, covering all windows and an hour around each.
    planned : in any order, with distinct keys.

    Returns
    -------
    A verdict by key; the same whatever the order of fixes and visits. The stays round each
    site are found once; a verdict is reached anew for each stay that was taken from it.
    """
    waiting = {each.key: each.group for each in planned}
    seen = {
        each.key: look_around(fixes, each.site, each.window, kind=each.kind, policy=each.policy)
        for each in planned
    }
    taken: list[_Span] = []
    found = {key: conclude(around) for key, around in seen.items()}
    while waiting:
        claims = [key for key in waiting if found[key].verdict is VisitVerdict.VERIFIED]
        if not claims:
            break
        first = min(claims, key=lambda key: _rank(key, found[key]))
        span = _span(found[first])
        taken.append((span, waiting.pop(first)))
        for key, group in waiting.items():
            claims_it = found[key].verdict is VisitVerdict.VERIFIED
            if claims_it and _meets(_span(found[key]), span):
                found[key] = _judge(seen[key], group, taken)
    # What is left was verified by nothing; stays that count for others say nothing of its pin.
    return found | {key: _judge(seen[key], group, taken) for key, group in waiting.items()}


def _judge(seen: Surroundings, group: str | None, taken: Sequence[_Span]) -> Visit:
    return conclude(seen, taken=sorted(s for s, of in taken if of is None or of != group))


def _rank(key: str, visit: Visit) -> tuple[float, float, str]:
    return visit.evidence.figures["stay_off_m"], -visit.dwell_s, key


def _span(visit: Visit) -> Seconds:
    if visit.arrived_at is None or visit.left_at is None:
        return (0.0, 0.0)
    return to_epoch_s(visit.arrived_at), to_epoch_s(visit.left_at)


def _meets(one: Seconds, other: Seconds) -> bool:
    return one[0] < other[1] and other[0] < one[1]
