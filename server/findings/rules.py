"""What may become of a finding: pure comparison of what stands with what follows from facts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

_NAMESPACE: Final = UUID("6f1d6e2a-6f0e-5b61-9d0c-6b0f8a3f1c55")


class FindingKind(StrEnum):
    """What a finding says."""

    OFF_POST = "off_post"
    GAP = "gap"
    SIGNS = "signs"


class FindingState(StrEnum):
    """Life of a finding: open → closed, or retracted when late data disproves it."""

    OPEN = "open"
    CLOSED = "closed"
    RETRACTED = "retracted"


class ReviewAction(StrEnum):
    """What a person said of a finding; an answer is the word of the person concerned."""

    ACKNOWLEDGE = "acknowledge"
    FALSE_ALARM = "false_alarm"
    NOTE = "note"
    EXPLAINED = "explained"
    NEEDS_TALK = "needs_talk"
    ANSWER = "answer"


PLAIN_KINDS: Final = tuple(kind for kind in FindingKind if kind is not FindingKind.SIGNS)
"""Shown beside a day and among alerts. Signs are for those who ask for them by name."""

REMARKS: Final = frozenset({ReviewAction.NOTE, ReviewAction.ANSWER})
"""Words that settle nothing."""

_VERDICTS: Final = {
    FindingKind.SIGNS: {
        ReviewAction.EXPLAINED,
        ReviewAction.NEEDS_TALK,
        ReviewAction.FALSE_ALARM,
    }
}
_USUAL_VERDICTS: Final = {ReviewAction.ACKNOWLEDGE, ReviewAction.FALSE_ALARM}


def can_be_said(action: ReviewAction, of: FindingKind) -> bool:
    """Tell whether a word makes sense of a kind of finding."""
    if action is ReviewAction.ANSWER:
        return of is FindingKind.SIGNS
    return action is ReviewAction.NOTE or action in _VERDICTS.get(of, _USUAL_VERDICTS)


class ChangeKind(StrEnum):
    """What a synchronisation did to a finding."""

    RAISED = "raised"
    REVISED = "revised"
    CLOSED = "closed"
    REOPENED = "reopened"
    RETRACTED = "retracted"


class DayKey(NamedTuple):
    """One person's work date, over all tenants."""

    tenant_id: int
    employee_id: UUID
    work_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDraft:
    """A conclusion as the facts have it now; `ends_at` None while it lasts.

    Attributes
    ----------
    decided_at : event time at which the facts sufficed.
    evidence : plain JSON; the same facts give the same evidence.
    """

    day: DayKey
    kind: FindingKind
    roster_entry_id: UUID
    post_id: UUID | None
    starts_at: datetime
    ends_at: datetime | None
    decided_at: datetime
    evidence: Mapping[str, Any]

    @property
    def id(self) -> UUID:
        """Id of a finding that is new: follows from whom, which assignment, what and since when.

        A finding that stands keeps its own (`identify`), even when its start moves.
        """
        name = "/".join(
            (
                str(self.day.tenant_id),
                str(self.day.employee_id),
                str(self.roster_entry_id),
                self.kind.value,
                self.starts_at.isoformat(),
            )
        )
        return uuid5(_NAMESPACE, name)

    @property
    def state(self) -> FindingState:
        """Open while it lasts."""
        return FindingState.OPEN if self.ends_at is None else FindingState.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A finding as it stands in the database."""

    id: UUID
    day: DayKey
    kind: FindingKind
    state: FindingState
    roster_entry_id: UUID
    post_id: UUID | None
    starts_at: datetime
    ends_at: datetime | None
    decided_at: datetime
    revision: int
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One finding that has to be written; `kind` is None when only its evidence grew."""

    kind: ChangeKind | None
    id: UUID
    draft: FindingDraft | None
    """What the facts say; None when they no longer say it."""
    standing: Standing | None
    """What was there before; None for a new one."""


