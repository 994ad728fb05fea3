"""Alerts on the real database: lists, the evidence card, and what people say of them."""

import csv
import io
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from redis import Redis
from sqlalchemy import Engine, text

from server.db.engine import make_engine
from server.http.extensions import db
from server.tracking.live import LiveType, cursor, read_after
from tests.conftest import StatementCount
from tests.factories.browser import parts_of
from tests.factories.desk import Desk
from tests.factories.footprints import Step, absence, judge, tread
from tests.factories.pdf import pdf_text

Counter = Callable[[Engine], AbstractContextManager[StatementCount]]


@pytest.fixture(scope="module", autouse=True)
def _morning(office: Desk) -> None:
    """employee was away and came back, peer is still away, other_branch too."""
    for name, post in (("employee", "north"), ("peer", "north"), ("other_branch", "south")):
        office.roster(name, post=post)
    tread(office, "employee", absence())
    tread(office, "peer", absence(leaves=150, returns=400))
    # The post of the other branch lies 550 m to the east: its person is away all the time.
    tread(office, "other_branch", absence())
    for name in ("employee", "peer", "other_branch"):
        judge(office, name)


def finding_of(office: Desk, name: str, kind: str = "off_post") -> str:
    with office.transaction() as session:
        found = session.execute(
            text("SELECT id FROM findings WHERE employee_id = :id AND kind = :kind"),
            {"id": office.alpha.people[name], "kind": kind},
        ).scalars()
        return str(next(iter(found)))


