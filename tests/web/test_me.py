"""What people see of themselves: the same facts as their leaders, the receipt, their archive."""

import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from server.db.engine import make_engine
from tests.factories.desk import DAY, NOON, Desk
from tests.factories.footprints import absence, judge, tread
from web.people.looks import VIEWS


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    office.roster("employee")
    tread(office, "employee", absence())
    judge(office, "employee")
    engine = make_engine(office.urls.ingest, pool_size=1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ingest_ledger (tenant_id, device_id, received_on, received, stored,"
                " duplicate, quarantined, off_duty, ignored)"
                " VALUES (:tenant, :device, :on, 226, 165, 0, 0, 61, 0)"
            ),
            {
                "tenant": office.alpha.id,
                "device": office.alpha.devices["employee"].device_id,
                "on": NOON.date(),
            },
        )
    engine.dispose()


def test_the_page_says_what_the_leader_sees(office: Desk) -> None:
    own = office.browser("employee").text("/me")
    lead = office.browser("supervisor_north").text(f"/people/{office.alpha.people['employee']}")
    strip = own.split('<div class="strip">')[1].split("</svg>")[0]
    assert strip == lead.split('<div class="strip">')[1].split("</svg>")[0]
    lines = own.split("timeline--day")[1].split("</ol>")[0]
    assert lines == lead.split("timeline--day")[1].split("</ol>")[0]


def test_the_receipt_counts_what_was_kept_and_dropped(office: Desk) -> None:
    page = office.browser("employee").text("/me")
    receipt = page.split('class="receipt"')[1].split("</dl>")[0]
    for number in ("226", "165", "61"):
        assert f"<dd>{number}</dd>" in receipt
    assert "Positions were kept from 08:50 to 18:10" in page
    before = office.browser("employee").text(f"/me?d={DAY - timedelta(days=1)}")
    assert "You were not on duty: no position was kept." in before


def test_a_day_in_the_future_or_nonsense_is_today(office: Desk) -> None:
    for day in ("2099-01-01", "x", ""):
        assert "2026-11-18 Wed" in office.browser("employee").text(f"/me?d={day}")


def test_the_archive_holds_everything_of_oneself_and_nothing_of_others(office: Desk) -> None:
    office.browser("supervisor_group").text(f"/people/{office.alpha.people['employee']}")
    answer = office.browser("employee").get("/me/export")
    assert answer.mimetype == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    fixes = archive.read(f"fixes/{DAY}.csv").decode("utf-8-sig").splitlines()
    assert len(fixes) == 165 + 1
    findings = json.loads(archive.read("findings.json"))
    assert {f["kind"] for f in findings} == {"off_post", "gap"}
    assert all("evidence" in f and "reviews" in f for f in findings)
    assert b"supervisor_group" in archive.read("looks.csv")
    for name in ("presence", "days"):
        assert json.loads(archive.read(f"{name}.json")), name
    assert "segments" in json.loads(archive.read("days.json"))[0]["summary"]["trajectory"]
    lists = ("device_events", "radio_reports", "last_position", "excusals", "ledger", "refused")
    for name in (*lists, "claims"):
        assert isinstance(json.loads(archive.read(f"{name}.json")), list), name
    whole = b"".join(archive.read(name) for name in archive.namelist())
    for other in ("peer", "other_team", "SOUTH", "BETA"):
        assert other.encode() not in whole


def test_somebody_without_a_shift_gets_a_calm_page(office: Desk) -> None:
    page = office.browser("finance").text("/me")
    assert "No shift today" in page
    assert "No phone" in page
    assert "Nobody looked" in page


def test_every_kind_of_look_has_words() -> None:
    """A name of a view that reaches the log must not reach a person as it is."""
    web = Path(__file__).parents[2] / "web"
    recorded = {
        name
        for source in web.rglob("*.py")
        if "node_modules" not in source.parts
        for call in re.findall(r"record_looks\((.*?)\)", source.read_text(), flags=re.DOTALL)
        for name in re.findall(r'"([a-z_.]+)"', call)
    }
    assert recorded
    assert recorded <= set(VIEWS)
