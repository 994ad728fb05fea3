"""From the facts of a person-day to everything said of it: one pure function.

All decisions are those of `geo`; what is added here is which fence holds when, which
excusals count, and when the answer could change without a new fact.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from geo import ALGORITHM_VERSION
from geo.breaks import charge_breaks
from geo.fix import NOT_EVIDENCE, FixArray, from_epoch_s, to_epoch_s
from geo.offpost import detect_off_post
from geo.policy import OffPostPolicy
from geo.policy import Policy as GeoPolicy
from geo.presence import Gap, Presence, Window, detect_gaps, detect_presence
from geo.sides import judge_sides
from server.findings.rules import DayKey, FindingDraft, FindingKind
from server.posts.queries import DutyWindow, FenceVersion
from server.tracking.absences import Absence, join_absences
from server.tracking.evidence import gap_evidence, off_post_evidence
from server.tracking.facts import DayFacts
from server.tracking.rules import LiveStatus, PresenceState, live_status
from server.tracking.summary import outline

_LONGEST_WAIT: Final = timedelta(minutes=5)
_INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One interval of presence of one roster entry; `cause` explains the unknown.

    `probability` of its state by the fixes in it, 0 to 1; None where nobody looked.
    """

    roster_entry_id: UUID
    starts_at: datetime
    ends_at: datetime
    state: PresenceState
    inferred: bool
    cause: str | None
    probability: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """What holds of a person on duty at `as_of`.

    Attributes
    ----------
    distance_m : from the newest fix to the post's edge, 0 inside; None without either.
    due_at : when the answer can change by itself.
    """

    roster_entry_id: UUID
    post_id: UUID | None
    state: PresenceState
    since_at: datetime
    distance_m: float | None
    finding_id: UUID | None
    status: LiveStatus
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DayVerdict:
    """Everything derived of one person-day; a pure function of facts and watermark.

    Attributes
    ----------
    as_of_at : the watermark, no later than the last window's end; None when duty has not
        begun, and nothing is derived then.
    final : nothing but new facts can change it.
    summary : plain JSON; its `trajectory` is missing when it was not asked for.
    current : None when off duty.
    """

    key: DayKey
    as_of_at: datetime | None
    final: bool
    tiles: Sequence[Tile]
    drafts: Sequence[FindingDraft]
    summary: Mapping[str, Any]
    policy: Mapping[str, Any]
    current: Current | None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a duty window under one version of the fence; no fence, no post."""

    window: DutyWindow
    span: Window
    fence: FenceVersion | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class _Judged:
    piece: _Piece
    presence: Presence | None
    gaps: Sequence[Gap]
    absences: Sequence[Absence]
    breaks: tuple[Window, ...]
    """What the break budget of the shift bears up to here."""


def judge_day(facts: DayFacts, *, as_of: datetime, with_trajectory: bool = True) -> DayVerdict:
    """Judge one person-day, by the thresholds and fences that its facts name.

    Nothing is read or written: with another `policy` or other `fences` in place of those in
    force (`dataclasses.replace`), it tells what would have been said under them.

    Parameters
    ----------
    facts : the day's facts, see `server.tracking.facts.load_facts`.
    as_of : the judgement knows nothing later than this instant.
    with_trajectory : also reconstruct stops, trips and gaps, the costly part.

    Returns
    -------
    The verdict; the same whatever the order in which the facts arrived. About 3 ms for a
    thousand fixes, 10 ms with the trajectory.
    """
    begun = [w for w in facts.windows if w.starts_at < as_of]
    if not begun:
        return DayVerdict(
            key=facts.key,
            as_of_at=None,
            final=not facts.windows,
            tiles=(),
            drafts=(),
            summary={},
            policy={},
            current=None,
        )
    judged = _judge_pieces(facts, begun, as_of)
    drafts = [draft for one in judged for draft in _drafts(facts, one, as_of)]
    last_at = facts.windows[-1].ends_at
    until = min(as_of, last_at)
    return DayVerdict(
        key=facts.key,
        as_of_at=until,
        final=as_of >= last_at,
        tiles=[tile for one in judged for tile in _tiles(one)],
        drafts=drafts,
        summary=outline(
            facts,
            presences=[one.presence for one in judged if one.presence is not None],
            gaps=[gap for one in judged for gap in one.gaps],
            off_posts=sum(len(one.absences) for one in judged),
            as_of=until,
            with_trajectory=with_trajectory,
        ),
        policy=_thresholds(facts.policy),
        current=_current(facts, judged, drafts, as_of),
    )


@lru_cache(maxsize=64)
def _thresholds(policy: GeoPolicy) -> Mapping[str, Any]:
    """Return what a day was judged by; one object for all days of a policy, not to be changed."""
    return {"algorithm_version": ALGORITHM_VERSION, **policy.to_json()}


def _pieces(facts: DayFacts, window: DutyWindow) -> Iterator[_Piece]:
    """Cut a window where a new version of the fence takes over."""
    versions = facts.fences.get(window.post_id, ()) if window.post_id is not None else ()
    cuts = sorted(
        {window.starts_at, window.ends_at}
        | {v.valid_from_at for v in versions if window.starts_at < v.valid_from_at < window.ends_at}
    )
    for start, end in pairwise(cuts):
        holding = [v for v in versions if v.valid_from_at <= start]
        fence = holding[-1] if holding else None
        yield _Piece(window, Window(start, end), fence, start == window.starts_at)


def _judge_pieces(facts: DayFacts, windows: Sequence[DutyWindow], as_of: datetime) -> list[_Judged]:
    """Judge piece by piece: what one uses of a shift's break budget the next does not have."""
    judged: list[_Judged] = []
    used: dict[UUID, tuple[Window, ...]] = {}
    for window in windows:
        for piece in _pieces(facts, window):
            one = _judge(facts, piece, as_of, used.get(window.roster_entry_id, ()))
            used[window.roster_entry_id] = one.breaks
            judged.append(one)
    return judged


