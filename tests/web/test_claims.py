"""Travel claims at the desk: entered, checked, read by finance, decided, printed."""

import csv
import io
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from fixtures.tiles import build_tiles
from server.claims.roads import TileRoads
from server.http.extensions import db
from server.people.services import move_employee
from tests.conftest import StatementCount
from tests.factories.desk import DAY, Desk
from tests.factories.footprints import nine, tread
from tests.factories.journeys import check, claim_of, drive, hand_in, mileage
from tests.factories.pdf import pdf_text

Counter = Callable[[Engine], AbstractContextManager[StatementCount]]
LINE = {"kind": "mileage", "start": f"{DAY}T09:00", "end": f"{DAY}T11:00", "km": "70.0"}
HEADER = {"currency": "cny", "rate": "1.20", "reference": "TC-1184"}


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    """employee, peer and other_branch drove 43 km; only peer and other_branch claim of it here."""
    for name in ("employee", "peer", "other_branch"):
        tread(office, name, drive())
    hand_in(office, "peer", mileage("43.2"))
    hand_in(office, "other_branch", mileage("90.0"))
    check(office)


def claim_id_of(office: Desk, name: str) -> str:
    with office.transaction() as session:
        sql = "SELECT id FROM travel_claims WHERE employee_id = :id ORDER BY created_at DESC"
        found = session.execute(text(sql), {"id": office.alpha.people[name]}).scalars()
        return str(next(iter(found)))


def test_a_claim_is_written_line_by_line_and_handed_in(office: Desk) -> None:
    browser = office.browser("employee")
    assert "Stops in order" in browser.text("/claims/new")
    assert "Night that begins on" in browser.text("/claims/new?kind=night")
    made = browser.post("/claims/new", HEADER | LINE)
    assert made.status_code == 303
    page = made.location
    assert "70.0 km" in browser.text(page)
    night = {"kind": "night", "on": "2026-11-17", "amount": "300", "place": "北京, 116.4, 39.9"}
    draft = page.rpartition("/")[2]
    browser.post(f"/claims/{draft}/lines", night)
    assert "384.00 CNY" in browser.text(page)
    browser.post(f"/claims/{draft}/lines/remove", {"line": "2"})
    assert "84.00 CNY" in browser.text(page)
    assert "384.00 CNY" not in browser.text(page)
    assert office.browser("finance").get(page).status_code == 404, "a draft is nobody else's"
    browser.post(f"/claims/{draft}/submit")
    assert "It is being checked" in browser.text(page)
    check(office)
    shown = browser.text(page)
    assert "More than feasible" in shown
    assert "The claim is yours" not in shown
    assert browser.post(f"/claims/{draft}/lines", night).status_code == 404, "handed in for good"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"km": "many"}, "Kilometres and the rate are numbers"),
        ({"end": f"{DAY}T08:00"}, "the end is after the start"),
        ({"stops": "just a name"}, "A place is a name, a longitude and a latitude"),
        ({"kind": "night", "on": "x", "amount": "1", "place": "a, 1, 2"}, "Enter start and end"),
        ({"kind": "transport", "amount": "-3"}, "An amount is a number"),
    ],
)
def test_what_was_typed_wrongly_is_said_and_kept(
    office: Desk, change: dict[str, str], said: str
) -> None:
    refused = office.browser("manager_n1").post("/claims/new", HEADER | LINE | change)
    assert refused.status_code == 422
    assert said in refused.text
    assert 'value="TC-1184"' in refused.text


def test_finance_sees_claimed_feasible_and_observed_but_no_position(office: Desk) -> None:
    browser, claim = office.browser("finance"), claim_id_of(office, "employee")
    page = browser.text(f"/claims/{claim}")
    for expected in ("Claimed", "Feasible", "Observed", "70.0 km", "Reduce to", "algorithm "):
        assert expected in page
    assert "data-evidence" not in page
    assert browser.get(f"/api/claims/{claim}/way").status_code == 404
    assert "finance" in office.browser("employee").text("/me"), "the look is noted"


def test_a_leader_sees_the_ways_claimed_and_no_other_hour(office: Desk) -> None:
    browser, claim = office.browser("manager_n1"), claim_id_of(office, "employee")
    assert "data-evidence" in browser.text(f"/claims/{claim}")
    way = browser.get(f"/api/claims/{claim}/way").json
    assert way is not None
    at = way["fixes"]["at"]
    assert min(at) >= nine().timestamp()
    assert max(at) < nine().timestamp() + 2 * 3600
    assert office.browser("manager_n2").get(f"/api/claims/{claim}/way").status_code == 404


