"""One claim against what is known of whoever claims: documents of its lines, pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from geo.claims import Line, LineCheck, MileageLine, audit_claim
from geo.fix import FixArray
from geo.gaps import Window
from geo.policy import Policy
from geo.roads import Roads
from geo.verdict import format_utc
from server.claims.rules import ClaimFacts, ClaimVerdict, Remark, remarks, suggested
from server.tracking.facts import for_judgement

AROUND: Final = timedelta(hours=12)
"""Fixes this long before and after a claim's span show how somebody came and went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A claim and all that it is judged by.

    Attributes
    ----------
    fixes : of the claimant, `AROUND` the claim's span.
    leave : approved leave by id.
    earlier : lines of claims that were handed in before, by claim.
    """

    facts: ClaimFacts
    fixes: FixArray
    policy: Policy
    leave: Sequence[tuple[UUID, Window]]
    earlier: Sequence[tuple[UUID, Sequence[Line]]]

    @property
    def asks_roads(self) -> bool:
        """Whether roads can tell anything of it: they measure kilometres and nothing else."""
        return any(isinstance(line, MileageLine) for line in self.facts.claim.lines)


def check_lines(case: Case, roads: Roads | None, *, away: bool = False) -> list[dict[str, Any]]:
    """Return one document a line, in the order of the claim: plain JSON, canonical.

    Parameters
    ----------
    roads : what ways are measured along; the positions alone when left out.
    away : there are roads, but nobody answers; each line of kilometres says so.
    """
    _verdict, checks = audit_claim(
        case.facts.claim, for_judgement(case.fixes), policy=case.policy, roads=roads
    )
    seen = _seen(case.fixes, case.facts.span)
    return [
        _document(
            line,
            check,
            remarks(line, leave=case.leave, earlier=case.earlier),
            amount=case.facts.amounts[line.id],
            seen=seen,
            away=away and isinstance(line, MileageLine),
        )
        for line, check in zip(case.facts.claim.lines, checks, strict=True)
    ]


def _document(
    line: Line,
    check: LineCheck,
    found: Sequence[Remark],
    *,
    amount: Decimal,
    seen: dict[str, Any],
    away: bool,
) -> dict[str, Any]:
    over = check.verdict is ClaimVerdict.OVER
    verdict = check.verdict if over or not found else ClaimVerdict.CANNOT_TELL
    worth = suggested(line, amount, high=check.high, over=over)
    reasons = [*(remark.reason for remark in found), *check.reasons]
    if away:
        reasons.append("roads_away")
    evidence: dict[str, Any] = json.loads(check.evidence.to_bytes())
    evidence["inputs"] |= {"fixes": seen, **{r.reason: list(r.ids) for r in found}}
    evidence["reasons"] = reasons
    evidence["verdict"] = verdict.value
    return {
        "id": line.id,
        "verdict": verdict.value,
        "claimed": _text(check.claimed),
        "low": _text(check.low),
        "high": _text(check.high),
        "observed": _text(check.observed),
        "over_by": _text(check.over_by),
        "claimed_amount": str(amount),
        "suggested_amount": str(worth),
        "at_stake": str(amount if found else amount - worth),
        "coverage": check.coverage,
        "reasons": reasons,
        "evidence": evidence,
    }


def _seen(fixes: FixArray, span: Window) -> dict[str, Any]:
    """Name the fixes looked at: how many, the first and last, and a digest of all keys."""
    keys = sorted(fixes.keys.tolist())
    return {
        "start": format_utc(span.start - AROUND),
        "end": format_utc(span.end + AROUND),
        "count": len(keys),
        "digest": sha256("".join(keys).encode()).hexdigest(),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
