"""OMA MLP: the reference documents, every quirk met in the wild, every way to be broken."""

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.carriers.codec import le2, mlp
from server.carriers.codec.mlp import Ask, Located, Malformed, NamedCell, NotLocated
from server.carriers.codec.results import RESULTS, meaning_of, number_of
from server.carriers.codec.shapes import Disc
from server.carriers.rules import REFUSALS, RefusalCode

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data" / "mlp"
NOW = "<time utc_off='+0800'>20261118120000</time>"
CIRCLE = (
    "<CircularArea><coord><X>39 54 30.00N</X><Y>116 23 50.00E</Y></coord>"
    "<radius>300</radius></CircularArea>"
)


@pytest.fixture
def reference() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared reference data is not beside the checkout")
    return SHARED


def slia(inside: str, *, root: str = "svc_result") -> bytes:
    return f"<{root} ver='3.1.0'><slia ver='3.1.0'>{inside}</slia></{root}>".encode()


def only(document: bytes) -> Located | NotLocated | Malformed:
    found = mlp.read_answer(document)
    assert not isinstance(found, Malformed), found
    (entry,) = found
    return entry


def located(document: bytes) -> Located:
    found = only(document)
    assert isinstance(found, Located), found
    return found


@pytest.mark.data
def test_the_reference_circle(reference: Path) -> None:
    found = located((reference / "mlp_3.1_slia_circulararea.xml").read_bytes())
    assert found.msid == "61307341370"
    assert found.fixed_at == datetime(2014, 5, 6, 22, 29, 57, tzinfo=UTC)
    assert found.disc is not None
    assert found.disc.lat_deg == pytest.approx(-27.4736111, abs=1e-6)
    assert found.disc.lon_deg == pytest.approx(153.0286111, abs=1e-6)
    assert found.disc.accuracy_m == 5000


@pytest.mark.data
def test_the_reference_answer_of_a_cell_only(reference: Path) -> None:
    found = located((reference / "mlp_3.1_slia_cgi_only.xml").read_bytes())
    assert found.disc is None
    assert found.fixed_at == datetime(2016, 8, 28, 21, 14, 21, tzinfo=UTC)
    assert found.cells == (NamedCell(radio="gsm", mcc=250, mnc=1, area=32000, cell=221),)


@pytest.mark.data
def test_the_reference_refusals(reference: Path) -> None:
    one = only((reference / "mlp_3.1_poserr.xml").read_bytes())
    assert one == NotLocated(
        msid="61307341370",
        number=6,
        name="POSITION METHOD FAILURE",
        at=datetime(2015, 3, 14, 20, 35, 23, tzinfo=UTC),
    )
    whole = only((reference / "mlp_3.1_slia_error_unknown_subscriber.xml").read_bytes())
    assert isinstance(whole, NotLocated)
    assert (whole.msid, whole.number) == (None, 4)
    assert "unknownSubscriber" in whole.info


ASK = Ask(
    client_id="USERNAME",
    password="PASSWORD",
    service_id="SERVICEID",
    msisdn="59899077937",
    accuracy_m=200,
    max_age_s=60,
)


@pytest.mark.data
def test_our_request_is_the_reference_request(reference: Path) -> None:
    expected = (reference / "mlp_3.1_slir_request.xml").read_text()
    assert outline(mlp.write_slir(ASK).decode()) == outline(expected)


@pytest.mark.data
def test_our_request_in_the_chinese_dialect_is_the_reference(reference: Path) -> None:
    ask = Ask(
        client_id="CLIENT_ID",
        password="PASSWORD",
        service_id="SERVICE_ID",
        requestor="GROUP_ID",
        msisdn="13800000000",
        accuracy_m=200,
        max_age_s=60,
    )
    written = le2.write_slir(ask)
    assert isinstance(written, bytes)
    assert written == (reference / "china_le_2.0_slir_request.xml").read_bytes().rstrip(b"\n")


def outline(text: str) -> list[tuple[str, dict[str, str], str]]:
    body = text.partition("?>")[2].strip()
    if body.startswith("<!DOCTYPE"):
        body = body.partition(">")[2]
    root = ET.fromstring(body)  # noqa: S314  # of this test
    return [(e.tag, dict(e.attrib), (e.text or "").strip()) for e in root.iter()]


def test_credentials_and_numbers_cannot_break_out_of_their_element() -> None:
    nasty = "a</id><pwd>&\"'"
    ask = Ask(
        client_id=nasty,
        password=nasty,
        service_id=nasty,
        requestor=nasty,
        msisdn=nasty,
        accuracy_m=1,
        max_age_s=0,
    )
    for written in (mlp.write_slir(ask), le2.write_slir(ask)):
        assert isinstance(written, bytes)
        texts = [text for tag, _, text in outline(written.decode()) if tag in {"id", "pwd", "msid"}]
        assert set(texts) == {nasty}