def _judge(facts: DayFacts, piece: _Piece, as_of: datetime, used: tuple[Window, ...]) -> _Judged:
    thresholds = facts.policy.presence
    if piece.fence is None:
        gaps = detect_gaps(
            facts.fixes, [piece.span], policy=thresholds, as_of=as_of, signs=facts.signs
        )
        return _Judged(piece, None, gaps, (), used)
    if piece.fence.buffer_m is not None:
        thresholds = replace(thresholds, buffer_share=0.0, buffer_min_m=piece.fence.buffer_m)
    presence = detect_presence(
        facts.fixes,
        piece.fence.geofence,
        [piece.span],
        policy=thresholds,
        as_of=as_of,
        signs=facts.signs,
    )
    excused = [Window(e.starts_at, e.ends_at) for e in facts.excusals]
    policy = _off_post_policy(facts, piece)
    breaks = charge_breaks(presence, piece.span, excused=excused, policy=policy, before=used)
    off_posts = detect_off_post(
        presence,
        facts.fixes,
        piece.fence.geofence,
        duty=[piece.span],
        excused=excused,
        policy=policy,
        as_of=as_of,
        policy_version=facts.policy.version,
        breaks=breaks,
    )
    absences = join_absences(
        off_posts,
        presence,
        facts.fixes,
        piece.fence.geofence,
        span=piece.span,
        excused=excused,
        as_of=as_of,
    )
    if piece.span.end < piece.window.ends_at:
        absences = tuple(_until_reshaped(absence) for absence in absences)
    return _Judged(piece, presence, presence.gaps, absences, breaks)


def _until_reshaped(absence: Absence) -> Absence:
    """Name what ended an absence with its piece: duty goes on, under another shape."""
    reasons = tuple("fence_changed" if r == "duty_end" else r for r in absence.found.reasons)
    evidence = replace(absence.found.evidence, reasons=reasons)
    return replace(absence, found=replace(absence.found, reasons=reasons, evidence=evidence))


def _off_post_policy(facts: DayFacts, piece: _Piece) -> OffPostPolicy:
    # A post may say how long is too long; a shift settles once, not at each new shape.
    assert piece.fence is not None
    policy, grace_s = facts.policy.off_post, piece.fence.grace_s
    if grace_s is not None:
        policy = replace(policy, min_outside_s=float(grace_s))
    return policy if piece.is_first else replace(policy, settle_s=0.0)


def _tiles(judged: _Judged) -> Iterator[Tile]:
    if judged.presence is None:
        return
    for interval in judged.presence.intervals:
        causes = [
            gap.cause.value
            for gap in judged.gaps
            if gap.start < interval.end and gap.end > interval.start
        ]
        state = PresenceState(interval.state.value)
        unseen = interval.inferred or state is PresenceState.UNKNOWN
        yield Tile(
            roster_entry_id=judged.piece.window.roster_entry_id,
            starts_at=interval.start,
            ends_at=interval.end,
            state=state,
            inferred=interval.inferred,
            cause=causes[0] if causes and unseen else None,
            probability=interval.probability,
        )


