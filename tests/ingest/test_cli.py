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


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nosuch"], "outpost: Invalid value for 'FORMAT': 'nosuch' is not one of"),
        (["owntracks", "--nosuch"], "outpost: No such option"),
        ([], "outpost: Missing argument 'FORMAT'"),
    ],
)
def test_wrong_use_is_one_line_on_standard_error_and_exit_2(
    arguments: list[str], complaint: str
) -> None:
    done = CliRunner().invoke(decode, arguments, input="x")
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(complaint)


def test_measures_are_floats_however_the_phone_writes_them() -> None:
    fix = '{"_type":"location","lat":31,"lon":121,"tst":1790000000,"alt":0,"acc":9,"cog":0,"vel":0}'
    (shown,) = json.loads(_run(fix)[1])
    names = ("lon", "lat", "accuracy_m", "altitude_m", "course_deg", "speed_mps")
    assert [repr(shown[name]) for name in names] == ["121.0", "31.0", "9.0", "0.0", "0.0", "0.0"]


def test_a_bad_member_of_an_array_is_rejected_in_its_place() -> None:
    good = '{"_type":"location","lat":31.5,"lon":121.5,"tst":1790000000}'
    answer = json.loads(_run(f'[{good},{{"_type":"nosuch"}},7,{good}]')[1])
    assert [one.get("rejected", one.get("type")) for one in answer] == [
        "fix",
        "type_unknown",
        "shape",
        "fix",
    ]
    assert [one["rejected"] for one in json.loads(_run("[7]")[1])] == ["shape"]
    assert json.loads(_run("[" + "7," * 501 + "7]")[1])["rejected"] == "shape"