def test_what_gb2312_cannot_say_is_refused() -> None:
    ask = Ask(
        client_id="张三",
        password="𠮷",
        service_id=None,
        msisdn="13800000000",
        accuracy_m=200,
        max_age_s=60,
    )
    assert le2.write_slir(ask) == le2.NotInGb2312("password")


DISC = Disc(
    pytest.approx(116 + 23 / 60 + 50 / 3600),  # type: ignore[arg-type]
    pytest.approx(39 + 54 / 60 + 30 / 3600),  # type: ignore[arg-type]
    300.0,
)


@pytest.mark.parametrize(
    "inside",
    [
        f"<pos><msid>8613800138000</msid><pd>{NOW}<shape>{CIRCLE}</shape></pd></pos>",
        f"<pos><msid>8613800138000</msid><pd>{NOW}<geo_info><shape>{CIRCLE}</shape></geo_info></pd></pos>",
        (
            f"<pos><msid>8613800138000</msid><pd>{NOW}<shape><geo_info>"
            "<CoordinateReferenceSystem><Identifier><code>4326</code><codeSpace>EPSG</codeSpace>"
            f"</Identifier></CoordinateReferenceSystem>{CIRCLE}</geo_info></shape></pd></pos>"
        ),
        f"<pos><msid type='MSISDN' enc='ASC'> 8613800138000 </msid><pd>{NOW}<shape>"
        + CIRCLE.replace("</coord>", "<Z>NaN</Z></coord><angle>12</angle>")
        + "</shape><alt>NaN</alt><speed>NaN</speed></pd></pos>",
    ],
    ids=["plain", "geo_info outside", "geo_info inside", "nan and angle"],
)
@pytest.mark.parametrize("root", ["svc_result", "m:svc_result xmlns:m='MLP_SVC_RESULT_310.dtd'"])
def test_a_shape_is_found_however_it_is_wrapped(inside: str, root: str) -> None:
    document = slia(inside, root=root)
    if "xmlns" in root:
        document = document.replace(
            b"</m:svc_result xmlns:m='MLP_SVC_RESULT_310.dtd'>", b"</m:svc_result>"
        )
    found = located(document)
    assert found.msid == "8613800138000"
    assert found.disc == DISC
    assert found.fixed_at == datetime(2026, 11, 18, 4, tzinfo=UTC)
    assert (found.altitude_m, found.speed_mps, found.course_deg) == (None, None, None)


def test_refusals_of_some_phones_stand_among_positions_of_others() -> None:
    good = f"<pos><msid>1</msid><pd>{NOW}<shape>{CIRCLE}</shape></pd></pos>"
    refused = f"<pos><msid>2</msid><poserr><result resid='202'>X</result>{NOW}</poserr></pos>"
    broken = "<pos><msid>3</msid><pd><time>yesterday</time></pd></pos>"
    found = mlp.read_answer(slia(good + refused + broken + good))
    assert isinstance(found, list)
    assert [type(entry) for entry in found] == [Located, NotLocated, Malformed, Located]


def test_an_enciphered_number_is_not_taken_for_one() -> None:
    found = located(
        slia(f"<pos><msid enc='CRP'>61</msid><pd>{NOW}<shape>{CIRCLE}</shape></pd></pos>")
    )
    assert found.msid is None


def test_cells_of_lte_and_umts() -> None:
    found = located(
        slia(
            f"<pos><msid>1</msid><pd>{NOW}<plmn><mcc>460</mcc><mnc>11</mnc></plmn>"
            "<lte_net_param><eci>187654321</eci><tac>4105</tac></lte_net_param>"
            "<gsm_net_param><cgi><mcc>460</mcc><mnc>01</mnc><lac>53</lac><cellid>99999</cellid>"
            "</cgi></gsm_net_param></pd></pos>"
        )
    )
    assert found.cells == (
        NamedCell(radio="umts", mcc=460, mnc=1, area=53, cell=99999),
        NamedCell(radio="lte", mcc=460, mnc=11, area=4105, cell=187654321),
    )


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "empty"),
        (b"<html><body>502</body></html>", "shape"),
        (slia(""), "shape"),
        (slia("<result resid='0'>OK</result>"), "shape"),
        (slia("<result resid='abc'>?</result>"), "shape"),
        (slia("<pos><msid>1</msid></pos>"), "shape"),
        (slia(f"<pos><msid>1</msid><pd>{NOW}</pd></pos>"), "shape"),
        (slia(f"<pos><msid>1</msid><pd>{NOW}<shape/></pd></pos>"), "shape"),
        (slia("<pos><msid>1</msid><poserr><time>20261118120000</time></poserr></pos>"), "result"),
        (
            slia(
                f"<pos><msid>1</msid><pd><time utc_off='CST'>20261118120000</time>"
                f"<shape>{CIRCLE}</shape></pd></pos>"
            ),
            "time",
        ),
        (
            slia(
                f"<pos><msid>1</msid><pd>{NOW}<shape>"
                f"{CIRCLE.replace('39 54 30.00N', '39 64 30.00N')}</shape></pd></pos>"
            ),
            "coordinate",
        ),
        (
            slia(
                f"<pos><pd>{NOW}<geo_info><CoordinateReferenceSystem><Identifier><code>2437</code>"
                f"</Identifier></CoordinateReferenceSystem></geo_info><shape>{CIRCLE}</shape>"
                "</pd></pos>"
            ),
            "crs",
        ),
        (slia("<pos/>" * 501), "size"),
    ],
)
def test_what_is_broken_has_a_reason(document: bytes, reason: str) -> None:
    found = mlp.read_answer(document)
    entry = found if isinstance(found, Malformed) else found[0]
    assert isinstance(entry, Malformed)
    assert entry.reason == reason


