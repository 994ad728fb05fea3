"""Devices: health, ledger, enrolment shown once, tickets, revocation."""

import base64
import io
import json
import re
from datetime import timedelta
from html import unescape
from urllib.parse import unquote

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from server.broker.passwords import verify_password
from server.db.engine import make_engine
from server.db.geometry import point_sql
from server.people.rules import DeviceKind
from tests.factories.desk import NOON, Desk
from tests.factories.offsets import find_offset
from web.devices import words

_LINK = re.compile(r'href="(owntracks:///config\?inline=[^"]+)"')
_TICKET = re.compile(r"http://127\.0\.0\.1(/enrol/[^\"]+)\"")


@pytest.fixture(scope="module", autouse=True)
def _phones(office: Desk) -> None:
    office.roster("employee")
    office.roster("peer")
    engine = make_engine(office.urls.ingest, pool_size=1)
    with engine.begin() as connection:
        for name, age_min, battery in (("employee", 2, 64), ("peer", 50, 55)):
            device = office.alpha.devices[name].device_id
            at = NOON - timedelta(minutes=age_min)
            connection.execute(
                text(
                    "INSERT INTO device_health (tenant_id, device_id, seen_at, fixed_at,"
                    " battery_pct, mode) VALUES (:tenant, :device, :at, :at, :battery, 'move')"
                ),
                {"tenant": office.alpha.id, "device": device, "at": at, "battery": battery},
            )
            connection.execute(
                text(
                    "INSERT INTO ingest_ledger (tenant_id, device_id, received_on, received,"
                    " stored, duplicate, quarantined, off_duty, ignored)"
                    " VALUES (:tenant, :device, :on, 131, 100, 11, 4, 13, 3)"
                ),
                {"tenant": office.alpha.id, "device": device, "on": NOON.date()},
            )
            connection.execute(
                text(
                    "INSERT INTO quarantine (tenant_id, id, device_id, username, topic,"
                    " received_at, reason, detail, msg_key, size, payload, via) VALUES (:tenant,"
                    " gen_random_uuid(), :device, :user, 'owntracks/u/phone', :at, 'tst_future',"
                    " 'the secret detail', 7, 9, 'the payload', 'mqtt')"
                ),
                {"tenant": office.alpha.id, "device": device, "at": at, "user": f"u-{name}"},
            )
    engine.dispose()


def test_the_list_shows_how_each_phone_does(office: Desk) -> None:
    browser = office.browser("admin")
    page = browser.text("/devices")
    assert "Tracking looks killed" in page
    assert "Never seen" in page
    assert "64%" in page
    killed = browser.text("/devices?condition=killed")
    assert "phone of peer" in killed
    assert "phone of employee" not in killed
    assert "stopped OwnTracks to save power" in browser.text(
        f"/devices/{office.alpha.devices['peer'].device_id}"
    )
    assert browser.get("/devices?format=csv").data.startswith(b"\xef\xbb\xbf")
    assert office.browser("supervisor_north").get("/devices").status_code == 403


def test_every_message_of_a_device_is_accounted_for_without_its_content(office: Desk) -> None:
    device = office.alpha.devices["peer"].device_id
    page = office.browser("admin").text(f"/devices/{device}")
    for number in ("131", "100", "11", "13"):
        assert f'<td class="num">{number}</td>' in page
    assert "tst_future" in page
    assert "the secret detail" not in page
    assert "the payload" not in page
    assert "Xiaomi" in page


def enrol(office: Desk, name: str = "manager_n1", kind: str = "owntracks_android") -> str:
    browser = office.browser("admin")
    form = {"p": str(office.alpha.people[name]), "kind": kind, "label": "Redmi <b>Note</b>"}
    answer = browser.post("/devices/new", form)
    assert answer.status_code == 200, answer.text[-400:]
    return answer.text


def config_in(page: str) -> dict[str, object]:
    link = _LINK.search(page)
    assert link is not None
    inline = unquote(unescape(link[1]).split("inline=")[1])
    config: dict[str, object] = json.loads(base64.b64decode(inline))
    return config


def test_enrolling_shows_code_link_file_and_secret_once(office: Desk) -> None:
    page = enrol(office)
    config = config_in(page)
    assert 'src="data:image/svg+xml' in page
    assert f'download="{config["username"]}.otrc"' in page
    assert str(config["password"]) in page
    with office.transaction() as session:
        stored = session.execute(
            text("SELECT id, credential_hash FROM devices WHERE username = :name"),
            {"name": config["username"]},
        ).one()
    assert verify_password(str(config["password"]), stored.credential_hash)
    later = office.browser("admin").text(f"/devices/{stored.id}")
    assert str(config["password"]) not in later
    assert "Redmi &lt;b&gt;Note" in later


