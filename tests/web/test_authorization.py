"""Every route × every principal × objects of each branch and of another tenant.

`authz.csv` says who may; it is written by hand from the reviewed matrix, never from the
code. Letters: y the answer, n 404 as if it did not exist, f 403 the right is nowhere, l
nobody is signed in (401, or the way to the sign-in page). Each answer is searched for marks
of branches that are not the principal's.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from fixtures.stack import DatabaseUrls, Stack
from server.clock import ManualClock
from server.db.engine import make_engine
from server.http.extensions import db
from server.http.markers import Policy, marker_of
from server.main.app import create_app, create_stream_app
from server.settings import Settings
from server.tracking.live import LiveEvent, LivePublisher, cursor, position_event
from tests.factories.browser import parts_of, signed_in
from tests.factories.canaries import MOVES, NOON, PLACES, WORK_ON, Marked, live_the_day, place_marks
from tests.factories.pdf import pdf_text
from tests.factories.world import World, build_world, put_on_duty
from web.live.hub import Hub

BASE = "http://127.0.0.1"
_TOKEN = re.compile(r'name="csrf-token" content="([^"]+)"')

# Which branches of alpha each principal may read about at all.
BRANCHES: dict[str, set[str]] = {
    "anonymous": set(),
    "employee": {"north"},
    "manager_n1": {"north"},
    "manager_n2": {"north"},
    "supervisor_north": {"north"},
    "supervisor_south": {"south"},
    "supervisor_group": {"north", "south"},
    "finance": {"north", "south"},
    "hr": {"north", "south"},
    "admin": {"north", "south"},
    "auditor": {"north", "south"},
}
# Who may see where people are; posts are places too, which the desk roles may draw.
SEES_PEOPLE = {
    *("employee", "manager_n1", "manager_n2"),
    *("supervisor_north", "supervisor_south", "supervisor_group"),
}
# People of the same branch whom a narrower scope does not reach.
UNSEEN_NAMES = {
    "employee": ("peer", "other_team"),
    "manager_n1": ("other_team",),
    "manager_n2": ("employee", "peer"),
}
_DIGEST = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
AREA = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 0]]]}
# Pages of places rather than people; the desk roles see those too.
_PLACES = re.compile("/posts|/sites|/imports")
SHAPE = {"type": "Point", "coordinates": [24.0, 60.0], "radius_m": 120}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the reviewed file."""

    method: str
    rule: str
    target: str
    expected: dict[str, str]

    @property
    def route(self) -> str:
        """The rule without a query and without the format it is tried in."""
        return re.split(r"[?#]", self.rule)[0]

    @property
    def key(self) -> str:
        """Name of the test case."""
        return f"{self.method} {self.rule} {self.target}"


def _rows() -> list[Row]:
    path = Path(__file__).with_name("authz.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(line.pop("method"), line.pop("rule"), line.pop("target"), line)
            for line in csv.DictReader(file)
        ]


ROWS = _rows()


