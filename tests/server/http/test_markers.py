"""Every route of both apps bears exactly one mark, and each open door has its reason."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from server.http.markers import PUBLIC_ENDPOINTS, Policy, Public, marker_of, policy, public
from server.main.app import create_stream_app
from server.people.rules import Action
from server.settings import Settings
from tests.factories.browser import signed_in
from tests.factories.world import World
from tests.server.conftest import dispose
from tests.server.http.conftest import BASE, form_token

CHECKOUT = Path(__file__).resolve().parents[3]

# Reviewed by a person: whoever opens a door adds it here and says why at the view.
OPEN_DOORS = {
    "basemaps.file",
    "devices.ticket",
    "devices.use_ticket",
    "geosubmit.publish",
    "geosubmit.publish_by_api",
    "geosubmit.publish_to_address",
    "health.alive",
    "health.metrics",
    "health.ready",
    "home.preferences",
    "home.search",
    "home.start",
    "openapi.document",
    "osmand.publish",
    "osmand.publish_by_api",
    "osmand.publish_to_address",
    "overland.publish",
    "overland.publish_by_api",
    "overland.publish_to_address",
    "owntracks.publish",
    "owntracks.publish_by_api",
    "session.sign_in",
    "session.sign_in_page",
    "session.sign_out",
    "shell.messages",
    "shell.static",
}


@pytest.fixture(scope="module")
def stream_app(settings: Settings, world: World) -> Iterator[Flask]:
    made = create_stream_app(settings, clock=world.clock)
    yield made
    dispose(made)


def test_every_route_bears_a_mark(app: Flask, stream_app: Flask) -> None:
    bare = [
        f"{made.name}: {rule.rule}"
        for made in (app, stream_app)
        for rule in made.url_map.iter_rules()
        if marker_of(rule.endpoint, made.view_functions[rule.endpoint]) is None
    ]
    assert bare == []


def test_the_open_doors_are_the_reviewed_ones(app: Flask, stream_app: Flask) -> None:
    found = {
        rule.endpoint
        for made in (app, stream_app)
        for rule in made.url_map.iter_rules()
        if isinstance(marker_of(rule.endpoint, made.view_functions[rule.endpoint]), Public)
    }
    assert found == OPEN_DOORS
    assert set(PUBLIC_ENDPOINTS) <= found


def test_every_unsafe_route_refuses_a_request_without_a_token(app: Flask, world: World) -> None:
    client = signed_in(app, world.alpha, world.alpha.logins["admin"])
    tried = 0
    for rule in app.url_map.iter_rules():
        marker = marker_of(rule.endpoint, app.view_functions[rule.endpoint])
        if isinstance(marker, Public) and not marker.csrf:
            continue
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
            answer = client.open(_filled(rule.rule), method=method, base_url=BASE)
            assert answer.status_code == 403, f"{method} {rule.rule}"
            tried += 1
    assert tried >= 2


def test_an_unmarked_view_is_shut(app: Flask, settings: Settings, world: World) -> None:
    from server.main.app import create_app  # noqa: PLC0415

    made = create_app(settings, clock=world.clock)
    made.add_url_rule("/forgotten", view_func=lambda: "open", endpoint="forgotten")
    assert made.test_client().get("/forgotten", base_url=BASE).status_code == 403
    assert app.name == made.name
    dispose(made)


def test_a_right_that_one_has_nowhere_is_403_and_for_strangers_a_way_to_sign_in(
    settings: Settings, world: World
) -> None:
    from server.main.app import create_app  # noqa: PLC0415

    made = create_app(settings, clock=world.clock)

    @made.route("/api/only", methods=["GET", "POST"])
    @policy(Action.MANAGE_ACCOUNTS)
    def only() -> str:
        return "done"

    for name, status in (("admin", 200), ("supervisor_group", 403), ("employee", 403)):
        client = signed_in(made, world.alpha, world.alpha.logins[name])
        assert client.get("/api/only", base_url=BASE).status_code == status
        token = {"X-CSRFToken": form_token(client)}
        assert client.post("/api/only", base_url=BASE, headers=token).status_code == status
    assert made.test_client().get("/api/only", base_url=BASE).status_code == 401
    dispose(made)


def test_a_view_bears_one_mark_only_and_a_reason_in_words() -> None:
    with pytest.raises(ValueError, match="two marks"):

        @policy(Action.VIEW_LIVE)
        @public("somebody wants both at once")
        def both() -> None:
            """Never made."""

    with pytest.raises(ValueError, match="reason"):
        public("because")


def test_views_find_people_through_the_scoped_loader_only() -> None:
    loaders = re.compile(r"session\.get\(|\.query\.get|get_or_404|first_or_404")
    guilty = [
        str(path.relative_to(CHECKOUT))
        for folder in ("web", "mobile_api", "server/http")
        for path in (CHECKOUT / folder).rglob("*.py")
        if "node_modules" not in path.parts and loaders.search(path.read_text(encoding="utf-8"))
    ]
    assert guilty == []


def test_every_action_is_the_policy_of_a_kind_the_census_knows(app: Flask) -> None:
    used = {
        marker.action
        for rule in app.url_map.iter_rules()
        if isinstance(marker := marker_of(rule.endpoint, app.view_functions[rule.endpoint]), Policy)
    }
    assert used <= set(Action)


def _filled(rule: str) -> str:
    zero = "00000000-0000-7000-8000-000000000000"
    path = re.sub(r"<uuid:\w+>", zero, rule)
    path = re.sub(r"<(?:int|float):\w+>", "1", path)
    return re.sub(r"<[^>]+>", "any", path)
