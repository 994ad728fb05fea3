"""Evidence cards: everything a conclusion rests on, as plain JSON with stable bytes."""

import json
from datetime import datetime
from typing import Any, Final

from shapely import get_num_coordinates

from geo.fix import to_epoch_s
from geo.gaps import Gap
from geo.offpost import OffPostInterval
from geo.policy import PresencePolicy
from geo.sides import edge_buffer_m
from geo.verdict import Evidence, format_utc
from server.posts.queries import DutyWindow, FenceVersion
from server.tracking.facts import DayFacts

_MAX_VERTICES: Final = 500


def off_post_evidence(
    facts: DayFacts,
    window: DutyWindow,
    fence: FenceVersion,
    found: OffPostInterval,
    *,
    thresholds: PresencePolicy,
) -> dict[str, Any]:
    """Return the card of an absence: the core's evidence, what it rests on, and what if.

    Parameters
    ----------
    thresholds : of presence as used, the post's own buffer included.
    """
    document = _plain(found.evidence)
    document["inputs"] |= _inputs(facts, window, fence)
    buffer_m = edge_buffer_m(fence.geofence, policy=thresholds)
    off_post = document["thresholds"]["off_post"]
    document["would_change"] = [
        {"if": "shorter_than_s", "limit": off_post["min_outside_s"], "actual": found.duration_s},
        {
            "if": "buffer_at_least_m",
            "limit": buffer_m,
            "actual": round(buffer_m + found.margin_m, 1),
        },
        {"if": "excused", "from": format_utc(found.start), "until": _instant(found.end)},
        {
            "if": "confidence_below",
            "limit": off_post["min_confidence"],
            "actual": found.confidence,
        },
    ]
    budget_s = off_post["break_budget_s"]
    if budget_s:
        enough_s = budget_s + found.duration_s - off_post["min_outside_s"]
        document["would_change"].append(
            {"if": "break_budget_above_s", "limit": budget_s, "actual": max(enough_s, budget_s)}
        )
    return document


def gap_evidence(
    facts: DayFacts, window: DutyWindow, fence: FenceVersion | None, gap: Gap
) -> dict[str, Any]:
    """Return the card of a silence: the fix before it, its cause, and what if."""
    seen = facts.fixes.epoch_s
    before = seen.searchsorted(to_epoch_s(gap.start), side="right") - 1
    document = _plain(
        Evidence(
            rule="gap",
            policy_version=facts.policy.version,
            thresholds={"max_gap_s": facts.policy.presence.max_gap_s},
            inputs={"fixes": [str(facts.fixes.keys[before])] if before >= 0 else []},
            figures={
                "duration_s": round((gap.end - gap.start).total_seconds(), 3),
                "cause": gap.cause.value,
                "bridged": gap.bridged,
            },
            reasons=(gap.cause.value,),
        )
    )
    document["inputs"] |= _inputs(facts, window, fence)
    document["would_change"] = [
        {
            "if": "a_fix_every_s",
            "limit": facts.policy.presence.max_gap_s,
            "actual": document["figures"]["duration_s"],
        }
    ]
    return document


def _inputs(facts: DayFacts, window: DutyWindow, fence: FenceVersion | None) -> dict[str, Any]:
    return {
        "roster_entry_id": str(window.roster_entry_id),
        "duty": {
            "start": format_utc(window.starts_at),
            "end": format_utc(window.ends_at),
        },
        "post": None
        if fence is None
        else {
            "id": str(fence.post_id),
            "version": fence.version,
            "version_id": str(fence.version_id),
            "valid_from": format_utc(fence.valid_from_at),
            **_shape(fence),
        },
        "excusals": [
            {
                "id": str(e.id),
                "kind": e.kind.value,
                "start": format_utc(e.starts_at),
                "end": format_utc(e.ends_at),
            }
            for e in facts.excusals
        ],
    }


def _plain(evidence: Evidence) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(evidence.to_bytes())
    return document


def _instant(at: datetime | None) -> str | None:
    return None if at is None else format_utc(at)


def _shape(fence: FenceVersion) -> dict[str, Any]:
    """Copy a shape unless it is large: versions are never edited, so naming one keeps it."""
    if get_num_coordinates(fence.geofence.geometry) > _MAX_VERTICES:
        return {}
    return {"shape": fence.geofence.to_geojson()}