@dataclass(slots=True)
class House:
    """Both apps over the marked world, with a client for each principal."""

    world: World
    marked: Marked
    web: Flask
    stream: Flask
    superuser: Engine
    clients: dict[str, FlaskClient]
    stream_clients: dict[str, FlaskClient]
    tokens: dict[str, str]
    grants: dict[UUID, str]
    """One grant of each account that has any."""

    def target(self, row: Row) -> dict[str, str]:
        """Return ids of the objects a row is about."""
        slug, of = ("beta", "north") if row.target == "beta" else ("alpha", row.target)
        of = "north" if of == "-" else of
        branch = {"moved": "north", "arrived": "south"}.get(of, of)
        tenant = self.world.tenants[slug]
        name = "mover" if of in MOVES else {"north": "employee", "south": "other_branch"}[of]
        # Of people who are asked for nothing here: one row gives them a role for good.
        account = {"north": "peer", "south": "other_branch"}[branch]
        return {
            "employee_id": str(tenant.people[name]),
            "grant_id": self.grants[tenant.logins[f"supervisor_{branch}"].account_id],
            "account_id": str(tenant.logins[account].account_id),
            "device_id": str(tenant.devices[name].device_id),
            "finding_id": str(self.marked.findings[slug, of]),
            "sign_id": str(self.marked.signs[slug, of]),
            "post_id": str(self.marked.posts[slug, branch]),
            "provider_id": str(self.marked.providers[slug, branch]),
            "entry_id": str(self.marked.entries[slug, branch]),
            "excusal_id": str(self.marked.excusals[slug, branch]),
            "shift_id": str(self.marked.shifts[slug, branch]),
            "site_id": str(self.marked.sites[slug, branch]),
            "site_number": f"C-{branch}",
            "visit_id": str(self.marked.visits[slug, of]),
            "import_id": str(self.marked.imports[slug, branch]),
            "run_id": str(
                (self.marked.fence_runs if row.rule.endswith("/fence") else self.marked.runs)[
                    slug, branch
                ]
            ),
            "family": "off_post",
            "claim_id": str(self.marked.claims[slug, branch]),
            "draft_id": str(self.marked.drafts[slug, branch]),
            "kind": "posts",
            "unit_id": str(tenant.units[{"north": "n1", "south": "s1"}[branch]]),
            "on": MOVES.get(of, WORK_ON).isoformat(),
            "format_name": row.rule.partition("#")[2] or "geojson",
        }

    def call(self, row: Row, who: str) -> TestResponse:
        """Send a row's request as one principal."""
        ids = self.target(row)
        rule = row.rule.partition("#")[0]
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: ids[match[1]], rule)
        if path.startswith("/stream/"):
            return self.stream_clients[who].get(path, base_url=BASE, buffered=False)
        client = self.clients[who]
        if row.method == "GET":
            return client.get(path, base_url=BASE)
        headers = {"X-CSRFToken": self.tokens[who]}
        body = _body(row.rule, ids)
        if path.startswith("/api/"):
            return client.open(path, method=row.method, base_url=BASE, json=body, headers=headers)
        return client.open(path, method=row.method, base_url=BASE, data=body, headers=headers)

    def digest(self) -> dict[str, str]:
        """Return a digest of each table but those that record what happened."""
        tables = text(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' "
            "AND table_type = 'BASE TABLE' AND table_name NOT IN "
            "('security_events', 'access_log', 'sessions', 'fixes', 'spatial_ref_sys') "
            "AND table_name NOT LIKE 'fixes\\_%'"
        )
        with self.superuser.connect() as connection:
            return {
                name: str(connection.scalar(text(_DIGEST.format(name))))
                for name in connection.scalars(tables).all()
            }