def test_the_link_in_the_page_has_no_bare_plus(office: Desk) -> None:
    for _ in range(4):
        link = _LINK.search(enrol(office, kind="owntracks_ios"))
        assert link is not None
        assert "+" not in link[1].split("inline=")[1]


def test_a_ticket_works_once_and_not_by_looking(office: Desk) -> None:
    page = enrol(office)
    found = _TICKET.search(page)
    assert found is not None
    stranger = office.app.test_client()
    base = "http://127.0.0.1"
    preview = stranger.get(found[1], base_url=base)
    for looked in (preview, stranger.get(found[1], base_url=base)):
        assert looked.status_code == 200
        assert "owntracks:///" not in looked.text
    token = re.search(r'name="csrf-token" content="([^"]+)"', preview.text)
    assert token is not None
    form = {"csrf_token": token[1]}
    opened = stranger.post(found[1], data=form, base_url=base)
    assert opened.status_code == 200
    assert config_in(opened.text) == config_in(page)
    assert opened.headers["Cache-Control"] == "no-store"
    again = stranger.post(found[1], data=form, base_url=base)
    assert again.status_code == 404
    assert "owntracks:///" not in again.text


def test_a_ticket_dies_after_a_day_and_with_its_device(office: Desk) -> None:
    page = enrol(office)
    found = _TICKET.search(page)
    assert found is not None
    office.clock.advance(timedelta(hours=24, seconds=1))
    try:
        late = office.browser("admin").post(found[1])
    finally:
        office.clock.advance(-timedelta(hours=24, seconds=1))
    assert late.status_code == 404
    second = enrol(office)
    with office.transaction() as session:
        device = session.execute(
            text("SELECT id FROM devices WHERE username = :name"),
            {"name": config_in(second)["username"]},
        ).scalar_one()
    browser = office.browser("admin")
    browser.post(f"/devices/{device}/revoke")
    ticket = _TICKET.search(second)
    assert ticket is not None
    assert browser.post(ticket[1]).status_code == 404


def test_a_new_secret_replaces_the_old_one(office: Desk) -> None:
    first = config_in(enrol(office))
    with office.transaction() as session:
        device = session.execute(
            text("SELECT id FROM devices WHERE username = :name"), {"name": first["username"]}
        ).scalar_one()
    browser = office.browser("admin")
    second = config_in(browser.post(f"/devices/{device}/rotate").text)
    assert second["username"] == first["username"]
    assert second["password"] != first["password"]
    with office.transaction() as session:
        stored = session.execute(
            text("SELECT credential_hash FROM devices WHERE id = :id"), {"id": device}
        ).scalar_one()
    assert verify_password(str(second["password"]), stored)
    assert not verify_password(str(first["password"]), stored)
    browser.post(f"/devices/{device}/revoke")
    assert browser.post(f"/devices/{device}/rotate").status_code == 303
    assert "A revoked device gets no new secret" in browser.text(f"/devices/{device}")


def test_hr_may_revoke_but_not_enrol(office: Desk) -> None:
    browser = office.browser("hr")
    assert browser.get("/devices/new").status_code == 403
    assert browser.post("/devices/new", {"p": "x"}).status_code == 403
    device = office.alpha.devices["other_branch"].device_id
    assert browser.post(f"/devices/{device}/revoke").status_code == 303
    page = browser.text(f"/devices/{device}")
    assert "Revoked" in page
    assert "Revoke…" not in page
    assert "phone of other_branch" not in browser.text("/devices")
    assert "phone of other_branch" in browser.text("/devices?revoked=1")


def test_a_form_without_a_person_is_refused_in_words(office: Desk) -> None:
    browser = office.browser("admin")
    for form in ({}, {"p": "x", "kind": "owntracks_ios"}, {"p": str(NOON), "kind": "nokia"}):
        answer = browser.post("/devices/new", form)
        assert answer.status_code == 400
        assert "Choose a person and an app." in answer.text
    foreign = {"p": str(office.world.beta.people["employee"]), "kind": "owntracks_ios"}
    assert browser.post("/devices/new", foreign).status_code == 404