def _drafts(facts: DayFacts, judged: _Judged, as_of: datetime) -> Iterator[FindingDraft]:
    piece = judged.piece
    for absence in judged.absences:
        found = absence.found
        assert judged.presence is not None
        assert piece.fence is not None
        yield FindingDraft(
            day=facts.key,
            kind=FindingKind.OFF_POST,
            roster_entry_id=piece.window.roster_entry_id,
            post_id=piece.window.post_id,
            starts_at=found.start,
            ends_at=found.end,
            decided_at=found.decided_at,
            evidence=off_post_evidence(
                facts, piece.window, piece.fence, found, thresholds=judged.presence.policy
            ),
        )
    for gap in judged.gaps:
        lasts = gap.end >= as_of and as_of < piece.span.end
        yield FindingDraft(
            day=facts.key,
            kind=FindingKind.GAP,
            roster_entry_id=piece.window.roster_entry_id,
            post_id=piece.window.post_id,
            starts_at=gap.start,
            ends_at=None if lasts else gap.end,
            decided_at=min(gap.start + timedelta(seconds=facts.policy.presence.max_gap_s), gap.end),
            evidence=gap_evidence(facts, piece.window, piece.fence, gap),
        )


def _current(
    facts: DayFacts, judged: Sequence[_Judged], drafts: Sequence[FindingDraft], as_of: datetime
) -> Current | None:
    here = [j for j in judged if j.piece.span.start <= as_of < j.piece.span.end]
    if not here:
        return None
    piece, presence = here[0].piece, here[0].presence
    tiles = presence.intervals if presence is not None else ()
    state = PresenceState(tiles[-1].state.value) if tiles else PresenceState.UNKNOWN
    known = _known(facts.fixes, piece, as_of)
    open_ids = [
        draft.id for draft in drafts if draft.kind is FindingKind.OFF_POST and draft.ends_at is None
    ]
    finding_id = open_ids[-1] if open_ids else None
    return Current(
        roster_entry_id=piece.window.roster_entry_id,
        post_id=piece.window.post_id,
        state=state,
        since_at=tiles[-1].start if tiles else piece.span.start,
        distance_m=_distance_m(known, piece.fence),
        finding_id=finding_id,
        status=live_status(
            on_duty=True,
            presence=state if presence is not None else None,
            finding_id=finding_id,
            fixed_at=known.fixed_at(-1) if len(known) else None,
            now=as_of,
            thresholds=facts.thresholds,
        ),
        due_at=_due_at(facts, here[0], as_of),
    )


def _known(fixes: FixArray, piece: _Piece, as_of: datetime) -> FixArray:
    """Credible fixes of this duty up to the watermark."""
    seen = fixes.between(piece.window.opens_at, as_of + _INSTANT)
    return seen.take((~seen.has(NOT_EVIDENCE)).nonzero()[0])


def _distance_m(known: FixArray, fence: FenceVersion | None) -> float | None:
    if fence is None or not len(known):
        return None
    away = fence.geofence.signed_distance_m(
        lon_deg=float(known.lon_deg[-1]), lat_deg=float(known.lat_deg[-1])
    )
    return round(max(away, 0.0), 1)


def _due_at(facts: DayFacts, judged: _Judged, as_of: datetime) -> datetime:
    """First instant after `as_of` at which time alone can change the answer.

    Ends of spans, excusals, silence that grows too long, a fix whose clock is ahead; and in
    any case a look every five minutes.
    """
    piece = judged.piece
    silence = timedelta(seconds=facts.policy.presence.max_gap_s) + _INSTANT
    # What begins at the very watermark has no length yet.
    if piece.span.start == as_of:
        return as_of + _INSTANT
    ahead = facts.fixes.epoch_s >= to_epoch_s(as_of)
    instants = [
        piece.span.end,
        as_of + _LONGEST_WAIT,
        *(at for e in facts.excusals for at in (e.starts_at, e.ends_at)),
        (_last_evidence_at(facts, judged, as_of) or piece.span.start) + silence,
    ]
    if ahead.any():
        instants.append(max(facts.fixes.fixed_at(int(ahead.argmax())), as_of + _INSTANT))
    return min(at for at in instants if at > as_of)


def _last_evidence_at(facts: DayFacts, judged: _Judged, as_of: datetime) -> datetime | None:
    """Newest fix that the next silence is counted from; looks at the tail only."""
    policy = judged.presence.policy if judged.presence is not None else facts.policy.presence
    reach = timedelta(seconds=policy.max_gap_s + policy.spike_max_s)
    tail = facts.fixes.between(
        max(as_of - reach, judged.piece.span.start - timedelta(seconds=policy.max_gap_s)),
        as_of + _INSTANT,
    )
    if judged.piece.fence is None:
        counts = ~tail.has(NOT_EVIDENCE)
    else:
        counts = judge_sides(tail, judged.piece.fence.geofence, policy=policy).evidence
    times = tail.epoch_s[counts]
    return from_epoch_s(float(times[-1])) if len(times) else None
