"""What phones heard around them, through the intake into the database."""

import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.stack import DatabaseUrls
from ingest.devices import LookUp
from ingest.intake import Intake, Message, Taken
from ingest.replay import replay
from server.clock import ManualClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.tracking.queries import records_of_person
from tests.factories.clients import encoded, message
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist

NOW = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
VAULT = Vault(bytes(range(32)))
_LEDGER = ("received", "stored", "duplicate", "quarantined", "off_duty", "ignored")
_tenants = iter(range(1, 10_000))


class Site:
    """An intake on a database of its own."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self.urls = urls
        self.engine = make_engine(urls.ingest)
        self.sessions = make_session_factory(self.engine)
        self.rows = Rows(urls)
        self.intake = Intake(directory=LookUp(VAULT), vault=VAULT)

    def phone(self, *, off_duty: bool = False) -> Phone:
        """Somebody with a phone, in a company of their own."""
        (phone,) = enlist(
            self.urls, 1, tenant_id=next(_tenants), off_duty=int(off_duty), around=NOW
        )
        return phone

    def take(self, *messages: Message) -> Taken:
        with unit_of_work(self.sessions, tenant_id=None) as session:
            taken = self.intake.take(session, messages)
        self.intake.committed(taken, NOW.timestamp())
        return taken

    def reports(self, phone: Phone) -> list[Any]:
        return self.rows.all(
            "SELECT fixed_at, msg_key, cells, wifi, dropped, has_fix, raw, battery_pct, via"
            " FROM radio_reports WHERE device_id = %s ORDER BY fixed_at, msg_key",
            phone.device_id,
        )

    def fixes(self, phone: Phone) -> list[Any]:
        return self.rows.all(
            "SELECT fixed_at, msg_key FROM fixes WHERE device_id = %s ORDER BY fixed_at, msg_key",
            phone.device_id,
        )

    def ledger(self, phone: Phone) -> dict[str, int]:
        sums = ", ".join(f"coalesce(sum({name}), 0)::int" for name in _LEDGER)
        (found,) = self.rows.all(
            f"SELECT {sums} FROM ingest_ledger WHERE device_id = %s", phone.device_id
        )
        counted = dict(zip(_LEDGER, found, strict=True))
        assert counted["received"] == sum(counted.values()) - counted["received"]
        return {name: count for name, count in counted.items() if count}


@pytest.fixture(scope="module")
def site(module_database: DatabaseUrls) -> Iterator[Site]:
    made = Site(module_database)
    yield made
    made.engine.dispose()


def _survey(phone: Phone, cell: int, *, group: int = 1, place: bool = True, **more: Any) -> Message:
    value = message("network-survey", NOW - timedelta(minutes=1))
    data = value["data"] | {"eci": cell, "groupNumber": group, "recordNumber": cell} | more
    if not place:
        del data["latitude"], data["longitude"]
    body = encoded("network-survey", value | {"data": data})
    return Message(f"survey/{phone.username}/lte_message", body, NOW.timestamp())


def _osmand(phone: Phone, query: str, **more: Any) -> Message:
    return Message(f"osmand/{phone.username}", query.encode(), NOW.timestamp(), **more)


def test_cells_beside_a_fix_share_its_key_and_do_not_keep_the_message_twice(site: Site) -> None:
    phone = site.phone()
    body = encoded("osmand-query", message("osmand-query", NOW))
    site.take(Message(f"osmand/{phone.username}", body, NOW.timestamp()))
    ((fixed_at, key, cells, wifi, dropped, has_fix, raw, battery, via),) = site.reports(phone)
    assert site.fixes(phone) == [(fixed_at, key)] == [(NOW, key)]
    assert (wifi, dropped, has_fix, raw, battery, via) == ([], None, True, None, 55, "mqtt")
    tower = {"radio": None, "mcc": 460, "mnc": 1, "area": 9763, "cell": 21569, "signal_dbm": -71}
    assert cells == [tower]
    assert site.ledger(phone) == {"received": 1, "stored": 1}


def test_a_message_with_cells_only_is_stored_once_and_has_no_fix(site: Site) -> None:
    phone = site.phone()
    sent = _osmand(phone, f"timestamp={int(NOW.timestamp())}&cell=460,0,7,9&batt=40&charge=1")
    site.take(sent, sent)
    site.take(sent)
    ((fixed_at, _, cells, _, _, has_fix, raw, battery, _),) = site.reports(phone)
    assert (fixed_at, has_fix, bytes(raw), battery) == (NOW, False, sent.payload, 40)
    assert [cell["cell"] for cell in cells] == [9]
    assert site.fixes(phone) == []
    assert site.ledger(phone) == {"received": 3, "stored": 1, "duplicate": 2}
    health = "SELECT battery_pct, charging, fixed_at FROM device_health WHERE device_id = %s"
    assert site.rows.all(health, phone.device_id) == [(40, True, None)]


def test_the_records_of_a_scan_become_one_report_whatever_their_batches(site: Site) -> None:
    phone = site.phone()
    site.take(_survey(phone, 5), _survey(phone, 6))
    site.take(_survey(phone, 7), _survey(phone, 5), _survey(phone, 8, group=2))
    first, second = sorted(site.reports(phone), key=lambda row: len(row[2]), reverse=True)
    assert [cell["cell"] for cell in first[2]] == [5, 6, 7]
    assert [cell["cell"] for cell in second[2]] == [8]
    assert len(site.fixes(phone)) == 2
    # One fix a scan; a further record is stored when it adds a cell.
    assert site.ledger(phone) == {"received": 5, "stored": 4, "duplicate": 1}


def test_records_of_a_scan_without_a_position_count_when_they_add_a_cell(site: Site) -> None:
    phone = site.phone()
    site.take(*(_survey(phone, cell, place=False) for cell in (5, 6, 5)))
    site.take(_survey(phone, 7, place=False), _survey(phone, 6, place=False))
    ((_, _, cells, *_),) = site.reports(phone)
    assert [cell["cell"] for cell in cells] == [5, 6, 7]
    assert site.ledger(phone) == {"received": 5, "stored": 3, "duplicate": 2}


def test_a_scan_that_grows_is_compared_again(site: Site) -> None:
    phone = site.phone()
    site.take(_survey(phone, 5))
    with site.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE radio_reports SET checked_at = now(), \"check\" = 'plausible'"
        )
    site.take(_survey(phone, 5))
    checked = "SELECT checked_at IS NOT NULL FROM radio_reports WHERE device_id = %s"
    assert site.rows.all(checked, phone.device_id) == [(True,)]
    site.take(_survey(phone, 6))
    assert site.rows.all(checked, phone.device_id) == [(False,)]


def test_off_duty_nothing_of_what_was_heard_is_kept(site: Site) -> None:
    phone = site.phone(off_duty=True)
    at = int(NOW.timestamp())
    site.take(
        _survey(phone, 5),
        _survey(phone, 5, place=False),
        _osmand(phone, f"timestamp={at}&cell=460,0,7,9"),
        _osmand(phone, f"timestamp={at}&lat=91&lon=2"),
    )
    assert (site.reports(phone), site.fixes(phone)) == ([], [])
    assert site.ledger(phone) == {"received": 4, "off_duty": 3, "quarantined": 1}
    kept = "SELECT reason, payload FROM quarantine WHERE device_id = %s"
    assert site.rows.all(kept, phone.device_id) == [("range", None)]


def test_what_has_no_time_counts_by_its_receipt_and_once(site: Site) -> None:
    phone = site.phone()
    sent = _osmand(phone, "cell=460,0,7,9")
    site.take(sent)
    later = Message(sent.topic, sent.payload, sent.received_s + 3600)
    site.take(later)
    assert len(site.reports(phone)) == 1
    # A backlog may be of last night.
    site.take(_osmand(phone, "cell=460,0,7,10", is_live=False))
    assert site.ledger(phone) == {"received": 3, "stored": 1, "duplicate": 1, "off_duty": 1}


def test_towers_that_cannot_be_are_counted_and_the_report_waits_for_nobody(site: Site) -> None:
    phone = site.phone()
    site.take(_osmand(phone, f"timestamp={int(NOW.timestamp())}&cell=460,0,0,9&cell=460,0,7,0"))
    ((_, _, cells, _, dropped, has_fix, *_),) = site.reports(phone)
    assert (cells, has_fix) == ([], False)
    assert dropped == {"area_reserved": 1, "cell_reserved": 1}
    assert site.ledger(phone) == {"received": 1, "stored": 1}


@pytest.mark.parametrize("name", ["overland", "osmand-json", "geosubmit", "network-survey"])
def test_a_refused_message_of_each_format_can_be_replayed_as_what_it_was(
    site: Site, name: str
) -> None:
    phone = site.phone()
    root = {"osmand-json": "osmand", "network-survey": "survey"}.get(name, name)
    topic = f"{root}/{phone.username}" + ("/lte_message" if root == "survey" else "")
    # Before the phone was enrolled here, as far as the server knows.
    body = encoded(name, message(name, NOW - timedelta(minutes=5)))
    _set_enrolled(site, phone, NOW + timedelta(days=2))
    site.take(Message(topic, body, NOW.timestamp()))
    assert site.ledger(phone) == {"received": 1, "quarantined": 1}
    _set_enrolled(site, phone, NOW - timedelta(days=60))
    done = replay(site.sessions, ManualClock(NOW), VAULT)
    assert done.let_in == 1
    assert len(site.fixes(phone)) == 1
    assert site.ledger(phone) == {"received": 1, "stored": 1}


def _set_enrolled(site: Site, phone: Phone, at: datetime) -> None:
    owner = make_engine(site.urls.owner)
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE devices SET enrolled_at = %s WHERE id = %s", (at, phone.device_id)
        )
    owner.dispose()


def test_a_batch_with_one_bad_location_stores_the_others(site: Site) -> None:
    phone = site.phone()
    good = message("overland", NOW)["locations"][0]
    bad = json.loads(json.dumps(good))
    bad["geometry"]["coordinates"] = [121.47, 91.0]
    other = message("overland", NOW - timedelta(minutes=2))["locations"][0]
    body = json.dumps({"locations": [good, bad, other, 7]}).encode()
    site.take(Message(f"overland/{phone.username}", body, NOW.timestamp()))
    assert len(site.fixes(phone)) == 2
    assert site.ledger(phone) == {"received": 4, "stored": 2, "quarantined": 2}


def test_a_person_is_given_what_their_phone_heard_and_nobody_elses(site: Site) -> None:
    one, two = site.phone(), site.phone()
    site.take(_survey(one, 5), _survey(two, 6))
    app = make_engine(site.urls.app)
    with unit_of_work(make_session_factory(app), tenant_id=one.tenant_id) as session:
        found = records_of_person(session, tenant_id=one.tenant_id, employee_id=one.employee_id)
    app.dispose()
    assert [cell["cell"] for row in found["radio_reports"] for cell in row["cells"]] == [5]
    assert "raw" not in found["radio_reports"][0]


def test_the_battery_a_status_tells_of_is_that_of_the_device(site: Site) -> None:
    phone = site.phone()
    value = message("network-survey", NOW)
    data = {"deviceTime": value["data"]["deviceTime"], "batteryLevelPercent": 38}
    body = encoded("network-survey", {"messageType": "DeviceStatus", "data": data})
    topic = f"survey/{phone.username}/device_status_message"
    site.take(Message(topic, body, NOW.timestamp()))
    found = "SELECT battery_pct, status->>'battery_pct' FROM device_health WHERE device_id = %s"
    assert site.rows.all(found, phone.device_id) == [(38, "38")]
    kinds = "SELECT kind FROM device_events WHERE device_id = %s"
    assert site.rows.all(kinds, phone.device_id) == [("status",)]


def test_two_doors_that_meet_in_the_same_scan_both_get_through(site: Site) -> None:
    phone = site.phone()
    failed: list[BaseException] = []

    def work(cells: tuple[int, ...]) -> None:
        intake = Intake(directory=LookUp(VAULT), vault=VAULT)
        try:
            for turn in range(8):
                messages = [_survey(phone, cell, group=turn) for cell in cells]
                with unit_of_work(site.sessions, tenant_id=None) as session:
                    intake.take(session, messages)
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(cells,)) for cells in ((5, 6), (7, 6))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    found = [[cell["cell"] for cell in cells] for _, _, cells, *_ in site.reports(phone)]
    assert found == [[5, 6, 7]] * 8
    assert len(site.fixes(phone)) == 8
    assert site.ledger(phone)["received"] == 32


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32))
def test_any_order_batching_and_repetition_ends_in_the_same_reports(site: Site, seed: int) -> None:
    rng = random.Random(seed)
    one, two = site.phone(), site.phone()

    def sent(phone: Phone) -> list[Message]:
        cells = [
            (5, 1, True),
            (6, 1, True),
            (7, 1, False),
            (8, 1, False),
            (5, 2, True),
            (5, 2, False),
        ]
        return [_survey(phone, cell, group=group, place=place) for cell, group, place in cells]

    site.take(*sent(one))
    shuffled = [*sent(two), *rng.choices(sent(two), k=4)]
    rng.shuffle(shuffled)
    while shuffled:
        cut = rng.randint(1, len(shuffled))
        site.take(*shuffled[:cut])
        shuffled = shuffled[cut:]
    assert [row[:6] for row in site.reports(one)] == [row[:6] for row in site.reports(two)]
    assert site.fixes(one) == site.fixes(two)
