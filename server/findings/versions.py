"""What became of a finding: each thing it said, and in what that differs from the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from server.findings.rules import ChangeKind, FindingState


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a finding said under one revision.

    Attributes
    ----------
    change, replaced_at : what made it say something else, and when; None while it says so.
    """

    revision: int
    state: FindingState
    starts_at: datetime
    ends_at: datetime | None
    evidence: Mapping[str, Any]
    change: ChangeKind | None = None
    replaced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that two versions do not share; None where one has none."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a finding.

    Attributes
    ----------
    change, at : what made it, and when; None where that was before versions were kept.
    differences : to the version before, none for the first that is kept.
    """

    revision: int
    change: ChangeKind | None
    at: datetime | None
    differences: tuple[Difference, ...]


def versions_of(told: Sequence[Said], *, raised_at: datetime) -> list[Version]:
    """Return the versions of one finding, oldest first.

    Parameters
    ----------
    told : what it said, by revision, the present last.
    raised_at : when it was raised.
    """
    first = told[0].revision == 1
    versions = [
        Version(
            revision=told[0].revision,
            change=ChangeKind.RAISED if first else None,
            at=raised_at if first else None,
            differences=(),
        )
    ]
    versions += [
        Version(
            revision=said.revision,
            change=before.change,
            at=before.replaced_at,
            differences=differences(before, said),
        )
        for before, said in pairwise(told)
    ]
    return versions


def differences(before: Said, after: Said) -> tuple[Difference, ...]:
    """Return what differs between two versions: span, figures, what they rest on."""
    old, new = _figures(before), _figures(after)
    return tuple(
        Difference(name, old.get(name), new.get(name))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    )


def _figures(said: Said) -> dict[str, Any]:
    figures, inputs = (said.evidence.get(part, {}) for part in ("figures", "inputs"))
    return {
        "state": said.state,
        "starts_at": said.starts_at,
        "ends_at": said.ends_at,
        **figures,
        "fix_count": inputs.get("fix_count"),
        "excusals": len(inputs.get("excusals", ())),
        "fence_version": (inputs.get("post") or {}).get("version"),
        "policy_version": said.evidence.get("policy_version"),
        "algorithm_version": said.evidence.get("algorithm_version"),
        "reasons": said.evidence.get("reasons", []),
    }
