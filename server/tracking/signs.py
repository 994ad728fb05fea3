"""Look for signs of forgery in person-days that are over, and ask a person where there are any.

Derived like presence is: the same stored facts give the same evidence, in whatever order they
came and days were judged. A day is looked at when it ends, when late facts change it, and when
a day that it is like appears or changes. Nothing follows from it but a finding for a person to
look at (`FindingKind.SIGNS`), and that only from the policy's `review_confidence` on.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy.orm import Session

from geo import ALGORITHM_VERSION
from geo.fingerprint import fingerprint
from geo.fix import FixArray, from_epoch_s
from geo.forgery import Beside, Suspicion, find_forgery
from geo.verdict import format_utc
from server.clock import Clock
from server.findings.rules import DayKey, FindingDraft, FindingKind
from server.findings.services import sync_findings
from server.posts.queries import DutyWindow
from server.tracking.facts import DayFacts, load_facts, load_fixes
from server.tracking.retention import is_sealed
from server.tracking.signs_facts import Relative, beside_of, relatives
from server.tracking.signs_store import (
    Marked,
    claim_signs,
    fingerprints_of,
    forget_signs,
    mark_days,
    queue_signs,
    store_signs,
)

BATCH: Final = 20
_COMPARED: Final = 3
"""Older days, and days of the same date, each day is compared with."""
_NOTHING: Final[tuple[int, ...]] = ()


def judge_signs(
    session: Session,
    clock: Clock,
    *,
    limit: int = BATCH,
    skip: Sequence[DayKey] = (),
    on_claim: Callable[[Sequence[DayKey]], None] | None = None,
) -> int:
    """Look at some of the days that wait.

    Parameters
    ----------
    session : of the engine, all tenants; the caller commits.
    limit, skip : days a call at most, and days to leave for later.
    on_claim : told which days were taken.

    Returns
    -------
    How many days were taken off the queue; 0 when none waits, or another worker is at it.
    Some 25 statements whatever the number of days, and about 20 ms a day of a thousand fixes.
    """
    now = clock.now()
    taken = claim_signs(session, limit=limit, skip=skip)
    if on_claim is not None:
        on_claim(taken)
    days = [day for day in taken if not is_sealed(day.work_on, now)]
    if not days:
        return len(taken)
    facts = load_facts(session, days)
    over = [f for f in facts if f.windows and now >= f.windows[-1].ends_at]
    forget_signs(session, [f.key for f in facts if not f.windows])
    drafts = _judge(session, clock, over) if over else []
    judged = [f.key for f in facts if f in over or not f.windows]
    sync_findings(session, clock, days=judged, drafts=drafts, kinds=(FindingKind.SIGNS,))
    return len(taken)


def _judge(session: Session, clock: Clock, facts: Sequence[DayFacts]) -> list[FindingDraft]:
    now = clock.now()
    fixes = {f.key: _on_duty(f.fixes, f.windows) for f in facts}
    spans = {f.key: (f.windows[0].opens_at, f.windows[-1].ends_at) for f in facts}
    marks = {key: fingerprint(series, salt=key.tenant_id).tolist() for key, series in fixes.items()}
    days = list(fixes)
    before = fingerprints_of(session, days)
    mark_days(
        session,
        [Marked(day=day, span=spans[day], fingerprint=marks[day]) for day in days],
        now=now,
        version=ALGORITHM_VERSION,
    )
    changed = {day for day in days if before.get(day) != marks[day]}
    related = relatives(
        session,
        days,
        marks=marks,
        former={day: before.get(day, _NOTHING) for day in changed},
        posts={f.key: sorted({w.post_id for w in f.windows if w.post_id}) for f in facts},
    )
    # Those that may see this day in themselves now, or no longer.
    queue_signs(
        session,
        [one.day for day in changed for one in related[day] if one.day.work_on >= day.work_on],
    )
    compared = {day: _compared(day, related[day]) for day in days}
    others = load_fixes(
        session, {one.day: one.span for found in compared.values() for one in found}
    )
    beside = beside_of(session, spans)
    found = {f.key: _look(f, fixes[f.key], compared[f.key], others, beside[f.key]) for f in facts}
    evidence = {f.key: _evidence(f, found[f.key]) for f in facts if found[f.key].signals}
    store_signs(
        session,
        {day: (one.score, evidence.get(day)) for day, one in found.items()},
        now=now,
        version=ALGORITHM_VERSION,
    )
    return [_draft(f, found[f.key], evidence[f.key]) for f in facts if found[f.key].for_review]


def _on_duty(fixes: FixArray, windows: Iterable[DutyWindow]) -> FixArray:
    inside = np.zeros(len(fixes), dtype=np.bool_)
    for window in windows:
        inside |= (fixes.epoch_s >= window.opens_at.timestamp()) & (
            fixes.epoch_s < window.ends_at.timestamp()
        )
    return fixes.take(inside)


def _compared(day: DayKey, found: Sequence[Relative]) -> list[Relative]:
    """Choose the likest older days, and of the same date the likest of other people."""
    alike = [one for one in found if one.shared]
    older = [one for one in alike if one.day.work_on < day.work_on]
    beside = [one for one in alike if one.day.work_on == day.work_on]
    return older[:_COMPARED] + beside[: 2 * _COMPARED]


def _look(
    facts: DayFacts,
    fixes: FixArray,
    compared: Sequence[Relative],
    others: Mapping[DayKey, FixArray],
    beside: Beside,
) -> Suspicion:
    def of(*, same_date: bool) -> dict[str, FixArray]:
        return {
            f"{one.day.employee_id}/{one.day.work_on.isoformat()}": others[one.day]
            for one in compared
            if (one.day.work_on == facts.key.work_on) is same_date
        }

    return find_forgery(
        fixes,
        earlier=of(same_date=False),
        others=of(same_date=True),
        beside=beside,
        policy=facts.policy.forgery,
        policy_version=facts.policy.version,
    )


def _evidence(facts: DayFacts, found: Suspicion) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(found.evidence.to_bytes())
    window = _window(facts, found)
    start, end = _span(facts, found)
    document["inputs"] |= {
        "roster_entry_id": str(window.roster_entry_id),
        "duty": {
            "start": format_utc(facts.windows[0].starts_at),
            "end": format_utc(facts.windows[-1].ends_at),
        },
        "post": None,
        "excusals": [],
    }
    document["figures"] |= {
        "confidence": found.score,
        "duration_s": round((end - start).total_seconds(), 3),
    }
    return document


def _draft(facts: DayFacts, found: Suspicion, evidence: Mapping[str, Any]) -> FindingDraft:
    window = _window(facts, found)
    start, end = _span(facts, found)
    return FindingDraft(
        day=facts.key,
        kind=FindingKind.SIGNS,
        roster_entry_id=window.roster_entry_id,
        post_id=window.post_id,
        starts_at=start,
        ends_at=end,
        decided_at=facts.windows[-1].ends_at,
        evidence=evidence,
    )


def _span(facts: DayFacts, found: Suspicion) -> tuple[Any, Any]:
    """From the first to the last fix that shows anything; all of duty when none does."""
    shown = [signal.span_s for signal in found.signals if signal.span_s is not None]
    if not shown or len(shown) < len(found.signals):
        return facts.windows[0].starts_at, facts.windows[-1].ends_at
    return (
        from_epoch_s(min(start for start, _ in shown)),
        from_epoch_s(max(end for _, end in shown)),
    )


def _window(facts: DayFacts, found: Suspicion) -> DutyWindow:
    start, _ = _span(facts, found)
    holding = [w for w in facts.windows if w.opens_at <= start]
    return holding[-1] if holding else facts.windows[0]
