"""Asking where somebody is, as a supervisor does it: on the map and on the person's page."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import text

from server.clock import SystemClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.people.services import set_preferences
from server.posts.queries import PolicyKind
from server.posts.services import set_policy
from server.tracking.locator import Locator
from tests.browser.conftest import sign_in
from tests.browser.scene import Scene
from tests.browser.test_screens import AXE
from tests.browser.witness import Witness
from tests.factories.browser import parts_of

pytestmark = pytest.mark.browser


@pytest.fixture
def _locator(scene: Scene) -> Iterator[None]:
    engine = make_engine(scene.urls.engine, pool_size=1)
    running = Locator(make_session_factory(engine), SystemClock())
    running.start()
    yield
    running.stop()
    engine.dispose()


def speak(scene: Scene, login: str, locale: str) -> None:
    with unit_of_work(parts_of(scene.app).sessions, tenant_id=scene.tenant_id) as session:
        set_preferences(
            session,
            parts_of(scene.app).clock,
            tenant_id=scene.tenant_id,
            account_id=scene.accounts[login],
            locale=locale,
        )


def ask(page: Page, purpose: str, reason: str = "") -> None:
    page.click("[data-locate-ask]")
    expect(page.locator("#locate-dialog")).to_be_visible()
    page.select_option("#locate-purpose", purpose)
    page.fill("#locate-reason", reason)
    page.click("#locate-dialog .btn--primary")


def give_up_waiting(scene: Scene) -> None:
    """The phone's time is over at once."""
    engine = make_engine(scene.urls.superuser, pool_size=1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE locate_requests SET due_at = asked_at"))
    engine.dispose()


@pytest.mark.usefixtures("_locator")
def test_on_the_map_the_answer_of_the_phone_arrives_in_the_panel(
    scene: Scene, lead: Page, witness: Witness, axe_source: str
) -> None:
    lead.goto(f"{scene.url}/live?p={scene.employees['王芳']}")
    lead.wait_for_selector("html[data-ready]", state="attached")
    expect(lead.locator("[data-card] [data-name]")).to_have_text("王芳")
    expect(lead.locator("[data-locate-why]")).to_be_hidden()
    lead.click("[data-locate-ask]")
    assert witness.errors == []
    lead.evaluate(axe_source)
    assert lead.evaluate(AXE) == []
    witness.errors.clear()
    lead.keyboard.press("Escape")
    ask(lead, "dispatch")
    expect(lead.locator("[data-locate-state]")).to_have_text("正在询问手机…")
    expect(lead.locator("[data-locate-progress]")).to_be_visible()
    scene.report("王芳", (0, 24.9430, 60.1717))
    expect(lead.locator("[data-locate-state]")).to_have_text("回答来自：手机")
    expect(lead.locator("[data-locate-steps] li").last).to_have_text("手机已回答")
    expect(lead.locator("[data-locate-answer]")).to_contain_text("±12")
    expect(lead.locator("[data-locate-progress]")).to_be_hidden()
    # Once more within the hour is too soon here, and the dialog says so.
    with unit_of_work(parts_of(scene.app).sessions, tenant_id=scene.tenant_id) as session:
        set_policy(
            session,
            parts_of(scene.app).clock,
            tenant_id=scene.tenant_id,
            kind=PolicyKind.DUTY,
            params={"ask_again_s": 3_600},
        )
    ask(lead, "dispatch")
    expect(lead.locator("[data-locate-problem]")).to_contain_text("请稍后再问")
    assert [e for e in witness.errors if "429" not in e] == []
    assert witness.strangers == []


@pytest.mark.usefixtures("_locator")
def test_on_the_page_of_a_person_what_is_known_answers_when_the_phone_does_not(
    scene: Scene, context: BrowserContext, witness: Witness, axe_source: str
) -> None:
    speak(scene, "lead", "en")
    try:
        page = sign_in(scene, context, "lead", witness)
        page.emulate_media(color_scheme="dark")
        page.goto(f"{scene.url}/people/{scene.employees['刘洋']}")
        ask(page, "other", "his family is looking for him")
        expect(page.locator("[data-locate-state]")).to_have_text("Asking the phone…")
        give_up_waiting(scene)
        expect(page.locator("[data-locate-state]")).to_have_text(
            "Answered by the last known position"
        )
        expect(page.locator("[data-locate-steps] li")).to_have_text(
            [
                "The phone did not answer in time",
                "No carrier is set up to be asked",
                "The last known position of this shift",
            ]
        )
        expect(page.locator("[data-locate-age]")).to_have_text(re.compile("ago|just now"))
        page.evaluate(axe_source)
        assert page.evaluate(AXE) == []
        witness.errors.clear()
        page.click("[data-locate-map]")
        expect(page.locator("[data-card] [data-name]")).to_have_text("刘洋")
        # The answer follows the person, not the page.
        expect(page.locator("[data-locate-state]")).to_contain_text("Answered by")
    finally:
        speak(scene, "lead", "zh")


@pytest.mark.parametrize(
    ("locale", "reason"), [("zh", "班外时间不能询问"), ("en", "nobody can be asked where they are")]
)
def test_off_duty_the_button_is_off_and_says_why(
    scene: Scene, context: BrowserContext, witness: Witness, locale: str, reason: str
) -> None:
    speak(scene, "lead", locale)
    try:
        page = sign_in(scene, context, "lead", witness)
        page.goto(f"{scene.url}/people/{scene.employees['陈静']}")
        expect(page.locator("[data-locate-ask]")).to_be_disabled()
        expect(page.locator("[data-locate-why]")).to_contain_text(reason)
        page.goto(f"{scene.url}/live?s=off_duty&p={scene.employees['陈静']}")
        expect(page.locator("[data-card] [data-name]")).to_have_text("陈静")
        expect(page.locator("[data-locate-ask]")).to_be_disabled()
        expect(page.locator("[data-locate-why]")).to_contain_text(reason)
    finally:
        speak(scene, "lead", "zh")