def test_the_way_is_for_those_who_may_see_its_person_on_each_of_its_days(office: Desk) -> None:
    """On the day between the person belonged elsewhere."""
    units = office.alpha.units
    for ago, unit in ((2, "n1"), (1, "s1"), (0, "n1")):
        with office.transaction() as session:
            move_employee(
                session,
                office.clock,
                tenant_id=office.alpha.id,
                employee_id=office.alpha.people["hr"],
                unit_id=units[unit],
                from_on=DAY - timedelta(days=ago),
            )
    short = hand_in(office, "hr", mileage("10.0"))
    claim = hand_in(office, "hr", mileage("10.0", hours=50, start_min=-2 * 24 * 60))
    check(office)
    lead, chief = office.browser("manager_n1"), office.browser("supervisor_group")
    assert lead.get(f"/api/claims/{short}/way").status_code == 200
    assert lead.get(f"/api/claims/{claim}/way").status_code == 404
    assert "data-evidence" not in lead.text(f"/claims/{claim}")
    assert chief.get(f"/api/claims/{claim}/way").status_code == 200


def test_the_claimant_explains_and_somebody_else_decides(office: Desk) -> None:
    claim, own, finance = (
        claim_id_of(office, "employee"),
        office.browser("employee"),
        office.browser("finance"),
    )
    before = finance.text(f"/claims/{claim}")
    seen = {
        name: re.search(rf'name="{name}" value="(\d+)"', before)[1]  # type: ignore[index]
        for name in ("version", "check")
    }
    own.post(f"/claims/{claim}/explain", {"explanation": "a detour round the flood"})
    wanted = seen | {"decision": "reduced", "reason": "beyond what the way can have had"}
    late = finance.post(f"/claims/{claim}/decide", wanted)
    assert late.status_code == 409
    assert "The claim changed since you opened it" in late.text
    assert "a detour round the flood" in late.text
    assert "beyond what the way can have had" in late.text, "what was typed is not lost"
    seen["version"] = str(int(seen["version"]) + 1)
    bare = finance.post(f"/claims/{claim}/decide", wanted | seen | {"reason": " "})
    assert bare.status_code == 400
    assert "Write a reason" in bare.text
    assert own.post(f"/claims/{claim}/decide", wanted | seen).status_code == 403
    assert finance.post(f"/claims/{claim}/decide", wanted | seen).status_code == 303
    page = own.text(f"/claims/{claim}")
    assert "beyond what the way can have had" in page
    assert "Reduced" in page
    assert "Travel claim decided" in office.browser("auditor").text("/audit/security")


