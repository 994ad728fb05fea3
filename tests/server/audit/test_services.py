"""Looks: one entry a person and hour, visible to that person, and a quota on tracks."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import ColumnElement, Engine, true
from sqlalchemy.orm import Session, sessionmaker

from server.audit import queries
from server.audit.models import Purpose
from server.audit.services import LOOKS_PER_HOUR, Opening, check_look_quota, record_looks
from server.clock import ManualClock
from server.db.session import unit_of_work
from server.errors import TooManyRequests
from server.people import services
from server.people.rules import Principal
from tests.conftest import StatementCount
from tests.factories.world import TenantWorld, World


def principal(tenant: TenantWorld, name: str) -> Principal:
    login = tenant.logins[name]
    return Principal(
        tenant_id=tenant.id,
        tenant_slug=tenant.slug,
        account_id=login.account_id,
        employee_id=login.employee_id,
        name=name,
        login=name,
        locale="en",
        theme=None,
        zone="Asia/Shanghai",
        grants=(),
        epoch=0,
    )


@pytest.fixture
def clock(world: World) -> ManualClock:
    # Each test in an hour of its own.
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(timedelta(days=1))
    return ManualClock(world.clock.now())


def looks(sessions: sessionmaker[Session], tenant: TenantWorld, person: UUID) -> list[queries.Look]:
    with unit_of_work(sessions, tenant_id=tenant.id) as session:
        return queries.looks_at(session, person, tenant_id=tenant.id)


def test_each_person_returned_is_one_entry_and_oneself_is_none(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock
) -> None:
    who = principal(world.alpha, "supervisor_north")
    seen = [world.alpha.people[n] for n in ("employee", "peer", "other_team", "supervisor_north")]
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        count = record_looks(session, who, seen, Purpose.LIVE_SUPERVISION, "live", now=clock.now())
    assert count == 3
    newest = looks(app_sessions, world.alpha, world.alpha.people["peer"])[0]
    assert (newest.actor_name, newest.purpose, newest.view) == (
        "supervisor_north",
        Purpose.LIVE_SUPERVISION,
        "live",
    )
    assert newest.at == clock.now()
    assert looks(app_sessions, world.alpha, world.alpha.people["supervisor_north"]) == []


def test_a_live_map_writes_once_an_hour(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock
) -> None:
    who = principal(world.alpha, "manager_n1")
    seen = [world.alpha.people["employee"]]

    def look(view: str = "live", about_on: date | None = None) -> int:
        with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
            return record_looks(
                session,
                who,
                seen,
                Purpose.LIVE_SUPERVISION,
                view,
                now=clock.now(),
                about_on=about_on,
            )

    assert [look(), look()] == [1, 0]
    assert look(view="person") == 1
    assert look(about_on=date(2026, 11, 17)) == 1
    assert look(about_on=date(2026, 11, 16)) == 1
    clock.advance(timedelta(minutes=59))
    assert look() == 0
    clock.advance(timedelta(minutes=1))
    assert look() == 1


def test_five_hundred_people_cost_three_statements(
    world: World,
    app_sessions: sessionmaker[Session],
    clock: ManualClock,
    statement_counter: Callable[[Engine], AbstractContextManager[StatementCount]],
) -> None:
    who = principal(world.alpha, "supervisor_group")
    engine = app_sessions.kw["bind"]
    assert isinstance(engine, Engine)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        crowd = [
            services.hire_employee(
                session,
                clock,
                tenant_id=world.alpha.id,
                number=f"C{n:04d}",
                name=f"crowd {n}",
                unit_id=world.alpha.units["s1"],
                hired_on=date(2026, 1, 1),
            ).id
            for n in range(60)
        ]
    with (
        unit_of_work(app_sessions, tenant_id=world.alpha.id) as session,
        statement_counter(engine) as seen,
    ):
        assert (
            record_looks(session, who, crowd, Purpose.LIVE_SUPERVISION, "live", now=clock.now())
            == 60
        )
    assert seen.count <= 3


@pytest.mark.parametrize(
    ("purpose", "view"),
    [
        (Purpose.DAY_REVIEW, "track"),
        (Purpose.VISIT_REVIEW, Opening.VISIT),
        (Purpose.ALERT_REVIEW, Opening.SIGN),
        (Purpose.CLAIM_REVIEW, Opening.CLAIM),
        (Purpose.CLAIM_REVIEW, Opening.BROUGHT),
    ],
)
def test_the_twenty_first_track_within_an_hour_is_refused(
    world: World,
    app_sessions: sessionmaker[Session],
    clock: ManualClock,
    purpose: Purpose,
    view: str,
) -> None:
    who = principal(world.alpha, "supervisor_group")
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        people = [
            services.hire_employee(
                session,
                clock,
                tenant_id=world.alpha.id,
                number=f"Q-{view}-{n:04d}",
                name=f"quota {n}",
                unit_id=world.alpha.units["s1"],
                hired_on=date(2026, 1, 1),
            ).id
            for n in range(LOOKS_PER_HOUR)
        ]
        for person in people:
            check_look_quota(session, who, person, now=clock.now())
            record_looks(session, who, [person], purpose, view, now=clock.now())
        with pytest.raises(TooManyRequests):
            check_look_quota(session, who, uuid4(), now=clock.now())
        # People opened already, and oneself, stay open.
        check_look_quota(session, who, people[0], now=clock.now())
        assert who.employee_id is not None
        check_look_quota(session, who, who.employee_id, now=clock.now())
        clock.advance(timedelta(hours=1))
        check_look_quota(session, who, uuid4(), now=clock.now())
        # A list shows nobody's way.
        record_looks(session, who, people, Purpose.VISIT_REVIEW, "visits", now=clock.now())
        check_look_quota(session, who, uuid4(), now=clock.now())


def test_the_audit_lists_are_newest_first_and_paged(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock
) -> None:
    who = principal(world.beta, "supervisor_group")
    with unit_of_work(app_sessions, tenant_id=world.beta.id) as session:
        for name in ("employee", "peer", "other_team"):
            clock.advance(timedelta(minutes=1))
            record_looks(
                session, who, [world.beta.people[name]], Purpose.EXPORT, "gpx", now=clock.now()
            )
        pages = [
            queries.list_looks(
                session,
                true(),
                tenant_id=world.beta.id,
                wanted=queries.TrailFilter(kind=Purpose.EXPORT, limit=2, offset=offset),
            )
            for offset in (0, 2)
        ]
        assert [(row.look.subject_id, page.total) for page in pages for row in page.rows] == [
            (world.beta.people[n], 3) for n in ("other_team", "peer", "employee")
        ]
        events = queries.list_security_events(
            session, tenant_id=world.beta.id, wanted=queries.TrailFilter(limit=500)
        ).rows
    kinds = {e.kind for e in events}
    assert {"tenant_created", "account_created", "role_granted", "device_enrolled"} <= kinds
    assert any(e.about and e.about.startswith("employee BETA") for e in events)


def test_a_trail_is_cut_by_time_words_and_reach(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock
) -> None:
    who, people = principal(world.beta, "supervisor_south"), world.beta.people
    with unit_of_work(app_sessions, tenant_id=world.beta.id) as session:
        for name in ("employee", "peer"):
            record_looks(session, who, [people[name]], Purpose.EXPORT, "cut", now=clock.now())
            clock.advance(timedelta(hours=1))

        def seen(reach: ColumnElement[bool] | None = None, **wanted: Any) -> set[UUID]:
            since = {"since_at": clock.now() - timedelta(hours=2), **wanted}
            page = queries.list_looks(
                session,
                true() if reach is None else reach,
                tenant_id=world.beta.id,
                wanted=queries.TrailFilter(**since),
            )
            assert page.total == len(page.rows)
            return {row.look.subject_id for row in page.rows}

        both = {people["employee"], people["peer"]}
        assert seen() == both
        assert seen(until_at=clock.now() - timedelta(hours=1)) == {people["employee"]}
        assert seen(words="peer B") == {people["peer"]}
        assert seen(words="supervisor_south") == both
        assert seen(words="%") == set(), "words are no pattern"
        assert seen(kind="day_review") == set()
        assert seen(queries.look_subject() == people["peer"]) == {people["peer"]}
        today = clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date()
        assert seen(queries.look_day("Asia/Shanghai") == today) == both
        assert seen(queries.look_day("Asia/Shanghai") > today) == set()
