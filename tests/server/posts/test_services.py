from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, Select, Uuid, column, func, select, table, text
from sqlalchemy.exc import ProgrammingError

from server.errors import Conflict, InvalidInput, NotFound
from server.posts.queries import (
    duty_version,
    duty_windows,
    excusals_between,
    fence_at,
    fences_between,
    geo_policy,
    get_post,
    list_posts,
    list_shifts,
    post_history,
    roster_between,
    windows_of_day,
)
from server.posts.rules import ExcusalKind, PolicyKind
from server.posts.services import (
    Assignment,
    assign_shift,
    assign_shifts,
    cancel_assignment,
    close_post,
    create_post,
    create_shift,
    excuse,
    reshape_post,
    retire_shift,
    set_policy,
    withdraw_excusal,
)
from tests.conftest import StatementCount
from tests.factories.company import DAY, LAT_DEG, LON_DEG, ZONE, Company

Counter = Callable[[Engine], AbstractContextManager[StatementCount]]

NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)
SIX = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
SQUARE = {
    "type": "Polygon",
    "coordinates": [
        [[121.47, 31.23], [121.48, 31.23], [121.48, 31.24], [121.47, 31.24], [121.47, 31.23]]
    ],
}


def everybody() -> Select[UUID]:
    return select(table("employees", column("id", Uuid)).c.id)


def all_units() -> Select[UUID]:
    return select(table("units", column("id", Uuid)).c.id)


def queued(acme: Company) -> set[tuple[object, date]]:
    with acme.engine_transaction() as session:
        rows = session.execute(text("DELETE FROM touched_days RETURNING employee_id, work_on"))
        return {(row.employee_id, row.work_on) for row in rows}


def version(acme: Company) -> int:
    with acme.engine_transaction() as session:
        return duty_version(session).get(acme.tenant_id, 0)


def test_duty_is_the_roster_with_grace(acme: Company) -> None:
    person = acme.hire()
    entry = acme.roster(person)
    with acme.engine_transaction() as session:
        [window] = duty_windows(session, start_at=NINE, end_at=SIX)
    assert (window.starts_at, window.ends_at) == (NINE, SIX)
    assert window.opens_at == NINE - timedelta(minutes=10)
    assert (window.roster_entry_id, window.employee_id) == (entry, person)
    assert window.post_id == acme.post_id
    assert window.work_on == DAY


def test_windows_are_found_by_their_grace_and_no_farther(acme: Company) -> None:
    acme.roster(acme.hire())
    early = NINE - timedelta(minutes=10)
    with acme.ingest_transaction() as session:
        assert duty_windows(session, start_at=early - timedelta(hours=1), end_at=early) == []
        assert duty_windows(session, start_at=early, end_at=early + timedelta(seconds=1))
        late = SIX + timedelta(minutes=10)
        assert duty_windows(session, start_at=late, end_at=late + timedelta(hours=1)) == []


def test_leave_closes_duty_and_its_withdrawal_opens_it_again(acme: Company) -> None:
    person = acme.hire()
    acme.roster(person)
    noon = NINE + timedelta(hours=3)
    before = version(acme)
    with acme.transaction() as session:
        leave = excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=person,
            kind=ExcusalKind.LEAVE,
            starts_at=noon,
            ends_at=SIX,
        )
    assert version(acme) == before + 1
    assert queued(acme) == {(person, DAY)}
    with acme.engine_transaction() as session:
        [window] = duty_windows(session, start_at=NINE, end_at=SIX)
        assert (window.ends_at, window.closes_at) == (noon, noon)
    with acme.transaction() as session:
        withdraw_excusal(session, acme.clock, tenant_id=acme.tenant_id, excusal_id=leave)
    assert queued(acme) == {(person, DAY)}
    with acme.engine_transaction() as session:
        [window] = duty_windows(session, start_at=NINE, end_at=SIX)
        assert window.ends_at == SIX
    with acme.transaction() as session, pytest.raises(Conflict):
        withdraw_excusal(session, acme.clock, tenant_id=acme.tenant_id, excusal_id=leave)


def test_an_outing_excuses_from_the_post_but_keeps_duty(acme: Company) -> None:
    person = acme.hire()
    acme.roster(person)
    with acme.transaction() as session:
        excuse(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=person,
            kind=ExcusalKind.OUTING,
            starts_at=NINE,
            ends_at=SIX,
        )
    with acme.engine_transaction() as session:
        [window] = duty_windows(session, start_at=NINE, end_at=SIX)
        assert (window.starts_at, window.ends_at) == (NINE, SIX)
        [outing] = excusals_between(
            session, tenant_id=acme.tenant_id, employee_id=person, start_at=NINE, end_at=SIX
        )
        assert outing.kind is ExcusalKind.OUTING


