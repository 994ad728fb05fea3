"""Everything the system holds of a person, as one archive for that person."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from server.audit.queries import looks_at
from server.findings.queries import FindingFilter, FindingKind, FindingState, list_findings
from server.people.policy import EmployeeView
from server.posts.queries import roster_between
from server.tracking.queries import (
    csv_lines,
    csv_row,
    device_health,
    fixes_of_day,
    ledger,
    quarantine,
)

_DAYS: Final = 30
_EVERY_FIX: Final = 200_000


def archive_of(
    session: Session,
    person: EmployeeView,
    scope: Select[UUID],
    *,
    tenant_id: int,
    today: date,
    now: datetime,
) -> bytes:
    """Return a ZIP: person.json, looks.csv, findings.json, roster.csv, ledger.csv and fixes by day.

    Parameters
    ----------
    scope : the person themselves, as a scope.
    today : local date; fixes of the 30 days up to it, roster 90 days back to 60 ahead.

    Returns
    -------
    The archive's bytes. The person's own data only; other people appear by the name under
    which they looked. About seven statements and one per day with a shift.
    """
    roster = roster_between(
        session, scope, first_on=today - timedelta(days=90), last_on=today + timedelta(days=60)
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", _json({"person": asdict(person), "exported_at": now}))
        devices = [asdict(d) for d in device_health(session, scope, with_revoked=True)]
        archive.writestr("devices.json", _json(devices))
        archive.writestr("findings.json", _json(_findings(session, scope)))
        looks = looks_at(session, person.id, tenant_id=tenant_id, limit=100_000)
        archive.writestr(
            "looks.csv",
            _csv(
                ("at", "who", "purpose", "view", "about_on", "reason"),
                [(x.at, x.actor_name, x.purpose, x.view, x.about_on, x.reason) for x in looks],
            ),
        )
        archive.writestr(
            "roster.csv",
            _csv(
                ("on_date", "shift", "post", "starts_at", "ends_at", "zone"),
                [
                    (r.on_date, r.shift_name, r.post_name, r.starts_at, r.ends_at, r.zone)
                    for r in roster
                ],
            ),
        )
        counts = ledger(session, scope, first_on=today - timedelta(days=_DAYS), last_on=today)
        archive.writestr("ledger.json", _json([asdict(row) for row in counts]))
        refused = quarantine(session, scope, since_at=now - timedelta(days=_DAYS))
        archive.writestr("refused.json", _json([asdict(row) for row in refused]))
        first_on = today - timedelta(days=_DAYS)
        for on in sorted({r.on_date for r in roster if first_on <= r.on_date <= today}):
            fixes = fixes_of_day(session, person.id, on, max_points=_EVERY_FIX)
            if fixes.total:
                archive.writestr(f"fixes/{on.isoformat()}.csv", "".join(csv_lines(fixes)))
    return buffer.getvalue()


def _findings(session: Session, scope: Select[UUID]) -> list[dict[str, Any]]:
    wanted = FindingFilter(kinds=tuple(FindingKind), states=tuple(FindingState), limit=500)
    return [asdict(row) for row in list_findings(session, scope, wanted=wanted).rows]


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [csv_row(header)]
    lines += [csv_row([None if c is None else _text(c) for c in row]) for row in rows]
    return "\ufeff" + "".join(lines)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=_text)


def _text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value.value) if isinstance(value, Enum) else str(value)