@pytest.mark.parametrize("kind", sorted(set(DeviceKind)))
def test_every_app_has_its_words_and_its_page(office: Desk, kind: DeviceKind) -> None:
    assert words.KINDS[kind]
    assert words.APPS[kind]
    assert words.HOW[kind]
    assert words.KIND_NOTES[kind]
    page = enrol(office, name="manager_n2", kind=kind.value)
    assert str(words.HOW[kind][0]) in page
    assert (kind.value in {"tower_collector", "osmand"}) == ("setup__code" not in page)
    assert "/enrol/" in page
    listed = office.browser("admin").text(f"/devices?kind={kind.value}")
    assert words.KINDS[kind] in listed


def test_traccar_is_given_its_own_address(office: Desk) -> None:
    page = enrol(office, kind="traccar")
    assert 'href="org.traccar.client://config?url=http' in page
    assert re.search(r"http://127\.0\.0\.1/pub/osmand/d-[a-z0-9]{12}/[A-Za-z0-9_-]{32}<", page)
    assert ".otrc" not in page


def test_what_a_phone_says_of_itself_is_told(office: Desk) -> None:
    device = office.alpha.devices["employee"].device_id
    engine = make_engine(office.urls.ingest, pool_size=1)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE device_health SET status = :status WHERE device_id = :device"),
            {"device": device, "status": '{"platform": "android", "loc": -2, "ps": 1}'},
        )
    engine.dispose()
    browser = office.browser("admin")
    page = browser.text(f"/devices/{device}")
    assert "allow it always" in page
    assert "power saving mode" in page
    assert "allow it always" in browser.text("/devices")
    assert "allow it always" in office.browser("employee").text("/me")


def sheet(office: Desk, content: str, *, apply: bool = False) -> TestResponse:
    form = {"text": content} | ({"apply": "1"} if apply else {})
    return office.browser("admin").post("/devices/bulk", form)


def devices_in(office: Desk) -> int:
    with office.transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM devices")) or 0)


def number_of(office: Desk, name: str) -> str:
    with office.transaction() as session:
        found = session.scalar(
            text("SELECT number FROM employees WHERE id = :id"), {"id": office.alpha.people[name]}
        )
    return str(found)


def test_a_file_is_looked_at_before_anything_is_written(office: Desk) -> None:
    before = devices_in(office)
    rows = f"number,app\n{number_of(office, 'finance')},traccar\nE999,traccar\n"
    page = sheet(office, rows).text
    assert "Nobody has this staff number" in page
    assert "1 row cannot be applied" in page
    assert "will be enrolled" in page
    assert 'name="apply"' not in page
    refused = sheet(office, rows, apply=True)
    assert refused.status_code == 400
    assert "Nothing was enrolled" in refused.text
    assert devices_in(office) == before


def test_a_good_file_becomes_a_sheet_of_links_that_work_once(office: Desk) -> None:
    before = devices_in(office)
    rows = "".join(
        f"{number_of(office, name)},{app},{label}\n"
        for name, app, label in (("finance", "traccar", "<b>"), ("hr", "", ""))
    )
    looked = sheet(office, "number,app,label\n" + rows)
    assert 'name="apply"' in looked.text
    assert devices_in(office) == before
    made = sheet(office, "number,app,label\n" + rows, apply=True)
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    assert devices_in(office) == before + 2
    assert "&lt;b&gt;" in made.text
    links = re.findall(r"http://127\.0\.0\.1(/enrol/[^<\"]+)<", made.text)
    assert len(links) == 2
    assert made.text.count('src="data:image/svg+xml') == 2
    browser = office.browser("admin")
    assert "org.traccar.client" in browser.post(links[0]).text
    assert browser.post(links[0]).status_code == 404
    again = sheet(office, "number,app,label\n" + rows)
    assert again.text.count("Has a device with this app already") == 2


def test_a_file_from_a_chinese_spreadsheet_is_read(office: Desk) -> None:
    browser = office.browser("admin")
    content = f"工号,应用,名称\r\n{number_of(office, 'auditor')},ios,红米\r\n".encode("gb18030")
    answer = browser.post(
        "/devices/bulk",
        {"file": (io.BytesIO(content), "员工.csv")},
        content_type="multipart/form-data",
    )
    assert answer.status_code == 200
    assert "红米" in answer.text
    assert "OwnTracks iOS" in answer.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "names no column"),
        ("name,app\nx,y\n", "names no column"),
        ("number\n\n", "has no rows"),
        ('number\n"open', "cannot be read as CSV"),
        ("number\n" + "E1\n" * 501, "more than 500 rows"),
    ],
)
def test_a_file_that_is_none_says_why(office: Desk, content: str, sentence: str) -> None:
    answer = sheet(office, content)
    assert answer.status_code == 400
    assert sentence in answer.text


