"""Locate now on the pages: who may, when, what both sides read of it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from werkzeug.test import TestResponse

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.tracking.locate_rules import AnsweredBy, LocatePurpose, Refusal
from server.tracking.locator import Locator
from server.tracking.services import rebuild_last_positions
from tests.factories.desk import Browser, Desk
from tests.factories.footprints import Step, tread
from web.locate import answers, words

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module", autouse=True)
def _shift(office: Desk) -> None:
    office.roster("employee")
    office.roster("other_team")
    tread(office, "employee", [Step(60, east_m=20.0), Step(120, east_m=30.0)])
    engine = make_engine(office.urls.engine, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        rebuild_last_positions(session, office.clock)
    engine.dispose()


@pytest.fixture(autouse=True)
def _later(office: Desk) -> None:
    """Each test asks when the questions of those before do not count any more."""
    office.clock.advance(timedelta(minutes=2))


def ask(browser: Browser, office: Desk, name: str = "employee", **form: str) -> TestResponse:
    path = f"/people/{office.alpha.people[name]}/locate"
    data = {"purpose": "safety", "reason": ""} | form
    return browser.client.post(
        path,
        base_url="http://127.0.0.1",
        data=data,
        headers={"X-CSRFToken": browser.token(), "Accept": "application/json"},
    )


def newest(browser: Browser, office: Desk, name: str = "employee") -> answers.LocateNow:
    answer = browser.get(f"/api/people/{office.alpha.people[name]}/locate")
    assert answer.status_code == 200, answer.text
    read = msgspec.convert(answer.json, answers.LocateNow)
    assert msgspec.json.decode(msgspec.json.encode(read)) == answer.json
    return read


def settle(office: Desk) -> None:
    engine = make_engine(office.urls.engine, pool_size=1)
    Locator(make_session_factory(engine), office.clock).run_once()
    engine.dispose()


def test_the_asker_follows_the_question_and_the_person_reads_it(office: Desk) -> None:
    lead = office.browser("supervisor_north")
    made = ask(lead, office, reason="not at the \u003cb\u003emeeting")
    assert made.status_code == 202
    asked = newest(lead, office)
    assert asked.question is not None
    assert asked.question.state == "asked"
    assert asked.question.words == "Asking the phone…"
    office.clock.advance(61 * SECOND)
    settle(office)
    found = newest(lead, office).question
    assert found is not None
    assert (found.state, found.answered_by) == ("answered", "last_known")
    assert found.answer is not None
    assert [step.words for step in found.steps] == [
        "The phone did not answer in time",
        "No carrier is set up to be asked",
        "The last known position of this shift",
    ]
    page = office.browser("employee").text("/me")
    card = page.split("Who asked where I was")[1].split("</section>")[0]
    assert "supervisor_north" in card
    assert "Worry about their safety" in card
    assert "“not at the &lt;b&gt;meeting”" in card
    assert "Answered by the last known position" in card
    receipt = page.split('id="receipt"')[1].split("</section>")[0]
    assert "question where one is now" in receipt


def test_another_account_has_no_question_of_its_own(office: Desk) -> None:
    ask(office.browser("manager_n1"), office)
    assert newest(office.browser("supervisor_group"), office).question is None


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"purpose": "curiosity"}, "Choose why you ask."),
        ({"purpose": "other"}, "Say in words why you ask."),
    ],
)
def test_a_question_needs_a_purpose(office: Desk, form: dict[str, str], sentence: str) -> None:
    answer = ask(office.browser("supervisor_north"), office, **form)
    assert answer.status_code == 400
    assert problem(answer)["detail"] == sentence


def test_too_soon_again_says_so(office: Desk) -> None:
    lead = office.browser("supervisor_north")
    assert ask(lead, office).status_code == 202
    again = ask(lead, office)
    assert again.status_code == 429
    assert again.headers["Retry-After"] == "61"
    assert "Wait a little" in problem(again)["detail"]


def test_outside_duty_the_server_refuses_and_the_button_says_why(office: Desk) -> None:
    lead, person = office.browser("supervisor_north"), office.alpha.people["peer"]
    refused = ask(lead, office, "peer")
    assert refused.status_code == 409
    assert problem(refused)["code"] == "off_duty"
    assert "nobody can be asked" in problem(refused)["detail"]
    page = lead.text(f"/people/{person}")
    button = page.split("data-locate-ask")[1].split(">")[0]
    assert "disabled" in button
    assert "Off duty: nobody can be asked" in page
    # The attempt itself is something the person may read.
    assert "Off duty: nobody can be asked" in office.browser("peer").text("/me")


def test_on_duty_the_button_works(office: Desk) -> None:
    page = office.browser("supervisor_north").text(f"/people/{office.alpha.people['employee']}")
    assert "disabled" not in page.split("data-locate-ask")[1].split(">")[0]
    assert "data-locate-ask" not in office.browser("employee").text("/me")


def test_when_the_duty_is_over_the_answer_is_gone(office: Desk) -> None:
    lead = office.browser("supervisor_group")
    ask(lead, office)
    office.clock.advance(61 * SECOND)
    settle(office)
    shown = newest(lead, office)
    assert shown.on_duty
    assert shown.question is not None
    assert shown.question.answer is not None
    before = office.clock.now()
    office.clock.advance(timedelta(hours=7))
    later = newest(office.browser("supervisor_group"), office)
    assert not later.on_duty
    assert later.question is not None
    assert later.question.answer is None
    office.clock.at = before


def test_without_a_script_a_form_goes_back_to_the_person(office: Desk) -> None:
    lead, person = office.browser("supervisor_north"), office.alpha.people["other_team"]
    answer = lead.post(f"/people/{person}/locate", {"purpose": "dispatch"})
    assert answer.status_code == 303
    assert answer.location.endswith(f"/people/{person}#locate")
    refused = lead.post(f"/people/{office.alpha.people['peer']}/locate", {"purpose": "dispatch"})
    assert refused.status_code == 303
    page = lead.text(f"/people/{office.alpha.people['peer']}")
    assert "toast--danger" in page


def test_every_way_and_outcome_has_words() -> None:
    assert set(words.PURPOSES) == {purpose.value for purpose in LocatePurpose}
    assert set(words.ANSWERED_BY) == {by.value for by in AnsweredBy}
    assert {refusal.value for refusal in Refusal} <= set(words.REFUSALS)


def problem(answer: TestResponse) -> dict[str, Any]:
    found = answer.json
    assert isinstance(found, dict)
    return found
