"""Enrolment from a file: what is read, what each row is told, all or nothing."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from server.clock import ManualClock
from server.db.session import unit_of_work
from server.errors import InvalidInput
from server.people.enrolment import (
    MAX_BYTES,
    PlannedPhone,
    RowError,
    SheetRow,
    enrol_phones,
    plan_phones,
    read_sheet,
)
from server.people.models import DeviceKind
from server.people.queries import everybody
from tests.factories.world import BROKER, VAULT, World

LABELS = {kind: kind.value for kind in DeviceKind}
TODAY = date(2026, 11, 18)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sheet_is_read_in_the_encodings_of_spreadsheets(encoding: str, delimiter: str) -> None:
    lines = [["工号", "应用", "名称"], ["E001", "traccar", "红米"], ["", "", ""], ["E002", "", ""]]
    content = "\r\n".join(delimiter.join(line) for line in lines).encode(encoding)
    assert read_sheet(content) == [
        SheetRow(2, "E001", "traccar", "红米"),
        SheetRow(4, "E002", "", ""),
    ]


def test_columns_come_in_any_order_and_unknown_ones_are_left() -> None:
    rows = read_sheet(b"Label,Note,NUMBER\nblue,x,E7\n")
    assert rows == [SheetRow(2, "E7", "", "blue")]


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6))
def test_any_text_is_read_or_refused_by_a_code(lines: list[tuple[str, str, str]]) -> None:
    content = "number,app,label\n" + "\n".join(",".join(line) for line in lines)
    found = read_or_code(content.encode())
    if isinstance(found, str):
        assert found.startswith("sheet_")
    else:
        assert found
        assert all(row.line >= 2 for row in found)


def read_or_code(content: bytes) -> list[SheetRow] | str:
    try:
        return read_sheet(content)
    except InvalidInput as error:
        return error.code


@pytest.mark.parametrize("content", [b"\x00\x01number", b"\xff\xfe\xfd", b"x" * (MAX_BYTES + 1)])
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_sheet(content)


def plan(
    sessions: sessionmaker[Session], world: World, rows: Sequence[SheetRow]
) -> list[PlannedPhone]:
    with unit_of_work(sessions, tenant_id=world.alpha.id) as session:
        return plan_phones(
            session,
            rows,
            tenant_id=world.alpha.id,
            scope=everybody(world.alpha.id),
            today=TODAY,
        )


def number(sessions: sessionmaker[Session], world: World, name: str) -> str:
    with unit_of_work(sessions, tenant_id=world.alpha.id) as session:
        found = session.scalar(
            text("SELECT number FROM employees WHERE id = :id"), {"id": world.alpha.people[name]}
        )
    return str(found)


def test_every_row_is_told_what_is_wrong_with_it(
    app_sessions: sessionmaker[Session], world: World
) -> None:
    finance, left, owner = (
        number(app_sessions, world, name) for name in ("finance", "leaver", "employee")
    )
    rows = [
        SheetRow(2, finance, "traccar", ""),
        SheetRow(3, finance, "Traccar", ""),
        SheetRow(4, "", "traccar", ""),
        SheetRow(5, "E999", "traccar", ""),
        SheetRow(6, left, "traccar", ""),
        SheetRow(7, finance, "nokia", ""),
        SheetRow(8, owner, "", ""),
        SheetRow(9, owner, "overland", "x" * 90),
    ]
    plans = plan(app_sessions, world, rows)
    assert [plan.error for plan in plans] == [
        None,
        RowError.TWICE,
        RowError.NO_NUMBER,
        RowError.UNKNOWN_NUMBER,
        RowError.LEFT,
        RowError.UNKNOWN_APP,
        RowError.HAS_ONE,
        None,
    ]
    assert plans[0].kind is DeviceKind.TRACCAR
    assert len(plans[7].label) == 60


def test_one_bad_row_and_nothing_is_enrolled(
    app_sessions: sessionmaker[Session], world: World
) -> None:
    rows = [
        SheetRow(2, number(app_sessions, world, "hr"), "ios", ""),
        SheetRow(3, "E999", "ios", ""),
    ]
    plans = plan(app_sessions, world, rows)
    count = "SELECT count(*) FROM devices"
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        before = session.scalar(text(count))
        with pytest.raises(InvalidInput) as refused:
            enrol_phones(
                session,
                ManualClock(world.clock.now()),
                plans,
                tenant_id=world.alpha.id,
                broker=BROKER,
                vault=VAULT,
                labels=LABELS,
            )
        assert session.scalar(text(count)) == before
    assert refused.value.fields == {"3": "unknown_number"}