def _body(rule: str, ids: dict[str, str]) -> dict[str, object]:
    """Return a valid body, so that a refusal is one of rights and not of form."""
    bodies: dict[str, dict[str, object]] = {
        "/alerts/review": {"id": ids["finding_id"], "reason": "seen and understood"},
        "/alerts/<uuid:finding_id>/review": {"action": "note", "reason": "seen and understood"},
        "/api/alerts/<uuid:finding_id>/reviews": {
            "action": "note",
            "reason": "seen and understood",
        },
        "/signs/<uuid:sign_id>/review": {"action": "note", "reason": "seen and understood"},
        "/me/signs/<uuid:sign_id>/answer": {"reason": "I was at the bank"},
        "/tracks/reason": {
            "p": ids["employee_id"],
            "d": ids["on"],
            "occasion": "alert",
            "reason": "looking into the alert of this morning",
        },
        "/people/<uuid:employee_id>/locate": {"purpose": "other", "reason": "fire at the post"},
        "/excusals": {
            "p": ids["employee_id"],
            "kind": "outing",
            "starts": "2026-12-01T08:00",
            "ends": "2026-12-01T12:00",
            "note": "fetches the keys",
        },
        "/visits": {
            "p": ids["employee_id"],
            "sites": ids["site_number"],
            "kind": "regular",
            "on": "2026-12-01",
            "starts": "09:00",
            "ends": "12:00",
            "note": "brings the samples",
        },
        "/sites/<uuid:site_id>/pin": {"do": "dismiss"},
        "/posts/new": _post_form(ids) | {"name": f"post {next(_numbers)}"},
        "/posts/<uuid:post_id>": _post_form(ids),
        "/posts/<uuid:post_id>/rename": {"name": f"post {next(_numbers)}"},
        "/api/posts/check": {"shape": SHAPE},
        "/sites/new": _site_form(ids) | {"number": f"S{next(_numbers)}"},
        "/sites/<uuid:site_id>": _site_form(ids) | {"number": f"S{next(_numbers)}"},
        "/sites/<uuid:site_id>/active": {"active": "0"},
        "/policies/<family>": {"off_post.min_outside_s": f"{900 + next(_numbers)}"},
        "/what-if": {"off_post.min_outside_s": "900"},
        "/imports": {"kind": "sites", "file": (BytesIO(b"number,name,unit"), "list.csv")},
        "/imports/<uuid:import_id>/options": {"datum": "wgs84"},
        "/claims/new": _claim_line() | {"currency": "CNY", "rate": "1.20"},
        "/claims/bring": {"number": "E001", "file": (BytesIO(b"{}"), "CLAIM.json")},
        "/claims/<uuid:draft_id>/header": {"currency": "CNY", "rate": "1.20"},
        "/claims/<uuid:draft_id>/lines": _claim_line(),
        "/claims/<uuid:draft_id>/lines/remove": {"line": "1"},
        "/claims/<uuid:claim_id>/explain": {"explanation": "a detour round the flood"},
        "/claims/<uuid:claim_id>/decide": {
            "decision": "returned",
            "reason": "seen and understood",
            "version": "3",
            "check": "1",
        },
        "/api/distribution/areas": {"areas": [AREA]},
        "/settings/basemap": {"kind": "built_in", "do": "save"},
        "/roster/assign": {
            "p": ids["employee_id"],
            "shift": ids["shift_id"],
            "post": ids["post_id"],
            "from": "2026-12-01",
        },
        "/roster/<uuid:entry_id>/cancel": {"p": ids["employee_id"], "on": ids["on"]},
        "/roster/shifts": {"name": f"shift {next(_numbers)}", "starts": "08:00", "ends": "16:00"},
        "/organisation/units": {"parent": ids["unit_id"], "kind": "team", "name": "new"},
        "/organisation/people": {
            "unit": ids["unit_id"],
            "number": f"N{next(_numbers)}",
            "name": "new",
            "from": ids["on"],
        },
        "/organisation/move": {
            "p": ids["employee_id"],
            "unit": ids["unit_id"],
            "from": "2026-12-24",
        },
        "/organisation/accounts": {
            "p": ids["employee_id"],
            "login": f"login{next(_numbers)}",
            "password": "quiet-harbour-42",
        },
        "/organisation/accounts/<uuid:account_id>/grants": {
            "role": "finance",
            "unit": ids["unit_id"],
        },
        "/organisation/accounts/<uuid:account_id>/active": {"active": "1"},
        "/carriers/new": {"kind": "mlp", "name": f"carrier-{next(_numbers)}"} | _carrier_form(),
        "/carriers/<uuid:provider_id>": _carrier_form(),
        "/carriers/consents/<uuid:employee_id>": {"given_on": "2026-11-17", "note": "sheet 12"},
        "/devices/bulk": {"text": "number,app\nE001,traccar\n"},
        "/devices/<uuid:device_id>/datum": {"datum": "wgs84", "wifi": "gcj02"},
        "/devices/new": {"p": ids["employee_id"], "kind": "owntracks_ios", "label": "another"},
    }
    return bodies.get(rule, {})


def _claim_line() -> dict[str, object]:
    return {
        "kind": "mileage",
        "start": "2026-11-18T09:00",
        "end": "2026-11-18T11:00",
        "km": "12.0",
    }


def _carrier_form() -> dict[str, object]:
    return {"url": "https://127.0.0.1:1/", "daily_quota": "9", "person_quota": "9", "position": "0"}


def _post_form(ids: dict[str, str]) -> dict[str, object]:
    return {
        "unit_id": ids["unit_id"],
        "name": "any",
        "zone": "Asia/Shanghai",
        "kind": "circle",
        "lon": "24.0",
        "lat": "60.0",
        "radius_m": "120",
        "grace_min": "10",
    }


def _site_form(ids: dict[str, str]) -> dict[str, object]:
    return {
        "unit_id": ids["unit_id"],
        "name": "any",
        "lon": "24.0",
        "lat": "60.0",
        "radius_m": "120",
    }


_numbers = iter(range(1, 1_000_000))