def identify(standing: Iterable[Standing], drafts: Sequence[FindingDraft]) -> dict[UUID, UUID]:
    """Decide which standing finding each conclusion is, so that reviews stay with it.

    A conclusion is the finding of the same person, assignment and kind that has the same
    start, else the one that overlaps it most; what stands comes before what was retracted.
    Only a conclusion that overlaps nothing is new, and gets an id that follows from it.

    Returns
    -------
    Id of the finding by id of the draft; no two drafts share a finding. Which *content*
    findings have follows from the facts alone. Which id bears it is history: it depends on
    the order in which the facts arrived.
    """
    standing = list(standing)
    by_subject: dict[_Subject, list[FindingDraft]] = {}
    for draft in drafts:
        by_subject.setdefault(_subject(draft), []).append(draft)
    pairs = [
        (rank, draft.id, found.id)
        for found in standing
        for draft in by_subject.get(_subject(found), ())
        for rank in _kinship(found, draft)
    ]
    chosen: dict[UUID, UUID] = {}
    given: set[UUID] = set()
    for _, draft_id, found_id in sorted(pairs):
        if draft_id not in chosen and found_id not in given:
            chosen[draft_id] = found_id
            given.add(found_id)
    used = {found.id for found in standing}
    for draft in drafts:
        if draft.id not in chosen:
            new = draft.id
            while new in used:
                # A finding that moved away still bears the id of its first start.
                new = uuid5(_NAMESPACE, str(new))
            used.add(new)
            chosen[draft.id] = new
    return chosen


def plan_changes(standing: Iterable[Standing], drafts: Sequence[FindingDraft]) -> list[Change]:
    """Compare what stands with what the facts say.

    The content of what is not retracted (kind, person, span, state, evidence) is derived:
    the same facts give the same in whatever order they arrived. Ids, revisions, retracted
    findings and the instants of raising and closing are history.

    Parameters
    ----------
    standing : every finding of some person-days, retracted ones included.
    drafts : every conclusion that the facts of these days support now.

    Returns
    -------
    What has to be written, ordered by (day, start, kind). Nothing when all agrees, so that
    running it twice changes nothing the second time.
    """
    before = {found.id: found for found in standing}
    ids = identify(before.values(), drafts)
    changes = [
        Change(kind=kind, id=ids[draft.id], draft=draft, standing=found)
        for draft in drafts
        for found in [before.get(ids[draft.id])]
        for differs, kind in [_difference(found, draft)]
        if differs
    ]
    kept = set(ids.values())
    changes += [
        Change(kind=ChangeKind.RETRACTED, id=found.id, draft=None, standing=found)
        for found in before.values()
        if found.id not in kept and found.state is not FindingState.RETRACTED
    ]
    return sorted(changes, key=_order)


_Subject = tuple[DayKey, UUID, FindingKind]


def _subject(what: Standing | FindingDraft) -> _Subject:
    return what.day, what.roster_entry_id, what.kind


def _kinship(found: Standing, draft: FindingDraft) -> list[tuple[bool, bool, float, datetime]]:
    """How close a standing finding is to a conclusion, least first; nothing for strangers."""
    starts = max(found.starts_at, draft.starts_at)
    ends = [at for at in (found.ends_at, draft.ends_at) if at is not None]
    common_s = (min(ends) - starts).total_seconds() if ends else float("inf")
    same_start = found.starts_at == draft.starts_at
    if common_s <= 0 and not same_start:
        return []
    gone = found.state is FindingState.RETRACTED
    return [(gone, not same_start, -common_s, found.starts_at)]


def _difference(found: Standing | None, draft: FindingDraft) -> tuple[bool, ChangeKind | None]:
    if found is None or found.state is FindingState.RETRACTED:
        return True, ChangeKind.RAISED
    if found.state is not draft.state:
        closed = draft.state is FindingState.CLOSED
        return True, ChangeKind.CLOSED if closed else ChangeKind.REOPENED
    if (found.starts_at, found.ends_at, found.decided_at, found.post_id) != (
        draft.starts_at,
        draft.ends_at,
        draft.decided_at,
        draft.post_id,
    ):
        return True, ChangeKind.REVISED
    return dict(found.evidence) != dict(draft.evidence), None


def _order(change: Change) -> tuple[DayKey, datetime, FindingKind, UUID]:
    what = change.draft or change.standing
    assert what is not None
    return what.day, what.starts_at, what.kind, change.id
