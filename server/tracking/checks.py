"""What the cells heard said of a person's positions; public through `queries`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from server.tracking.radio_models import CrossCheck

_REPORTS: Final = """
    FROM devices d JOIN radio_reports r ON r.tenant_id = d.tenant_id AND r.device_id = d.id
    WHERE d.tenant_id = :tenant_id AND d.employee_id = :employee_id
      AND r.fixed_at >= :start_at AND r.fixed_at < :end_at AND r."check" IS NOT NULL
"""
_FIGURES: Final = """
    r."check", r.fixed_at, r.msg_key,
    CAST(r.check_detail ->> 'distance_m' AS float8) AS distance_m,
    CAST(r.check_detail ->> 'radius_m' AS float8) AS radius_m,
    CAST(r.check_detail ->> 'margin_m' AS float8) AS margin_m
"""
_EACH: Final = text(f"SELECT {_FIGURES} {_REPORTS}")
_WORST: Final = text(
    f"""
    SELECT DISTINCT ON (r."check") {_FIGURES}, count(*) OVER (PARTITION BY r."check") AS fixes
    {_REPORTS} ORDER BY r."check", margin_m DESC NULLS LAST, r.fixed_at
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCheckView:
    """What the cells said of one position.

    Attributes
    ----------
    distance_m : to the middle of the cell that speaks most for it.
    radius_m : how far that cell is heard, its footprint.
    margin_m : how far beyond it the position lies, after all its own inaccuracy.
    """

    verdict: CrossCheck
    fixed_at: datetime
    distance_m: float | None
    radius_m: float | None
    margin_m: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChecks:
    """What the cells said of the positions of a span; `worst` contradicts most, if any does."""

    plausible: int
    strained: int
    impossible: int
    worst: CellCheckView | None


def cell_checks(
    session: Session, *, tenant_id: int, employee_id: UUID, start_at: datetime, end_at: datetime
) -> CellChecks | None:
    """Count what cells said of a person's positions of a half-open span. One statement.

    The caller has asked the policy function and notes the look. None when nothing was compared.
    """
    rows = session.execute(_WORST, _span(tenant_id, employee_id, start_at, end_at))
    found = {CrossCheck(row.check): row for row in rows}
    if not found:
        return None
    against = found.get(CrossCheck.IMPOSSIBLE) or found.get(CrossCheck.STRAINED)
    counts = {
        verdict.value: found[verdict].fixes if verdict in found else 0 for verdict in CrossCheck
    }
    return CellChecks(
        **counts,
        worst=None
        if against is None
        else CellCheckView(
            verdict=CrossCheck(against.check),
            fixed_at=against.fixed_at,
            distance_m=against.distance_m,
            radius_m=against.radius_m,
            margin_m=against.margin_m,
        ),
    )


def checked_fixes(
    session: Session, *, tenant_id: int, employee_id: UUID, start_at: datetime, end_at: datetime
) -> dict[str, CellCheckView]:
    """Return what cells said of each position, by the key of its fix. One statement."""
    rows = session.execute(_EACH, _span(tenant_id, employee_id, start_at, end_at))
    return {
        f"{row.msg_key & (2**64 - 1):016x}": CellCheckView(
            verdict=CrossCheck(row.check),
            fixed_at=row.fixed_at,
            distance_m=row.distance_m,
            radius_m=row.radius_m,
            margin_m=row.margin_m,
        )
        for row in rows
    }


def _span(
    tenant_id: int, employee_id: UUID, start_at: datetime, end_at: datetime
) -> dict[str, object]:
    return {
        "tenant_id": tenant_id,
        "employee_id": employee_id,
        "start_at": start_at,
        "end_at": end_at,
    }
