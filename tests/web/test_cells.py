"""The page of radio cells: imported tables, networks, what the fleet taught and what waits."""

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import text

from server.db.engine import make_engine
from server.people.rules import Role
from server.people.services import grant_role, revoke_grant
from tests.factories.cell_tables import ROWS, bring, teach
from tests.factories.desk import Browser, Desk


@pytest.fixture
def admin(office: Desk) -> Browser:
    return office.browser("admin")


def test_before_anything_is_known_the_page_says_how_to_begin(admin: Browser) -> None:
    page = admin.text("/cells")
    assert "No table was imported" in page
    assert "outpost cells import" in page
    assert "Nothing learned yet" in page


def test_tables_networks_and_lessons_are_listed(office: Desk, admin: Browser) -> None:
    bring(office, "opencellid", *ROWS)
    bring(office, "mls", ROWS[0])
    teach(office)
    page = admin.text("/cells")
    for shown in (
        "opencellid-460.csv.gz", "operator", "WGS-84 (GPS)", "3 networks", "1 network",
        "LTE (4G) · 460-00 · China Mobile: 3 cells in 1 areas",
        "NR (5G) · 460-15 · China Broadnet: 1 cells in 1 areas",
        "CDMA · SID 13844: 1 cells in 1 areas",
        "a cell number that stands for none: 1", "a position of exactly 0, 0: 1",
        "460-11 · China Telecom", "1,234", "Too few phones",
    ):  # fmt: skip
        assert shown in page, shown
    assert "mls" not in admin.text("/cells?q=opencellid").partition("<tbody>")[2]
    assert "Nothing matches" in admin.text("/cells?q=nowhere")
    first = admin.text("/cells?sort=-cells").partition("<tbody>")[2]
    assert first.index("opencellid") < first.index("mls")


def test_the_export_has_a_row_a_table_and_network(admin: Browser) -> None:
    exported = admin.text("/cells?format=csv").removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert {(r["table"], r["radio"], r["mcc"], r["mnc"], r["cells"]) for r in rows} == {
        ("opencellid", "lte", "460", "0", "3"),
        ("opencellid", "nr", "460", "15", "1"),
        ("opencellid", "cdma", "", "13844", "1"),
        ("mls", "lte", "460", "0", "1"),
    }
    assert {r["left_out"] for r in rows if r["table"] == "opencellid"} == {"2"}


def test_a_table_of_before_networks_were_counted_says_so(office: Desk, admin: Browser) -> None:
    engine = make_engine(office.urls.owner, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE cell_sources SET networks = NULL WHERE name = 'mls'"))
    engine.dispose()
    assert "not counted: import it again" in admin.text("/cells")
    assert "mls" in admin.text("/cells?format=csv")


def test_who_administers_a_part_is_refused(office: Desk) -> None:
    account = office.alpha.logins["manager_n2"].account_id
    with office.transaction() as session:
        grant_id = grant_role(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            account_id=account,
            role=Role.ADMIN,
            unit_id=office.alpha.units["south"],
        ).id
    assert office.browser("manager_n2").get("/cells").status_code == 403
    office.clock.advance(timedelta(seconds=1))
    with office.transaction() as session:
        revoke_grant(session, office.clock, tenant_id=office.alpha.id, grant_id=grant_id)


def test_nothing_of_another_company_is_shown(office: Desk) -> None:
    other = office.browser("admin", office.world.beta)
    page = other.text("/cells")
    assert "opencellid" in page, "public tables belong to everybody"
    assert "Nothing learned yet" in page
