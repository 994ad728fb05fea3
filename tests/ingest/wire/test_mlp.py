"""`outpost decode mlp`: answers of carriers as fixes, scans and refusals."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingest.cli import decode

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "mlp"


@pytest.fixture
def reference() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the shared reference data is not beside the checkout")
    return SHARED


def shown(document: bytes) -> Any:
    done = CliRunner().invoke(decode, ["mlp"], input=document)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.data
def test_a_circle_is_a_fix_by_the_carrier(reference: Path) -> None:
    found = shown((reference / "mlp_3.1_slia_circulararea.xml").read_bytes())
    assert isinstance(found, list)
    (fix,) = found
    assert (fix["type"], fix["device"], fix["source"]) == ("fix", "61307341370", "lbs")
    assert fix["fixed_at"] == "2014-05-06T22:29:57Z"
    assert (fix["lat"], fix["lon"]) == (
        pytest.approx(-27.4736111, abs=1e-6),
        pytest.approx(153.0286111, abs=1e-6),
    )
    assert fix["accuracy_m"] == 5000.0
    unknown = ("speed_mps", "course_deg", "altitude_m", "battery_pct", "mock", "trigger")
    assert [fix[name] for name in unknown] == [None] * len(unknown)
    assert fix["cells"] == []


@pytest.mark.data
def test_a_cell_without_a_shape_is_a_fix_without_a_place(reference: Path) -> None:
    found = shown((reference / "mlp_3.1_slia_cgi_only.xml").read_bytes())
    assert isinstance(found, list)
    (fix,) = found
    assert (fix["lon"], fix["lat"], fix["accuracy_m"], fix["source"]) == (None, None, None, None)
    assert fix["fixed_at"] == "2016-08-28T21:14:21Z"
    (cell,) = fix["cells"]
    assert (cell["radio"], cell["mcc"], cell["mnc"], cell["area"], cell["cell"]) == (
        "gsm",
        250,
        1,
        32000,
        221,
    )


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("mlp_3.1_poserr.xml", "not_positioned", "6 POSITION METHOD FAILURE"),
        ("mlp_3.1_slia_error_unknown_subscriber.xml", "unknown_subscriber", "4 UNKNOWN SUBSCRIBER"),
        ("mlp_3.1_slir_request.xml", "shape", ""),
        ("china_le_2.0_slir_request.xml", "shape", ""),
    ],
)
def test_refusals_say_what_they_mean(reference: Path, name: str, reason: str, words: str) -> None:
    found = shown((reference / name).read_bytes())
    assert isinstance(found, dict)
    assert found["rejected"] == reason
    assert found["detail"].startswith(words)


@pytest.mark.data
def test_every_damaged_copy_of_the_references_is_read_or_rejected(reference: Path) -> None:
    for path in sorted(reference.glob("mlp_*_sl*ia*.xml")):
        document = path.read_bytes()
        for cut in range(0, len(document), 23):
            for damaged in (document[:cut], document[:cut] + b"\x00" + document[cut + 1 :]):
                found = shown(damaged)
                entries = found if isinstance(found, list) else [found]
                assert all("rejected" in e or e["type"] == "fix" for e in entries), (path, cut)


_TAGS = ("X", "Y", "radius", "coord", "shape", "CircularArea", "pd", "pos", "slia", "svc_result")
_VALUES = ("", "banana", "NaN", "1e400", "95 00 00.000N", "30 99 00.000N", "30 16 28.308Q")


@pytest.mark.data
def test_each_part_left_out_impossible_or_twice_is_refused_and_never_guessed(
    reference: Path,
) -> None:
    good = (reference / "mlp_3.1_slia_circulararea.xml").read_text(encoding="utf-8")
    cases = [
        (f"no {tag}", re.sub(rf"<{tag}\b[^>]*>.*?</{tag}>", "", good, count=1, flags=re.DOTALL))
        for tag in _TAGS
    ]
    for tag in ("X", "Y", "radius", "time"):
        part = rf"(<{tag}\b[^>]*>)(.*?)(</{tag}>)"
        cases += [(f"{tag}={v!r}", re.sub(part, rf"\g<1>{v}\g<3>", good)) for v in _VALUES]
        cases.append((f"{tag} twice", re.sub(part, r"\g<0>\g<0>", good)))
    for name, document in cases:
        found = shown(document.encode())
        assert isinstance(found, dict), (name, found)
        assert found["rejected"] in {"coordinate", "radius", "shape", "time", "xml"}, (name, found)


def test_refusals_of_some_stand_between_positions_of_others() -> None:
    time = "<time utc_off='+0800'>20261118120000</time>"
    circle = (
        "<shape><CircularArea><coord><X>39 54 30N</X><Y>116 23 50E</Y></coord>"
        "<radius>300</radius></CircularArea></shape>"
    )
    good = f"<pos><msid>1380013800{{}}</msid><pd>{time}{circle}</pd></pos>"
    no = (
        f"<pos><msid>13800138001</msid><poserr><result resid='202'>NO</result>{time}</poserr></pos>"
    )
    body = f"<svc_result><slia>{good.format(0)}{no}{good.format(2)}</slia></svc_result>"
    found = shown(body.encode())
    assert isinstance(found, list)
    assert [entry.get("rejected", entry.get("type")) for entry in found] == [
        "fix",
        "consent_withdrawn",
        "fix",
    ]
    assert found[1]["device"] == "13800138001"


def test_the_chinese_dialect_is_read_by_its_first_x_and_y() -> None:
    answer = (
        '<?xml version="1.0" encoding="GB2312"?><svc_result ver="2.0.0"><slia ver="2.0.0">'
        "<result resid='0'>成功</result><X>39.9085</X><Y>116.3972</Y></slia></svc_result>"
    )
    (fix,) = shown(answer.encode("gb2312"))
    assert (fix["lat"], fix["lon"], fix["accuracy_m"]) == (39.9085, 116.3972, None)
    assert (fix["fixed_at"], fix["flags"]) == (None, ["no_accuracy", "no_tst"])
    refused = answer.replace("resid='0'>成功", "resid='202'>用户取消授权")
    assert shown(refused.encode("gb2312")) == {
        "rejected": "consent_withdrawn",
        "detail": "202 用户取消授权",
    }
    three = answer.replace("2.0.0", "3.1.0")
    assert shown(three.encode("gb2312"))["rejected"] == "shape", "MLP itself is not guessed"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "empty"),
        (b"{}", "xml"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><svc_result>&b;</svc_result>', "doctype"),
        (b"<a>" * 50, "depth"),
    ],
)
def test_what_is_no_answer_says_why(document: bytes, reason: str) -> None:
    found = shown(document)
    assert isinstance(found, dict)
    assert found["rejected"] == reason
    assert found["detail"]
