"""Signs of days as the engine stores them, without the days that show them."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.findings.rules import DayKey, FindingDraft, FindingKind
from server.findings.services import sync_findings
from tests.factories.desk import DAY, Desk
from tests.factories.findings import sign_evidence
from tests.factories.footprints import nine


def note_signs(desk: Desk, *names: str, on: date = DAY, **signs: dict[str, Any]) -> list[UUID]:
    """Let the engine find signs from 10:00 to 10:25 of somebody's day; returns their ids."""
    start, end = nine(on) + timedelta(minutes=60), nine(on) + timedelta(minutes=85)
    drafts = [
        FindingDraft(
            day=DayKey(desk.alpha.id, desk.alpha.people[name], on),
            kind=FindingKind.SIGNS,
            roster_entry_id=UUID(int=3),
            post_id=None,
            starts_at=start,
            ends_at=end,
            decided_at=end,
            evidence=sign_evidence(**signs),
        )
        for name in names
    ]
    engine = make_engine(desk.urls.engine, pool_size=1)
    try:
        with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
            synced = sync_findings(
                session,
                desk.clock,
                days=[draft.day for draft in drafts],
                drafts=drafts,
                kinds=(FindingKind.SIGNS,),
            )
    finally:
        engine.dispose()
    return [synced.ids[draft.id] for draft in drafts]
