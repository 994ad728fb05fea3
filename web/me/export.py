"""Everything the system holds of a person, as one archive for that person."""

import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from server.audit.queries import looks_at
from server.carriers import queries as carriers
from server.claims.queries import claims_of_person
from server.findings.queries import FindingDetail, findings_of_person
from server.people.policy import EmployeeView
from server.posts.queries import excusals_between, roster_between
from server.tracking.queries import (
    csv_lines,
    csv_row,
    device_health,
    fixes_of_person,
    ledger,
    quarantine,
    records_of_person,
)
from server.visits.queries import visits_of_person

_AHEAD: Final = timedelta(days=400)
_DAY_OF: Final = re.compile(r"([0-9a-f-]{36})/(\d{4}-\d{2}-\d{2})")
_EVERY_LOOK: Final = 10_000_000


def archive_of(
    session: Session,
    person: EmployeeView,
    scope: Select[UUID],
    *,
    tenant_id: int,
    today: date,
    now: datetime,
    zone: str,
) -> bytes:
    """Return a ZIP of every row about a person that retention has left.

    `person.json`, `devices.json`, `findings.json` (with evidence and reviews), `visits.json`
    and `claims.json` (with all versions of verdicts), `looks.csv`, `roster.csv`,
    `excusals.json`, `ledger.json`, `refused.json` (counts of messages that were not stored),
    `device_events.json`, `radio_reports.json`, `presence.json`, `days.json` (outlines with
    stops and trips), `last_position.json`, `carrier_consents.json`, `carrier_requests.json`
    and `fixes/` by local date.

    Parameters
    ----------
    scope : the person themselves, as a scope.
    today : local date in `zone`.

    Returns
    -------
    The archive's bytes. The person's own data only; other people appear by the name under
    which they looked or reviewed. About nineteen statements, whatever there is.
    """
    first_on, last_on = person.hired_on, today + _AHEAD
    roster = roster_between(session, scope, first_on=first_on, last_on=last_on)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", _json({"person": asdict(person), "exported_at": now}))
        devices = [asdict(d) for d in device_health(session, scope, with_revoked=True)]
        archive.writestr("devices.json", _json(devices))
        findings = [_flat(found, person.id) for found in findings_of_person(session, person.id)]
        archive.writestr("findings.json", _json(findings))
        visits = [asdict(visit) for visit in visits_of_person(session, person.id)]
        archive.writestr("visits.json", _json(visits))
        claims = [asdict(claim) for claim in claims_of_person(session, person.id)]
        archive.writestr("claims.json", _json(claims))
        looks = looks_at(session, person.id, tenant_id=tenant_id, limit=_EVERY_LOOK)
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
        excusals = excusals_between(
            session,
            tenant_id=tenant_id,
            employee_id=person.id,
            start_at=datetime.combine(first_on, time(), tzinfo=UTC) - timedelta(days=1),
            end_at=now + _AHEAD,
        )
        archive.writestr("excusals.json", _json([asdict(row) for row in excusals]))
        counts = ledger(session, scope, first_on=first_on, last_on=last_on)
        archive.writestr("ledger.json", _json([asdict(row) for row in counts]))
        refused = quarantine(session, scope, since_at=datetime.min.replace(tzinfo=UTC))
        archive.writestr("refused.json", _json([asdict(row) for row in refused]))
        records = records_of_person(session, tenant_id=tenant_id, employee_id=person.id)
        records |= carriers.records_of_person(session, tenant_id=tenant_id, employee_id=person.id)
        for name, rows in records.items():
            archive.writestr(f"{name}.json", _json(rows))
        fixes = fixes_of_person(
            session, tenant_id=tenant_id, employee_id=person.id, today=today, zone=zone
        )
        for on, columns in fixes.items():
            archive.writestr(f"fixes/{on.isoformat()}.csv", "".join(csv_lines(columns)))
    return buffer.getvalue()


def _flat(found: FindingDetail, person_id: UUID) -> dict[str, Any]:
    whole = asdict(found)
    flat: dict[str, Any] = _without_others({**whole.pop("row"), **whole}, str(person_id))
    return flat


def _without_others(value: object, mine: str) -> Any:  # noqa: ANN401  # JSON
    """Take out of evidence with whose day it was compared, unless it was one's own."""
    if isinstance(value, dict):
        return {key: _without_others(inner, mine) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_others(inner, mine) for inner in value]
    day = _DAY_OF.fullmatch(value) if isinstance(value, str) else None
    return value if day is None or day[1] == mine else f"another person/{day[2]}"


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
