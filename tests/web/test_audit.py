"""The auditor's lists: looks in reach, security events of the whole company, exports."""

import csv
import io
from datetime import timedelta

import pytest

from server.audit.aggregates import record_aggregate_look
from server.audit.services import Purpose, record_looks
from server.people.rules import Role
from server.people.services import grant_role, revoke_grant
from tests.factories.desk import Browser, Desk
from tests.server.audit.test_services import principal


@pytest.fixture(scope="module", autouse=True)
def _looks(office: Desk) -> None:
    """The group's supervisor looked at one person of each branch, the peer's leader exported."""
    who, people = principal(office.alpha, "supervisor_group"), office.alpha.people
    other = principal(office.alpha, "manager_n1")
    with office.transaction() as session:
        both = [people["employee"], people["other_branch"]]
        record_looks(
            session, who, both, Purpose.LIVE_SUPERVISION, "live_map", now=office.clock.now()
        )
        record_looks(
            session,
            other,
            [people["peer"]],
            Purpose.EXPORT,
            "track.gpx",
            now=office.clock.now() - timedelta(days=40),
            reason="=cmd|'/c calc'!A1",
        )


def rows(browser: Browser, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(browser.text(path).removeprefix("\ufeff"))))


def test_an_auditor_reads_who_looked_at_whom_and_why(office: Desk) -> None:
    browser = office.browser("auditor")
    page = browser.text("/audit")
    assert "Audit log" in browser.text("/me"), "it is in the navigation"
    assert "supervisor_group" in page
    assert "employee ALPHA-NORTH" in page
    assert "other_branch ALPHA-SOUTH" in page
    assert "supervision on duty" in page
    assert "peer ALPHA" not in page, "that was before the 30 days that are shown"
    assert "peer ALPHA" in browser.text("/audit?from=2026-10-01")


def test_filters_are_in_the_address(office: Desk) -> None:
    browser = office.browser("auditor")
    assert "other_branch" not in browser.text("/audit?q=employee")
    assert "Nothing matches" in browser.text("/audit?purpose=export")
    assert "peer ALPHA" in browser.text("/audit?from=2026-10-01&purpose=export")
    assert "Nothing matches" in browser.text("/audit?from=2026-10-01&to=2026-10-02")
    assert "employee ALPHA" in browser.text("/audit?purpose=nonsense&from=x&to=y&page=z")


def test_an_export_has_every_row_runs_no_formula_and_is_noted(office: Desk) -> None:
    browser = office.browser("auditor")
    exported = rows(browser, "/audit?from=2026-10-01&format=csv")
    assert [(r["actor"], r["view"]) for r in exported] == [
        ("supervisor_group", "live_map"),
        ("supervisor_group", "live_map"),
        ("manager_n1", "track.gpx"),
    ]
    assert exported[-1]["reason"].startswith("'=")
    assert "Audit trail exported" in browser.text("/audit/security")
    assert "rows: 3" in browser.text("/audit/security?kind=audit_exported")


def test_security_events_are_said_in_words(office: Desk) -> None:
    browser = office.browser("auditor")
    page = browser.text("/audit/security?kind=role_granted")
    assert "Role granted" in page
    assert "Supervisor" in page
    assert "supervisor_north" in page
    assert "Signed in" not in page.partition("<tbody>")[2]
    assert "employee ALPHA-NORTH-CANARY · phone of employee" in browser.text(
        "/audit/security?q=phone+of+employee"
    )
    kinds = {r["kind"] for r in rows(browser, "/audit/security?format=csv")}
    assert {"sign_in", "role_granted", "device_enrolled"} <= kinds


@pytest.fixture
def _counted(office: Desk) -> None:
    """The group's supervisor looked at a branch and at the company, another at their own."""
    tenant, now = office.alpha, office.clock.now()
    group, south = principal(tenant, "supervisor_group"), principal(tenant, "supervisor_south")
    with office.transaction() as session:
        for who, view, reach, people, purpose in (
            (group, "distribution", str(tenant.units["north"]), 1_700, Purpose.LIVE_SUPERVISION),
            (group, "distribution", "company", 0, Purpose.LIVE_SUPERVISION),
            (south, "distribution_export", "own", 12, Purpose.EXPORT),
        ):
            record_aggregate_look(
                session, who, purpose, view,
                now=now, about_on=now.date(), reach=reach, people=people,
            )  # fmt: skip


@pytest.mark.usefixtures("_counted")
def test_looks_at_counts_have_a_list_of_their_own(office: Desk) -> None:
    browser = office.browser("auditor")
    page = browser.text("/audit/counts")
    assert "Looks at counts" in browser.text("/audit")
    for shown in ("supervisor_group", "ALPHA-NORTH", "1,700", "the whole company", "rounded only",
                  "supervisor_south", "their own units", "Export of a distribution"):  # fmt: skip
        assert shown in page, shown
    assert "supervisor_south" not in browser.text("/audit/counts?q=ALPHA-NORTH")
    assert "supervisor_group" not in browser.text("/audit/counts?purpose=export")
    assert "Nothing matches" in browser.text("/audit/counts?to=2026-10-02&from=2026-10-01")
    exported = rows(browser, "/audit/counts?format=csv")
    assert {(r["actor"], r["reach"], r["people"]) for r in exported} == {
        ("supervisor_group", str(office.alpha.units["north"]), "1700"),
        ("supervisor_group", "company", "0"),
        ("supervisor_south", "own", "12"),
    }
    assert "list: counts" in browser.text("/audit/security?kind=audit_exported")
    assert "Nobody looked" in office.browser("auditor", office.world.beta).text("/audit/counts")


def test_who_audits_a_branch_reads_of_its_people_only(office: Desk) -> None:
    account = office.alpha.logins["manager_n2"].account_id
    with office.transaction() as session:
        grant_id = grant_role(
            session,
            office.clock,
            tenant_id=office.alpha.id,
            account_id=account,
            role=Role.AUDITOR,
            unit_id=office.alpha.units["south"],
        ).id
    browser = office.browser("manager_n2")
    for path in ("/audit", "/audit?format=csv"):
        page = browser.text(path)
        assert "other_branch ALPHA-SOUTH" in page
        assert "employee ALPHA" not in page
    for path in ("/audit/security", "/audit/counts", "/audit/counts?format=csv"):
        page = browser.text(path)
        assert "your role covers a part of it" in page
        assert "Role granted" not in page
        assert "1,700" not in page
    assert "Role granted" not in browser.text("/audit/security?format=csv")
    with office.transaction() as session:
        revoke_grant(session, office.clock, tenant_id=office.alpha.id, grant_id=grant_id)


@pytest.mark.parametrize("login", ["employee", "supervisor_group", "hr", "admin", "finance"])
def test_nobody_else_reads_the_trail(office: Desk, login: str) -> None:
    for path in ("/audit", "/audit/security", "/audit/counts", "/audit?format=csv"):
        assert office.browser(login).get(path).status_code == 403