@pytest.fixture(scope="module")
def house(stack: Stack, module_database: DatabaseUrls) -> Iterator[House]:
    clock = ManualClock(NOON)
    world = build_world(module_database, clock)
    marked = live_the_day(world, module_database)
    settings = Settings.from_environ(stack.settings_env(module_database))
    web, stream = create_app(settings, clock=clock), create_stream_app(settings, clock=clock)
    superuser = make_engine(module_database.superuser, pool_size=1)
    clients, streams, tokens = {}, {}, {}
    for who in BRANCHES:
        if who == "anonymous":
            clients[who], streams[who] = web.test_client(), stream.test_client()
        else:
            login = world.alpha.logins[who]
            clients[who] = signed_in(web, world.alpha, login)
            streams[who] = signed_in(stream, world.alpha, login)
        found = _TOKEN.search(clients[who].get("/no-such-address", base_url=BASE).text)
        assert found is not None
        tokens[who] = found[1]
    with superuser.connect() as connection:
        rows = connection.execute(text("SELECT account_id, id FROM grants")).all()
    grants = {account_id: str(grant_id) for account_id, grant_id in rows}
    yield House(world, marked, web, stream, superuser, clients, streams, tokens, grants)
    hub = stream.extensions.get("outpost.live_hub")
    if isinstance(hub, Hub):
        hub.stop()
    for app in (web, stream):
        with app.app_context():
            db.engine.dispose()
        parts_of(app).redis.close()
    superuser.dispose()


def test_the_reviewed_file_covers_every_route_and_no_other(house: House) -> None:
    reviewed = {(row.method, row.route) for row in ROWS}
    existing = {
        (method, rule.rule)
        for app in (house.web, house.stream)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if isinstance(marker_of(rule.endpoint, app.view_functions[rule.endpoint]), Policy)
    }
    assert existing - reviewed == set(), "routes nobody has reviewed"
    assert reviewed - existing <= {("GET", "/"), ("GET", "/search")}, "rows of routes that are gone"


def test_every_row_with_an_object_is_tried_on_each_side_of_the_walls() -> None:
    targets: dict[tuple[str, str], set[str]] = {}
    for row in ROWS:
        targets.setdefault((row.method, row.rule), set()).add(row.target)
    for (_method, rule), tried in targets.items():
        if re.search(r"<uuid:", rule):
            assert tried - MOVES.keys() == {"north", "south", "beta"}, rule


@pytest.mark.parametrize(
    ("rule", "text_mark", "place_mark"),
    [
        ("/api/live/snapshot", True, True),
        ("/live/table", True, False),
        ("/live/table?format=csv", True, False),
        ("/alerts", True, False),
        ("/alerts/<uuid:finding_id>", True, False),
        ("/api/alerts/<uuid:finding_id>/evidence", False, True),
        ("/tracks/<uuid:employee_id>/<on>.<format_name>", False, True),
        ("/tracks/<uuid:employee_id>/<on>.<format_name>#csv", False, True),
        ("/tracks/<uuid:employee_id>/<on>.<format_name>#gpx", False, True),
        ("/posts", True, False),
        ("/people", True, False),
        ("/people/<uuid:employee_id>", True, False),
        ("/roster", True, False),
        ("/organisation", True, False),
        ("/excusals", True, False),
        ("/visits", True, False),
        ("/visits/<uuid:visit_id>", True, False),
        ("/api/visits/<uuid:visit_id>/evidence", False, True),
        ("/audit", True, False),
        ("/audit?format=csv", True, False),
        ("/audit/security", True, False),
        ("/search?q=CANARY", True, False),
        ("/claims", True, False),
        ("/claims/<uuid:claim_id>", True, False),
        ("/claims/<uuid:claim_id>/card.pdf", True, False),
        ("/api/claims/<uuid:claim_id>/way", False, True),
    ],
)
def test_the_marks_are_there_to_be_found(
    house: House, rule: str, *, text_mark: bool, place_mark: bool
) -> None:
    row = Row("GET", rule, "north", {})
    house.call(Row("POST", "/tracks/reason", "north", {}), "supervisor_group")
    viewer = {"organisation": "hr", "audit": "auditor"}.get(
        rule.split("/")[1].partition("?")[0], "supervisor_group"
    )
    content = _content(house.call(row, viewer))
    marks = _foreign_marks(house, "anonymous", row, content)
    assert ("ALPHA-NORTH-CANARY" in marks) or not text_mark
    assert ("place of alpha north" in marks) or not place_mark


