"""The break budget of a shift: so much time outside is nobody's business.

Time seen outside, where somebody is expected at the post, is charged to the budget in time
order. What the budget bears is as good as excused: an absence can begin only where it is used
up, and then needs its full dwell limit from there. So nobody is accused for the minute that
emptied the budget, short ways count like long ones, and silence costs nothing, because nobody
saw where it was spent.
"""

from collections.abc import Iterable, Sequence

from geo.fix import from_epoch_s, to_epoch_s
from geo.gaps import Window
from geo.policy import OffPostPolicy
from geo.presence import Presence, State

Span = tuple[float, float]
"""Half-open, in epoch seconds."""


def charge_breaks(
    presence: Presence,
    window: Window,
    *,
    excused: Iterable[Window] = (),
    policy: OffPostPolicy,
    before: Sequence[Window] = (),
) -> tuple[Window, ...]:
    """Charge the time outside in one window of duty to the break budget of its shift.

    Parameters
    ----------
    presence : that covers the window.
    window : of duty, or a part of it.
    excused : spans in which nobody is expected at the post; any order, may overlap.
    policy : ``break_budget_s`` a shift, ``settle_s`` after the start of the window.
    before : what earlier parts of the same shift have charged.

    Returns
    -------
    All that the budget bears now, ``before`` included, disjoint and in time order. With what
    stays outside of it, this is all the time outside; a larger budget bears no less of any
    span. O(n) for n intervals.
    """
    left_s = policy.break_budget_s - used_s(before)
    borne = list(before)
    expected = expected_spans(window, excused, policy=policy)
    for interval in presence.intervals:
        if interval.state is not State.OUTSIDE:
            continue
        since, until = to_epoch_s(interval.start), to_epoch_s(interval.end)
        for low, high in expected:
            start, end = max(since, low), min(until, high, max(since, low) + left_s)
            if from_epoch_s(end) > from_epoch_s(start):
                borne.append(Window(from_epoch_s(start), from_epoch_s(end)))
                left_s -= end - start
    return tuple(borne)


def used_s(breaks: Sequence[Window]) -> float:
    """Seconds of the budget that are used."""
    return round(sum((b.end - b.start).total_seconds() for b in breaks), 6)


def expected_spans(
    window: Window, excused: Iterable[Window], *, policy: OffPostPolicy
) -> list[Span]:
    """Parts of a window of duty in which somebody has to be at the post, in time order."""
    at, end = to_epoch_s(window.start) + policy.settle_s, to_epoch_s(window.end)
    parts = []
    for low, high in sorted((to_epoch_s(w.start), to_epoch_s(w.end)) for w in excused):
        if low > at:
            parts.append((at, min(low, end)))
        at = max(at, high)
    parts.append((at, end))
    return [(low, high) for low, high in parts if low < high]
