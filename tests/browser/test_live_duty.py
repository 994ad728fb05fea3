"""The live map forgets where people are when their duty is over."""

import pytest
from playwright.sync_api import Page, expect

from server.clock import SystemClock
from server.db.session import unit_of_work
from server.posts.services import cancel_assignment
from tests.browser.scene import Scene
from tests.factories.browser import parts_of

pytestmark = pytest.mark.browser

# A store of its own, fed as the stream feeds the page's.
_OFF_DUTY = """
async () => {
  const { LiveStore } = await import("app/live-store");
  const store = new LiveStore();
  const unknown = [];
  store.addEventListener("unknown", ({ detail }) => unknown.push(detail.id));
  const now = Date.now() / 1000;
  const column = { id: ["a"], name: ["A"], status: ["on_post"], fixed_at: [now], since: [now] };
  store.load({ as_of: now, thresholds: store.thresholds, alerts: [],
    people: { ...column, lon: [1], lat: [2], accuracy_m: [3], presence: ["inside"] } });
  const person = store.people.get("a");
  const before = [person.lon, person.lat];
  store.apply("state", { id: "a", status: "off_duty", presence: null });
  const cleared = [person.lon, person.lat, person.accuracy_m, person.fixed_at, person.presence];
  store.apply("pos", { id: "a", lon: 5, lat: 6, fixed_at: now + 1 });
  return { before, cleared, after: [person.lon, person.lat], status: person.status, unknown };
}
"""


def test_the_store_keeps_no_place_of_somebody_off_duty(lead: Page, scene: Scene) -> None:
    lead.goto(f"{scene.url}/live")
    lead.wait_for_selector("html[data-ready]", state="attached")
    assert lead.evaluate(_OFF_DUTY) == {
        "before": [1, 2],
        "cleared": [None] * 5,
        "after": [None, None],
        "status": "off_duty",
        "unknown": ["a"],
    }


def test_the_marker_goes_when_a_shift_is_taken_away(lead: Page, scene: Scene) -> None:
    lead.goto(f"{scene.url}/live?p={scene.employees['张伟']}")
    lead.wait_for_selector("html[data-ready]", state="attached")
    expect(lead.locator("[data-connection]")).to_have_attribute("data-state", "live")
    selected = "document.querySelector('[data-map]').probe('selected')"
    assert lead.evaluate(selected) is not None
    with unit_of_work(parts_of(scene.app).sessions, tenant_id=scene.tenant_id) as session:
        cancel_assignment(
            session, SystemClock(), tenant_id=scene.tenant_id, entry_id=scene.entries["张伟"]
        )
    scene.engine.run_until_idle()
    expect(lead.locator("[data-card] [data-pill]")).to_have_text("未在班")
    assert lead.evaluate(selected) is None
