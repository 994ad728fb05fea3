"""What another rule would have said: absences under two policies on the same fixes, compared."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FlipKind(StrEnum):
    """How the second verdict differs from the first."""

    APPEARED = "appeared"
    DISAPPEARED = "disappeared"
    LONGER = "longer"
    SHORTER = "shorter"


@dataclass(frozen=True, slots=True)
class Stretch:
    """One absence as a verdict tells it.

    Attributes
    ----------
    start, end : half-open; no end while it lasts.
    duration_s : seconds observed outside.
    margin_m : metres by which its weakest fix clears the limit.
    """

    start: datetime
    end: datetime | None
    duration_s: float
    margin_m: float


@dataclass(frozen=True, slots=True)
class Flip:
    """One verdict that turned out otherwise.

    Attributes
    ----------
    start, end : of both verdicts together; no end while one of them lasts.
    before_s, after_s : seconds outside under the first and the second rule, 0 for no absence.
    margin_before_m, margin_after_m : of the weakest fix; None for no absence.
    """

    kind: FlipKind
    start: datetime
    end: datetime | None
    before_s: float
    after_s: float
    margin_before_m: float | None
    margin_after_m: float | None


def compare(before: Iterable[Stretch], after: Iterable[Stretch]) -> tuple[Flip, ...]:
    """Return the verdicts that flip between two rules.

    Absences of both sides that share time are one matter, however many they are: it flips
    when only one side knows of it, or when the seconds outside differ. Changing the sides
    turns `appeared` into `disappeared` and `longer` into `shorter`, and nothing else.

    Parameters
    ----------
    before, after : absences of one person under the first and the second rule, each side
        disjoint; any order.

    Returns
    -------
    In time order; empty when both sides say the same. O(n log n).
    """
    sided = [(stretch, False) for stretch in before] + [(stretch, True) for stretch in after]
    sided.sort(key=lambda each: (each[0].start, each[1]))
    flips: list[Flip] = []
    matter: list[tuple[Stretch, bool]] = []
    for stretch, is_after in sided:
        if matter and not _reaches(matter, stretch.start):
            flips += _judged(matter)
            matter = []
        matter.append((stretch, is_after))
    return (*flips, *_judged(matter))


def totals(flips: Iterable[Flip]) -> dict[str, int]:
    """Return how many flips there are of each kind, all kinds named."""
    counts = Counter(flip.kind for flip in flips)
    return {kind.value: counts[kind] for kind in FlipKind}


def _reaches(matter: Sequence[tuple[Stretch, bool]], at: datetime) -> bool:
    return any(stretch.end is None or stretch.end > at for stretch, _ in matter)


def _judged(matter: Sequence[tuple[Stretch, bool]]) -> list[Flip]:
    """Return the flip that a matter is, as a list of one; none when both sides agree."""
    old, new = ([s for s, is_after in matter if is_after is side] for side in (False, True))
    before_s, after_s = (round(sum(s.duration_s for s in side), 3) for side in (old, new))
    if old and new:
        if before_s == after_s:
            return []
        kind = FlipKind.LONGER if after_s > before_s else FlipKind.SHORTER
    elif old or new:
        kind = FlipKind.APPEARED if new else FlipKind.DISAPPEARED
    else:
        return []
    ends = [stretch.end for stretch, _ in matter if stretch.end is not None]
    return [
        Flip(
            kind=kind,
            start=matter[0][0].start,
            end=max(ends) if len(ends) == len(matter) else None,
            before_s=before_s,
            after_s=after_s,
            margin_before_m=min((s.margin_m for s in old), default=None),
            margin_after_m=min((s.margin_m for s in new), default=None),
        )
    ]