def test_the_stream_sends_each_principal_the_marks_of_their_branches_only(house: House) -> None:
    redis = parts_of(house.stream).redis
    # The employee is on the roster already; nobody is heard of off duty.
    others = [who for who in BRANCHES if who not in {"anonymous", "employee"}]
    put_on_duty(parts_of(house.stream).sessions, house.world.alpha, others, starts_at=NOON)
    publisher = LivePublisher(redis)
    publisher.reset(tenant.id for tenant in house.world.tenants.values())
    for who, branches in BRANCHES.items():
        if who == "anonymous":
            continue
        place = cursor(redis, house.world.alpha.id)
        own = house.world.alpha.people[who]
        publisher.publish([*_a_position_of_everybody(house), _position(house, "alpha", own, 0.5)])
        row = Row("GET", f"/stream/live?from={place}", "-", {})
        answer = house.call(row, who)
        heard = ""
        for chunk in answer.iter_encoded():
            heard += chunk.decode()
            if '"lon":0.5' in heard:
                break
        answer.close()
        assert '"lon":0.5' in heard, f"{who} heard nothing of themselves"
        assert _foreign_marks(house, who, row, heard) == [], who
        if who.startswith("supervisor"):
            for branch in branches:
                assert place_marks("alpha", branch).search(heard), f"{who} misses {branch}"


# Last: what is allowed here cancels shifts, closes posts and revokes phones.
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_each_principal_gets_what_the_file_says_and_no_foreign_mark(house: House, row: Row) -> None:
    before = house.digest()
    for who, letter in sorted(row.expected.items(), key=lambda item: item[1] == "y"):
        if letter == "y" and before:
            # All refusals come first; they must have changed nothing.
            assert house.digest() == before, f"a refusal changed data: {row.key}"
            before = {}
        answer = house.call(row, who)
        content = _content(answer)
        assert _letter(answer) == letter, (
            f"{row.key} as {who}: {answer.status_code} {content[-300:]}"
        )
        assert _foreign_marks(house, who, row, content) == [], f"{row.key} as {who}"
        answer.close()


def _a_position_of_everybody(house: House) -> list[LiveEvent]:
    return [
        _position(house, slug, house.world.tenants[slug].people[name], PLACES[slug, branch][0])
        for slug, branch in PLACES
        for name in {"north": ("employee", "peer", "other_team"), "south": ("other_branch",)}[
            branch
        ]
    ]


def _position(house: House, slug: str, person: UUID, lon_deg: float) -> LiveEvent:
    return position_event(
        tenant_id=house.world.tenants[slug].id,
        employee_id=person,
        lon_deg=lon_deg + (0.0001234 if lon_deg > 1 else 0),
        lat_deg=60.0,
        accuracy_m=5,
        fixed_at=NOON,
        speed_mps=None,
        course_deg=None,
        battery_pct=None,
        source="gps",
    )


def _letter(answer: TestResponse) -> str:
    if answer.status_code == 401 or (answer.location or "").startswith("/login"):
        return "l"
    known = {403: "f", 404: "n"}
    if answer.status_code in known:
        return known[answer.status_code]
    return "y" if answer.status_code < 500 and answer.status_code != 429 else "?"


def _content(answer: TestResponse) -> str:
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    if answer.mimetype == "text/event-stream":
        return head + next(iter(answer.iter_encoded())).decode()
    if (answer.mimetype or "").endswith(("/zip", ".spreadsheetml.sheet")):
        with ZipFile(BytesIO(answer.get_data())) as archive:
            return head + "\n".join(
                f"{name}\n{archive.read(name).decode()}" for name in archive.namelist()
            )
    if answer.mimetype == "application/pdf":
        return head + pdf_text(answer.get_data())
    return head + answer.get_data(as_text=True)


def _foreign_marks(house: House, who: str, row: Row, content: str) -> list[str]:
    found = []
    for slug, branch in PLACES:
        own = slug == "alpha" and branch in BRANCHES[who]
        tenant = house.world.tenants[slug]
        if not own and tenant.canary(branch) in content:
            found.append(tenant.canary(branch))
        places_allowed = own and (who in SEES_PEOPLE or _PLACES.search(row.rule))
        if not places_allowed and place_marks(slug, branch).search(content):
            found.append(f"place of {slug} {branch}")
    alpha, north = house.world.alpha, house.world.alpha.canary("north")
    found.extend(
        name
        for name in UNSEEN_NAMES.get(who, ())
        if f"{name} {north}" in content or str(alpha.people[name]) in content
    )
    return found