def test_a_cancelled_assignment_is_no_duty(acme: Company) -> None:
    person = acme.hire()
    entry = acme.roster(person)
    queued(acme)
    with acme.transaction() as session:
        cancel_assignment(session, acme.clock, tenant_id=acme.tenant_id, entry_id=entry)
    assert queued(acme) == {(person, DAY)}
    with acme.engine_transaction() as session:
        assert duty_windows(session, start_at=NINE, end_at=SIX) == []
    acme.roster(person)
    with acme.transaction() as session, pytest.raises(Conflict):
        cancel_assignment(session, acme.clock, tenant_id=acme.tenant_id, entry_id=entry)


def test_duty_ends_with_employment(acme: Company) -> None:
    person = acme.hire()
    acme.roster(person)
    acme.roster(person, on_date=DAY - timedelta(days=1))
    with acme.transaction() as session:
        session.execute(
            text("UPDATE employees SET left_on = :day WHERE id = :id"), {"day": DAY, "id": person}
        )
    with acme.engine_transaction() as session:
        windows = duty_windows(session, start_at=NINE - timedelta(days=2), end_at=SIX)
    assert [w.work_on for w in windows] == [DAY - timedelta(days=1)]


def test_a_night_shift_is_one_day(acme: Company) -> None:
    person = acme.hire()
    with acme.transaction() as session:
        night = create_shift(
            session, tenant_id=acme.tenant_id, name="夜班", starts=time(22), ends=time(6)
        )
    acme.roster(person, shift_id=night)
    with acme.engine_transaction() as session:
        [window] = windows_of_day(
            session, tenant_id=acme.tenant_id, employee_id=person, work_on=DAY
        )
        assert window.starts_at == datetime(2026, 11, 18, 14, tzinfo=UTC)
        assert window.ends_at == datetime(2026, 11, 18, 22, tzinfo=UTC)
        assert not windows_of_day(
            session,
            tenant_id=acme.tenant_id,
            employee_id=person,
            work_on=DAY + timedelta(days=1),
        )


def test_two_shifts_at_once_are_refused_and_nothing_stays(acme: Company) -> None:
    first, second = acme.hire(), acme.hire()
    acme.roster(first)
    both = [
        Assignment(employee_id=who, shift_id=acme.shift_id, on_date=DAY) for who in (second, first)
    ]
    with pytest.raises(Conflict) as refused, acme.transaction() as session:
        assign_shifts(session, acme.clock, tenant_id=acme.tenant_id, assignments=both)
    assert refused.value.code == "roster_overlap"
    with acme.engine_transaction() as session:
        windows = duty_windows(session, start_at=NINE, end_at=SIX)
    assert [w.employee_id for w in windows] == [first]


def test_assigning_a_shift_that_has_begun_wakes_the_engine(acme: Company) -> None:
    person = acme.hire()
    acme.roster(person)
    assert queued(acme) == set()
    acme.clock.at = NINE + timedelta(hours=1)
    late = acme.hire()
    acme.roster(late)
    assert queued(acme) == {(late, DAY)}


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ({"type": "Point", "coordinates": [121.47, 31.23], "radius_m": 5}, "radius_out_of_range"),
        (
            {
                "type": "Polygon",
                "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]],
            },
            "self_intersection",
        ),
        ("not a shape", "not_geojson"),
    ],
)
def test_a_shape_that_is_no_fence_is_refused_with_its_code(
    acme: Company, shape: object, code: str
) -> None:
    with acme.transaction() as session, pytest.raises(InvalidInput) as refused:
        create_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            unit_id=acme.branch_id,
            name="x",
            zone=ZONE,
            shape=shape,
        )
    assert refused.value.code == code
    assert refused.value.fields["shape"] == code