def test_the_list_filters_and_puts_money_at_stake_first(office: Desk) -> None:
    browser = office.browser("finance")
    body = browser.get("/claims?format=csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(body)))
    stakes = [float(row["at_stake"] or 0) for row in rows]
    assert stakes == sorted(stakes, reverse=True)
    assert rows[0]["person"].startswith("other_branch")
    assert "peer ALPHA" not in browser.text("/claims?verdict=over")
    assert "other_branch ALPHA" in browser.text("/claims?verdict=over&month=2026-11")
    assert "Nothing matches" in browser.text("/claims?month=2026-10")
    assert "other_branch" not in browser.text(f"/claims?unit={office.alpha.units['n1']}")
    odd = "/claims?unit=x&state=x&verdict=x&month=x&p=x&sort=password&page=-1"
    assert "peer ALPHA" in browser.text(odd)
    assert "other_branch ALPHA" not in office.browser("supervisor_north").text("/claims")
    assert "peer ALPHA" not in office.browser("employee").text("/claims")


def test_the_list_costs_the_same_however_long_it_is(
    office: Desk, statement_counter: Counter
) -> None:
    browser = office.browser("finance")
    with office.app.app_context():
        engine = db.engine
    counts = []
    for path in ("/claims?month=2026-10", "/claims"):
        browser.text(path)
        with statement_counter(engine) as seen:
            browser.text(path)
        counts.append(seen.count)
    assert counts[1] - counts[0] <= 2, "looks are one statement more"
    assert counts[1] <= 20


def test_the_print_has_a_card_a_line_and_the_way_only_for_who_may_see_it(office: Desk) -> None:
    claim = claim_id_of(office, "employee")
    printed = {
        who: office.browser(who).get(f"/claims/{claim}/card.pdf") for who in ("finance", "employee")
    }
    assert {answer.mimetype for answer in printed.values()} == {"application/pdf"}
    again = office.browser("finance").get(f"/claims/{claim}/card.pdf")
    assert again.data == printed["finance"].data
    told = pdf_text(printed["finance"].data)
    for part in ("TC-1184", "More than feasible", "Amount suggested", "70.0 km claimed"):
        assert part in told
    assert len(printed["employee"].data) > len(printed["finance"].data)


def test_finance_brings_a_claim_as_a_file(office: Desk) -> None:
    browser = office.browser("finance")
    with office.transaction() as session:
        sql = "SELECT number FROM employees WHERE id = :id"
        number = session.scalar(text(sql), {"id": office.alpha.people["other_team"]})

    def send(content: bytes, who: Any = number, reason: str = "on paper") -> str:
        form = {"number": who, "reason": reason, "file": (io.BytesIO(content), "CLAIM.json")}
        answer = browser.post("/claims/bring", form, content_type="multipart/form-data")
        assert answer.status_code == 303
        return browser.text(answer.location)

    assert "The file is not JSON." in send(b"[")
    assert "line 1: id is a text" in send(b'{"lines": [{}]}')
    nul = json.dumps(claim_of(mileage("5.0", id_="a\x00b"))).encode()
    assert "The file is not JSON." in send(nul)
    good = json.dumps(claim_of(mileage("5.0"))).encode()
    assert "nobody with this staff number" in send(good, "E-none")
    assert "Write a reason" in send(good, reason=" ")
    page = send(good)
    assert "other_team ALPHA" in page
    assert "somebody else decides it" in page
    check(office)
    claim = claim_id_of(office, "other_team")
    for shown in (page, office.browser("other_team").text(f"/claims/{claim}")):
        assert "Brought by" in shown
        assert "on paper" in shown
    assert "Cannot tell" in office.browser("other_team").text(f"/claims/{claim}")
    read = office.browser("other_team").text("/me")
    assert "Travel claim brought for the person" in read
    assert "on paper" in read


def test_who_brought_a_claim_reads_nowhere_what_positions_show_of_it(office: Desk) -> None:
    """Finance may bring a claim for anybody; it must not tell them where that person was."""
    browser = office.browser("finance")
    with office.transaction() as session:
        sql = "SELECT number FROM employees WHERE id = :id"
        number = session.scalar(text(sql), {"id": office.alpha.people["mover"]})
    tread(office, "mover", drive())
    content = json.dumps(claim_of(mileage("400.0"))).encode()
    form = {"number": number, "reason": "a guess", "file": (io.BytesIO(content), "CLAIM.json")}
    page = browser.post("/claims/bring", form, content_type="multipart/form-data").location
    check(office)
    claim = page.rpartition("/")[2]
    shown = browser.text(page)
    assert "More than feasible" not in shown
    assert "At stake" not in shown
    assert 'name="decision"' not in shown
    assert browser.get(f"{page}/card.pdf").status_code == 404
    assert browser.get(f"/api{page}/way").status_code == 404
    assert "mover ALPHA" not in browser.text("/claims?verdict=over")
    rows = csv.DictReader(io.StringIO(browser.get("/claims?format=csv").data.decode("utf-8-sig")))
    [row] = [row for row in rows if row["person"].startswith("mover")]
    assert not row["verdict"] + row["suggested_amount"] + row["at_stake"]
    wanted = {"decision": "returned", "reason": "seen", "version": "2", "check": "1"}
    refused = browser.post(f"{page}/decide", wanted)
    assert refused.status_code == 409
    assert "Nobody decides a claim that they brought" in refused.text
    assert "More than feasible" not in refused.text
    assert "More than feasible" in office.browser("supervisor_group").text(f"/claims/{claim}")


def test_a_returned_claim_is_copied_corrected_and_handed_in_again(office: Desk) -> None:
    claim, own, finance = claim_id_of(office, "peer"), office.browser("peer"), "finance"
    before = office.browser(finance).text(f"/claims/{claim}")
    seen = {
        name: re.search(rf'name="{name}" value="(\d+)"', before)[1]  # type: ignore[index]
        for name in ("version", "check")
    }
    early = own.post(f"/claims/{claim}/copy")
    assert "Only a claim that was returned is copied." in own.text(early.location)
    assert "Copy to a new draft" not in own.text(f"/claims/{claim}")
    office.browser(finance).post(
        f"/claims/{claim}/decide", seen | {"decision": "returned", "reason": "the way back?"}
    )
    assert "Copy to a new draft" not in office.browser(finance).text(f"/claims/{claim}")
    assert office.browser(finance).post(f"/claims/{claim}/copy").status_code == 404
    assert "Copy to a new draft" in own.text(f"/claims/{claim}")
    draft = own.post(f"/claims/{claim}/copy").location
    assert draft.rpartition("/")[2] != claim
    shown = own.text(f"{draft}?line=1")
    assert "Change this line" in shown
    assert 'value="43.2"' in shown
    assert f'value="{DAY}T09:00"' in shown
    wrong = own.post(f"{draft}/lines", LINE | {"line": "1", "km": "much"})
    kept = own.text(wrong.location)
    assert 'value="much"' in kept
    assert 'name="line" value="1"' in kept
    assert own.post(f"{draft}/lines", LINE | {"line": "1", "km": "42.5"}).status_code == 303
    assert "51.00 CNY" in own.text(draft)
    assert 'value="TC' not in own.text(draft)
    wrong = own.post(f"{draft}/header", {"currency": "CNY", "rate": "cheap", "reference": "TC-2"})
    kept = own.text(wrong.location)
    assert 'value="cheap"' in kept
    assert 'value="TC-2"' in kept
    own.post(f"{draft}/header", {"currency": "eur", "rate": "1.00", "reference": "TC-2"})
    assert "42.50 EUR" in own.text(draft)
    assert 'value="TC-2"' in own.text(draft)
    own.post(f"{draft}/submit")
    check(office)
    again = own.text(draft)
    assert "42.5 km" in again
    assert "claimed twice" not in again.lower()
    assert "the way back?" in own.text(f"/claims/{claim}"), "the returned one stays as it is"


def test_who_decides_goes_from_one_that_waits_to_the_next(office: Desk) -> None:
    with office.transaction() as session:
        waiting = {
            str(id_)
            for id_ in session.scalars(
                text(
                    "SELECT id FROM travel_claims WHERE state = 'submitted' AND check_version > 0"
                    " AND created_by <> :me"
                ),
                {"me": office.alpha.logins["finance"].account_id},
            )
        }
    assert len(waiting) >= 2
    browser, claim, seen = office.browser("finance"), claim_id_of(office, "other_branch"), []
    for _step in waiting:
        seen.append(claim)
        found = re.search(
            r'href="/claims/([0-9a-f-]{36})"[^>]*>.{0,600}?Next that waits',
            browser.text(f"/claims/{claim}"),
            re.DOTALL,
        )
        assert found is not None
        claim = found[1]
    assert set(seen) == waiting
    assert claim == seen[0]
    own = office.browser("other_branch").text(f"/claims/{seen[0]}")
    assert "Next that waits" not in own


def test_chinese_pages_are_chinese(office: Desk) -> None:
    browser = office.browser("finance")
    browser.post("/preferences", {"locale": "zh", "next": "/"})
    try:
        page = browser.text(f"/claims/{claim_id_of(office, 'employee')}")
        printed = browser.get(f"/claims/{claim_id_of(office, 'employee')}/card.pdf").data
    finally:
        browser.post("/preferences", {"locale": "en", "next": "/"})
    assert "超出可行：申报 70.0 公里" in page
    assert "超出可行：申报 70.0 公里" in pdf_text(printed)


def test_a_card_says_whether_roads_were_known_and_a_page_that_they_are_waited_for(
    office: Desk, tmp_path: Path
) -> None:
    known = TileRoads(build_tiles(tmp_path))
    away = TileRoads(tmp_path / "none.tar")
    finance = office.browser("finance")
    tread(office, "other_team", drive())
    page = f"/claims/{hand_in(office, 'other_team', mileage('43.2'))}"
    assert check(office, away) == 1
    assert "Roads have not answered since 12:0" in finance.text(page)
    assert "It is being checked" in finance.text(page)
    office.clock.advance(timedelta(minutes=10))
    assert check(office, away) == 1
    without = finance.text(page)
    assert "Roads could not be asked: measured by the positions alone" in without
    assert "No roads were known" not in without
    office.clock.advance(timedelta(hours=1, minutes=1))
    assert check(office, known) == 1
    finance = office.browser("finance")
    along = finance.text(page)
    assert "Roads have not answered" not in along
    assert "Roads were known: ways are measured along them" in along
    assert re.search(r"program Valhalla 3\.", along)
    assert re.search(r"road tiles SHA-256 [0-9a-f]{64}", along)
    assert "No roads were known: ways are measured" in finance.text(
        f"/claims/{claim_id_of(office, 'other_branch')}"
    )
