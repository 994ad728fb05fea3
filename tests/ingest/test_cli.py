"""`outpost decode`: a message in, JSON out."""

import json

import pytest
from click.testing import CliRunner

from ingest.cli import decode


def _run(message: str | bytes, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(decode, ["owntracks", *options], input=message)
    return done.exit_code, done.output


def test_a_fix_has_every_field_of_the_contract_and_unknown_is_null() -> None:
    code, output = _run(
        '{"_type":"location","lat":31.5,"lon":121.5,"tst":1790000000,"vel":36,"acc":0}\n',
        "--topic",
        "owntracks/alice-phone/x",
    )
    assert code == 0
    (fix,) = json.loads(output)
    assert fix["device"] == "alice-phone"
    assert fix["fixed_at"] == "2026-09-21T14:13:20Z"
    assert (fix["lon"], fix["lat"], fix["speed_mps"], fix["source"]) == (121.5, 31.5, 10.0, "gps")
    unknown = ("accuracy_m", "course_deg", "altitude_m", "battery_pct", "mock", "trigger")
    assert [fix[name] for name in unknown] == [None] * len(unknown)
    assert fix["cells"] == []


def test_the_device_is_never_taken_from_the_payload() -> None:
    message = '{"_type":"location","lat":1.5,"lon":2.5,"tst":1790000000,"topic":"owntracks/eve/x"}'
    assert json.loads(_run(message)[1])[0]["device"] is None


@pytest.mark.parametrize(
    ("message", "options", "reason"),
    [
        ('{"_type":"cmd"}', (), "forbidden"),
        ("nonsense", (), "json"),
        ('{"_type":"location","lat":91,"lon":0,"tst":1790000000}', (), "range"),
        ('{"_type":"location","lat":1,"lon":2,"tst":1790000000}', ("--topic", "a/b"), "topic"),
    ],
)
def test_a_message_that_cannot_be_stored_says_why(
    message: str, options: tuple[str, ...], reason: str
) -> None:
    code, output = _run(message, *options)
    assert code == 0
    assert json.loads(output)["rejected"] == reason
    assert json.loads(output)["detail"]


def test_a_cleared_message_is_an_empty_list() -> None:
    assert _run("") == (0, "[]\n")


def test_the_same_input_gives_the_same_bytes() -> None:
    message = '{"_type":"transition","event":"enter","desc":"岗位","tst":1790000000}'
    assert _run(message) == _run(message)
    assert "岗位" in _run(message)[1]


def test_other_formats_are_refused_in_one_line() -> None:
    done = CliRunner().invoke(decode, ["osmand"], input="x")
    assert done.exit_code != 0
    assert done.output.strip().splitlines()[-1].startswith("Error: format osmand is not in this")