def test_each_event_is_judged_by_the_shape_of_its_time(acme: Company) -> None:
    person = acme.hire()
    acme.roster(person)
    acme.clock.at = NINE + timedelta(hours=4)
    with acme.transaction() as session:
        number = reshape_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            post_id=acme.post_id,
            shape=SQUARE,
            grace_s=300,
            buffer_m=30,
            valid_from_at=NINE + timedelta(hours=2),
        )
    assert number == 2
    assert queued(acme) == {(person, DAY)}
    with acme.engine_transaction() as session:
        assert fence_at(session, acme.post_id, NINE - timedelta(days=2)) is None
        old = fence_at(session, acme.post_id, NINE)
        new = fence_at(session, acme.post_id, NINE + timedelta(hours=2), tenant_id=acme.tenant_id)
        assert old is not None
        assert new is not None
        assert old.geofence.radius_m == 100
        assert old.valid_until_at == new.valid_from_at
        assert (new.version, new.grace_s, new.buffer_m) == (2, 300, 30)
        assert new.geofence.covers(lon_deg=121.475, lat_deg=31.235)
        both = fences_between(
            session, [acme.post_id], tenant_id=acme.tenant_id, start_at=NINE, end_at=SIX
        )
        assert [v.version for v in both[acme.post_id]] == [1, 2]
        morning = fences_between(
            session,
            [acme.post_id],
            tenant_id=acme.tenant_id,
            start_at=NINE,
            end_at=NINE + timedelta(hours=2),
        )
        assert [v.version for v in morning[acme.post_id]] == [1]
        history = post_history(session, tenant_id=acme.tenant_id, post_id=acme.post_id)
        assert [v.version for v in history] == [1, 2]
    with acme.transaction() as session, pytest.raises(Conflict):
        reshape_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            post_id=acme.post_id,
            shape=SQUARE,
            valid_from_at=NINE + timedelta(hours=2),
        )


def test_a_fence_over_the_antimeridian_comes_back_whole(acme: Company) -> None:
    shape = {
        "type": "Polygon",
        "coordinates": [[[179, 10], [-179, 10], [-179, 11], [179, 11], [179, 10]]],
    }
    with acme.transaction() as session:
        post = create_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            unit_id=acme.branch_id,
            name="日界线",
            zone="Pacific/Fiji",
            shape=shape,
        )
    with acme.engine_transaction() as session:
        fence = fence_at(session, post, NINE + timedelta(days=3))
    assert fence is not None
    assert fence.geofence.covers(lon_deg=179.9, lat_deg=10.5)
    assert fence.geofence.covers(lon_deg=-179.9, lat_deg=10.5)
    assert not fence.geofence.covers(lon_deg=0, lat_deg=10.5)


def test_a_post_with_people_on_the_roster_cannot_close(acme: Company) -> None:
    entry = acme.roster(acme.hire())
    with acme.transaction() as session, pytest.raises(Conflict) as refused:
        close_post(session, acme.clock, tenant_id=acme.tenant_id, post_id=acme.post_id)
    assert refused.value.code == "post_rostered"
    with acme.transaction() as session:
        cancel_assignment(session, acme.clock, tenant_id=acme.tenant_id, entry_id=entry)
        close_post(session, acme.clock, tenant_id=acme.tenant_id, post_id=acme.post_id)
        assert list_posts(session, all_units(), at=NINE) == []
    with pytest.raises(Conflict):
        acme.roster(acme.hire())


def test_names_are_taken_once(acme: Company) -> None:
    with acme.transaction() as session:
        with pytest.raises(Conflict):
            create_shift(
                session, tenant_id=acme.tenant_id, name="日班", starts=time(8), ends=time(9)
            )
        with pytest.raises(Conflict):
            create_post(
                session,
                acme.clock,
                tenant_id=acme.tenant_id,
                unit_id=acme.branch_id,
                name=" 外滩营业厅 ",
                zone=ZONE,
                shape=SQUARE,
            )
        for bad, code in (("  ", "name_missing"), ("x" * 121, "name_too_long")):
            with pytest.raises(InvalidInput) as refused:
                create_shift(
                    session, tenant_id=acme.tenant_id, name=bad, starts=time(8), ends=time(9)
                )
            assert refused.value.code == code


def test_today_is_the_date_of_the_place_not_of_greenwich(acme: Company) -> None:
    # One o'clock at night in Shanghai is still the day before in UTC.
    acme.clock.at = datetime(2026, 11, 17, 17, tzinfo=UTC)
    with acme.transaction() as session:
        close_post(session, acme.clock, tenant_id=acme.tenant_id, post_id=acme.post_id)
        retire_shift(session, acme.clock, tenant_id=acme.tenant_id, shift_id=acme.shift_id)
    with acme.transaction() as session:
        assert list_posts(session, all_units(), at=acme.clock.at) == []
        assert len(list_posts(session, all_units(), at=acme.clock.at - timedelta(hours=2))) == 1
        [shift] = list_shifts(session, with_retired=True)
        assert shift.retired_on == DAY


def test_a_retired_shift_is_not_assigned_again(acme: Company) -> None:
    with acme.transaction() as session:
        retire_shift(session, acme.clock, tenant_id=acme.tenant_id, shift_id=acme.shift_id)
        assert list_shifts(session) == []
        assert len(list_shifts(session, with_retired=True)) == 1
    with pytest.raises(Conflict):
        acme.roster(acme.hire())


