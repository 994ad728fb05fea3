"""What the proxy writes into its log of an address that holds a secret."""

import re
from pathlib import Path

import pytest

_CONF = Path(__file__).resolve().parents[3] / "server" / "deploy" / "nginx" / "outpost.conf"


def _logged(uri: str) -> str:
    """The address as the map of the configuration rewrites it, first match first."""
    block = re.search(r"map \$uri \$logged_uri \{(.*?)\}", _CONF.read_text(), re.DOTALL)
    assert block is not None
    for line in block[1].strip().splitlines():
        pattern, shown = line.strip().rstrip(";").split()
        if pattern == "default" or re.search(pattern.removeprefix("~"), uri):
            return uri if shown == "$uri" else shown
    raise AssertionError(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "/pub/osmand/phone-1/s3cret",
        "/pub/overland/phone-1/s3cret/",
        "//pub/geosubmit/phone-1/s3cret/v2/geosubmit",
        "/enrol/s3cret",
    ],
)
def test_no_secret_of_an_address_is_logged(uri: str) -> None:
    assert "s3cret" not in _logged(uri)


def test_other_addresses_are_logged_as_they_are_and_queries_never() -> None:
    assert _logged("/live") == "/live"
    text = _CONF.read_text()
    assert "$request_uri" not in text.split("return 301", 1)[0]
    (used,) = re.findall(r"log_format plain '([^']*)'", text)
    assert {"$request", "$args", "$query_string"}.isdisjoint(used.split())


def test_errors_at_the_doors_of_phones_are_not_logged_with_the_request() -> None:
    (door,) = re.findall(r"location /pub \{(.*?)\}", _CONF.read_text(), re.DOTALL)
    assert "error_log /dev/stderr emerg;" in door