def test_an_absence_that_lasts_is_open_and_one_that_ended_is_closed(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    opened, closed = browser.text("/alerts"), browser.text("/alerts?tab=closed")
    assert "peer ALPHA-NORTH" in opened
    assert "employee ALPHA-NORTH" not in opened
    assert "employee ALPHA-NORTH" in closed
    assert "24 min" in closed


def test_the_other_branch_is_not_there(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    foreign = finding_of(office, "other_branch")
    for path in ("/alerts", "/alerts?tab=closed", "/alerts?kind=all", "/alerts?format=csv"):
        assert "SOUTH" not in browser.text(path)
    for path in (f"/alerts/{foreign}", f"/api/alerts/{foreign}/evidence"):
        assert browser.get(path).status_code == 404
    answer = browser.post(
        f"/api/alerts/{foreign}/reviews", json={"action": "acknowledge", "reason": "seen"}
    )
    assert answer.status_code == 404


def test_filters_narrow_the_list_and_nonsense_is_ignored(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    person = office.alpha.people["employee"]
    assert "employee ALPHA" in browser.text(f"/alerts?tab=closed&p={person}")
    assert "Nothing matches" in browser.text("/alerts?tab=closed&from=2026-11-19")
    assert "employee ALPHA" in browser.text("/alerts?tab=closed&to=2026-11-18&order=longest")
    odd = "/alerts?tab=x&kind=x&order=password&p=x&post=x&from=x&to=31-12&page=-1&sort=password"
    assert "peer ALPHA" in browser.text(odd)


def test_the_list_costs_the_same_however_long_it_is(
    office: Desk, statement_counter: Counter
) -> None:
    browser = office.browser("supervisor_group")
    browser.text("/alerts?kind=all")
    with office.app.app_context():
        engine = db.engine
    counts = []
    for path in ("/alerts?kind=all&tab=retracted", "/alerts?kind=all&tab=closed"):
        with statement_counter(engine) as seen:
            browser.text(path)
        counts.append(seen.count)
    # The longer list notes its looks in one more statement.
    assert counts[1] - counts[0] <= 2
    assert counts[1] <= 20


def test_csv_has_a_byte_order_mark_and_no_formula(office: Desk) -> None:
    body = office.browser("supervisor_north").get("/alerts?tab=closed&format=csv").data
    assert body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    assert [row["person"] for row in rows] == ["employee ALPHA-NORTH-CANARY"]
    assert float(rows[0]["duration_s"]) == pytest.approx(24 * 60, abs=120)


def test_the_evidence_card_says_rule_thresholds_figures_and_what_would_change_it(
    office: Desk,
) -> None:
    page = office.browser("supervisor_north").text(f"/alerts/{finding_of(office, 'employee')}")
    for expected in (
        "algorithm ",
        "Outside at least",
        "Farthest from the fence",
        "Margin of the weakest fix",
        "Share of the shift with a position",
        "An absence shorter than 10 min; it was 24 min.",
        "An approved leave, outing or break",
        "Ended when the person came back.",
        "version 1 of hall ALPHA-NORTH-CANARY",
    ):
        assert expected in page


def test_the_evidence_map_marks_the_fixes_the_verdict_rests_on(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    evidence = browser.get(f"/api/alerts/{finding_of(office, 'employee')}/evidence").json
    assert evidence is not None
    fixes = evidence["fixes"]
    assert len({len(column) for column in fixes.values()}) == 1
    proving = [at for at, proof in zip(fixes["at"], fixes["proof"], strict=True) if proof]
    assert 20 <= len(proving) < len(fixes["at"])
    assert evidence["start"] <= min(proving)
    assert max(proving) <= evidence["end"]
    assert evidence["fence"]["geometry"]["type"] == "Polygon"


def test_acknowledging_moves_it_and_says_by_whom_and_why(office: Desk, redis_client: Redis) -> None:
    browser, finding = office.browser("supervisor_north"), finding_of(office, "peer")
    answer = browser.post(
        f"/alerts/{finding}/review", {"action": "acknowledge", "reason": "sent to the bank"}
    )
    assert answer.status_code == 303
    assert "Nobody is off post" in browser.text("/alerts")
    assert "peer ALPHA" in browser.text("/alerts?tab=acknowledged")
    page = browser.text(f"/alerts/{finding}")
    assert "sent to the bank" in page
    assert "supervisor_north" in page
    told = read_after(redis_client, office.alpha.id, "0-0")
    assert [(e.type, '"acknowledged":true' in e.json) for e in told] == [(LiveType.ALERT, True)]

    late = office.browser("supervisor_group").post(
        f"/alerts/{finding}/review", {"action": "acknowledge", "reason": "me too"}
    )
    assert late.status_code == 409
    assert "Somebody else was faster" in late.text
    assert "me too" in late.text, "what was typed is not lost"
    again = browser.post(
        f"/api/alerts/{finding}/reviews", json={"action": "acknowledge", "reason": "x"}
    )
    assert again.status_code == 409
    assert again.json is not None
    assert "Somebody else was faster" in again.json["detail"]


def test_a_map_that_missed_a_review_is_told_to_start_over(
    office: Desk, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, finding = office.browser("supervisor_south"), finding_of(office, "other_branch")
    place = cursor(redis_client, office.alpha.id)
    with (
        Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2) as nowhere,
        monkeypatch.context() as patch,
    ):
        patch.setattr(parts_of(office.app).live, "_redis", nowhere)
        note = {"action": "note", "reason": "called"}
        assert browser.post(f"/api/alerts/{finding}/reviews", json=note).status_code == 201
    note = {"action": "note", "reason": "called again"}
    assert browser.post(f"/api/alerts/{finding}/reviews", json=note).status_code == 201
    told = [event.type for event in read_after(redis_client, office.alpha.id, place)]
    assert told == [LiveType.RESET, LiveType.ALERT]


def test_a_review_needs_a_reason_and_a_known_action(office: Desk) -> None:
    browser, finding = office.browser("supervisor_north"), finding_of(office, "employee")
    empty = browser.post(f"/alerts/{finding}/review", {"action": "false_alarm", "reason": "  "})
    assert empty.status_code == 400
    assert "Write a reason" in empty.text
    odd = browser.post(f"/api/alerts/{finding}/reviews", json={"action": "delete", "reason": "x"})
    assert odd.status_code == 400


def test_people_see_their_own_alert_but_cannot_judge_it(office: Desk) -> None:
    browser, finding = office.browser("employee"), finding_of(office, "employee")
    page = browser.text(f"/alerts/{finding}")
    assert "Why" in page
    assert "Your word on it" not in page
    assert browser.get(f"/alerts/{finding_of(office, 'peer')}").status_code == 404
    answer = browser.post(f"/alerts/{finding}/review", {"action": "false_alarm", "reason": "no"})
    assert answer.status_code == 403


def test_looking_at_an_alert_is_noted_for_the_person(office: Desk) -> None:
    office.browser("supervisor_group").text(f"/alerts/{finding_of(office, 'employee')}")
    page = office.browser("employee").text("/me")
    assert "supervisor_group" in page
    assert "Evidence of an alert" in page


def test_chinese_pages_are_chinese(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    browser.post("/preferences", {"locale": "zh", "next": "/"})
    try:
        page = browser.text(f"/alerts/{finding_of(office, 'employee')}")
    finally:
        browser.post("/preferences", {"locale": "en", "next": "/"})
    assert "人员返回后结束" in page
    assert "距围栏最远" in page


def test_the_card_is_printed_from_the_same_evidence_and_the_look_is_noted(office: Desk) -> None:
    browser, finding = office.browser("manager_n1"), finding_of(office, "employee")
    first = browser.get(f"/alerts/{finding}/card.pdf")
    assert first.status_code == 200
    assert first.mimetype == "application/pdf"
    assert first.headers["Cache-Control"] == "no-store"
    assert browser.get(f"/alerts/{finding}/card.pdf").data == first.data, "the same bytes"
    digest = re.search(r"<code>([0-9a-f]{64})</code>", browser.text(f"/alerts/{finding}"))
    assert digest is not None
    told = pdf_text(first.data)
    assert "Outside the fence for 24 min" in told
    assert digest[1] in told
    assert "manager_n1" in office.browser("employee").text("/me")


def test_a_printed_card_is_chinese_for_chinese_readers(office: Desk) -> None:
    browser = office.browser("supervisor_north")
    browser.post("/preferences", {"locale": "zh", "next": "/"})
    try:
        printed = browser.get(f"/alerts/{finding_of(office, 'employee')}/card.pdf").data
    finally:
        browser.post("/preferences", {"locale": "en", "next": "/"})
    assert "在围栏外 24 分钟" in pdf_text(printed)


# Late: it opens an alert in the branch the others count.
def test_an_absence_that_fell_silent_says_since_when(office: Desk) -> None:
    browser = office.browser("manager_n2")
    office.roster("other_team")
    tread(office, "other_team", absence(returns=400, until=100))
    judge(office, "other_team")
    listed = browser.text("/alerts")
    assert "silent since" in listed
    card = browser.text(f"/alerts/{finding_of(office, 'other_team')}")
    assert "Last seen outside, silent since" in card
    assert "silence is no return" in card
    assert "Silent in it" in card


def test_several_alerts_are_acknowledged_with_one_reason_all_or_none(
    office: Desk, redis_client: Redis
) -> None:
    leader = office.browser("supervisor_north")
    mine, foreign = finding_of(office, "other_team"), finding_of(office, "other_branch")
    done = finding_of(office, "peer")
    assert "Choose the alert of other_team" in leader.text("/alerts")
    assert "Choose the alert" not in leader.text("/alerts?tab=closed")
    refused = leader.post("/alerts/review", {"id": [mine, foreign], "reason": "fire drill"})
    assert refused.status_code == 404
    leader.post("/alerts/review", {"id": [mine], "reason": "  "})
    assert "Write a reason" in leader.text("/alerts")
    leader.post("/alerts/review", {"reason": "fire drill"})
    assert "Choose at least one alert." in leader.text("/alerts")
    assert "other_team ALPHA" in leader.text("/alerts"), "nothing was acknowledged so far"
    place = cursor(redis_client, office.alpha.id)
    leader.post("/alerts/review", {"id": [mine, done, mine], "reason": "fire drill"})
    page = leader.text("/alerts")
    assert "1 alert acknowledged. Somebody else was faster with the others." in page
    assert "other_team ALPHA" not in page
    assert "fire drill" in leader.text(f"/alerts/{mine}")
    told = [
        json.loads(event.json)["id"] for event in read_after(redis_client, office.alpha.id, place)
    ]
    assert told == [mine], "open maps hear of it"
    answer = office.browser("other_team").post("/alerts/review", {"id": [mine], "reason": "no"})
    assert answer.status_code == 403


# Last: it closes an alert that the others count.
def test_late_data_is_a_new_version_with_its_differences(office: Desk) -> None:
    browser = office.browser("manager_n2")
    alert = finding_of(office, "other_team")
    assert "Version 1" not in browser.text(f"/alerts/{alert}")
    tread(office, "other_team", [Step(minute, east_m=400.0) for minute in range(101, 111)])
    tread(office, "other_team", [Step(minute) for minute in range(111, 180)])
    judge(office, "other_team")
    card = browser.text(f"/alerts/{alert}")
    versions = card[card.index('id="versions"') :]
    for expected in ("Version 1", "Version 2", "Closed", "Raised", "still lasts", "10:51:00"):
        assert expected in versions
    assert "Fixes outside" in versions
    browser.post("/preferences", {"locale": "zh", "next": "/"})
    try:
        page = browser.text(f"/alerts/{alert}")
    finally:
        browser.post("/preferences", {"locale": "en", "next": "/"})
    assert "第 2 版" in page
    assert "仍在持续" in page


def test_nobody_reviews_an_alert_of_their_own(office: Desk) -> None:
    superuser = make_engine(office.urls.superuser, pool_size=1)
    with superuser.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO findings SELECT (jsonb_populate_record(f, jsonb_build_object("
                "'id', gen_random_uuid(), 'employee_id', CAST(:leader AS uuid)))).*"
                " FROM findings f WHERE employee_id = :peer AND kind = 'off_post'"
            ),
            {"leader": office.alpha.people["manager_n1"], "peer": office.alpha.people["peer"]},
        )
    superuser.dispose()
    mine, form = finding_of(office, "manager_n1"), {"action": "false_alarm", "reason": "was here"}
    browser, leader = office.browser("manager_n1"), office.browser("supervisor_north")
    assert 'name="action"' not in browser.text(f"/alerts/{mine}")
    assert f'value="{mine}"' not in browser.text("/alerts")
    assert browser.post(f"/alerts/{mine}/review", form).status_code == 404
    assert browser.post(f"/api/alerts/{mine}/reviews", form).status_code in {400, 404, 415}
    assert browser.post("/alerts/review", {"id": mine, "reason": "ok"}).status_code == 404
    assert f'value="{mine}"' in leader.text("/alerts")
    assert leader.post(f"/alerts/{mine}/review", form).status_code == 303