def test_what_does_not_exist_is_not_found(acme: Company) -> None:
    nobody = uuid4()
    person = acme.hire()
    with acme.transaction() as session:
        for employee, shift, post in (
            (nobody, acme.shift_id, None),
            (person, nobody, None),
            (person, acme.shift_id, nobody),
        ):
            with pytest.raises(NotFound):
                assign_shift(
                    session,
                    acme.clock,
                    tenant_id=acme.tenant_id,
                    employee_id=employee,
                    shift_id=shift,
                    on_date=DAY,
                    post_id=post,
                )
        with pytest.raises(NotFound):
            cancel_assignment(session, acme.clock, tenant_id=acme.tenant_id, entry_id=nobody)
        with pytest.raises(NotFound):
            withdraw_excusal(session, acme.clock, tenant_id=acme.tenant_id, excusal_id=nobody)
        with pytest.raises(NotFound):
            close_post(session, acme.clock, tenant_id=acme.tenant_id, post_id=nobody)


def test_a_senseless_excusal_is_refused(acme: Company) -> None:
    person = acme.hire()
    for starts_at, ends_at, code in (
        (SIX, NINE, "empty_span"),
        (NINE, NINE + timedelta(days=500), "span_too_long"),
        (NINE.replace(tzinfo=None), SIX, "naive_time"),
    ):
        with acme.transaction() as session, pytest.raises(InvalidInput) as refused:
            excuse(
                session,
                acme.clock,
                tenant_id=acme.tenant_id,
                employee_id=person,
                kind=ExcusalKind.LEAVE,
                starts_at=starts_at,
                ends_at=ends_at,
            )
        assert refused.value.code == code


def test_policies_hold_for_shifts_that_start_later(acme: Company) -> None:
    person = acme.hire()
    acme.roster(person)
    acme.roster(person, on_date=DAY + timedelta(days=1))
    acme.clock.at = NINE + timedelta(hours=1)
    with acme.transaction() as session:
        assert (
            set_policy(
                session,
                acme.clock,
                tenant_id=acme.tenant_id,
                kind=PolicyKind.DUTY,
                params={"grace_s": 60},
            )
            == 1
        )
        set_policy(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            kind=PolicyKind.OFF_POST,
            params={"min_outside_s": 300},
        )
        for params, code in (
            ({"nothing": 1}, "unknown_threshold"),
            ({"settle_s": -1}, "bad_value"),
        ):
            with pytest.raises(InvalidInput) as refused:
                set_policy(
                    session,
                    acme.clock,
                    tenant_id=acme.tenant_id,
                    kind=PolicyKind.OFF_POST,
                    params=params,
                )
            assert refused.value.code == code
        with pytest.raises(InvalidInput):
            set_policy(
                session,
                acme.clock,
                tenant_id=acme.tenant_id,
                kind=PolicyKind.DUTY,
                params={},
                effective_from_at=NINE,
            )
    with acme.engine_transaction() as session:
        today, tomorrow = duty_windows(session, start_at=NINE, end_at=SIX + timedelta(days=1))
        assert today.starts_at - today.opens_at == timedelta(minutes=10)
        assert tomorrow.starts_at - tomorrow.opens_at == timedelta(minutes=1)
        assert geo_policy(session, tenant_id=acme.tenant_id, at=NINE).version == "default-1"
        later = geo_policy(session, tenant_id=acme.tenant_id, at=SIX)
        assert later.version == "off_post:1"
        assert later.off_post.min_outside_s == 300
        assert later.presence.max_gap_s == 900


def test_lists_take_one_statement(acme: Company, statement_counter: Counter) -> None:
    for _ in range(5):
        acme.roster(acme.hire())
    with acme.transaction() as session:
        session.execute(select(func.now()))
        with statement_counter(acme.app) as seen:
            [post] = list_posts(session, all_units(), at=NINE)
            lines = roster_between(session, everybody(), first_on=DAY, last_on=DAY)
        assert seen.count == 2
        assert post.shape == {
            "type": "Point",
            "coordinates": [LON_DEG, LAT_DEG],
            "radius_m": 100.0,
        }
        assert (post.version, post.unit_name) == (1, "东区")
        assert len(lines) == 5
        assert {(line.post_name, line.shift_name) for line in lines} == {("外滩营业厅", "日班")}
        assert get_post(session, all_units(), post_id=acme.post_id, at=NINE) == post
        assert get_post(session, all_units(), post_id=uuid4(), at=NINE) is None


def test_the_wall_between_tenants_holds_for_posts(acme: Company) -> None:
    with acme.transaction() as session, pytest.raises(ProgrammingError):
        create_post(
            session,
            acme.clock,
            tenant_id=acme.tenant_id + 1,
            unit_id=acme.branch_id,
            name="x",
            zone=ZONE,
            shape=SQUARE,
        )
