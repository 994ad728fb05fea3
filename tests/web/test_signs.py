"""Signs on the real database: the list, what a page explains, and what people say of it."""

import csv
import io
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from geo.forgery import Sign
from server.http.extensions import db
from tests.conftest import StatementCount
from tests.factories.desk import DAY, Desk
from tests.factories.footprints import absence, judge, tread
from tests.factories.looks import look_at_many
from tests.factories.pdf import pdf_text
from tests.factories.signs import note_signs
from web.cards import words as cards
from web.signs import words

Counter = Callable[[Engine], AbstractContextManager[StatementCount]]


@pytest.fixture(scope="module")
def signs(office: Desk) -> dict[str, UUID]:
    """A sign of everybody whose browser matters here; employee has a track too."""
    office.roster("employee")
    tread(office, "employee", absence())
    judge(office, "employee")
    names = ("employee", "peer", "other_branch", "manager_n1")
    return dict(zip(names, note_signs(office, *names), strict=True))


def test_leaders_see_the_signs_of_their_people_and_never_their_own(
    office: Desk, signs: dict[str, UUID]
) -> None:
    page = office.browser("manager_n1").text("/signs")
    assert "employee ALPHA-NORTH" in page
    assert "manager_n1 ALPHA-NORTH" not in page.split("<main")[1]
    assert office.browser("manager_n1").get(f"/signs/{signs['manager_n1']}").status_code == 404
    assert office.browser("manager_n1").get(f"/me/signs/{signs['manager_n1']}").status_code == 200
    assert (
        office.browser("supervisor_group").get(f"/signs/{signs['manager_n1']}").status_code == 200
    )
    south = office.browser("supervisor_south").text("/signs")
    assert "NORTH" not in south
    assert office.browser("employee").get("/signs").status_code == 403


def test_signs_are_no_alerts(office: Desk, signs: dict[str, UUID]) -> None:
    browser = office.browser("supervisor_group")
    assert "peer ALPHA" not in browser.text("/alerts?tab=closed&kind=all")
    assert browser.get(f"/alerts/{signs['peer']}").status_code == 404
    assert browser.get(f"/api/alerts/{signs['peer']}/evidence").status_code == 404
    answer = browser.post(
        f"/api/alerts/{signs['peer']}/reviews", json={"action": "note", "reason": "seen"}
    )
    assert answer.status_code == 404
    alert = browser.text("/alerts?tab=closed").split('href="/alerts/')[1].split('"')[0]
    assert browser.get(f"/signs/{alert}").status_code == 404


def test_the_page_says_what_is_seen_how_much_it_weighs_and_what_else_it_may_be(
    office: Desk, signs: dict[str, UUID]
) -> None:
    page = office.browser("supervisor_north").text(f"/signs/{signs['employee']}")
    for expected in (
        "The phone itself names a mock provider",
        "100%",
        "Developer options left on",
        "A sign proves nothing",
        "Positions of a mock provider. Fixes below 1; it was 12.",
    ):
        assert expected in page
    for accusing in ("cheat", "fraud", "forged"):
        assert accusing not in page.lower().replace("signs of forgery", "")


def test_the_map_marks_the_stretch(office: Desk, signs: dict[str, UUID]) -> None:
    browser = office.browser("supervisor_north")
    shown = browser.get(f"/api/signs/{signs['employee']}/evidence").json
    assert shown is not None
    fixes = shown["fixes"]
    inside = [at for at, proof in zip(fixes["at"], fixes["proof"], strict=True) if proof]
    assert inside
    assert shown["start"] <= min(inside) <= max(inside) <= shown["end"]
    assert len(inside) < len(fixes["at"])
    own = office.browser("employee").get(f"/api/me/signs/{signs['employee']}/evidence").json
    assert own == shown


def test_the_sign_of_the_twenty_first_person_within_an_hour_is_refused(
    office: Desk, signs: dict[str, UUID]
) -> None:
    sign = signs["employee"]
    shown = (f"/api/signs/{sign}/evidence", f"/signs/{sign}/card.pdf")
    lead = office.browser("manager_n1")
    look_at_many(office, "manager_n1")
    assert [lead.get(path).status_code for path in shown] == [429, 429]
    office.clock.advance(timedelta(hours=1))
    try:
        later = office.browser("manager_n1")
        assert [later.get(path).status_code for path in shown] == [200, 200]
    finally:
        office.clock.advance(timedelta(hours=-1))


