"""What is tried before it is saved: other thresholds or another fence, on stored facts; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Self
from uuid import UUID

from geo.geofence import Geofence
from geo.policy import Policy as GeoPolicy
from geo.what_if import Flip, Stretch, compare
from server.findings.rules import FindingDraft, FindingKind
from server.posts.queries import FenceVersion, PolicyKind
from server.posts.rules import GEO_GROUP
from server.tracking.facts import DayFacts
from server.tracking.judgement import judge_day
from server.tracking.retention import RAW_RETENTION, is_sealed

FAMILIES: Final = (PolicyKind.OFF_POST, PolicyKind.PRESENCE)
"""Families of thresholds that decide about absences."""
MAX_DAYS: Final = 50_000
"""Person-days that one run may judge."""


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


ACTIVE: Final = (RunState.WAITING, RunState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTrial:
    """One family of thresholds as it would be saved.

    Attributes
    ----------
    params : what differs from the defaults, as a version keeps it.
    before : the same of the version in force when it was tried.
    based_on : number of the newest version then, 0 for none.
    """

    kind: PolicyKind
    params: Mapping[str, Any]
    before: Mapping[str, Any]
    based_on: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostTrial:
    """One post with another radius, limit or buffer; its place and outline stay.

    Attributes
    ----------
    radius_m : None keeps the shape.
    grace_s, buffer_m : None for the policy's.
    before : radius_m, grace_s and buffer_m of the version in force when it was tried.
    based_on : number of that version.
    """

    post_id: UUID
    name: str
    radius_m: float | None
    grace_s: int | None
    buffer_m: float | None
    before: Mapping[str, Any]
    based_on: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: families of thresholds, or one post."""

    families: tuple[FamilyTrial, ...] = ()
    post: PostTrial | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a row keeps it."""
        if self.post is not None:
            post = self.post
            return {
                "post": {
                    "id": str(post.post_id),
                    "name": post.name,
                    "radius_m": post.radius_m,
                    "grace_s": post.grace_s,
                    "buffer_m": post.buffer_m,
                    "before": dict(post.before),
                    "based_on": post.based_on,
                }
            }
        return {
            "families": [
                {
                    "kind": family.kind.value,
                    "params": dict(family.params),
                    "before": dict(family.before),
                    "based_on": family.based_on,
                }
                for family in self.families
            ]
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        post = document.get("post")
        if post is not None:
            rest = {k: v for k, v in post.items() if k != "id"}
            return cls(post=PostTrial(post_id=UUID(post["id"]), **rest))
        return cls(
            families=tuple(
                FamilyTrial(**{**each, "kind": PolicyKind(each["kind"])})
                for each in document["families"]
            )
        )

    def changes(self) -> list[tuple[str, str, Any, Any]]:
        """Return what differs from what was in force: group, name, before, after.

        Values of thresholds that stand at their default are None.
        """
        if self.post is not None:
            after = {n: getattr(self.post, n) for n in ("radius_m", "grace_s", "buffer_m")}
            pairs = [("post", n, self.post.before.get(n), v) for n, v in after.items()]
            return [pair for pair in pairs if pair[2] != pair[3]]
        return [
            (family.kind.value, name, family.before.get(name), family.params.get(name))
            for family in self.families
            for name in sorted({*family.before, *family.params})
            if family.before.get(name) != family.params.get(name)
        ]


def as_tried(facts: DayFacts, trial: Trial, *, as_of: datetime) -> DayFacts:
    """Return a day's facts as they were if the trial had always held."""
    if trial.post is not None:
        history = facts.fences.get(trial.post.post_id, ())
        begun = [version for version in history if version.valid_from_at <= as_of]
        if not begun:
            return facts
        fence = _fence(trial.post, begun[-1], since=history[0].valid_from_at)
        return replace(facts, fences={**facts.fences, trial.post.post_id: [fence]})
    document = {GEO_GROUP[family.kind]: dict(family.params) for family in trial.families}
    tried = GeoPolicy.from_json(document)
    groups = {name: getattr(tried, name) for name in document}
    policy = replace(facts.policy, version=f"{facts.policy.version},tried", **groups)
    return replace(facts, policy=policy)


def flips_of_day(
    facts: DayFacts, trial: Trial, *, as_of: datetime
) -> list[tuple[UUID | None, Flip]]:
    """Judge one person-day as it was and as it would be, by the same function as the engine.

    Parameters
    ----------
    as_of : both judgements know nothing later.

    Returns
    -------
    The absences that flip, in time order, each with its post. Twice the cost of judging.
    """
    before = _absences(facts, as_of)
    after = _absences(as_tried(facts, trial, as_of=as_of), as_of)
    posts = {draft.starts_at: draft.post_id for draft in (*before, *after)}
    flips = compare(map(_stretch, before), map(_stretch, after))
    return [(posts[flip.start], flip) for flip in flips]


def span_of(
    first_on: date | None, last_on: date | None, *, now: datetime, today: date
) -> tuple[date, date]:
    """Return the work dates to replay: the past month, cut to what is over and still there.

    Parameters
    ----------
    first_on, last_on : what was asked for, both included.
    today : local date in the tenant's zone.

    Returns
    -------
    First and last date; the first is after the last when nothing is left.
    """
    oldest = today - RAW_RETENTION
    while is_sealed(oldest, now):
        oldest += timedelta(days=1)
    yesterday = today - timedelta(days=1)
    return max(first_on or oldest, oldest), min(last_on or yesterday, yesterday)


def _absences(facts: DayFacts, as_of: datetime) -> Sequence[FindingDraft]:
    drafts = judge_day(facts, as_of=as_of, with_trajectory=False).drafts
    return [draft for draft in drafts if draft.kind is FindingKind.OFF_POST]


def _stretch(draft: FindingDraft) -> Stretch:
    figures = draft.evidence["figures"]
    return Stretch(draft.starts_at, draft.ends_at, figures["duration_s"], figures["margin_m"])


def _fence(trial: PostTrial, newest: FenceVersion, *, since: datetime) -> FenceVersion:
    geofence = newest.geofence
    if trial.radius_m is not None:
        geofence = _circle(*geofence.centre, trial.radius_m)
    return replace(
        newest,
        valid_from_at=since,
        valid_until_at=None,
        geofence=geofence,
        grace_s=trial.grace_s,
        buffer_m=trial.buffer_m,
    )


@lru_cache(maxsize=64)
def _circle(lon_deg: float, lat_deg: float, radius_m: float) -> Geofence:
    return Geofence.circle(lon_deg=lon_deg, lat_deg=lat_deg, radius_m=radius_m)
