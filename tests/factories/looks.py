"""Accounts that looked at as many people as an hour allows."""

from sqlalchemy import text

from server.audit.services import LOOKS_PER_HOUR, Opening, Purpose
from server.people.services import hire_employee
from tests.factories.desk import DAY, Desk


def look_at_many(desk: Desk, login: str) -> None:
    """Have somebody of the cast look at twenty new people now; one more is refused for an hour."""
    tenant, who = desk.alpha, desk.alpha.logins[login]
    with desk.transaction() as session:
        known = session.scalar(text("SELECT count(*) FROM employees"))
        others = [
            hire_employee(
                session,
                desk.clock,
                tenant_id=tenant.id,
                number=f"L{known}-{number}",
                name="somebody",
                unit_id=tenant.units["s1"],
                hired_on=DAY,
            ).id
            for number in range(LOOKS_PER_HOUR)
        ]
        session.execute(
            text(
                "INSERT INTO access_log (tenant_id, id, at, actor_id, actor_name, subject_id,"
                " purpose, view) SELECT :tenant, gen_random_uuid(), :now, :me, 'm', p, :purpose,"
                " :view FROM unnest(CAST(:people AS uuid[])) p"
            ),
            {
                "tenant": tenant.id,
                "now": desk.clock.now(),
                "me": who.account_id,
                "purpose": Purpose.VISIT_REVIEW,
                "view": Opening.VISIT,
                "people": others,
            },
        )