def test_the_person_sees_the_sign_and_answers_and_the_word_of_others(
    office: Desk, signs: dict[str, UUID]
) -> None:
    person, leader = office.browser("employee"), office.browser("supervisor_north")
    path = f"/signs/{signs['employee']}"
    assert f"/me{path}" in person.text("/me")
    told = person.post(f"/me{path}/answer", {"reason": "developer options were on"})
    assert told.status_code == 303
    page = leader.text(path)
    assert "developer options were on" in page
    assert "Answer of the person" in page
    assert "employee ALPHA" in leader.text("/signs"), "an answer settles nothing"
    said = leader.post(f"{path}/review", {"action": "explained", "reason": "phone was checked"})
    assert said.status_code == 303
    assert "employee ALPHA" not in leader.text("/signs").split("<main")[1]
    assert "employee ALPHA" in leader.text("/signs?tab=settled")
    mine = person.text(f"/me{path}")
    assert "phone was checked" in mine
    assert "attendance and pay do not know of it" in mine
    late = office.browser("manager_n1").post(
        f"{path}/review", {"action": "explained", "reason": "me too"}
    )
    assert late.status_code == 409
    assert "Somebody else was faster" in late.text


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"action": "acknowledge", "reason": "x"}, "Choose what you want to say."),
        ({"action": "answer", "reason": "x"}, "Choose what you want to say."),
        ({"action": "explained", "reason": " "}, "Write a reason"),
        ({}, "Choose what you want to say."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    office: Desk, signs: dict[str, UUID], form: dict[str, str], sentence: str
) -> None:
    answer = office.browser("supervisor_north").post(f"/signs/{signs['peer']}/review", form)
    assert answer.status_code == 400
    assert sentence in answer.text
    assert "peer ALPHA" in office.browser("supervisor_north").text("/signs")


def test_looking_is_noted_and_the_person_sees_by_whom(office: Desk, signs: dict[str, UUID]) -> None:
    office.browser("supervisor_group").text(f"/signs/{signs['employee']}")
    page = office.browser("employee").text("/me")
    assert "supervisor_group" in page
    assert "Evidence of signs" in page


def test_another_person_is_named_only_to_those_who_may_see_them(office: Desk) -> None:
    other = f"{office.alpha.people['other_branch']}/{DAY}"
    twin = {"weight": 0.6, "from": None, "until": None, "other": other, "odds": 31_415.0}
    [sign] = note_signs(office, "other_team", twin=twin)
    assert "Like that of another person" in office.browser("supervisor_north").text(
        f"/signs/{sign}"
    )
    page = office.browser("supervisor_group").text(f"/signs/{sign}")
    assert "Like that of other_branch ALPHA-SOUTH" in page
    assert "31415" in page
    mine = office.browser("other_team").text(f"/me/signs/{sign}")
    assert "SOUTH" not in mine
    assert str(office.alpha.people["other_branch"]) not in mine
    export = office.browser("other_team").get("/me/export")
    with zipfile.ZipFile(io.BytesIO(export.data)) as archive:
        told = archive.read("findings.json").decode()
    assert f"another person/{DAY}" in told
    assert str(office.alpha.people["other_branch"]) not in told


def test_the_printed_card_bears_the_digest_of_the_screen(
    office: Desk, signs: dict[str, UUID]
) -> None:
    browser, path = office.browser("supervisor_north"), f"/signs/{signs['employee']}"
    digest = browser.text(path).split("<code>")[1].split("</code>")[0]
    printed = pdf_text(browser.get(f"{path}/card.pdf").data)
    assert digest[:16] in printed.replace("\n", "")


@pytest.mark.usefixtures("signs")
def test_csv_holds_what_the_list_holds(office: Desk) -> None:
    body = office.browser("supervisor_north").get("/signs?format=csv").data
    rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
    assert "peer ALPHA-NORTH-CANARY" in {row["person"] for row in rows}


@pytest.mark.usefixtures("signs")
def test_the_list_costs_the_same_however_long_it_is(
    office: Desk, statement_counter: Counter
) -> None:
    browser = office.browser("supervisor_group")
    browser.text("/signs")
    with office.app.app_context():
        engine = db.engine
    counts = []
    for path in ("/signs?tab=retracted", "/signs"):
        with statement_counter(engine) as seen:
            browser.text(path)
        counts.append(seen.count)
    assert counts[1] - counts[0] <= 2
    assert counts[1] <= 20


def test_nothing_but_pages_of_signs_reads_them(office: Desk, signs: dict[str, UUID]) -> None:
    """A sign changes no day: outline, presence, alerts and the live map stay as they were."""
    with office.transaction() as session:
        before = session.execute(text("SELECT summary::text FROM person_days")).all()
    office.browser("supervisor_north").post(
        f"/signs/{signs['peer']}/review", {"action": "needs_talk", "reason": "let us talk"}
    )
    judge(office, "employee")
    judge(office, "peer")
    with office.transaction() as session:
        kept = session.execute(
            text("SELECT count(*) FROM findings WHERE kind = 'signs' AND state = 'retracted'")
        ).scalar_one()
        after = session.execute(
            text("SELECT summary::text FROM person_days WHERE work_on = :on"), {"on": DAY}
        ).all()
    assert kept == 0
    assert [row for row in after if row in before] == before


def test_every_sign_has_words() -> None:
    for sign in Sign:
        assert sign.value in words.TITLES
        assert sign.value in words.INNOCENT
        assert sign.value in cards.REASONS
        assert f"signs.{sign.value}" in cards.FIGURES
