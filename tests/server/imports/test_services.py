"""From file to rows, through the real database."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from server.db.session import unit_of_work
from server.errors import Conflict, NotFound
from server.imports import store
from server.imports.kinds import Kind, State
from server.imports.runs import Run
from server.imports.services import check_import, discard_import, forget_undecided
from tests.conftest import StatementCount
from tests.factories.paperwork import Desk, csv_file

HEAD = ("工号", "姓名", "部门", "职务", "手机", "入职日期")
LI = ("A1", "李雷", "分公司", "司机", "138 0013-8000", "2026年1月5日")
HAN = ("A2", "韩梅梅", "分公司", "", "+86 10 8888 9999", "2026/2/1")


def people(desk: Desk) -> list[tuple[object, ...]]:
    with desk.transactions() as session:
        rows = session.execute(
            text(
                "SELECT e.number, e.name, e.title, e.phone, e.hired_on, u.name FROM employees e"
                " JOIN memberships m ON m.employee_id = e.id JOIN units u ON u.id = m.unit_id"
                " ORDER BY e.number, lower(m.during_on)"
            )
        )
        return [tuple(row) for row in rows]


@pytest.fixture
def unit_name(desk: Desk) -> str:
    with desk.transactions() as session:
        return str(
            session.scalar(
                text("SELECT name FROM units WHERE id = :id"), {"id": desk.company.branch_id}
            )
        )


def test_employees_are_hired_as_previewed_with_normalised_cells(desk: Desk, unit_name: str) -> None:
    li, han = (tuple(unit_name if c == "分公司" else c for c in row) for row in (LI, HAN))
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, li, han, encoding="gb18030"))
    assert view.counts == {"add": 2, "change": 0, "same": 0, "refuse": 0}
    assert view.reading["encoding"] == "gb18030"
    assert [row.label for row in desk.rows(view.id)] == ["A1 李雷", "A2 韩梅梅"]
    assert people(desk) == [], "a preview writes nothing"
    assert desk.apply(view.id)["add"] == 2
    assert people(desk) == [
        ("A1", "李雷", "司机", "13800138000", date(2026, 1, 5), unit_name),
        ("A2", "韩梅梅", None, "+861088889999", date(2026, 2, 1), unit_name),
    ]
    done = desk.look(view.id)
    assert done.state is State.APPLIED
    assert done.writes == 2
    assert desk.rows(view.id) == [], "what people were in the file is not kept"
    with pytest.raises(Conflict, match="applied"):
        desk.apply(view.id)


def test_one_bad_row_keeps_the_whole_file_out(desk: Desk, unit_name: str) -> None:
    bad = ("A3", "", "哪里", "", "call me", "31/12/2025")
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:]), bad))
    assert view.counts == {"add": 1, "change": 0, "same": 0, "refuse": 1}
    (row,) = [r for r in desk.rows(view.id) if r.problems]
    assert row.row_no == 3
    assert {(p["column"], p["code"]) for p in row.problems} == {
        ("name", "missing"),
        ("unit", "unit_unknown"),
        ("phone", "bad_phone"),
        ("hired_on", "bad_date"),
    }
    with pytest.raises(Conflict, match="rows_refused"):
        desk.apply(view.id)
    assert people(desk) == []
    assert desk.look(view.id).state is State.CHECKED


def test_a_second_file_changes_moves_and_lets_go(desk: Desk, unit_name: str) -> None:
    desk.bring(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:])))
    desk.bring(Kind.UNITS, csv_file(("名称", "上级", "类型"), ("一组", unit_name, "班组")))
    changed = csv_file(
        ("工号", "姓名", "部门", "离职日期"), ("A1", "李蕾", f"{unit_name}/一组", "2026-12-31")
    )
    view = desk.check(Kind.EMPLOYEES, changed)
    (row,) = desk.rows(view.id)
    assert [c[0] for c in row.changes] == ["name", "unit", "left_on"]
    desk.apply(view.id)
    assert [(p[0], p[1], p[2], p[5]) for p in people(desk)] == [
        ("A1", "李蕾", "司机", unit_name),
        ("A1", "李蕾", "司机", "一组"),
    ]
    with desk.transactions() as session:
        kinds = session.scalars(text("SELECT kind FROM security_events ORDER BY at, id")).all()
    assert {"employee_corrected", "employee_moved", "employment_ended"} <= set(kinds)
    again = desk.check(Kind.EMPLOYEES, changed)
    assert again.counts == {"add": 0, "change": 0, "same": 1, "refuse": 0}


def test_a_preview_that_no_longer_holds_writes_nothing(desk: Desk, unit_name: str) -> None:
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:])))
    desk.bring(Kind.EMPLOYEES, csv_file(HEAD, ("A1", "别人", unit_name, "", "", "2026-01-05")))
    with pytest.raises(Conflict, match="stale_preview"):
        desk.apply(view.id)
    assert [p[1] for p in people(desk)] == ["别人"]
    assert desk.look(view.id).state is State.RECEIVED, "it has to be checked again"


def test_a_failure_on_the_way_leaves_nothing_behind(desk: Desk, unit_name: str) -> None:
    rows = [(f"B{n:05d}", "某", unit_name, "", "", "2026-01-05") for n in range(2_500)]
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, *rows))
    with desk.company.owner.begin() as connection:
        connection.execute(text("ALTER TABLE employees ADD CHECK (number <> 'B02400')"))
    with pytest.raises(Conflict, match="stale_preview"):
        desk.apply(view.id)
    assert people(desk) == [], "the first two thousand went back with the rest"


def test_thrown_away_files_are_gone_and_remembered(desk: Desk, unit_name: str) -> None:
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:])))
    with desk.transactions() as session:
        discard_import(session, desk.company.clock, bearer=desk.bearer, import_id=view.id)
    assert desk.look(view.id).state is State.DISCARDED
    assert desk.rows(view.id) == []
    with desk.transactions() as session:
        assert session.scalar(text("SELECT content FROM imports")) is None
    with pytest.raises((Conflict, NotFound)):
        desk.apply(view.id)


def test_files_nobody_decided_on_are_forgotten_after_a_week(desk: Desk, unit_name: str) -> None:
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:])))
    clock = desk.company.clock
    sessions = desk.company.sessions(desk.company.owner)
    for days, expected in ((6, 0), (2, 1), (0, 0)):
        clock.advance(timedelta(days=days))
        with unit_of_work(sessions, tenant_id=None) as session:
            assert forget_undecided(session, clock) == expected
    assert desk.look(view.id).state is State.DISCARDED
    assert desk.rows(view.id) == []


def test_a_run_that_died_may_be_taken_over_and_then_counts_no_more(
    desk: Desk, unit_name: str
) -> None:
    import_id = desk.receive(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:])))
    dead = Run(desk.transactions, desk.company.clock, desk.bearer, import_id)
    dead.begin((State.RECEIVED,), State.CHECKING)
    with pytest.raises(Conflict, match="checking"):
        check_import(desk.transactions, desk.company.clock, bearer=desk.bearer, import_id=import_id)
    desk.company.clock.advance(timedelta(minutes=3))
    state = check_import(
        desk.transactions, desk.company.clock, bearer=desk.bearer, import_id=import_id
    )
    assert state is State.CHECKED
    with pytest.raises(Conflict, match="import_busy"):
        dead.check(dead.open())
    assert desk.look(import_id).counts["add"] == 1
    assert len(desk.rows(import_id)) == 1


def test_progress_is_seen_while_the_run_lasts(desk: Desk, unit_name: str) -> None:
    rows = [(f"B{n:05d}", "某", unit_name, "", "", "2026-01-05") for n in range(4_500)]
    import_id = desk.receive(Kind.EMPLOYEES, csv_file(HEAD, *rows))
    seen = []
    opened = desk.transactions

    def watching() -> AbstractContextManager[Session]:
        seen.append(desk.look(import_id).rows_done)
        return opened()

    check_import(watching, desk.company.clock, bearer=desk.bearer, import_id=import_id)
    assert [n for n in dict.fromkeys(seen) if n] == [2_000, 4_000]
    assert desk.look(import_id).rows_done == 4_500


def test_two_files_of_a_tenant_are_not_applied_at_once(desk: Desk, unit_name: str) -> None:
    view = desk.check(Kind.EMPLOYEES, csv_file(HEAD, (*LI[:2], unit_name, *LI[3:])))
    with desk.transactions() as session:
        store.one_at_a_time(session, tenant_id=desk.company.tenant_id)
        with pytest.raises(Conflict, match="import_running"):
            desk.apply(view.id)
    assert desk.look(view.id).state is State.CHECKED
    assert desk.apply(view.id)["add"] == 1


def test_a_batch_costs_few_statements(
    desk: Desk,
    unit_name: str,
    statement_counter: Callable[[Engine], AbstractContextManager[StatementCount]],
) -> None:
    rows = [(f"B{n:05d}", "某", unit_name, "", "", "2026-01-05") for n in range(6_000)]
    content = csv_file(HEAD, *rows)
    with statement_counter(desk.company.app) as checking:
        view = desk.check(Kind.EMPLOYEES, content)
    with statement_counter(desk.company.app) as applying:
        desk.apply(view.id)
    assert checking.count < 40
    assert applying.count < 60