def test_a_constant_offset_between_sources_is_told(office: Desk) -> None:
    device = office.alpha.devices["other_team"].device_id
    find_offset(office, device, source="gps", against="cell", datum=None)
    browser = office.browser("admin")
    page = unescape(browser.text(f"/devices/{device}"))
    assert "Positions from “Satellites” stand 540 m off those from “Radio cells”" in page
    assert "Offset" in browser.text("/devices")
    page = browser.text(f"/devices/{device}/datum")
    assert "no known map datum" in page
    assert "No statement makes the sources agree" in page
    assert "Accept the proposal" not in page


def test_a_proposed_datum_is_accepted_in_one_step_and_remembered(office: Desk) -> None:
    device = office.alpha.devices["peer"].device_id
    browser, path = office.browser("admin"), f"/devices/{device}/datum"
    page = browser.text(path)
    assert "nothing speaks for another map datum" in page
    assert "Never changed" in page
    assert "not rewritten" in page
    find_offset(office, device)
    page = unescape(browser.text(path))
    assert "Proposal: WGS-84 (GPS) · Wi-Fi: GCJ-02 (AMap, Tencent)" in page
    form = page.partition("Proposal: ")[2].partition("</form>")[0]
    proposed = dict(re.findall(r'name="(\w+)" value="(\w+)"', form))
    proposed.pop("csrf_token", None)
    assert proposed == {"datum": "wgs84", "wifi": "gcj02"}
    office.clock.advance(timedelta(minutes=1))
    answer = browser.post(path, proposed)
    assert answer.status_code == 303
    page = unescape(browser.text(path))
    assert "What the device sends from now on is converted so" in page
    assert "Proposal" not in page
    history = page.partition("History")[2]
    assert "admin" in history
    assert "Wi-Fi: GCJ-02" in history
    assert "Map datum of a device stated" in office.browser("auditor").text("/audit/security")
    assert browser.post(path, proposed).status_code == 303
    assert "it was stated so already" in browser.text(path)
    # What is found in positions that came after the statement is a new finding.
    office.clock.advance(timedelta(minutes=1))
    find_offset(office, device)
    page = unescape(browser.text(path))
    assert "540 m" in page
    assert "No statement makes the sources agree" in page


def test_a_datum_nobody_knows_is_refused(office: Desk) -> None:
    device = office.alpha.devices["peer"].device_id
    browser, path = office.browser("admin"), f"/devices/{device}/datum"
    for form in ({}, {"datum": "mars"}, {"datum": "wgs84", "wifi": "mars"}):
        assert browser.post(path, form).status_code == 400
    page = office.browser("hr").text(path)
    assert "State it" not in page


def test_what_waited_on_the_phone_is_said(office: Desk) -> None:
    device = office.alpha.devices["employee"]
    engine = make_engine(office.urls.ingest, pool_size=1)
    now = office.clock.now()
    with engine.begin() as connection:
        for minutes_ago, waited in ((200, 190), (150, 145), (3, 0)):
            fixed_at = now - timedelta(minutes=minutes_ago)
            connection.execute(
                text(
                    "INSERT INTO fixes (tenant_id, device_id, fixed_at, msg_key, employee_id,"
                    " received_at, position, accuracy_m, source, flags, via, raw) VALUES"
                    f" (:tenant, :device, :at, :key, :person, :came, {point_sql('24.9', '60.1')},"
                    " 8, 'gps', 0, 'mqtt', '')"
                ),
                {
                    "tenant": office.alpha.id,
                    "device": device.device_id,
                    "person": office.alpha.people["employee"],
                    "at": fixed_at,
                    "came": fixed_at + timedelta(minutes=waited),
                    "key": minutes_ago,
                },
            )
        connection.execute(
            text(
                "UPDATE device_health SET fixed_at = :at, seen_at = :now, arrived_at = :now,"
                " late_at = :now WHERE device_id = :device"
            ),
            {"at": now - timedelta(minutes=150), "now": now, "device": device.device_id},
        )
    engine.dispose()
    browser = office.browser("admin")
    page = browser.text(f"/devices/{device.device_id}")
    assert "Of 3 positions of the last hour 2 had waited on the phone" in page
    assert "up to 3 h 10 min" in page
    assert "2 h 30 min" in page
    assert "the app does not tell" in page
    assert "Old positions still arriving" in browser.text("/devices")