def test_a_general_error_is_a_refusal_of_all() -> None:
    found = only(b"<svc_result><gem><result resid='105'>FORMAT ERROR</result></gem></svc_result>")
    assert isinstance(found, NotLocated)
    assert meaning_of(found.number) is RefusalCode.NOT_UNDERSTOOD


def test_a_wrong_number_beside_a_right_name_is_mended() -> None:
    found = only(slia("<result resid='10'>QOP NOT ATTAINABLE</result>"))
    assert isinstance(found, NotLocated)
    assert found.number == 201
    assert number_of(10, "something else") == 10
    assert number_of(5, "QOP NOT ATTAINABLE") == 5, "a number of the table counts"


def test_every_result_means_something_people_understand() -> None:
    for number in [*RESULTS, 500, 555, 599, 601, 605, 42]:
        assert REFUSALS[meaning_of(number)]
    assert meaning_of(202) is RefusalCode.CONSENT_WITHDRAWN
    assert meaning_of(5) is RefusalCode.ABSENT
    assert "no absence" in REFUSALS[RefusalCode.CONSENT_WITHDRAWN]


@pytest.mark.parametrize(
    "inside",
    [
        "<result resid='0'>OK</result><X>39.908500</X><Y>116.397222</Y><radius>150</radius>",
        "<X>39 54 30.60N</X><Y>116 23 50.00E</Y><radius>150</radius>",
    ],
)
def test_the_dialect_is_read_by_its_first_x_and_y(inside: str) -> None:
    found = le2.read_answer(
        f'<?xml version="1.0" encoding="GB2312"?><svc_result ver="2.0.0"><slia><posinfo>{inside}'
        "</posinfo><add_info>成功</add_info></slia></svc_result>".encode("gb2312")
    )
    assert isinstance(found, list)
    (entry,) = found
    assert isinstance(entry, Located)
    assert entry.disc is not None
    assert entry.disc.lat_deg == pytest.approx(39.9085, abs=1e-5)
    assert entry.disc.lon_deg == pytest.approx(116.3972, abs=1e-4)
    assert entry.disc.accuracy_m == 150
    assert entry.fixed_at is None


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (
            (
                "<answer><result resid='202'>不允许定位</result>"
                "<add_info>用户取消授权</add_info></answer>"
            ),
            202,
        ),
        ("<result resid='5'>用户关机</result>", 5),
    ],
)
def test_refusals_of_the_dialect_keep_their_chinese_words(inside: str, expected: int) -> None:
    found = le2.read_answer(f"<svc_result>{inside}</svc_result>".encode("gb2312"))
    assert isinstance(found, list)
    (entry,) = found
    assert isinstance(entry, NotLocated)
    assert entry.number == expected
    assert not entry.name.isascii()


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("<slia/>", "shape"),
        ("<X>39</X>", "shape"),
        ("<X>x</X><Y>y</Y>", "coordinate"),
        ("<result resid=''/>", "result"),
        ("<X>39</X><Y>116</Y><time>now</time>", "time"),
        ("<X>39</X><Y>116</Y><radius>far</radius>", "radius"),
    ],
)
def test_broken_answers_of_the_dialect_have_a_reason(inside: str, reason: str) -> None:
    found = le2.read_answer(f"<svc_result>{inside}</svc_result>".encode())
    entry = found if isinstance(found, Malformed) else found[0]
    assert isinstance(entry, Malformed)
    assert entry.reason == reason


@given(st.binary(max_size=300), st.sampled_from(["pd", "msid", "shape", "result", "time", "coord"]))
def test_nothing_raises(noise: bytes, name: str) -> None:
    inside = f"<pos><msid>1</msid><pd>{NOW}<shape>{CIRCLE}</shape></pd></pos>".encode()
    document = slia("@").replace(b"@", inside)
    place = document.find(f"<{name}".encode())
    for text in (noise, document[:place] + noise + document[place:]):
        mlp.read_answer(text)
        le2.read_answer(text)
