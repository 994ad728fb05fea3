"""Asking carriers where a phone is: who may be asked about, what is kept, what it costs."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from server.carriers.rules import REFUSALS
from server.carriers.services import (
    CarrierFix,
    Disc,
    ProviderKind,
    RefusalCode,
    Withdrawn,
    withdraw_consent,
)
from server.db.types import new_id
from server.posts.rules import ExcusalKind
from server.posts.services import excuse
from tests.factories import carrier_server as moods
from tests.factories.carrier_server import Handler, seen
from tests.server.carriers.conftest import NOON, Carriers

PHONE = "8613800138000"
HERE = seen(time="20261118115930", off="+0800", x="31 13 49.44N", y="121 28 25.32E")
CELL = (
    "<pd><time utc_off='+0800'>20261118115930</time><gsm_net_param><cgi><mcc>460</mcc>"
    "<mnc>0</mnc><lac>4282</lac><cellid>1374</cellid></cgi></gsm_net_param></pd>"
)


def test_a_carrier_says_where_a_phone_is(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE
    person = carriers.person()
    found = carriers.locate(person)
    assert isinstance(found, CarrierFix)
    assert found.lat_deg == pytest.approx(31.2304, abs=1e-6)
    assert found.lon_deg == pytest.approx(121.4737, abs=1e-6)
    assert found.accuracy_m == 300
    assert found.fixed_at == datetime(2026, 11, 18, 3, 59, 30, tzinfo=UTC)
    assert (found.provider, found.cached) == ("mobile", False)
    ((outcome, purpose, actor, about, place),) = carriers.rows(
        "SELECT outcome, purpose, actor_name, employee_id, place IS NOT NULL FROM carrier_requests"
    )
    assert (outcome, purpose, actor, about, place) == ("ok", "locate_now", "Lead", person, True)


def test_the_engine_has_the_rights_to_ask(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE
    person = carriers.person()
    carriers.engine_role = True
    assert isinstance(carriers.locate(person), CarrierFix)
    carriers.server.phones[PHONE] = 202
    carriers.acme.clock.advance(timedelta(minutes=5))
    assert carriers.refusal(person) is RefusalCode.CONSENT_WITHDRAWN


def test_the_chinese_dialect_asks_for_national_numbers_in_gb2312(carriers: Carriers) -> None:
    carriers.add("telecom", ProviderKind.LE2)
    carriers.server.phones["13800138000"] = HERE
    assert isinstance(carriers.locate(carriers.person()), CarrierFix)
    assert carriers.server.asked[0].headers["Content-Type"] == "text/xml; charset=GB2312"


@pytest.mark.parametrize(
    ("phone", "consent", "duty", "code"),
    [
        (None, False, True, RefusalCode.NO_NUMBER),
        ("  ", False, True, RefusalCode.NO_NUMBER),
        ("138 0013 8000", False, True, RefusalCode.NO_CONSENT),
        ("138 0013 8000", True, False, RefusalCode.OFF_DUTY),
    ],
)
def test_nobody_is_asked_without_duty_number_and_consent(
    carriers: Carriers, *, phone: str | None, consent: bool, duty: bool, code: RefusalCode
) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person(phone, consent=consent, duty=duty)
    assert carriers.refusal(person) is code
    assert carriers.server.asked == []
    assert carriers.rows("SELECT FROM carrier_requests") == []


def test_without_a_provider_nobody_looks_at_the_person(carriers: Carriers) -> None:
    carriers.add("cells", ProviderKind.GEOLOCATE)
    assert carriers.refusal(new_id()) is RefusalCode.NO_PROVIDER


@pytest.mark.parametrize("hour", [0, 10])
def test_the_grace_round_a_shift_is_no_time_to_ask(carriers: Carriers, hour: int) -> None:
    """08:55 and 18:05 are kept when a phone reports by itself, and no time to call."""
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person()
    minutes = timedelta(minutes=55 if hour == 0 else 5)
    carriers.acme.clock.at = datetime(2026, 11, 18, hour, tzinfo=UTC) + minutes
    assert carriers.refusal(person) is RefusalCode.OFF_DUTY


def test_leave_ends_asking(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person()
    _leave(carriers, person)
    assert carriers.refusal(person) is RefusalCode.OFF_DUTY


def _leave(carriers: Carriers, person: object) -> None:
    with carriers.acme.transaction() as session:
        excuse(
            session,
            carriers.acme.clock,
            tenant_id=carriers.acme.tenant_id,
            employee_id=person,  # type: ignore[arg-type]
            kind=ExcusalKind.LEAVE,
            starts_at=NOON - timedelta(hours=1),
            ends_at=NOON + timedelta(hours=1),
        )


def test_leave_granted_while_the_carrier_takes_its_time_keeps_the_answer_out(
    carriers: Carriers,
) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person()

    def meanwhile(handler: Handler) -> None:
        _leave(carriers, person)
        handler.answer(
            f"<svc_result><slia><pos><msid>{PHONE}</msid>{HERE}</pos></slia></svc_result>".encode(),
            "text/xml",
        )

    carriers.server.mood = meanwhile
    assert carriers.refusal(person) is RefusalCode.OFF_DUTY
    assert carriers.rows("SELECT outcome, place FROM carrier_requests") == [("off_duty", None)]


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("20261118085959", RefusalCode.OLD_ANSWER),
        ("20261117120000", RefusalCode.OLD_ANSWER),
        ("20261118121500", RefusalCode.BAD_ANSWER),
    ],
)
def test_a_position_from_before_duty_or_from_ahead_is_not_kept(
    carriers: Carriers, time: str, code: RefusalCode
) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE.replace("20261118115930", time)
    assert carriers.refusal(carriers.person()) is code
    assert carriers.rows("SELECT place, fixed_at FROM carrier_requests") == [(None, None)]


def test_an_answer_without_a_time_counts_when_none_of_its_age_was_off_duty(
    carriers: Carriers,
) -> None:
    carriers.add("telecom", ProviderKind.LE2, options={"max_age_s": 120})
    carriers.server.mood = moods.says(
        b"<svc_result><X>31 13 49.44N</X><Y>121 28 25.32E</Y></svc_result>"
    )
    person = carriers.person()
    carriers.acme.clock.at = datetime(2026, 11, 18, 1, 1, tzinfo=UTC)
    assert carriers.refusal(person) is RefusalCode.OLD_ANSWER
    carriers.acme.clock.at = datetime(2026, 11, 18, 1, 2, tzinfo=UTC)
    found = carriers.locate(person)
    assert isinstance(found, CarrierFix)
    assert found.fixed_at == carriers.acme.clock.now()
    assert found.accuracy_m is None


def test_a_withdrawn_consent_at_the_carrier_is_withdrawn_here(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.add("second", ProviderKind.MLP, position=1)
    carriers.server.phones[PHONE] = 202
    person = carriers.person()
    assert carriers.refusal(person) is RefusalCode.CONSENT_WITHDRAWN
    assert "no absence" in REFUSALS[RefusalCode.CONSENT_WITHDRAWN]
    assert len(carriers.server.asked) == 1, "a no is not asked around"
    assert carriers.rows("SELECT withdrawn_how FROM carrier_consents") == [("carrier",)]
    assert carriers.refusal(person) is RefusalCode.NO_CONSENT
    assert carriers.rows("SELECT result, outcome FROM carrier_requests") == [
        (202, "consent_withdrawn")
    ]
    carriers.consent(person)
    carriers.server.phones[PHONE] = HERE
    assert isinstance(carriers.locate(person), CarrierFix)


def test_consent_is_for_one_number(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person()
    carriers.rows(
        "UPDATE employees SET phone = '139 0013 9000' WHERE id = :id RETURNING 1", id=person
    )
    assert carriers.refusal(person) is RefusalCode.NO_CONSENT
    carriers.rows(
        "UPDATE employees SET phone = '021 6555 1234' WHERE id = :id RETURNING 1", id=person
    )
    assert carriers.refusal(person) is RefusalCode.BAD_NUMBER
    assert carriers.server.asked == []


def test_a_person_takes_consent_back(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person()
    with carriers.acme.transaction() as session:
        assert withdraw_consent(
            session,
            carriers.acme.clock,
            tenant_id=carriers.acme.tenant_id,
            employee_id=person,
            how=Withdrawn.PERSON,
        )
    assert carriers.refusal(person) is RefusalCode.NO_CONSENT


def test_an_answer_about_another_number_is_not_believed(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    body = f"<svc_result><slia><pos><msid>8613900139000</msid>{HERE}</pos></slia></svc_result>"
    carriers.server.mood = moods.says(body.encode())
    assert carriers.refusal(carriers.person()) is RefusalCode.OTHER_PHONE


def test_providers_are_asked_in_order_until_one_knows_the_number(carriers: Carriers) -> None:
    carriers.add("second", ProviderKind.LE2, position=2)
    carriers.add("first", ProviderKind.MLP, position=1)
    carriers.add("off", ProviderKind.MLP, position=0, enabled=False)
    carriers.server.phones["13800138000"] = HERE
    found = carriers.locate(carriers.person())
    assert isinstance(found, CarrierFix)
    assert found.provider == "second"
    assert [asked.path for asked in carriers.server.asked] == ["/mlp", "/le"]


def test_an_absent_phone_is_absent_everywhere(carriers: Carriers) -> None:
    carriers.add("first", ProviderKind.MLP)
    carriers.add("second", ProviderKind.MLP, position=1)
    carriers.server.phones[PHONE] = 5
    assert carriers.refusal(carriers.person()) is RefusalCode.ABSENT
    assert len(carriers.server.asked) == 1


def test_a_young_answer_is_used_again_and_on_record(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP, options={"max_age_s": 60})
    carriers.server.phones[PHONE] = HERE
    person = carriers.person()
    first = carriers.locate(person)
    carriers.acme.clock.advance(timedelta(seconds=30))
    again = carriers.locate(person)
    assert isinstance(first, CarrierFix)
    assert isinstance(again, CarrierFix)
    assert (again.lon_deg, again.lat_deg, again.fixed_at, again.cached) == (
        first.lon_deg,
        first.lat_deg,
        first.fixed_at,
        True,
    )
    assert len(carriers.server.asked) == 1
    carriers.acme.clock.advance(timedelta(seconds=1))
    assert isinstance(carriers.locate(person), CarrierFix)
    assert len(carriers.server.asked) == 2, "now it is 61 seconds old"
    outcomes = carriers.rows("SELECT outcome FROM carrier_requests ORDER BY id")
    assert outcomes == [("ok",), ("cached",), ("ok",)]


def test_an_answer_of_one_person_is_not_used_for_another(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = HERE
    assert isinstance(carriers.locate(carriers.person()), CarrierFix)
    assert carriers.refusal(carriers.person("13900139000")) is RefusalCode.UNKNOWN_SUBSCRIBER


def test_quotas_of_a_day_in_the_tenants_zone(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP, person_quota=1, daily_quota=2)
    one, two, three = (carriers.person(f"1380013800{n}") for n in range(3))
    for person in (one, two, three):
        carriers.acme.roster(person, on_date=NOON.date() + timedelta(days=1))
    assert carriers.refusal(one) is RefusalCode.UNKNOWN_SUBSCRIBER
    assert carriers.refusal(one) is RefusalCode.PERSON_QUOTA
    assert carriers.refusal(two) is RefusalCode.UNKNOWN_SUBSCRIBER
    assert carriers.refusal(three) is RefusalCode.DAY_QUOTA
    assert len(carriers.server.asked) == 2
    carriers.acme.clock.advance(timedelta(days=1))
    assert carriers.refusal(one) is RefusalCode.UNKNOWN_SUBSCRIBER


def test_many_who_ask_at_once_share_one_quota(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP, daily_quota=3)
    people = [carriers.person(f"1380013800{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        codes = Counter(pool.map(carriers.refusal, people))
    assert codes == {RefusalCode.UNKNOWN_SUBSCRIBER: 3, RefusalCode.DAY_QUOTA: 5}
    assert len(carriers.server.asked) == 3
    assert carriers.rows("SELECT max(count), count(*) FROM carrier_usage") == [(3, 4)]


def test_a_failing_provider_is_left_alone_and_tried_again(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.mood = moods.hangs_up
    person = carriers.person()
    for _ in range(3):
        assert carriers.refusal(person) is RefusalCode.UNREACHABLE
    assert carriers.refusal(person) is RefusalCode.BREAKER_OPEN
    assert len(carriers.server.asked) == 3
    carriers.acme.clock.advance(timedelta(seconds=30))
    assert carriers.refusal(person) is RefusalCode.UNREACHABLE
    assert carriers.refusal(person) is RefusalCode.BREAKER_OPEN
    carriers.acme.clock.advance(timedelta(seconds=60))
    carriers.server.mood = None
    carriers.server.phones[PHONE] = HERE.replace("115930", "120100")
    assert isinstance(carriers.locate(person), CarrierFix)
    assert carriers.rows("SELECT failures, open_until_at FROM carrier_providers") == [(0, None)]


def test_only_one_tries_a_provider_that_failed(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person, other = carriers.person(), carriers.person("13900139000")
    carriers.rows(
        "UPDATE carrier_providers SET failures = 4, open_until_at = :at RETURNING 1", at=NOON
    )
    seen_meanwhile = []

    def another_asks(handler: Handler) -> None:
        carriers.server.mood = None
        seen_meanwhile.append(carriers.refusal(other))
        handler.answer(b"<x/>", "text/xml")

    carriers.server.mood = another_asks
    assert carriers.refusal(person) is RefusalCode.BAD_ANSWER
    assert seen_meanwhile == [RefusalCode.BREAKER_OPEN]


def test_what_a_broken_answer_says_is_kept_without_numbers(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    inside = f"<result resid='1'>SYSTEM FAILURE</result><add_info>for {PHONE}</add_info>"
    carriers.server.mood = moods.says(f"<svc_result><slia>{inside}</slia></svc_result>".encode())
    assert carriers.refusal(carriers.person()) is RefusalCode.PROVIDER_FAILURE
    assert carriers.rows("SELECT detail FROM carrier_requests") == [("SYSTEM FAILURE for …",)]


def test_wrong_credentials_are_told_apart(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP, credentials={"client_id": "x", "password": "y"})
    assert carriers.refusal(carriers.person()) is RefusalCode.UNAUTHORISED


def test_a_private_address_is_not_called_when_the_operator_stops_allowing_it(
    carriers: Carriers,
) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    person = carriers.person()
    port, carriers.server.port = carriers.server.port, 1
    try:
        assert carriers.refusal(person) is RefusalCode.FORBIDDEN_ADDRESS
    finally:
        carriers.server.port = port
    assert carriers.server.asked == []


def test_a_cell_without_a_place_is_looked_up(carriers: Carriers) -> None:
    carriers.add("mobile", ProviderKind.MLP)
    carriers.server.phones[PHONE] = CELL
    person = carriers.person()
    assert carriers.refusal(person) is RefusalCode.CELL_ONLY
    carriers.add("cells", ProviderKind.GEOLOCATE)
    carriers.server.cells[460, 0, 4282, 1374] = (39.9, 116.4, 1500.0)
    found = carriers.locate(person)
    assert isinstance(found, CarrierFix)
    assert (found.lon_deg, found.lat_deg, found.accuracy_m) == (116.4, 39.9, 1500.0)
    assert found.provider == "mobile"


def test_coordinates_of_another_datum_are_converted_once(carriers: Carriers) -> None:
    carriers.add("gcj", ProviderKind.MLP, options={"datum": "gcj02"})
    carriers.server.phones[PHONE] = HERE
    found = carriers.locate(carriers.person())
    assert isinstance(found, CarrierFix)
    assert 0.001 < abs(found.lon_deg - 121.4737) < 0.01
    assert Disc(found.lon_deg, found.lat_deg, None).accuracy_m is None
