"""What the logs say, and what they never say."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.logs import JsonFormatter, redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('{"lat": 60.169856, "lon": 24.938379}', "60.169856"),
        ("position 24.938379, 60.169856 refused", "60.169856"),
        ("POINT(24.938379 60.169856)", "24.938379"),
        ("columns [60.169856, 60.169857, 60.169858]", "60.169858"),
        ("columns [60.169856]", "60.169856"),
        ("columns [60.17, 60.18]", "60.18"),
        ("array([24.938379\n 60.169856\n 60.169999])", "60.169999"),
        ("DETAIL:  Failing row contains (7, 0101000020E6100000, 60.17, x).", "0101000020E6100000"),
        ("phone=+358401234567", "358401234567"),
        ("password: 'quiet harbour'", "quiet harbour"),
        ("Authorization: Basic ZDpzZWNyZXQ6c2VjcmV0", "ZDpzZWNyZXQ6c2VjcmV0"),
        ("authorization is Bearer phone-1-0001:c2VjcmV0", "c2VjcmV0"),
        ("Bearer p:c2VjcmV0", "c2VjcmV0"),
        ('"GET /pub/osmand/phone-1/c2VjcmV0?id=1 HTTP/1.1" 200', "c2VjcmV0"),
        ("http://h/pub/overland/phone-1/c2VjcmV0/", "c2VjcmV0"),
        ("cookie sid=12." + "a" * 43, "a" * 43),
        ("token=abc-def&next=/", "abc-def"),
        ('"name": "李小龙"', "李小龙"),
    ],
)
def test_positions_names_and_secrets_are_left_out(text: str, secret: str) -> None:
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "schema 0003, code 0002",
        "ingest committed 75 s ago",
        "a took 12.345 s, b 3.2 s",
        "batch of 3 (2.5 s)",
    ],
)
def test_what_operators_need_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=200))
def test_an_entry_is_one_line_of_json(text: str) -> None:
    record = logging.LogRecord("any", logging.INFO, __file__, 1, "%s", (text,), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line)["level"] == "info"


def test_an_exception_is_kept_with_its_trace() -> None:
    error = ValueError("lat=60.169856 broke")
    details = (ValueError, error, None)
    record = logging.LogRecord("any", logging.ERROR, __file__, 1, "oops", (), details)
    entry = json.loads(JsonFormatter().format(record))
    assert "ValueError" in entry["exception"]
    assert "60.169856" not in entry["exception"]
