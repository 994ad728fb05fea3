"""What each app is told, as the app itself will read it."""

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ConfigurationError
from server.people.models import DeviceKind
from server.people.owntracks import BrokerAddress
from server.people.provisioning import ENCRYPTS, HTTP_DOORS, Setup, setup_of

DOORS = BrokerAddress("mqtt.example", 8883, tls=True, site_url="https://outpost.example")
NAME, SECRET = "d-2345", "a_secret-with+odd/chars="


def setup(kind: DeviceKind) -> Setup:
    return setup_of(kind, DOORS, username=NAME, secret=SECRET)


@pytest.mark.parametrize("kind", sorted(HTTP_DOORS))
def test_an_app_that_knows_only_an_address_gets_one_with_its_credential(kind: DeviceKind) -> None:
    known = dict(setup(kind).settings)
    url = known.get("server_url") or known.get("endpoint") or known["mls_url"]
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query) == ("https", "outpost.example", "")
    _, door, form, name, secret = parts.path.split("/")
    assert (door, form, unquote(name), unquote(secret)) == ("pub", HTTP_DOORS[kind], NAME, SECRET)


def test_traccar_reads_server_and_settings_from_its_code() -> None:
    made = setup(DeviceKind.TRACCAR)
    assert made.code is not None
    parts = urlsplit(made.code)
    # The app takes origin and path as they stand.
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == dict(made.settings)["server_url"]
    query = parse_qs(parts.query, strict_parsing=True)
    assert query["id"] == [NAME]
    assert query["accuracy"] == ["high"]
    assert int(query["interval"][0]) <= 60
    assert query["buffer"] == ["true"]


def test_traccar_reads_the_same_from_its_link() -> None:
    made = setup(DeviceKind.TRACCAR)
    assert made.link is not None
    parts = urlsplit(made.link)
    assert parts.scheme == "org.traccar.client"
    query = parse_qs(parts.query, strict_parsing=True)
    assert query["url"] == [dict(made.settings)["server_url"]]
    assert query["id"] == [NAME]


def test_overland_reads_its_endpoint_from_the_link() -> None:
    made = setup(DeviceKind.OVERLAND)
    assert made.link is not None
    parts = urlsplit(made.link)
    assert (parts.scheme, parts.netloc) == ("overland", "setup")
    assert parse_qs(parts.query)["url"] == [dict(made.settings)["endpoint"]]


def test_network_survey_reads_its_broker_from_the_code() -> None:
    made = setup(DeviceKind.NETWORK_SURVEY)
    assert made.code is not None
    read = json.loads(made.code)
    assert (read["mqtt_host"], read["mqtt_port"], read["mqtt_tls"]) == ("mqtt.example", 8883, True)
    assert (read["mqtt_username"], read["mqtt_password"]) == (NAME, SECRET)
    assert read["mqtt_topic_prefix"] == f"survey/{NAME}/"
    assert read["mqtt_client"] == NAME


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_a_ticket_keeps_what_an_app_is_told(kind: DeviceKind) -> None:
    made = setup(kind)
    assert Setup.from_json(json.loads(json.dumps(made.as_json()))) == made
    assert SECRET not in repr(made)


@pytest.mark.parametrize("kind", sorted(HTTP_DOORS))
def test_without_a_public_address_nobody_is_sent_to_it(kind: DeviceKind) -> None:
    nowhere = BrokerAddress("mqtt.example", 8883, tls=True)
    with pytest.raises(ConfigurationError):
        setup_of(kind, nowhere, username=NAME, secret=SECRET)
    for other in ENCRYPTS:
        assert setup_of(other, nowhere, username=NAME, secret=SECRET).link


@given(secret=st.text(min_size=1, max_size=40))
def test_a_secret_arrives_as_it_was_whatever_it_is_made_of(secret: str) -> None:
    if not secret.isprintable():
        return
    made = setup_of(DeviceKind.TRACCAR, DOORS, username=NAME, secret=secret)
    assert made.link is not None
    url = parse_qs(urlsplit(made.link).query)["url"][0]
    assert unquote(urlsplit(url).path.rsplit("/", 1)[1]) == secret
